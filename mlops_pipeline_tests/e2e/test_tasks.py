"""A user's own model of numbers lives as the shipped one of yes or no does, on real flights."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mlops_pipeline.data.labels import label
from mlops_pipeline.governance.policy import check_policy
from mlops_pipeline.monitoring import labels as inbox
from mlops_pipeline.monitoring.labels import LabelRecord
from mlops_pipeline.registry.bundle import open_bundle
from mlops_pipeline.registry.pyfunc import ServedVersion
from mlops_pipeline_tests.e2e.life import Life, living, served
from mlops_pipeline_tests.models import arrival_delay

DAY = timedelta(days=1)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    model = Path(str(arrival_delay.__file__)).parent
    with living(model, tmp_path_factory.mktemp("numbers")) as life:
        yield life


def test_a_number_is_judged_by_its_errors_and_held_against_a_cheap_model(numbers: Life) -> None:
    shown = numbers.trained.metadata["arrival_delay/evaluation"]

    assert {"mae", "rmse", "r2", "pinball", "quantile_coverage"} <= set(shown)
    assert 5 < shown["mae"] < 60
    assert shown["r2"] > 0
    # Of a tree with uncommitted changes no code can be found again: that rule is not of the task.
    assert set(numbers.trained.failed_checks) <= {"arrival_delay/version:policy"}
    assert [f for f in check_policy(numbers.contract) if f.passed is False] == []


def _moments(life: Life) -> list[datetime]:
    return [moment.to_pydatetime() for moment in life.asked[life.contract.event_time]]


@pytest.mark.parametrize("candidate", ["trees", "network"])
def test_numbers_over_http_are_the_offline_ones_bit_for_bit(numbers: Life, candidate: str) -> None:
    bundle = numbers.bundle_of(candidate)
    with served(numbers, bundle, "--unsigned") as client:
        singly = [client.post("/predict", json=row).json()["prediction"] for row in numbers.rows()]
        at_once = client.post("/invocations", json={"dataframe_records": numbers.rows()}).json()

    assert singly == numbers.offline(bundle).tolist()
    assert at_once["predictions"] == singly
    assert numbers.in_bulk(bundle)["prediction"].to_pylist() == singly
    assert min(singly) < 1 < max(singly), "these are minutes, not rates"


def test_the_registered_version_serves_signed_and_is_watched_by_its_errors(numbers: Life) -> None:
    settings, name = numbers.house.settings, numbers.contract.name
    trusted = str(settings.home / "keys" / "trusted")
    with served(numbers, numbers.version.bundle, "--trust", trusted) as client:
        for number, row in enumerate(numbers.rows()):
            said = client.post("/predict", json=row, headers={"x-request-id": f"live-{number}"})
            assert said.status_code == 200
    truth, when = label(numbers.contract, numbers.asked), _moments(numbers)
    told = [
        LabelRecord(f"live-{number}", float(value), when[number], when[number] + DAY)
        for number, value in enumerate(truth)
        if not np.isnan(value)
    ]
    inbox.append(settings.labels / name, told, task="regression")

    watched = numbers.driver.run(f"{name}__monitor", months=["2013-04"])

    assert watched.success, watched.failures
    shown = watched.metadata[f"{name}/live_performance"]
    assert shown["labelled"] == len(told)
    offline = numbers.offline(numbers.version.bundle)
    known = ~np.isnan(truth)
    assert shown["mae"] == pytest.approx(np.abs(offline - truth)[known].mean())
    assert "estimated mae" not in shown


def test_mlflow_answers_the_same_numbers(numbers: Life) -> None:
    bundle = numbers.version.bundle
    folder = numbers.house.objects.check_out(bundle, numbers.house.settings.bundles / bundle)
    version = ServedVersion(open_bundle(folder), numbers.house.settings)
    asked = numbers.asked[numbers.columns].head(50).copy()
    asked["departs"] = asked["departs"].dt.strftime("%Y-%m-%dT%H:%M:%S")

    answers = version.predict(asked)

    assert answers["prediction"].tolist() == numbers.offline(bundle)[:50].tolist()
