"""Reading contracts: YAML with line numbers in, ModelContract out."""

import hashlib
import importlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import ValidationError

from mlops_pipeline.contract.findings import CROSS_PART, Location
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import ContractError

Marks = dict[Location, int]
KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
DEEPEST = 20  # no contract nests deeper; an alias that holds itself does


class _Words(yaml.SafeLoader):
    """YAML in which a date stays text: the contract's own type reads it, and names the place."""

    yaml_implicit_resolvers: ClassVar = {  # type: ignore[misc]  # PyYAML reads it off the class
        first: [(tag, pattern) for tag, pattern in rules if not tag.endswith(":timestamp")]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load_contract(path: Path) -> ModelContract:
    """The contract in `path`, whole and consistent.

    Raises:
        ContractError: with one line `file:line: path: what` for each finding.
    """
    data, marks = _read(path)
    try:
        # As JSON: there strict means that "20" is no number and true is no integer.
        return ModelContract.model_validate_json(json.dumps(data, default=repr), strict=True)
    except ValidationError as error:
        raise ContractError("\n".join(_lines(path, error, marks))) from error


def _read(path: Path) -> tuple[dict[str, Any], Marks]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot be read: {error}") from error
    try:
        node = yaml.compose(text, Loader=_Words)
        data = yaml.load(text, Loader=_Words)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        what = getattr(error, "problem", None) or str(error)
        raise ContractError(f"{path}:{line}: not YAML: {what}") from error
    if node is None or not isinstance(data, dict):
        raise ContractError(
            f"{path}:1: a contract is a mapping; this file holds {type(data).__name__}"
        )
    marks: Marks = {}
    findings = [
        f"{path}:{line}: {_dotted(at) or 'contract'}: {what}"
        for at, line, what in _mark(node, (), marks)
    ]
    if findings:
        raise ContractError("\n".join(findings))
    return data, marks


def place_in(path: Path, at: Location) -> str:
    """`file:line: path` of a part of a contract that can be read, for a finding of another room."""
    _, marks = _read(path)
    return f"{path}:{_line(at, marks)}: {_dotted(at)}"


def contract_digest(contract: ModelContract) -> str:
    """SHA-256 over the canonical JSON: equal meaning, equal digest, whatever the file's layout."""
    return hashlib.sha256(contract_json(contract).encode()).hexdigest()


def contract_json(contract: ModelContract) -> str:
    """Canonical JSON, with every default written out; `parse_contract_json` reads it back."""
    data = contract.model_dump(mode="json")
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parse_contract_json(text: str | bytes) -> ModelContract:
    """The contract that `contract_json` wrote.

    Raises:
        ContractError: the text is not a contract of this version.
    """
    try:
        return ModelContract.model_validate_json(text)
    except ValidationError as error:
        raise ContractError(f"stored contract: {error}") from error


def find_contracts(folders: Iterable[Path]) -> dict[str, Path]:
    """Path of each contract below the folders, by the model's name (the folder's name).

    Raises:
        ContractError: two folders hold a model of the same name.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*/contract.yaml")):
            name = path.parent.name
            if name in found:
                raise ContractError(f"{path}: model {name!r} is also defined in {found[name]}")
            found[name] = path
    return found


def load_callable(reference: str) -> Callable[..., Any]:
    """The object that `package.module:function` names.

    Raises:
        ContractError: the module or the function is not there.
    """
    module_name, _, function_name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the module does when it is imported
        what = f"{type(error).__name__}: {error}"
        raise ContractError(f"{reference}: module cannot be imported: {what}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ContractError(f"{reference}: module {module_name} has no callable {function_name!r}")
    return function  # type: ignore[no-any-return]


def _mark(node: yaml.Node, at: Location, marks: Marks) -> Iterator[tuple[Location, int, str]]:
    """Record the line of every value; yield the keys that a mapping says twice."""
    line = node.start_mark.line + 1
    marks.setdefault(at, line)
    if len(at) > DEEPEST:
        yield at[:3], line, "nests without end"
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = (*at, key.value)
            line = key.start_mark.line + 1
            if key.tag not in KEY_TAGS:
                yield at, line, f"the key {key.value!r} is no word: quote it"
                continue
            if key.value in seen:
                yield here, line, "said twice"
            seen.add(key.value)
            marks[here] = line
            yield from _mark(value, here, marks)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _mark(value, (*at, index), marks)


def _lines(path: Path, error: ValidationError, marks: Marks) -> Iterator[str]:
    for at, what in _findings(error, marks):
        yield f"{path}:{_line(at, marks)}: {_dotted(at) or 'contract'}: {what}"


def _findings(error: ValidationError, marks: Marks) -> Iterator[tuple[Location, str]]:
    for finding in error.errors(include_url=False):
        if finding["type"] == CROSS_PART:
            yield from finding["ctx"]["findings"]
            continue
        what = finding["msg"].removeprefix("Value error, ")
        if finding["type"] not in ("missing", "extra_forbidden", "value_error"):
            what = f"{what}; got {finding['input']!r:.80}"
        yield _place(finding["loc"], marks), what


def _place(location: Location, marks: Marks) -> Location:
    """The location as the file has it: pydantic also names the union member it tried."""
    at: Location = ()
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if (*at, part) in marks or last:
            at = (*at, part)
    return at


def _line(at: Location, marks: Marks) -> int:
    while at not in marks and at:
        at = at[:-1]
    return marks[at]


def _dotted(at: Location) -> str:
    return ".".join(str(part) for part in at)
