"""Loading contracts: every bad one is named by file, line, path and reason."""

import json
import re
from pathlib import Path

import pytest
import yaml

from mlops_pipeline.contract.load import (
    contract_digest,
    contract_json,
    find_contracts,
    load_callable,
    load_contract,
    parse_contract_json,
)
from mlops_pipeline.errors import ContractError
from mlops_pipeline.settings import PACKAGE_MODELS
from mlops_pipeline_tests.contract.mistakes import MISTAKES
from mlops_pipeline_tests.contract.rows import SMALL, line_of, small

SHIPPED = PACKAGE_MODELS / "flight_delay" / "contract.yaml"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "contract.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def findings(path: Path) -> list[str]:
    with pytest.raises(ContractError, match=re.escape(str(path))) as caught:
        load_contract(path)
    return [line.removeprefix(str(path)) for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(("good", "bad", "path", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_by_file_line_path_and_reason(
    tmp_path: Path, good: str, bad: str, path: str, reason: str
) -> None:
    assert SMALL.count(good) == 1
    text = SMALL.replace(good, bad)

    found = findings(write(tmp_path, text))

    expected = [f": {path}: {reason}" in finding for finding in found]
    assert any(expected), found
    at = int(found[expected.index(True)].split(":")[1])
    named = text.splitlines()[at - 1]
    last = path.split(".")[-1]
    assert last.isdigit() or last in named, f"line {at} says {named!r}"


@pytest.mark.parametrize(
    ("good", "bad", "says_it"),
    [
        ("at_least: 0.6", "at_leest: 0.6", "at_leest"),
        ("name: weight, inputs: [weight]", "name: weight, inputs: [hours_late]", "inputs: [hours_"),
        ("{name: late, column", "{name: weight, column", "{name: weight, column"),
        ("entity: [parcel]", "entity:\n  - parcel\n  - depot", "- depot"),
    ],
    ids=["own part", "features across parts", "target across parts", "one item of a list"],
)
def test_the_line_is_the_one_to_change(tmp_path: Path, good: str, bad: str, says_it: str) -> None:
    text = SMALL.replace(good, bad)

    found = findings(write(tmp_path, text))

    assert any(finding.startswith(f":{line_of(says_it, text)}: ") for finding in found), found


def test_all_findings_come_at_once(tmp_path: Path) -> None:
    text = SMALL.replace("{by: region, margin", "{by: country, margin").replace(
        "{column: weight}", "{column: parcel}"
    )

    assert [finding.split(": ")[1] for finding in findings(write(tmp_path, text))] == [
        "slices.0.by",
        "monitoring.drift.0.column",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", ":1: a contract is a mapping; this file holds NoneType"),
        (b"- a\n- b\n", ":1: a contract is a mapping; this file holds list"),
        (b"name: [a\n", ":2: not YAML: expected ',' or ']', but got '<stream end>'"),
        (b"name: parcels\n\tx: 1\n", ":2: not YAML: found character '\\t' that cannot start"),
        (b"name: a\n---\nname: b\n", ":2: not YAML: but found another document"),
        (b"name: \xff\n", ": cannot be read: 'utf-8' codec can't decode byte 0xff"),
        (b"name: !!python/name:os.system x\n", ":1: not YAML: "),
    ],
    ids=["empty", "a list", "an open bracket", "a tab", "two documents", "not UTF-8", "a tag"],
)
def test_a_file_that_is_no_contract_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "contract.yaml"
    path.write_bytes(content)

    found = findings(path)

    assert len(found) == 1
    assert found[0].startswith(reason)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "No such file" in findings(tmp_path / "contract.yaml")[0]


def test_a_missing_part_is_named_at_its_parent(tmp_path: Path) -> None:
    text = SMALL.replace("rollout:\n  guards:\n    - {name: error, budget: 0.02}\n", "")

    assert findings(write(tmp_path, text)) == [":1: rollout: Field required"]


def test_the_shipped_contract_is_whole() -> None:
    contract = load_contract(SHIPPED)

    assert contract.name == "flight_delay"
    assert contract.column("arr_delay").available == "outcome"
    assert [candidate.trainer for candidate in contract.candidates] == ["lightgbm", "torch"]


def test_json_brings_the_contract_back() -> None:
    contract = load_contract(SHIPPED)

    again = parse_contract_json(contract_json(contract))

    assert again == contract
    assert contract_digest(again) == contract_digest(contract)


def test_the_digest_does_not_depend_on_layout_order_or_written_defaults(tmp_path: Path) -> None:
    plain = load_contract(write(tmp_path, SMALL))
    data = {key: small()[key] for key in reversed(small())}
    data["seed"] = 0
    data["splits"]["test_months"] = 1

    other = load_contract(write(tmp_path, "# a remark\n" + json.dumps(data, default=str, indent=4)))

    assert contract_digest(other) == contract_digest(plain)


def test_the_digest_depends_on_every_number_and_on_the_order_of_features(tmp_path: Path) -> None:
    seen = {contract_digest(load_contract(write(tmp_path, SMALL)))}
    for good, bad in (("at_least: 0.6", "at_least: 0.61"), ("budget: 0.02", "budget: 0.03")):
        seen.add(contract_digest(load_contract(write(tmp_path, SMALL.replace(good, bad)))))
    data = small()
    data["features"]["columns"].reverse()
    seen.add(contract_digest(load_contract(write(tmp_path, yaml.safe_dump(data)))))

    assert len(seen) == 4


def test_a_stored_contract_of_another_shape_is_refused() -> None:
    with pytest.raises(ContractError, match=r"stored contract: \d+ validation errors"):
        parse_contract_json('{"contract": 1}')


def test_contracts_are_found_by_folder_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "contract.yaml").write_text(SMALL)
    (tmp_path / "no_model").mkdir()

    assert list(find_contracts([tmp_path])) == ["a", "b"]


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder / "a").mkdir(parents=True)
        (tmp_path / folder / "a" / "contract.yaml").write_text(SMALL)

    with pytest.raises(ContractError, match=r"model 'a' is also defined in .*one/a/contract\.yaml"):
        find_contracts([tmp_path / "one", tmp_path / "two"])


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("no_such_module:rows", "module cannot be imported: ModuleNotFoundError: No module named"),
        ("json:no_such", "module json has no callable 'no_such'"),
        ("json:__name__", "module json has no callable '__name__'"),
        ("broken_on_import:rows", "module cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_a_callable_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, reason: str
) -> None:
    (tmp_path / "broken_on_import.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ContractError, match=re.escape(f"{reference}: {reason}")):
        load_callable(reference)


def test_a_callable_is_the_object_itself() -> None:
    assert load_callable("json:loads") is json.loads
