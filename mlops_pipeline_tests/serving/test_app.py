import asyncio
import json
import math
from array import array
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_pipeline.features.online import publish
from mlops_pipeline.serving.faults import Faults, FaultSpec
from mlops_pipeline.serving.records import Call, RecordMaker
from mlops_pipeline.serving.request_log import Arm, Outcome
from mlops_pipeline_tests.serving.asgi import JSON, Service
from mlops_pipeline_tests.serving.conftest import MakeService
from mlops_pipeline_tests.serving.world import body, changed, flights, probability, snapshot


def predict(service: Service, content: Any, **headers: str) -> httpx.Response:
    return asyncio.run(service.predict(content, **headers))


def get(service: Service, path: str) -> httpx.Response:
    return asyncio.run(service.send("GET", path))


def test_a_good_request_gets_the_probability_computed_by_hand(service: Service) -> None:
    response = predict(service, body(), x_request_id="flight-1")
    assert response.status_code == 200
    assert response.json() == {
        "id": "flight-1",
        "model": "flight_delay",
        "version": "7",
        "probability": probability(-2.0),
        "answer": False,
        "features_as_of": "2013-04-01",
        "features_age_days": 0,
    }
    assert response.headers["x-served-by"] == "flight_delay-v7"
    assert response.headers["x-request-id"] == "flight-1"


def test_the_answer_is_yes_above_the_contracts_threshold_only(service: Service) -> None:
    exactly_half = predict(service, body(distance=2000)).json()
    assert (exactly_half["probability"], exactly_half["answer"]) == (0.5, False)
    publish(service.folder / "features", snapshot(flights(), late=0.5))
    service.lookups.look()
    above = predict(service, body(distance=2000)).json()
    assert (above["probability"], above["answer"]) == (probability(3.0), True)


def test_an_id_is_made_where_the_client_named_none(service: Service) -> None:
    first, second = predict(service, body()).json(), predict(service, body()).json()
    assert first["id"] != second["id"]
    assert len(first["id"]) == 32


def test_each_answer_leaves_a_record_of_row_features_and_score(service: Service) -> None:
    predict(service, body(temp=None), x_request_id="a", x_unit="passenger-9")
    (record,) = service.records()
    assert (record.id, record.unit, record.arm) == ("a", "passenger-9", Arm.LIVE)
    assert (record.model, record.version, record.at) == ("flight_delay", "7", 1_700_000_000.5)
    assert (record.status, record.outcome, record.score) == (200, Outcome.OK, probability(-2.0))
    assert record.event_time == "2013-04-01T06:30:00"
    assert record.row["scheduled_departure"] == "2013-04-01T06:30:00"
    assert record.row["temp"] is None
    assert record.features["hour"] == 6.0
    assert record.features["carrier_late_28d"] == 0.1
    assert record.features["temp"] is None
    assert record.latency_ms > 0


def test_the_mirrors_copy_is_answered_and_logged_as_shadow(service: Service) -> None:
    assert predict(service, body(), x_request_id="a", x_shadow="1").status_code == 200
    (record,) = service.records()
    assert (record.arm, record.unit) == (Arm.SHADOW, "a")


def test_a_refused_request_is_logged_as_invalid_without_its_values(service: Service) -> None:
    predict(service, body(distance=-1), x_request_id="a")
    (record,) = service.records()
    assert (record.outcome, record.status, record.score) == (Outcome.INVALID, 422, None)
    assert (record.row, record.features, record.event_time) == ({}, {}, None)


def test_personal_columns_and_features_made_of_them_are_not_logged(make: MakeService) -> None:
    position = flights().column_names.index("carrier")
    contract = changed(flights(), {f"columns.{position}.sensitivity": "personal"})
    service = make(contract=contract)
    predict(service, body())
    (record,) = service.records()
    assert "carrier" not in record.row
    assert not [name for name in record.features if "carrier" in name]
    assert record.row["origin"] == "EWR"
    assert record.features["dest_late_28d"] == 0.2


