"""Real clients of three protocols against a real process, unchanged."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import jsonschema_rs
import numpy as np
import pytest
import tritonclient.http as triton

from mlops_pipeline_tests.serving.asgi import JSON
from mlops_pipeline_tests.serving.processes import serving
from mlops_pipeline_tests.serving.world import ROW, body, probability

pytestmark = pytest.mark.slow

MODEL = "flight_delay"
NUMBERS = [probability(-2.0), 0.5]
EXAMPLES = os.environ.get("MLOPS_FUZZ_EXAMPLES", "300")  # at most, of each operation and mode
CASES = 2_000  # at the least, in all
# Its own list of refusals, and 413: what is too large is refused before the rest is looked at.
REFUSALS = """
[checks]
negative_data_rejection.expected-statuses = ["400", "404", "405", "406", "413", "415", "422"]
"""
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method"
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("s"), port=0) as server:
        yield server.address


@pytest.mark.parametrize("binary", [True, False])
def test_tritons_http_client_infers_the_same_numbers(address: str, binary: bool) -> None:
    columns = {name: [value, value] for name, value in ROW.items()} | {"distance": [500, 2000]}
    inputs = []
    for name, values in columns.items():
        text = isinstance(values[0], str)
        array = np.array(values, dtype=object if text else np.float64)
        given = triton.InferInput(name, [2], "BYTES" if text else "FP64")
        given.set_data_from_numpy(array, binary_data=binary)
        inputs.append(given)
    with triton.InferenceServerClient(address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(MODEL, "7")
        assert client.get_server_metadata()["name"] == "mlops_pipeline"
        assert len(client.get_model_metadata(MODEL)["inputs"]) == len(ROW)
        told = client.infer(MODEL, inputs, model_version="7", request_id="t")
        assert told.as_numpy("probability").tolist() == NUMBERS
        assert told.as_numpy("answer").tolist() == [False, False]
        assert not client.is_model_ready(MODEL, "8")
        with pytest.raises(triton.InferenceServerException, match="version"):
            client.infer(MODEL, inputs, model_version="8")


MLFLOW_CLIENT = """
import json, sys
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
host, port, rows = sys.argv[1:]
client = ScoringServerClient(host, port)
client.wait_server_ready(timeout=5)
told = client.invoke(pd.DataFrame(json.loads(rows)))["predictions"]
print(json.dumps({"version": json.loads(client.get_version())["version"], "told": told}))
"""


def test_mlflows_client_gets_the_same_numbers(address: str) -> None:
    rows = json.dumps([ROW, {**ROW, "distance": 2000}])
    done = subprocess.run(  # mlflow warns while it is imported
        [sys.executable, "-c", MLFLOW_CLIENT, *address.split(":"), rows],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == {"version": "7", "told": NUMBERS}


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("application/json", '{"dataframe_split": {"columns": %s, "data": [%s]}}'),
        ("text/csv", None),
    ],
)
def test_curl_as_in_mlflows_documentation(address: str, kind: str, sent: str | None) -> None:
    values = list(ROW.values())
    text = (
        f"{','.join(ROW)}\n{','.join(map(str, values))}"
        if sent is None
        else sent % (json.dumps(list(ROW)), json.dumps(values))
    )
    done = subprocess.run(
        [
            *("curl", "-s", f"http://{address}/invocations"),
            *("-H", f"Content-Type: {kind}", "--data-binary", text),
        ],
        capture_output=True,
        check=True,
        timeout=10,
    )
    assert json.loads(done.stdout) == {"predictions": NUMBERS[:1]}


@pytest.mark.timeout(600)  # half a minute where nothing else runs
def test_the_openapi_document_holds_in_generated_cases(address: str, tmp_path: Path) -> None:
    """Thousands of cases: no 5xx, no undeclared answer, nothing wrong taken."""
    (tmp_path / "schemathesis.toml").write_text(REFUSALS)
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run"),
            f"http://{address}/openapi.json",
            *("--checks", CHECKS, "--max-examples", EXAMPLES),
            *("--phases", "examples,coverage,fuzzing", "--generation-deterministic"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    found = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert found is not None, done.stdout[-2000:]
    assert found[1] == found[2]
    assert int(found[1]) >= CASES


def test_the_documents_row_is_what_predict_takes(address: str) -> None:
    document = httpx.get(f"http://{address}/openapi.json").json()
    row = jsonschema_rs.validator_for(document["components"]["schemas"]["Row"])
    assert row.is_valid(json.loads(body(temp=None)))
    assert httpx.post(f"http://{address}/predict", content=body(), headers=JSON).is_success
    for wrong in ({"distance": -1}, {"distance": "far"}, {"extra": 1}, {"carrier": None}):
        assert not row.is_valid(json.loads(body(**wrong)))
