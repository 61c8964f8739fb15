"""Preflight: what users send now is held against the candidate before any of them meets it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from mlops_pipeline.contract.columns import ColumnType, Sensitivity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.delivery.rollout import step
from mlops_pipeline.delivery.start import start_rollout
from mlops_pipeline.delivery.world import ProbeAnswer, World
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger import decisions, incidents, quarantine
from mlops_pipeline.ledger.rollouts import RolloutState
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord
from mlops_pipeline_tests.delivery.contracts import short_contract
from mlops_pipeline_tests.delivery.fakes import FakeNode
from mlops_pipeline_tests.delivery.rollouts.story import MODEL, NOW

CONTRACT = short_contract()
S = RolloutState


def a_row() -> dict[str, Any]:
    """What a user sends, as the log keeps it."""
    row: dict[str, Any] = {}
    for column in CONTRACT.request_columns:
        if column.type is ColumnType.TIME:
            row[column.name] = "2026-03-01T10:00:00"
        elif column.type is ColumnType.CATEGORY:
            row[column.name] = column.categories[0] if column.categories else "x"
        elif column.type is ColumnType.TEXT:
            row[column.name] = "x"
        else:
            row[column.name] = column.minimum if column.minimum is not None else 1.0
    return row


def logged(node: FakeNode, rows: list[dict[str, Any]], outcome: Outcome = Outcome.OK) -> None:
    folder = node.settings.request_log / MODEL / "1"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "live-1-0.jsonl").open("ab") as log:
        for number, row in enumerate(rows):
            name, at = f"r{number}", NOW.timestamp() - 60
            record = RequestRecord(
                name, at, MODEL, "1", Arm.LIVE, name, 200, outcome, 0.2, 1.0, None, row, {}
            )
            log.write(msgspec.json.encode(record) + b"\n")


def preflight(world: World, contract: ModelContract | None, **said: Any) -> Any:
    """The rollout after its first step; the candidate's contract is `contract`."""
    asked = CONTRACT.rollout.model_copy(update={"max_refused": 0.1})
    chosen = CONTRACT.model_copy(update={"rollout": asked})
    row = start_rollout(world, chosen, candidate="2", reason="passed", now=NOW, **said)
    return step(replace(world, contract_of=lambda version: contract), row.id, now=NOW)


def stricter(name: str, **changed: Any) -> ModelContract:
    columns = tuple(
        column.model_copy(update=changed) if column.name == name else column
        for column in CONTRACT.columns
    )
    return CONTRACT.model_copy(update={"columns": columns})


def test_requests_that_the_candidate_understands_let_it_begin(world: World, node: FakeNode):
    logged(node, [a_row()] * 20)
    assert preflight(world, CONTRACT).rollout.state is S.SHADOW


def test_a_candidate_that_would_refuse_them_is_given_up_and_the_field_is_named(
    world: World, node: FakeNode
):
    number = next(c for c in CONTRACT.request_columns if c.type is ColumnType.NUMBER)
    logged(node, [a_row()] * 17 + [{**a_row(), number.name: 1e6}] * 3)
    outcome = preflight(world, stricter(number.name, maximum=1e5, severity="error"))
    assert outcome.rollout.state is S.ABORTED
    assert outcome.action == "refuse"
    assert (
        f"0.15 > max_refused 0.1 (3 of 20 recent requests; fields: {number.name} (3)"
        in (outcome.reasons[0])
    )
    with reading(world.engine) as tx:
        (decision,) = decisions.of_rollout(tx, outcome.rollout.id)
        (incident,) = incidents.open_incidents(tx, MODEL)
        assert not quarantine.is_quarantined(tx, MODEL, "l2")
    assert decision.evidence["schema"]["fields"] == {number.name: 3}
    assert "version 2 is not rolled out" in incident.summary


def test_a_few_of_them_are_within_the_tolerance(world: World, node: FakeNode):
    number = next(c for c in CONTRACT.request_columns if c.type is ColumnType.NUMBER)
    logged(node, [a_row()] * 19 + [{**a_row(), number.name: 1e6}])
    found = preflight(world, stricter(number.name, maximum=1e5, severity="error"))
    assert found.rollout.state is S.SHADOW


def test_what_the_log_leaves_out_or_the_stable_refused_is_no_evidence(world: World, node: FakeNode):
    gone = CONTRACT.request_columns[-1].name
    logged(node, [{k: v for k, v in a_row().items() if k != gone}] * 20)
    logged(node, [{gone: "nonsense"}] * 20, outcome=Outcome.INVALID)
    hidden = stricter(gone, nullable=False, sensitivity=Sensitivity.PERSONAL)
    assert preflight(world, hidden).rollout.state is S.SHADOW


def test_break_glass_goes_past_it(world: World, node: FakeNode):
    logged(node, [{**a_row(), "made_up": 1}] * 20)
    found = preflight(world, CONTRACT, break_glass=timedelta(hours=1))
    assert found.rollout.state is S.SHADOW


@pytest.mark.parametrize("answer", [ProbeAnswer(503, f"{MODEL}-v1", "r1"), None])
def test_a_rollout_waits_until_the_way_back_is_proven(world: World, answer: ProbeAnswer | None):
    def probe(model: str, unit: str) -> ProbeAnswer:
        if answer is None:
            raise DeliveryError("nobody answers")
        return answer

    row = start_rollout(world, CONTRACT, candidate="2", reason="passed", now=NOW)
    held = step(replace(world, probe=probe), row.id, now=NOW)
    assert (held.action, held.rollout.state) == ("hold", S.PREFLIGHT)
    assert held.reasons[0].startswith("the way back is not proven: ")
    assert step(world, row.id, now=NOW).rollout.state is S.SHADOW
