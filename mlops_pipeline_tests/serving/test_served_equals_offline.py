"""Real flights, both trainers, a real process: the number served is the number computed offline."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import days, label
from mlops_pipeline.data.sources import read_source
from mlops_pipeline.data.windows import Window
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.history import count_history, feature_snapshot
from mlops_pipeline.features.online import publish
from mlops_pipeline.serving.client import Reply
from mlops_pipeline.serving.replay import ReplayRequest, replay
from mlops_pipeline.serving.request_log import Arm, read_records
from mlops_pipeline.training.protocols import Model
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline.training.table import trainer
from mlops_pipeline_tests.serving.processes import run
from mlops_pipeline_tests.serving.world import flights, make_bundle

pytestmark = pytest.mark.slow

DAY = datetime(2013, 2, 1)  # noqa: DTZ001  local time
PARAMS: dict[str, dict[str, Any]] = {
    "lightgbm": {"num_boost_round": 20, "num_leaves": 15},
    "torch": {"epochs": 1, "hidden": [16]},
}


def body(contract: ModelContract, row: Any) -> bytes:
    said: dict[str, Any] = {}
    for column in contract.request_columns:
        value = getattr(row, column.name)
        if isinstance(value, pd.Timestamp):
            said[column.name] = value.isoformat()
        elif not pd.isna(value):
            said[column.name] = value
    return json.dumps(said).encode()


@pytest.mark.parametrize("candidate", [0, 1], ids=["lightgbm", "torch"])
def test_the_number_served_is_the_number_computed_offline(tmp_path: Path, candidate: int) -> None:
    contract = flights()
    before = read_source(contract, Window.of_month("2013-01"))
    asked = read_source(contract, Window(DAY, datetime(2013, 2, 2))).iloc[::3]  # noqa: DTZ001
    history = count_history(contract, before)
    model = fitted(contract, before, candidate)
    expected = model.predict(compute_features(contract, asked, history).values)
    make_bundle(tmp_path / "bundle", contract, files=model.files(), candidate=candidate)
    publish(tmp_path / "features", feature_snapshot(contract, history, date(2013, 2, 1)))
    heard: dict[str, float] = {}

    def hear(request: ReplayRequest, reply: Reply) -> None:
        assert reply.status == 200, reply.body
        heard[request.id] = json.loads(reply.body)["probability"]

    requests = [
        ReplayRequest(str(n), str(n), body(contract, row))
        for n, row in enumerate(asked.itertuples(index=False))
    ]
    with run(tmp_path) as server:
        report = replay("http://v/predict", requests, uds=str(server.socket), listener=hear)
        assert report.answered == len(asked) > 200
        assert server.memory_mb() < 130
    served = [heard[str(n)] for n in range(len(asked))]
    if candidate == 0:
        assert served == expected.tolist()
    else:
        assert served == pytest.approx(expected.tolist(), abs=1e-6)
    logged = {record.id: record for record in read_records(tmp_path / "log", arm=Arm.LIVE)}
    assert {name: record.score for name, record in logged.items()} == heard


def fitted(contract: ModelContract, frame: pd.DataFrame, candidate: int) -> Model:
    matrix = compute_features(contract, frame, count_history(contract, frame))
    labels = label(contract, frame)
    known = ~np.isnan(labels)
    everything = LabelledRows(matrix, np.nan_to_num(labels), days(contract, frame))
    chosen = contract.candidates[candidate]
    return trainer(chosen.trainer).fit(
        everything.only(known), everything.only(known), params=PARAMS[chosen.trainer], seed=1
    )
