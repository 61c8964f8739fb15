"""A user's own model of classes lives as the shipped one of yes or no does, on real flights.

A file of its own: while a life's fixture lasts, the environment is that of its home.
"""

from collections.abc import Iterator
from datetime import timedelta
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
from mlops_pipeline_tests.models import arrival_class

DAY = timedelta(days=1)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    model = Path(str(arrival_class.__file__)).parent
    with living(model, tmp_path_factory.mktemp("classes")) as life:
        yield life


def test_a_class_is_judged_by_what_it_is_worth_over_all_classes(classes: Life) -> None:
    shown = classes.trained.metadata["arrival_class/evaluation"]

    assert {"accuracy", "macro_f1", "log_loss", "multiclass_brier", "macro_roc_auc"} <= set(shown)
    assert 0.55 < shown["macro_roc_auc"] < 0.9
    assert set(classes.trained.failed_checks) <= {"arrival_class/version:policy"}
    assert [f for f in check_policy(classes.contract) if f.passed is False] == []


@pytest.mark.parametrize("candidate", ["trees", "network"])
def test_classes_over_http_are_the_offline_ones_bit_for_bit(classes: Life, candidate: str) -> None:
    bundle, names = classes.bundle_of(candidate), classes.contract.classes
    with served(classes, bundle, "--unsigned") as client:
        singly = [client.post("/predict", json=row).json() for row in classes.rows()]
        at_once = client.post("/invocations", json={"dataframe_records": classes.rows()}).json()

    offline = classes.offline(bundle)
    told = np.array([[one["classes"][name] for name in names] for one in singly])
    fields = [{k: one[k] for k in ("answer", "probability", "classes")} for one in singly]
    bulk = classes.in_bulk(bundle)
    if candidate == "trees":
        assert told.tolist() == offline.tolist()
        assert bulk["classes"].to_pylist() == [one["classes"] for one in singly]
    assert told == pytest.approx(offline, abs=1e-6)
    assert at_once["predictions"] == fields
    assert [one["answer"] for one in singly] == [names[k] for k in told.argmax(axis=1)]
    assert [one["probability"] for one in singly] == told.max(axis=1).tolist()
    assert bulk["answer"].to_pylist() == [one["answer"] for one in singly]
    assert told.sum(axis=1) == pytest.approx(np.ones(len(told)))


def test_classes_are_served_signed_and_watched_by_their_own_metrics(classes: Life) -> None:
    settings, name = classes.house.settings, classes.contract.name
    trusted = str(settings.home / "keys" / "trusted")
    with served(classes, classes.version.bundle, "--trust", trusted) as client:
        for number, row in enumerate(classes.rows()):
            said = client.post("/predict", json=row, headers={"x-request-id": f"live-{number}"})
            assert said.status_code == 200
    truth = label(classes.contract, classes.asked)
    when = [moment.to_pydatetime() for moment in classes.asked[classes.contract.event_time]]
    told = [
        LabelRecord(f"live-{number}", float(value), when[number], when[number] + DAY)
        for number, value in enumerate(truth)
        if not np.isnan(value)
    ]
    inbox.append(settings.labels / name, told, task="multiclass")

    watched = classes.driver.run(f"{name}__monitor", months=["2013-04"])

    assert watched.success, watched.failures
    shown = watched.metadata[f"{name}/live_performance"]
    assert shown["labelled"] == len(told)
    offline, known = classes.offline(classes.version.bundle), ~np.isnan(truth)
    right = (offline.argmax(axis=1) == truth)[known].mean()
    given = offline[known, truth[known].astype(int)]
    assert shown["accuracy"] == pytest.approx(right)
    assert shown["log_loss"] == pytest.approx(-np.log(given).mean())
    assert abs(shown["estimated accuracy"] - right) < 0.2


def test_mlflow_answers_the_same_classes(classes: Life) -> None:
    bundle = classes.version.bundle
    folder = classes.house.objects.check_out(bundle, classes.house.settings.bundles / bundle)
    version = ServedVersion(open_bundle(folder), classes.house.settings)
    asked = classes.asked[classes.columns].head(50).copy()
    asked["departs"] = asked["departs"].dt.strftime("%Y-%m-%dT%H:%M:%S")

    answers = version.predict(asked)

    offline, names = classes.offline(bundle)[:50], classes.contract.classes
    assert answers["probability"].tolist() == offline.max(axis=1).tolist()
    assert answers["answer"].tolist() == [names[k] for k in offline.argmax(axis=1)]
    assert answers["classes"][0] == dict(zip(names, offline[0].tolist(), strict=True))
