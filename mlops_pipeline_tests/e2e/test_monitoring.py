"""Months of a town are replayed through the real assets and sensors, with planted troubles."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import msgspec
import pytest
import yaml

from mlops_pipeline.components.drive import Driver, Ran
from mlops_pipeline.components.house import House
from mlops_pipeline.components.instance import open_instance
from mlops_pipeline.components.model import model_definitions
from mlops_pipeline.components.records import RecordIOManager
from mlops_pipeline.components.tracking import mlflow_tracking
from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.ledger import champion, incidents, looks, retrains
from mlops_pipeline.ledger.incidents import Incident, IncidentState
from mlops_pipeline.ledger.looks import LookKind
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.monitoring import labels as inbox
from mlops_pipeline.registry.standing import champion_version, stored_model
from mlops_pipeline_tests.monitoring import town

MODEL = "town"
WATCHED = ("2024-04", "2024-05", "2024-06", "2024-07", "2024-08", "2024-09")
pytestmark = pytest.mark.slow


@dataclass
class Month:
    """What one month of the replay led to."""

    ran: Ran
    causes: tuple[str, ...]  # of incidents that are open at its end
    asked: tuple[dg.RunRequest, ...]  # by both finding sensors


@dataclass
class Replay:
    """The town, its doors, and what happened month by month."""

    contract: ModelContract
    house: House
    driver: Driver
    months: dict[str, Month] = field(default_factory=dict)
    trained: Ran | None = None

    def lead(self) -> str:
        """The newest version leads from now on; its number."""
        with transaction(self.house.ledger) as tx:
            before = champion.read(tx, MODEL)
            newest = _newest_version(self.house)
            now = datetime.now(UTC)
            epoch = before.epoch if before else 0
            champion.move(
                tx, MODEL, to=newest, seen_epoch=epoch, reason="replay", now=now,
                first=before is None,
            )  # fmt: skip
        return newest

    def answer(self, key: str) -> None:
        """The champion answered the month's requests, and their labels arrived."""
        with reading(self.house.ledger) as view:
            version = champion_version(view, MODEL)
        assert version is not None
        model = stored_model(self.house.objects, version.bundle)
        frame = town.month(key)
        silent = 0.6 if key in town.OUTAGE else 0.0
        records = town.answered(self.contract, frame, model, version.version, silent=silent)
        folder = self.house.settings.request_log / MODEL / version.version
        folder.mkdir(parents=True, exist_ok=True)
        lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
        number = len(list(folder.glob("*.jsonl"))) + 1
        (folder / f"live-1-{number}.jsonl").write_bytes(lines)
        told = town.labels(self.contract, frame)
        inbox.append(self.house.settings.labels / MODEL, told)

    def watch(self, key: str) -> Month:
        """The monitoring job and the finding sensors ran on the month."""
        ran = self.driver.run(f"{MODEL}__monitor", months=[key])
        asked = tuple(
            itertools.chain.from_iterable(
                self.driver.tick(f"{MODEL}__{kind}") for kind in ("drift", "performance")
            )
        )
        with reading(self.house.ledger) as view:
            open_now = incidents.open_incidents(view, MODEL)
        self.months[key] = Month(ran, tuple(sorted(i.cause for i in open_now)), asked)
        return self.months[key]

    def incidents(self) -> list[Incident]:
        """Every incident there ever was, oldest first."""
        with reading(self.house.ledger) as view:
            return list(incidents.all_of(view))


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """The whole replay, told once; the tests below read what it left."""
    home = tmp_path_factory.mktemp("town")
    place = home / "contracts" / MODEL / "contract.yaml"
    place.parent.mkdir(parents=True)
    place.write_text(yaml.safe_dump(town.CONTRACT, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLOPS_HOME", str(home / "state"))
        patch.setenv("MLOPS_CONTRACTS", str(home / "contracts"))
        patch.setenv("MLOPS_PROFILE", "scratch")
        patch.setenv("DAGSTER_HOME", str(home / "state" / "dagster"))
        house, contract = House(), load_contract(place)
        resources: dict[str, Any] = {
            "house": house,
            "io_manager": RecordIOManager(),
            "mlflow": mlflow_tracking,
        }
        definitions = dg.Definitions.merge(
            model_definitions(contract), dg.Definitions(resources=resources)
        )
        house.registry.prepare()
        with open_instance(house.settings) as instance:
            yield tell(Replay(contract, house, Driver(definitions, instance)))
        house.ledger.dispose()


def tell(replay: Replay) -> Replay:
    """From the first version to the recovery of the second."""
    run = replay.driver.run
    assert run(f"{MODEL}__ingest", months=["2024-01", "2024-08"]).success
    first = run(f"{MODEL}__train", ops={f"{MODEL}__snapshot": {"as_of": "2024-04-01"}})
    assert first.success, first.failures
    assert first.metadata[f"{MODEL}/evaluation"]["verdict"] == "promote", str(
        first.metadata[f"{MODEL}/evaluation"]["reasons"]
    )
    replay.lead()
    for key in WATCHED[:-1]:
        replay.answer(key)
        month = replay.watch(key)
        assert month.ran.success, month.ran.failures
        if month.asked and replay.trained is None:
            replay.trained = replay.driver.launch(month.asked[0])
            assert replay.trained.success, replay.trained.failures
            shown = replay.trained.metadata[f"{MODEL}/evaluation"]
            assert shown["verdict"] == "promote", str(shown["reasons"])
            replay.lead()
    replay.answer(WATCHED[-1])
    replay.watch(WATCHED[-1])
    return replay


def _newest_version(house: House) -> str:
    from mlops_pipeline.ledger import versions

    with reading(house.ledger) as view:
        return versions.all_of(view, MODEL)[-1].version


def _outcomes(replay: Replay, kind: LookKind) -> dict[str, str]:
    with reading(replay.house.ledger) as view:
        return {k.window: k.outcome for k in looks.all_of(view, MODEL) if k.kind is kind}


def test_each_window_is_seen_for_what_it_was(replayed: Replay) -> None:
    assert _outcomes(replayed, LookKind.DRIFT) == {
        "2024-04": "steady",
        "2024-05": "outage",
        "2024-06": "steady",
        "2024-07": "drifted",
        "2024-08": "drifted",
        "2024-09": "steady",
    }
    assert _outcomes(replayed, LookKind.PERFORMANCE) == {
        "2024-04": "healthy",
        "2024-05": "outage",
        "2024-06": "healthy",
        "2024-07": "degraded",
        "2024-08": "degraded",
        "2024-09": "healthy",
    }


def test_the_right_incident_is_open_in_the_declared_number_of_windows(replayed: Replay) -> None:
    """An outage at once; drift and a worse model on the second bad window of three."""
    assert {key: month.causes for key, month in replayed.months.items()} == {
        "2024-04": (),
        "2024-05": ("data_outage",),
        "2024-06": (),
        "2024-07": (),
        "2024-08": ("drift", "performance"),
        "2024-09": (),
    }


def test_an_outage_asks_for_no_training(replayed: Replay) -> None:
    assert replayed.months["2024-05"].asked == ()
    assert replayed.months["2024-06"].asked == ()


def test_both_shifts_make_exactly_one_request_with_both_reasons(replayed: Replay) -> None:
    asked = [request for month in replayed.months.values() for request in month.asked]
    assert len({request.run_key for request in asked}) == 1
    with reading(replayed.house.ledger) as view:
        (request,) = retrains.history(view, MODEL)
    assert [reason["source"] for reason in request.reasons] == ["drift", "performance"]
    assert request.outcome == "promote"


def test_the_run_carries_why_it_ran(replayed: Replay) -> None:
    (request,) = replayed.months["2024-08"].asked
    assert "drift: drift 2024-08" in request.tags["mlops/reason"]
    assert "weight: psi" in request.tags["mlops/reason"]
    assert "2 of 3 fire" in request.tags["mlops/reason"]
    assert replayed.trained is not None
    stored = replayed.driver.instance.get_run_by_id(replayed.trained.run_id)
    assert stored is not None
    assert stored.tags["mlops/reason"] == request.tags["mlops/reason"]


def test_recovery_is_noted_and_everybody_who_was_told_hears_of_it(replayed: Replay) -> None:
    known = replayed.incidents()
    assert [i.cause for i in known] == ["data_outage", "drift", "performance"]
    assert {i.state for i in known} == {IncidentState.RESOLVED}


def test_the_label_free_estimate_holds_until_the_concept_moves(replayed: Replay) -> None:
    """That weight means nothing now it cannot see, and the difference is itself a failed check."""

    def failed(key: str) -> bool:
        checks = replayed.months[key].ran.failed_checks
        return f"{MODEL}/live_performance:estimate_holds" in checks

    assert not any(failed(key) for key in ("2024-04", "2024-06"))
    assert all(failed(key) for key in town.CONCEPT)


def test_the_second_version_answers_after_the_retraining(replayed: Replay) -> None:
    shown = replayed.months["2024-09"].ran.metadata[f"{MODEL}/live_performance"]
    assert shown["version"] == "2"
    assert shown["trusted"]
