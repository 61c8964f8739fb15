import asyncio
import json
import struct
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_pipeline.serving.request_log import Outcome
from mlops_pipeline_tests.serving.asgi import JSON, Service
from mlops_pipeline_tests.serving.world import ROW, probability

MODEL = "/v2/models/flight_delay"
NUMBERS = [probability(-2.0), 0.5]


def tensor(name: str, *values: Any, **more: Any) -> dict[str, Any]:
    kind = "BYTES" if isinstance(values[0], str) else "FP64"
    return {"name": name, "datatype": kind, "shape": [len(values)], "data": list(values), **more}


def request(**changes: Any) -> dict[str, Any]:
    """Two rows, of which the second flies 2000 miles."""
    far = {**ROW, "distance": 2000}
    inputs = {name: tensor(name, ROW[name], far[name]) for name in ROW}
    inputs.update(changes)
    return {"inputs": [each for each in inputs.values() if each is not None]}


def infer(service: Service, content: Any, path: str = MODEL, **headers: str) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(service.send("POST", f"{path}/infer", body, given))


def get(service: Service, path: str) -> httpx.Response:
    return asyncio.run(service.send("GET", path))


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/7"])
def test_tensors_in_json_give_the_numbers_of_predict(service: Service, path: str) -> None:
    response = infer(service, {**request(), "id": "mine"}, path)
    assert response.status_code == 200
    assert response.json() == {
        "model_name": "flight_delay",
        "model_version": "7",
        "id": "mine",
        "outputs": [
            {"name": "probability", "datatype": "FP64", "shape": [2], "data": NUMBERS},
            {"name": "answer", "datatype": "BOOL", "shape": [2], "data": [False, False]},
        ],
    }


def test_the_requests_id_names_its_records_where_no_header_does(service: Service) -> None:
    infer(service, {**request(), "id": "mine"})
    assert [record.id for record in service.records()] == ["mine-0", "mine-1"]


def test_a_column_of_width_one_and_a_missing_optional_one_are_fine(service: Service) -> None:
    tall = {"name": "distance", "datatype": "INT32", "shape": [2, 1], "data": [[500], [2000]]}
    response = infer(service, request(distance=tall, temp=None))
    assert response.json()["outputs"][0]["data"] == NUMBERS


def packed(missing: bool = False) -> tuple[bytes, int]:
    """The two rows as raw bytes behind their JSON, and the JSON's length."""
    tensors, raw = [], b""
    for each in request()["inputs"]:
        values = each.pop("data")
        if each["datatype"] == "BYTES":
            piece = b"".join(struct.pack("<I", len(v)) + v.encode() for v in values)
        else:
            if missing and each["name"] == "temp":
                values = [float("nan"), 39.0]
            piece = struct.pack(f"<{len(values)}d", *values)
        tensors.append({**each, "parameters": {"binary_data_size": len(piece)}})
        raw += piece
    text = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    return text + raw, len(text)


@pytest.mark.parametrize("missing", [False, True])
def test_raw_bytes_in_and_out_give_the_same_numbers(service: Service, missing: bool) -> None:
    body, split = packed(missing)
    response = infer(service, body, inference_header_content_length=str(split))
    assert response.headers["content-type"] == "application/octet-stream"
    end = int(response.headers["inference-header-content-length"])
    assert json.loads(response.content[:end])["outputs"][0]["parameters"] == {
        "binary_data_size": 16
    }
    assert response.content[end:] == struct.pack("<2d??", *NUMBERS, False, False)


