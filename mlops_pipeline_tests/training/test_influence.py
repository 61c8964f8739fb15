"""Rows that the model influenced are marked, and no more of them are learnt from than allowed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.influence import cap_influenced
from mlops_pipeline_tests.contract.rows import small


def contract(share: float = 0.2, by: str | None = "hurried") -> ModelContract:
    data: dict[str, Any] = small()
    data["columns"].append({"name": "hurried", "type": "integer", "available": "outcome"})
    data["retraining"] = {"influenced_by": by, "max_influenced_share": share}
    return ModelContract.model_validate(data)


def test_without_the_word_every_row_stays() -> None:
    frame = pd.DataFrame({"hurried": [1, 1, 1]})
    assert cap_influenced(contract(by=None), frame, np.arange(3)).tolist() == [0, 1, 2]


def test_of_eight_free_rows_two_influenced_ones_may_be_kept() -> None:
    frame = pd.DataFrame({"hurried": [0] * 8 + [1] * 5})
    kept = cap_influenced(contract(0.2), frame, np.arange(13))
    assert kept[:8].tolist() == list(range(8))
    assert len(kept) == 10


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0, 0.9))
def test_the_share_never_exceeds_the_cap_and_free_rows_are_never_lost(
    free: int, marked: int, share: float
) -> None:
    frame = pd.DataFrame({"hurried": [1] * marked + [0] * free})
    kept = cap_influenced(contract(share), frame, np.arange(free + marked))
    learnt = int((kept < marked).sum())
    assert len(kept) - learnt == free
    assert learnt <= share * len(kept) + 1e-9


def test_a_mark_that_is_neither_0_nor_1_is_an_error() -> None:
    frame = pd.DataFrame({"hurried": [0, 2]})
    with pytest.raises(TrainingError, match="marks by 0 and 1, not 2"):
        cap_influenced(contract(), frame, np.arange(2))


def test_a_column_that_is_not_there_is_found_when_the_contract_is_read() -> None:
    with pytest.raises(ValueError, match="no column is named 'nudged'"):
        contract(by="nudged")
