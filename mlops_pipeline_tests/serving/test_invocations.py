import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_pipeline.serving.dialects import MAX_ROWS
from mlops_pipeline.serving.request_log import Outcome
from mlops_pipeline_tests.serving.asgi import JSON, Service
from mlops_pipeline_tests.serving.world import ROW, probability

FAR = {**ROW, "distance": 2000}
NUMBERS = [probability(-2.0), 0.5]  # of ROW and FAR
SPLIT = {"columns": list(ROW), "data": [list(ROW.values()), list(FAR.values())]}


def invoke(service: Service, content: Any, kind: str = "application/json") -> httpx.Response:
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    headers = {"content-type": kind, "x-request-id": "call"}
    return asyncio.run(service.send("POST", "/invocations", body, headers))


def csv_of(*rows: dict[str, Any]) -> str:
    lines = [
        ",".join(rows[0]),
        *(",".join("" if v is None else str(v) for v in r.values()) for r in rows),
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "content",
    [
        {"dataframe_split": SPLIT},
        {"dataframe_split": {**SPLIT, "index": [0, 1]}},
        {"dataframe_records": [ROW, FAR]},
        {"dataframe_records": [ROW, FAR], "params": {}},
        {"instances": [ROW, FAR]},
        {"inputs": [ROW, FAR]},
        {"inputs": {name: [ROW[name], FAR[name]] for name in ROW}},
    ],
    ids=["split", "split-index", "records", "params", "instances", "inputs-rows", "inputs"],
)
def test_every_json_form_gives_the_numbers_of_predict(service: Service, content: Any) -> None:
    response = invoke(service, content)
    assert (response.status_code, response.json()) == (200, {"predictions": NUMBERS})


@pytest.mark.parametrize("kind", ["text/csv", "Text/CSV; charset=utf-8"])
def test_csv_gives_the_numbers_of_predict(service: Service, kind: str) -> None:
    response = invoke(service, csv_of(ROW, {**FAR, "temp": None}), kind)
    assert response.json() == {"predictions": NUMBERS}


def test_each_row_leaves_a_record_of_its_own_under_the_requests_id(service: Service) -> None:
    invoke(service, {"instances": [ROW, FAR]})
    first, second = service.records()
    assert (first.id, second.id) == ("call-0", "call-1")
    assert (first.score, second.score) == tuple(NUMBERS)
    assert first.digest == second.digest is not None
    assert second.row["distance"] == 2000


def test_one_row_keeps_the_requests_id(service: Service) -> None:
    invoke(service, {"instances": [ROW]})
    assert [record.id for record in service.records()] == ["call"]


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        ({"instances": [ROW, {**ROW, "distance": -1}]}, 422, "row 1: distance"),
        ({"instances": [{**ROW, "distance": "far"}]}, 422, "distance"),
        ({"instances": [{**ROW, "extra": 1}]}, 422, "extra"),
        ({"instances": []}, 422, "body"),
        ({"instances": [[1, 2]]}, 422, "instances"),
        ({"instances": [ROW] * (MAX_ROWS + 1)}, 413, "body"),
        (
            {"dataframe_split": {"columns": ["distance", "distance"], "data": []}},
            422,
            "dataframe_split",
        ),
        ({"dataframe_split": {**SPLIT, "data": [[1]]}}, 422, "dataframe_split.data[0]"),
        ({"inputs": {"distance": [1], "carrier": []}}, 422, "inputs"),
        ({"inputs": {"distance": 1}}, 422, "inputs"),
        ({"instances": [ROW], "inputs": [ROW]}, 422, "body"),
        ({"rows": [ROW]}, 422, "body"),
        ({"instances": [ROW], "params": {"top": 1}}, 422, "body"),
        ([ROW], 422, "body"),
        ("{", 400, "body"),
        (b"\xff", 400, "body"),
        ('{"instances": [{"distance": NaN}]}', 400, "body"),
        ("[" * 100_000, 400, "body"),
    ],
)
def test_a_wrong_request_is_refused_by_field(
    service: Service, content: Any, status: int, field: str
) -> None:
    response = invoke(service, content)
    said = response.json()
    assert (response.status_code, said["error"]["field"]) == (status, field)
    assert said["error_code"] == "BAD_REQUEST"
    assert said["message"].startswith(f"{field}: ")
    assert [record.outcome for record in service.records()] == [Outcome.INVALID]


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        (csv_of({**ROW, "distance": "nan"}), 422, "distance"),
        (csv_of({**ROW, "distance": "inf"}), 422, "distance"),
        (csv_of({**ROW, "distance": None}), 422, "distance"),
        (csv_of(ROW) + "\n1,2", 400, "row 1"),
        ("a,a\n1,2", 400, "header"),
        ("distance", 422, "body"),
        ("", 422, "body"),
        ('"distance\n1', 400, "body"),
        (b"\xff\xfe", 400, "body"),
    ],
)
def test_wrong_csv_is_refused_by_field(
    service: Service, content: str | bytes, status: int, field: str
) -> None:
    response = invoke(service, content, "text/csv")
    assert (response.status_code, response.json()["error"]["field"]) == (status, field)


def test_other_content_types_and_compressed_bodies_are_refused(service: Service) -> None:
    assert invoke(service, "x", "application/x-parquet").status_code == 415
    packed = JSON | {"content-encoding": "gzip"}
    response = asyncio.run(service.send("POST", "/invocations", b"x", packed))
    assert (response.status_code, response.json()["error"]["field"]) == (415, "content-encoding")


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["columns", "data", "distance", "carrier"]), inner)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.dictionaries(st.sampled_from(["dataframe_split", "instances", "inputs", "params"]), VALUES)
)
def test_no_body_makes_a_5xx(service: Service, content: Any) -> None:
    assert 400 <= invoke(service, content).status_code < 500


def test_ping_is_mlflows_health_check(service: Service) -> None:
    ping = asyncio.run(service.send("GET", "/ping"))
    assert (ping.status_code, ping.text) == (200, "\n")
    service.app.draining = True
    gone = asyncio.run(service.send("GET", "/ping"))
    assert (gone.status_code, gone.text) == (503, "draining")