@pytest.mark.parametrize(
    ("content", "headers", "status", "field"),
    [
        (body(distance=-1), JSON, 422, "distance"),
        (body()[:20], JSON, 400, "body"),
        (body(), {}, 415, "content-type"),
        (body(), {"content-type": "text/csv"}, 415, "content-type"),
        (body(), JSON | {"x-request-id": "two words"}, 400, "x-request-id"),
        (body(), JSON | {"x-request-id": "x" * 129}, 400, "x-request-id"),
        (body(), JSON | {"x-unit": ""}, 400, "x-unit"),
        (b" " * 65_537, JSON, 413, "body"),
        (body(), JSON | {"content-length": "99999999999"}, 413, "body"),
        (body(), JSON | {"content-length": "many"}, 413, "body"),
    ],
)
def test_a_client_hears_which_field_is_wrong_and_what_is_allowed(
    service: Service, content: bytes, headers: dict[str, str], status: int, field: str
) -> None:
    response = asyncio.run(service.send("POST", "/predict", content, headers))
    assert response.status_code == status
    assert response.json()["error"]["field"] == field
    assert response.json()["error"]["allowed"]
    assert response.headers["content-type"] == "application/json"


def test_content_type_may_name_a_charset(service: Service) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert asyncio.run(service.send("POST", "/predict", body(), headers)).status_code == 200


def test_a_body_in_pieces_is_read_and_a_long_one_is_refused_on_the_way(service: Service) -> None:
    async def pieces(count: int) -> Any:
        yield body()
        for _ in range(count):
            yield b" " * 1_000

    assert predict(service, pieces(3)).status_code == 200
    response = predict(service, pieces(70))
    assert response.status_code == 413
    assert response.headers["connection"] == "close"


def test_unknown_paths_and_methods_are_4xx_with_what_there_is(service: Service) -> None:
    lost = get(service, "/nothing")
    assert lost.status_code == 404
    assert "/predict" in lost.json()["error"]["allowed"]
    wrong = get(service, "/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    posted = asyncio.run(service.send("POST", "/version", b"{}", JSON))
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=300) | st.dictionaries(st.text(), st.integers()).map(json.dumps))
def test_no_body_makes_a_5xx(service: Service, content: Any) -> None:
    assert 400 <= predict(service, content).status_code < 500


def test_without_look_ups_the_version_is_alive_and_not_ready(make: MakeService) -> None:
    service = make(published=False)
    assert get(service, "/livez").status_code == 200
    health = get(service, "/healthz")
    assert (health.status_code, health.json()["ready"]) == (503, False)
    assert health.json()["why"] == "no feature snapshot was published yet"
    assert predict(service, body()).status_code == 503


def test_a_snapshot_published_later_makes_it_ready(make: MakeService) -> None:
    service = make(published=False)
    publish(service.folder / "features", snapshot(flights()))
    service.lookups.look()
    assert get(service, "/healthz").status_code == 200
    assert predict(service, body()).status_code == 200


def test_a_draining_version_answers_and_asks_the_router_to_leave(service: Service) -> None:
    service.app.draining = True
    assert get(service, "/healthz").json()["why"] == "draining"
    response = predict(service, body())
    assert (response.status_code, response.headers["connection"]) == (200, "close")


def test_look_ups_too_old_for_the_row_are_refused_as_the_clients_choice_of_time(
    service: Service,
) -> None:
    response = predict(service, body(scheduled_departure="2013-05-12T06:30:00"))
    assert response.status_code == 422
    error = response.json()["error"]
    assert error["field"] == "scheduled_departure"
    assert error["what"] == "41 days after 2013-04-01, the day of the newest feature snapshot"
    assert error["allowed"] == "at most 40 days after it; publish a newer snapshot"
    at_the_limit = predict(service, body(scheduled_departure="2013-05-11T06:30:00"))
    assert at_the_limit.json()["features_age_days"] == 40


class Saying:
    """A scorer that says one number, whatever it is asked."""

    def __init__(self, number: float) -> None:
        self.number = number

    def score(self, vector: "array[float]") -> float:
        return self.number

    def score_batch(self, vectors: Sequence["array[float]"]) -> list[float]:
        return [self.number for _ in vectors]


