"""A server builds vectors from requests in a process that never loads a frame library."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from mlops_pipeline.contract.load import contract_json, load_contract
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.online import FeatureSnapshot, publish
from mlops_pipeline.settings import PACKAGE_MODELS

HEAVY = {"pandas", "pyarrow", "polars", "pandera", "scipy", "dagster", "mlflow", "torch"}
SERVE = """
import json, sys
from pathlib import Path
from mlops_pipeline.contract.load import parse_contract_json
from mlops_pipeline.features.online import newest
from mlops_pipeline.features.row import RowFeatures
features = RowFeatures(parse_contract_json(Path(sys.argv[1]).read_text()))
snapshot = newest(Path(sys.argv[2]), features.definition)
vector = features.vector(json.loads(sys.argv[3]), snapshot)
print(json.dumps({"vector": list(vector), "loaded": sorted(sys.modules)}))
"""
REQUEST = {
    "scheduled_departure": "2013-04-01T06:30:00",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "IAH",
    "distance": 1400,
    "scheduled_arrival": 830,
    "temp": 39.0,
    "humid": 60.0,
    "wind_speed": 10.0,
    "precip": 0.0,
    "pressure": 1012.0,
    "visib": 10.0,
}


@pytest.mark.slow
def test_single_rows_need_no_pandas(tmp_path: Path) -> None:
    contract = load_contract(PACKAGE_MODELS / "flight_delay" / "contract.yaml")
    rates = {feature.name: 0.25 for feature in contract.history}
    day = date(2013, 4, 1)
    snapshot = FeatureSnapshot(contract.name, definition_digest(contract), day, {}, rates)
    publish(tmp_path / "features", snapshot)
    (tmp_path / "contract.json").write_text(contract_json(contract))
    arguments = [str(tmp_path / "contract.json"), str(tmp_path / "features"), json.dumps(REQUEST)]
    done = subprocess.run(
        [sys.executable, "-c", SERVE, *arguments], capture_output=True, check=True, timeout=60
    )
    said = json.loads(done.stdout)
    assert said["vector"][3:7] == [6, 390, 0, 8]  # hour, minute of the day, Monday, arrival hour
    assert said["vector"][-4:] == [0.25] * 4
    assert not HEAVY & {name.partition(".")[0] for name in said["loaded"]}
