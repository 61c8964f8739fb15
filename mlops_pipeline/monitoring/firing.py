"""When a finding counts: k of the newest n windows are bad, the newest among them."""

from collections.abc import Set
from dataclasses import dataclass

from mlops_pipeline.contract.promises import Monitoring
from mlops_pipeline.ledger.looks import Look


@dataclass(frozen=True, slots=True)
class Firing:
    """Whether it fires, and the windows that say so."""

    fired: bool
    bad: tuple[str, ...]  # newest first
    text: str


def fires(monitoring: Monitoring, seen: tuple[Look, ...], bad: Set[str]) -> Firing:
    """One odd window stays a note where the contract asks for more than one.

    Args:
        seen: looks of one kind and version, newest first.
        bad: the outcomes that count against the version.
    """
    considered = seen[: monitoring.windows]
    windows = tuple(look.window for look in considered if look.outcome in bad)
    newest_is_bad = bool(considered) and considered[0].outcome in bad
    text = (
        f"{len(windows)} of the newest {len(considered)} windows ({', '.join(windows) or 'none'}), "
        f"{monitoring.fire_on} of {monitoring.windows} fire"
    )
    return Firing(newest_is_bad and len(windows) >= monitoring.fire_on, windows, text)
