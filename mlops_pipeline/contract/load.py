"""Reading contracts: YAML with line numbers in, ModelContract out."""

import hashlib
import importlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import ContractError

Marks = dict[tuple[str | int, ...], int]


def load_contract(path: Path) -> ModelContract:
    """The contract in `path`, whole and consistent.

    Raises:
        ContractError: with one line `file:line: path: what` for each finding.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot be read: {error}") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
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
    twice = list(_mark(node, (), marks))
    if twice:
        raise ContractError(
            "\n".join(f"{path}:{line}: {_dotted(at)}: said twice" for at, line in twice)
        )
    try:
        return ModelContract.model_validate(data)
    except ValidationError as error:
        raise ContractError("\n".join(_lines(path, error, marks))) from error


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
    except ImportError as error:
        raise ContractError(f"{reference}: module cannot be imported: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ContractError(f"{reference}: module {module_name} has no callable {function_name!r}")
    return function  # type: ignore[no-any-return]


def _mark(
    node: yaml.Node, at: tuple[str | int, ...], marks: Marks
) -> Iterable[tuple[tuple[str | int, ...], int]]:
    """Record the line of every value; yield the keys that a mapping says twice."""
    marks.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = (*at, key.value)
            if key.value in seen:
                yield here, key.start_mark.line + 1
            seen.add(key.value)
            marks[here] = key.start_mark.line + 1
            yield from _mark(value, here, marks)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _mark(value, (*at, index), marks)


def _lines(path: Path, error: ValidationError, marks: Marks) -> Iterable[str]:
    for finding in error.errors(include_url=False, include_context=False):
        at = _place(finding["loc"], marks)
        what = finding["msg"].removeprefix("Value error, ")
        if finding["type"] not in ("missing", "extra_forbidden", "value_error"):
            what = f"{what}; got {finding['input']!r:.80}"
        yield f"{path}:{_line(at, marks)}: {_dotted(at) or 'contract'}: {what}"


def _place(location: tuple[str | int, ...], marks: Marks) -> tuple[str | int, ...]:
    """The location as the file has it: pydantic also names the union member it tried."""
    at: tuple[str | int, ...] = ()
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if (*at, part) in marks or last:
            at = (*at, part)
    return at


def _line(at: tuple[str | int, ...], marks: Marks) -> int:
    while at not in marks and at:
        at = at[:-1]
    return marks[at]


def _dotted(at: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in at)