def test_only_the_outputs_that_were_asked_for_are_told(service: Service) -> None:
    asked = {**request(), "outputs": [{"name": "answer", "parameters": {"binary_data": False}}]}
    assert [each["name"] for each in infer(service, asked).json()["outputs"]] == ["answer"]


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        (request(distance=tensor("distance", 500, -1)), 422, "row 1: distance"),
        (request(distance=tensor("distance", "500", "2000")), 422, "row 0: distance"),
        (request(distance=None), 422, "row 0: distance"),
        (request(extra=tensor("extra", 1, 2)), 422, "row 0: extra"),
        (request(distance=tensor("distance", 1)), 422, "distance"),
        (request(distance=tensor("distance", 1, 2, shape=[3])), 422, "distance"),
        (request(distance=tensor("distance", 1, 2, shape=[1, 2])), 422, "distance"),
        (request(distance=tensor("distance", 1, 2, shape=[-1])), 422, "distance"),
        (request(distance=tensor("distance", 1, 2, shape=[10**9])), 413, "body"),
        (request(distance=tensor("distance", 1, 2, datatype="COMPLEX")), 422, "distance"),
        (request(distance={"name": "distance", "datatype": "FP64", "shape": [2]}), 422, "distance"),
        (
            request(distance=tensor("distance", 1, 2, parameters={"binary_data_size": 9})),
            422,
            "distance",
        ),
        ({"inputs": []}, 422, "body"),
        ({"inputs": request()["inputs"] * 2}, 422, "scheduled_departure"),
        ({**request(), "outputs": [{"name": "logit"}]}, 422, "outputs"),
        ({"rows": []}, 422, "body"),
        (b"{", 400, "body"),
        (b"[" * 100_000, 400, "body"),
    ],
)
def test_a_wrong_request_is_refused_by_field(
    service: Service, content: Any, status: int, field: str
) -> None:
    response = infer(service, content, x_request_id="a")
    said = response.json()
    assert (response.status_code, said["detail"]["field"]) == (status, field)
    assert said["error"].startswith(f"{field}: ")
    assert [record.outcome for record in service.records()] == [Outcome.INVALID]


@pytest.mark.parametrize("split", ["", "-1", "99999999", "9" * 30, "ten"])
def test_a_length_that_is_none_of_the_body_is_refused(service: Service, split: str) -> None:
    body, _ = packed()
    response = infer(service, body, inference_header_content_length=split)
    assert response.status_code == 400


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(cut=st.integers(0, 700), noise=st.binary(max_size=20), shift=st.integers(-30, 30))
def test_no_torn_or_noisy_body_makes_a_5xx(
    service: Service, cut: int, noise: bytes, shift: int
) -> None:
    body, split = packed()
    torn = body[:cut] + noise + body[cut + len(noise) :]
    response = infer(service, torn, inference_header_content_length=str(max(0, split + shift)))
    assert response.status_code < 500


def test_another_model_or_version_is_404_and_says_which_is_here(service: Service) -> None:
    for path, field, here in (
        ("/v2/models/other/infer", "model", "flight_delay"),
        (f"{MODEL}/versions/8/infer", "version", "7"),
    ):
        response = asyncio.run(service.send("POST", path, b"{}", JSON))
        assert response.status_code == 404
        assert response.json()["detail"] == {
            "field": field,
            "what": "is not served here",
            "allowed": here,
        }


def test_metadata_names_every_column_of_the_contract(service: Service) -> None:
    told = get(service, MODEL).json()
    assert (told["name"], told["versions"], told["platform"]) == ("flight_delay", ["7"], "lightgbm")
    kinds = {each["name"]: each["datatype"] for each in told["inputs"]}
    assert kinds.keys() == ROW.keys()
    assert (kinds["distance"], kinds["carrier"]) == ("FP64", "BYTES")
    assert get(service, f"{MODEL}/versions/7").json() == told
    assert get(service, "/v2").json()["extensions"] == ["binary_tensor_data"]


def test_ready_paths_follow_the_health_and_live_does_not(service: Service) -> None:
    ready = ("/v2/health/ready", f"{MODEL}/ready", f"{MODEL}/versions/7/ready", "/healthz")
    assert [get(service, path).status_code for path in ready] == [200] * 4
    service.app.draining = True
    assert [get(service, path).status_code for path in ready] == [503] * 4
    assert get(service, "/v2/health/live").status_code == 200
