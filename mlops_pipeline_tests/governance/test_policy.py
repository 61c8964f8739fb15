"""Every rule holds for a sound model, and each finds what it is there for."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.windows import Window
from mlops_pipeline.governance.policy import RULES, PolicyFinding, check_policy, sources_of
from mlops_pipeline.registry.code import CodeState
from mlops_pipeline.settings import PACKAGE_MODELS
from mlops_pipeline_tests.governance.records import contract, lineage, sound
from mlops_pipeline_tests.models import arrival_delay

Break = Callable[[dict[str, Any]], object]


def column(data: dict[str, Any], name: str) -> dict[str, Any]:
    """The column of that name, free to change."""
    found: dict[str, Any] = next(c for c in data["columns"] if c["name"] == name)
    return found


def broken_by(of: ModelContract, **made: Any) -> list[PolicyFinding]:
    """The rules that do not hold."""
    return [f for f in check_policy(of, lineage(of, **made)) if f.passed is False]


def test_a_sound_model_breaks_no_rule() -> None:
    findings = check_policy(contract(), lineage(contract()))
    assert [finding.rule for finding in findings] == [rule.number for rule in RULES]
    assert all(finding.passed for finding in findings)


def test_numbers_are_consecutive_and_never_given_twice() -> None:
    assert [rule.number for rule in RULES] == [f"P{n:02}" for n in range(1, len(RULES) + 1)]


@pytest.mark.parametrize(
    ("breaks", "rule", "problem"),
    [
        (
            lambda d: d.update(description=" "),
            "P01",
            "description: nothing says what the model is for",
        ),
        (
            lambda d: column(d, "weight").update(sensitivity="personal"),
            "P03",
            "feature weight is made of weight, which is personal",
        ),
        (
            lambda d: (
                column(d, "parcel").update(sensitivity="personal"),
                d["slices"].append({"by": "parcel", "margin": 0.05}),
            ),
            "P04",
            "slices: the values of parcel would be printed, and it is personal",
        ),
        (
            lambda d: (
                column(d, "parcel").update(sensitivity="personal"),
                d["fairness"].append({"by": "parcel", "metric": "selection_rate", "max_gap": 0.2}),
            ),
            "P04",
            "fairness: parcel is personal and no category: its values name people",
        ),
        (
            lambda d: d["source"].update(origin=""),
            "P05",
            "source.origin: say who publishes the data, and under which licence",
        ),
        (
            lambda d: d.update(slices=[]),
            "P06",
            "slices: none; a gain on average can hide a loss for some",
        ),
        (
            lambda d: d.update(fairness=[]),
            "P07",
            "fairness: no groups; say between whom a gap would matter",
        ),
        (
            lambda d: d["target"].update(min_rate=0, max_rate=1),
            "P08",
            "target: min_rate 0 and max_rate 1 let any labels pass; bound the rate of yes",
        ),
        (
            lambda d: d["acceptance"]["criteria"].pop(),
            "P09",
            "acceptance.criteria: none has a margin, so a worse version could replace a better",
        ),
        (
            lambda d: d["rollout"]["guards"].pop(0),
            "P10",
            "rollout.guards: none counts failed requests (a guard without over_ms)",
        ),
        (
            lambda d: d["rollout"]["guards"].pop(1),
            "P10",
            "rollout.guards: none counts slow answers (a guard with over_ms)",
        ),
        (
            lambda d: d["rollout"].update(steps=[100]),
            "P11",
            "rollout.steps: the first exposes 100% of users, and nobody approves it",
        ),
    ],
)
def test_a_rule_finds_what_it_is_there_for(breaks: Break, rule: str, problem: str) -> None:
    data = sound()
    breaks(data)
    (finding,) = broken_by(ModelContract.model_validate(data))
    assert (finding.rule, finding.problems) == (rule, (problem,))


def test_a_feature_that_knows_the_outcome_is_found_whatever_let_the_contract_pass() -> None:
    target = contract().target.model_copy(update={"column": "weight"})
    (finding,) = broken_by(contract().model_copy(update={"target": target}))
    assert (finding.rule, finding.problems) == (
        "P02",
        ("feature weight is made of weight, which is known only with the outcome",),
    )


def test_a_first_step_for_everybody_passes_where_somebody_approves_it() -> None:
    data = sound()
    data["rollout"]["steps"] = [100]
    data["approvals"] = {"before_traffic": True}
    assert broken_by(ModelContract.model_validate(data)) == []


def test_a_personal_column_is_found_behind_a_derived_key() -> None:
    data = sound()
    column(data, "parcel")["sensitivity"] = "personal"
    data["features"]["columns"] += [
        {"kind": "number", "name": "last_digit", "inputs": ["parcel"]},
        {"kind": "history", "name": "digit_late", "keys": ["last_digit"], "days": 7},
    ]
    of = ModelContract.model_validate(data)
    assert sources_of(of, of.features.columns[-1]) == {"parcel"}
    (finding,) = broken_by(of)
    assert finding.problems == (
        "feature last_digit is made of parcel, which is personal",
        "feature digit_late is made of parcel, which is personal",
    )


def test_a_version_made_under_another_contract_is_found() -> None:
    (finding,) = broken_by(contract(), contract="9" * 64)
    assert finding.rule == "P12"
    assert finding.problems[0].startswith("lineage: contract 999999999999…, this one is ")


def test_a_version_judged_on_its_own_rows_is_found() -> None:
    found = broken_by(contract(), test=Window.of_month("2024-05"))
    assert [finding.rule for finding in found] == ["P13"]
    assert found[0].blocks


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (
            CodeState(None, None, "a" * 64),
            "lineage: the code was no checkout; only its digest is known",
        ),
        (
            CodeState("c" * 40, True, "a" * 64),
            "lineage: the code differs from commit cccccccccccc",
        ),
    ],
)
def test_code_that_nobody_can_look_up_is_a_warning(code: CodeState, problem: str) -> None:
    (finding,) = broken_by(contract(), code=code)
    assert (finding.rule, finding.problems, finding.blocks) == ("P14", (problem,), False)


def test_without_a_version_rules_about_one_are_open() -> None:
    open_rules = [f.rule for f in check_policy(contract()) if f.passed is None]
    assert open_rules == ["P12", "P13", "P14"]


def test_an_open_rule_blocks_nothing_and_a_broken_one_does() -> None:
    finding = PolicyFinding("P00", "n", Severity.ERROR, None, (), "w")
    assert not finding.blocks
    assert replace(finding, passed=False).blocks


@pytest.mark.parametrize("path", sorted(PACKAGE_MODELS.glob("*/contract.yaml")))
def test_the_models_of_this_package_break_no_rule(path: Path) -> None:
    assert [f for f in check_policy(load_contract(path)) if f.passed is False] == []


@pytest.mark.parametrize(
    ("limits", "problems"),
    [
        ({}, ("target: nothing bounds the number; say lowest and highest, or the column's range",)),
        ({"lowest": -30, "highest": 180}, ()),
    ],
)
def test_a_number_is_bounded_by_its_limits(
    limits: dict[str, float], problems: tuple[str, ...]
) -> None:
    whole = yaml.safe_load(Path(str(arrival_delay.__file__)).with_name("contract.yaml").read_text())
    unbound = ("lowest", "highest", "above", "min_rate", "max_rate")
    whole["target"] = {k: v for k, v in whole["target"].items() if k not in unbound} | limits
    whole["features"]["columns"].pop()  # its history, which counts what lies above
    contract = ModelContract.model_validate_json(json.dumps(whole, default=str))

    (found,) = (f for f in check_policy(contract) if f.rule == "P08")

    assert found.problems == problems
