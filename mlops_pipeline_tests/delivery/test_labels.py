"""What labels say of the candidate, alone and beside the stable."""

from msgspec.structs import replace

from mlops_pipeline.delivery.labels import LabelEvidence, label_evidence
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord


def answer(
    name: str, score: float | None, *, unit: str | None = None, outcome: Outcome = Outcome.OK
) -> RequestRecord:
    return RequestRecord(
        name, 0.0, "m", "2", Arm.LIVE, unit or name, 200, outcome, score, 1.0, None, {}, {}
    )


def evidence(labels: dict[str, float], **records: list[RequestRecord]) -> LabelEvidence:
    given = {"candidate": [], "copies": [], "stable": [], **records}
    return label_evidence(labels, threshold=0.5, **given)


def test_an_answer_is_wrong_on_the_other_side_of_the_threshold_and_unlabelled_ones_do_not_count():
    answers = [answer("a", 0.9), answer("b", 0.4), answer("c", 0.5), answer("late", 0.9)]
    found = evidence({"a": 1, "b": 1, "c": 0}, candidate=answers)
    assert (found.n, found.wrong) == (3, 2)


def test_a_user_who_asks_again_is_one_outcome_and_a_failure_is_none():
    answers = [
        answer("a", 0.9, unit="ann"),
        answer("b", 0.1, unit="ann"),
        answer("c", None, unit="bob", outcome=Outcome.ERROR),
    ]
    found = evidence({"a": 1, "b": 1, "c": 1}, candidate=answers)
    assert (found.n, found.wrong) == (1, 0)


def test_pairs_count_where_exactly_one_version_was_wrong():
    labels = {"both": 1, "neither": 1, "mine": 1, "theirs": 0, "unpaired": 1}
    copies = [answer("both", 0.1), answer("neither", 0.9), answer("mine", 0.2),
              answer("theirs", 0.3), answer("unpaired", 0.1)]  # fmt: skip
    stable = [answer("both", 0.2), answer("neither", 0.8), answer("mine", 0.7),
              answer("theirs", 0.6)]  # fmt: skip
    found = evidence(labels, copies=copies, stable=stable)
    assert (found.only_candidate_wrong, found.only_stable_wrong, found.discordant) == (1, 1, 2)


def test_a_class_is_wrong_where_it_is_not_the_one_that_happened():
    told = [("a", [0.2, 0.5, 0.3]), ("b", [0.4, 0.3, 0.3]), ("c", [0.1, 0.1, 0.8])]
    answers = [replace(answer(name, max(classes)), classes=classes) for name, classes in told]
    stable = [replace(answer("a", 0.9), classes=[0.9, 0.0, 0.1])]
    labels = {"a": 1.0, "b": 2.0, "c": 2.0}
    found = evidence(labels, candidate=answers, copies=answers, stable=stable)
    assert (found.n, found.wrong) == (3, 1)
    assert (found.only_candidate_wrong, found.only_stable_wrong) == (0, 1)
