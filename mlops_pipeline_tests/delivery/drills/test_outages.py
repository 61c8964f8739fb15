"""A failed request has a cause, or the drill fails."""

import pytest

from mlops_pipeline.delivery.drills.outages import Failure, Hurt, told

STABLE, CHALLENGER = "m-v1", "m-v2"


def hurt_of(*failures: Failure, faulty: str = "m-vbad") -> Hurt:
    hurt = Hurt(frozenset({faulty}))
    hurt.failures += failures
    return hurt


@pytest.mark.parametrize(
    ("sent", "heard", "by", "explained"),
    [
        (10.2, 10.3, STABLE, True),
        (9.9, 10.1, STABLE, True),  # under way when it was killed
        (10.9, 11.3, None, True),  # nobody answered
        (10.2, 10.3, CHALLENGER, False),  # another version failed meanwhile
        (9.7, 9.9, STABLE, False),  # before
        (11.1, 11.2, STABLE, False),  # after it was seen to answer again
    ],
)
def test_a_failure_is_explained_by_what_was_down_meanwhile_and_by_nothing_else(
    sent: float, heard: float, by: str | None, explained: bool
):
    hurt = hurt_of(Failure(sent, heard, by, "http_503"))
    hurt.down("stable", STABLE, since=10.0).ended = 11.0
    assert (hurt.unexplained() == ()) is explained


def test_an_outage_of_the_router_explains_no_answer_of_a_version():
    hurt = hurt_of(Failure(10.1, 10.2, None, "connect"), Failure(10.1, 10.2, STABLE, "http_500"))
    hurt.down("Envoy", since=10.0).ended = 11.0
    assert [failure.answered_by for failure in hurt.unexplained()] == [STABLE]


def test_the_version_with_the_planted_fault_explains_its_own_failures_at_any_time():
    hurt = hurt_of(Failure(1, 2, "m-vbad", "http_500"), Failure(1, 2, STABLE, "http_500"))
    assert [failure.answered_by for failure in hurt.unexplained()] == [STABLE]


def test_without_an_outage_no_count_is_allowed_and_the_first_are_named():
    hurt = hurt_of(Failure(1, 2, None, "timeout"))
    assert told(hurt.unexplained(), hurt.outages) == (
        "1 requests failed without a cause (nobody timeout at 2.000); down were: none"
    )
    assert hurt.by_whom() == {"timeout": 1}
