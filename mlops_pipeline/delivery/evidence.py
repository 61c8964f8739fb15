"""Evidence: what users got from each version, and what both versions said to the same requests.

Live evidence is the router's log. Only predictions of this rollout count, one outcome for each
throw of the coin: a user who asks again, or whose client tries again, is not new evidence. When the
weight grows, users who met the stable so far are thrown for again, at odds that are known, and
count once more; so a rollout whose users all come back is still compared stage by stage. A request
that the router itself tried twice counts only if the user got nothing. Mirrored copies never appear
in that log; they are compared in pairs, by request id, from the two servers' own records.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlops_pipeline.delivery.access_log import AccessLine
from mlops_pipeline.delivery.assignment import TOTAL_WEIGHT
from mlops_pipeline.delivery.plan import REFUSED, GuardPlan
from mlops_pipeline.serving.request_log import Outcome, RequestRecord

BLOCK = 100  # units


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes, and how many were bad in the eyes of each guard."""

    n: int
    bad: dict[str, int]


@dataclass(frozen=True, slots=True)
class LiveStage:
    """First outcomes at `weight` of units that had met the stable alone, at `met_at` (0: new)."""

    weight: int
    candidate: Tally
    stable: Tally
    met_at: int = 0

    @property
    def share(self) -> float:
        """The coin that the router threw for each of these units.

        Who met the stable at `met_at` has a bucket that is uniform above it, whatever happened.
        """
        return (self.weight - self.met_at) / (TOTAL_WEIGHT - self.met_at)


@dataclass(frozen=True, slots=True)
class LiveEvidence:
    """What the router's log says about one rollout."""

    candidate: Tally  # each unit's first outcome with the candidate, whatever it met before
    blocks: tuple[Tally, ...]  # the same, in order, by hundreds: to see what went bad late
    stages: tuple[LiveStage, ...]
    units_at: dict[int, int]  # distinct units that the candidate served, by its weight
    candidate_requests: int  # every request that reached it, repeated ones too


@dataclass(frozen=True, slots=True)
class ShadowEvidence:
    """Both versions' answers to the same requests, one pair a unit, where the stable answered."""

    n: int
    bad: dict[str, int]  # of the candidate, by guard
    shifts: tuple[float, ...]  # |score of candidate - score of stable|, at most the plan's reach
    scores: tuple[tuple[float, float], ...] = ()  # (stable, candidate), in the same order


@dataclass(slots=True)
class _Counter:
    n: int = 0
    bad: dict[str, int] = field(default_factory=dict)

    def add(self, bad: Iterable[str]) -> None:
        self.n += 1
        for name in bad:
            self.bad[name] = self.bad.get(name, 0) + 1

    def tally(self) -> Tally:
        return Tally(self.n, self.bad)


class _Blocks:
    """Outcomes in order, counted by blocks of `BLOCK`."""

    def __init__(self) -> None:
        self.blocks: list[_Counter] = []

    def add(self, bad: Iterable[str]) -> None:
        if not self.blocks or self.blocks[-1].n == BLOCK:
            self.blocks.append(_Counter())
        self.blocks[-1].add(bad)

    def tally(self) -> Tally:
        """All blocks together."""
        bad: dict[str, int] = {}
        for block in self.blocks:
            for name, count in block.bad.items():
                bad[name] = bad.get(name, 0) + count
        return Tally(sum(block.n for block in self.blocks), bad)


def live_evidence(
    lines: Iterable[AccessLine],
    *,
    salt: str,
    candidate: str,
    stable: str,
    guards: tuple[GuardPlan, ...],
) -> LiveEvidence:
    """What the lines say about the rollout of `salt`; `candidate` and `stable` are clusters."""
    mine = _Blocks()
    stages: dict[tuple[int, int], tuple[_Counter, _Counter]] = {}
    met_at: dict[str, int] = {}  # the weight up to which no coin is left to throw for a unit
    met_candidate: set[str] = set()
    units_at: dict[int, set[str]] = {}
    requests = 0
    for line in lines:
        if not _counts(line, salt, (candidate, stable)):
            continue
        weight = int(line.weight or 0)
        by_candidate = line.cluster == candidate
        requests += by_candidate
        if weight == 0 or (line.retried and not line.failed):
            continue
        bad = [guard.name for guard in guards if is_bad(line, guard)]
        if by_candidate:
            units_at.setdefault(weight, set()).add(line.unit)
            if line.unit not in met_candidate:
                met_candidate.add(line.unit)
                mine.add(bad)
        before = met_at.get(line.unit, 0)
        if weight > before:
            stages.setdefault((weight, before), (_Counter(), _Counter()))[not by_candidate].add(bad)
            met_at[line.unit] = TOTAL_WEIGHT if by_candidate else weight
    return LiveEvidence(
        candidate=mine.tally(),
        blocks=tuple(block.tally() for block in mine.blocks),
        stages=tuple(
            LiveStage(weight, met_it.tally(), met_other.tally(), before)
            for (weight, before), (met_it, met_other) in sorted(stages.items())
        ),
        units_at={weight: len(units) for weight, units in sorted(units_at.items())},
        candidate_requests=requests,
    )


def is_bad(line: AccessLine, guard: GuardPlan) -> bool:
    """Whether the guard counts this answer as bad."""
    if guard.over_ms is not None:
        return line.ms > guard.over_ms
    return line.refused if guard.name == REFUSED else line.failed


def shadow_evidence(
    stable: Iterable[RequestRecord],
    candidate: Iterable[RequestRecord],
    *,
    guards: tuple[GuardPlan, ...],
    reach: float = 1.0,
) -> ShadowEvidence:
    """The pairs among the stable's live records and the candidate's mirrored ones.

    Scores may be any numbers, while the test of their mean needs a bound: differences beyond
    `reach` count as `reach`.
    """
    answered = {record.id: record for record in stable if record.outcome is Outcome.OK}
    tally = _Counter()
    shifts = []
    scores = []
    seen: set[str] = set()
    for copy in candidate:
        original = answered.get(copy.id)
        if original is None or original.unit in seen:
            continue
        seen.add(original.unit)
        tally.add(guard.name for guard in guards if _copy_is_bad(copy, guard))
        if copy.score is not None and original.score is not None:
            shifts.append(min(reach, abs(copy.score - original.score)))
            scores.append((original.score, copy.score))
    return ShadowEvidence(tally.n, tally.bad, tuple(shifts), tuple(scores))


def _copy_is_bad(copy: RequestRecord, guard: GuardPlan) -> bool:
    if guard.over_ms is not None:
        return copy.latency_ms > guard.over_ms
    if guard.name == REFUSED:
        return copy.outcome is Outcome.INVALID
    # The stable answered this very request, so that a refusal is a failure, too.
    return copy.outcome is not Outcome.OK


def _counts(line: AccessLine, salt: str, clusters: tuple[str, str]) -> bool:
    return line.prediction and line.rollout == salt and line.cluster in clusters