@pytest.mark.parametrize("number", [math.nan, math.inf, -0.1, 1.5])
def test_a_model_that_gives_no_probability_is_a_500_and_an_error_record(
    make: MakeService, caplog: pytest.LogCaptureFixture, number: float
) -> None:
    service = make(scorer=Saying(number))
    response = predict(service, body(), x_request_id="a")
    assert response.status_code == 500
    assert response.json()["id"] == "a"
    assert "Traceback" not in response.text
    assert "predict=failed id=a" in caplog.text
    (record,) = service.records()
    assert (record.outcome, record.status, record.score) == (Outcome.ERROR, 500, None)


def test_version_tells_what_is_served_and_that_no_drill_is_on(service: Service) -> None:
    told = get(service, "/version").json()
    assert (told["model"], told["version"], told["trainer"]) == ("flight_delay", "7", "lightgbm")
    assert told["contract"] == service.predictor.manifest.contract_digest
    assert told["fault"] is None


def test_a_drill_is_shown_and_its_failures_are_500s(make: MakeService) -> None:
    service = make(faults=Faults(FaultSpec(error=1.0, after=1)))
    assert predict(service, body()).status_code == 200
    assert predict(service, body(), x_shadow="1").status_code == 200
    response = predict(service, body())
    assert response.status_code == 500
    assert "drill" in response.json()["error"]["what"]
    assert get(service, "/version").json()["fault"]["error"] == 1.0
    assert "mlops_fault_drill" in get(service, "/metrics").text
    assert [r.outcome for r in service.records()].count(Outcome.ERROR) == 1


def test_a_deaf_drill_fails_the_health_check_too(make: MakeService) -> None:
    service = make(faults=Faults(FaultSpec(deaf=True)))
    assert get(service, "/healthz").json()["why"] == "a fault drill"


def test_metrics_count_requests_warnings_and_the_look_ups_age(service: Service) -> None:
    predict(service, body(carrier="ZZ", wind_speed=500, scheduled_departure="2013-04-04T01:00:00"))
    predict(service, body(distance=-1))
    predict(service, body(scheduled_departure="2014-01-01T00:00:00"))
    text = get(service, "/metrics").text
    same = 'model="flight_delay"'
    for line in (
        f'mlops_requests_total{{arm="live",{same},outcome="ok",version="7"}} 1.0',
        f'mlops_requests_total{{arm="live",{same},outcome="invalid",version="7"}} 2.0',
        f'mlops_request_seconds_count{{arm="live",{same},version="7"}} 3.0',
        f'mlops_probability_count{{arm="live",{same},version="7"}} 1.0',
        f'mlops_unknown_categories_total{{field="carrier",{same},version="7"}} 1.0',
        f'mlops_out_of_range_total{{field="wind_speed",{same},version="7"}} 1.0',
        f'mlops_stale_features_total{{{same},version="7"}} 1.0',
        f'mlops_features_age_days{{{same},version="7"}} 3.0',
        f'mlops_ready{{{same},version="7"}} 1.0',
        f'mlops_fault_drill{{{same},version="7"}} 0.0',
    ):
        assert line in text.splitlines()


def test_metrics_count_the_answers_that_lacked_a_feature(service: Service) -> None:
    predict(service, body(temp=None))
    predict(service, body())
    service.log.close()  # records are made in its thread
    lines = get(service, "/metrics").text.splitlines()
    same = 'model="flight_delay",version="7"'
    assert f'mlops_missing_features_total{{feature="temp",{same}}} 1.0' in lines
    assert f'mlops_missing_features_total{{feature="humid",{same}}} 0.0' in lines


def test_of_a_sampled_log_each_record_stands_for_several_answers() -> None:
    maker = RecordMaker("m", "1", flights(), rate=0.25)
    width = len(flights().features.columns)
    call = Call(Arm.LIVE, 0.0, "a", vector=array("d", [float("nan")] * width))
    maker.make(call)
    assert set(maker.missing.values()) == {4.0}
