"""A candidate's parameters, read: the names and ranges that its trainer declares, and no others."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_pipeline.errors import TrainingError

P = TypeVar("P", bound="Params")


class Params(BaseModel):
    """What a trainer can be told; every default is written out."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_params(trainer: str, declared: type[P], params: Mapping[str, Any]) -> P:
    """The parameters as the trainer declares them.

    Raises:
        TrainingError: naming each parameter that is unknown or out of range.
    """
    try:
        return declared.model_validate(dict(params))
    except ValidationError as error:
        findings = [
            f"{trainer}: parameter {finding['loc'][0]}={finding['input']!r:.80}: "
            + _what(finding["type"], finding["msg"], declared)
            for finding in error.errors(include_url=False, include_context=False)
        ]
        raise TrainingError("\n".join(findings)) from error


def _what(kind: str, message: str, declared: type[Params]) -> str:
    if kind == "extra_forbidden":
        return f"unknown; it takes {', '.join(sorted(declared.model_fields))}"
    return message
