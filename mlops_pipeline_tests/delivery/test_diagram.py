"""The diagram in the docs is the state machine in the code."""

from pathlib import Path

from mlops_pipeline.delivery.diagram import MEANING, mermaid, page
from mlops_pipeline.ledger.rollouts import ENDED, RolloutState

PAGE = Path(__file__).parents[2] / "docs" / "rollout-states.md"


def test_the_page_is_generated_from_the_code():
    assert PAGE.read_text() == page()


def test_every_state_is_explained_and_every_open_one_can_go_back():
    assert set(MEANING) == set(RolloutState)
    for state in set(RolloutState) - ENDED - {RolloutState.ROLLING_BACK}:
        assert f"    {state} --> rolling_back" in mermaid()
