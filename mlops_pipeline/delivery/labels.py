"""What labels say in the bake: the candidate's own answers, and both versions' answers to the same
requests.

Labels are handed in by prediction id by whoever knows them. One outcome a randomised unit: its
first labelled answer. On the requests that both versions answered (the shadow's pairs) only those
count at which one was right and the other wrong; where both are equally good, each is the wrong one
half of the time (McNemar 1947, Psychometrika 12(2)).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mlops_pipeline.serving.request_log import Outcome, RequestRecord


@dataclass(frozen=True, slots=True)
class LabelEvidence:
    """Labelled answers of a rollout."""

    n: int  # of the candidate
    wrong: int
    only_candidate_wrong: int = 0  # of pairs
    only_stable_wrong: int = 0

    @property
    def discordant(self) -> int:
        """Pairs at which exactly one version was wrong."""
        return self.only_candidate_wrong + self.only_stable_wrong


def label_evidence(
    labels: Mapping[str, float],
    *,
    candidate: Iterable[RequestRecord],
    copies: Iterable[RequestRecord],
    stable: Iterable[RequestRecord],
    threshold: float,
) -> LabelEvidence:
    """The evidence in these records.

    Args:
        labels: 1 or 0, or the place of a class, by prediction id, as known now.
        candidate, copies, stable: what the candidate answered users, what it answered copies, and
            what the stable answered users.
        threshold: at which a score says yes; a class is the likeliest.
    """
    mine = [_wrong(record, labels, threshold) for record in _labelled(candidate, labels)]
    theirs = {record.id: record for record in stable if record.outcome is Outcome.OK}
    alone = [0, 0]  # pairs at which only the stable, only the candidate was wrong
    for copy in _labelled(copies, labels):
        original = theirs.get(copy.id)
        if original is None or original.score is None:
            continue
        wrong = _wrong(copy, labels, threshold)
        if wrong != _wrong(original, labels, threshold):
            alone[wrong] += 1
    return LabelEvidence(len(mine), sum(mine), alone[True], alone[False])


def _labelled(
    records: Iterable[RequestRecord], labels: Mapping[str, float]
) -> Iterator[RequestRecord]:
    """Each unit's first answer that has a label."""
    seen: set[str] = set()
    for record in records:
        answered = record.outcome is Outcome.OK and record.score is not None
        if answered and record.id in labels and record.unit not in seen:
            seen.add(record.unit)
            yield record


def _wrong(record: RequestRecord, labels: Mapping[str, float], threshold: float) -> bool:
    if record.classes:
        told = list(record.classes)
        return told.index(max(told)) != labels[record.id]
    assert record.score is not None
    return (record.score >= threshold) != (labels[record.id] >= 0.5)
