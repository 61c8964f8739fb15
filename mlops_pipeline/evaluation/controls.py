"""Negative controls: before the gate is believed about a candidate, it is tried on known cases.

A model fitted on shuffled labels must be rejected, a model that is broken in one slice must be
vetoed by that slice, and a model against itself must not be. A gate that fails one of these is
broken on these rows, whatever it says about the candidate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.evaluation.gates import judge_comparison
from mlops_pipeline.evaluation.judged import spoilt
from mlops_pipeline.evaluation.outcomes import Outcome
from mlops_pipeline.evaluation.records import ControlResult, EvaluationReport
from mlops_pipeline.evaluation.slices import cut_values, large_enough
from mlops_pipeline.evaluation.verdict import Finding, Kind, Verdict
from mlops_pipeline.training.rows import LabelledRows

SHUFFLED, BROKEN, ITSELF = "label-shuffled model", "slice-broken model", "champion against itself"
LARGEST_SHARE = 0.5  # a slice that is most of the rows is no slice

Compare = Callable[[np.ndarray, np.ndarray], EvaluationReport]  # (scores, baseline's scores)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Scores of models whose verdict is known beforehand."""

    good: np.ndarray  # of the candidate itself
    baseline: np.ndarray  # of the champion, or of the candidate where there is none
    shuffled: np.ndarray  # of a model fitted on shuffled labels


def run_controls(
    contract: ModelContract,
    known: Known,
    *,
    rows: LabelledRows,
    cuts: Mapping[str, np.ndarray],
    compare: Compare,
) -> tuple[ControlResult, ...]:
    """Each control with what the gate said of it."""
    return (
        _rejects(contract, SHUFFLED, compare(known.shuffled, known.baseline)),
        _vetoes(contract, known, rows, cuts, compare),
        _spares(contract, compare(known.baseline, known.baseline)),
    )


def break_slice(
    contract: ModelContract, labels: np.ndarray, cuts: Mapping[str, np.ndarray], scores: np.ndarray
) -> tuple[str, np.ndarray] | None:
    """The largest slice that can be judged, and the scores with that slice's spoilt."""
    best: tuple[int, str, np.ndarray] | None = None
    for declared in contract.slices:
        if declared.by not in cuts:
            continue
        names, place = cut_values(contract, declared.by, cuts[declared.by], declared.bins)
        for index, name in enumerate(names):
            part = place == index
            size = int(part.sum())
            judged = large_enough(contract, declared, labels[part])
            if judged and size <= LARGEST_SHARE * len(part) and (best is None or size > best[0]):
                best = size, f"{declared.by} = {name}", part
    if best is None:
        return None
    broken = scores.copy()
    broken[best[2]] = spoilt(contract, labels, scores)[best[2]]
    return best[1], broken


def _rejects(contract: ModelContract, name: str, report: EvaluationReport) -> ControlResult:
    findings = judge_comparison(contract, report)
    against = [f for f in findings if f.worst is Verdict.REJECT]
    return ControlResult(
        name, "rejected", bool(against), _first(against) or f"not rejected: {_first(findings)}"
    )


def _vetoes(
    contract: ModelContract,
    known: Known,
    rows: LabelledRows,
    cuts: Mapping[str, np.ndarray],
    compare: Compare,
) -> ControlResult:
    broken = break_slice(contract, rows.labels, cuts, known.good)
    if broken is None:
        return ControlResult(BROKEN, "vetoed", None, "not run: no slice is large enough")
    subject, scores = broken
    findings = judge_comparison(contract, compare(scores, known.good))
    own = [f for f in findings if f.kind is Kind.SLICE and f.subject == subject]
    held = any(f.outcome is Outcome.INFERIOR for f in own)
    return ControlResult(BROKEN, "vetoed", held, _first(own) or f"{subject} was not judged")


def _spares(contract: ModelContract, report: EvaluationReport) -> ControlResult:
    findings = [f for f in judge_comparison(contract, report) if f.kind is Kind.SLICE or _paired(f)]
    against = [f for f in findings if f.worst in (Verdict.REJECT, Verdict.ERROR)]
    said = _first(against) or f"{len(findings)} comparisons, none against it"
    return ControlResult(ITSELF, "not rejected", not against, said)


def _paired(finding: Finding) -> bool:
    return finding.subject.endswith("against the champion")


def _first(findings: "list[Finding] | tuple[Finding, ...]") -> str:
    return findings[0].text if findings else ""
