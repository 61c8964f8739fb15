"""What differs between two versions' lineages, in words for a report."""

from collections.abc import Iterator, Mapping
from typing import Any

from mlops_pipeline.data.windows import Window
from mlops_pipeline.evaluation.records import Change
from mlops_pipeline.registry.lineage import Lineage

NOTHING = "—"
SHORT = 12  # characters of a digest that a person can compare


def changes(before: Lineage | None, after: Lineage) -> tuple[Change, ...]:
    """Every cause that is not the same, data first; nothing where there is no version before."""
    if before is None:
        return ()
    told = (
        ("trained on", _window(before.train), _window(after.train)),
        ("rows", _short(before.snapshot), _short(after.snapshot)),
        ("feature definitions", _short(before.definition), _short(after.definition)),
        ("contract", _short(before.contract), _short(after.contract)),
        ("candidate", before.candidate, after.candidate),
        ("trainer", before.trainer, after.trainer),
        *_params(before.params, after.params),
        ("seed", str(before.seed), str(after.seed)),
        ("code", _code(before), _code(after)),
        ("python", before.environment.python, after.environment.python),
        ("machine", _machine(before), _machine(after)),
        ("packages", _short(before.environment.packages), _short(after.environment.packages)),
    )
    return tuple(Change(what, old, new) for what, old, new in told if old != new)


def _params(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in sorted({*before, *after}):
        yield (
            f"parameter {name}",
            str(before.get(name, NOTHING)),
            str(after.get(name, NOTHING)),
        )


def _window(window: Window) -> str:
    return f"{window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}"


def _code(lineage: Lineage) -> str:
    commit = (lineage.code.commit or "no commit")[:SHORT]
    return f"{_short(lineage.code.sources)} ({commit}{', changed' if lineage.code.dirty else ''})"


def _machine(lineage: Lineage) -> str:
    return f"{lineage.environment.machine}, {lineage.environment.vectors}"


def _short(digest: str) -> str:
    return digest[:SHORT]
