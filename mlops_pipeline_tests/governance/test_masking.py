"""Tokens join, and lead back to nobody."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import SettingsError
from mlops_pipeline.governance.masking import mask_frame, mask_row, masking_key, token
from mlops_pipeline_tests.governance.records import sound

KEY = b"k" * 32


def personal_parcels() -> ModelContract:
    """The number of a parcel is personal."""
    data = sound()
    data["columns"][0]["sensitivity"] = "personal"
    return ModelContract.model_validate(data)


def test_a_token_is_the_same_everywhere() -> None:
    assert token(KEY, "parcel", 7) == "parcel:ebb387127951259224d6"


@given(st.text(), st.text())
def test_equal_values_and_only_they_have_equal_tokens(one: str, other: str) -> None:
    assert (token(KEY, "name", one) == token(KEY, "name", other)) == (one == other)


def test_another_column_or_key_gives_another_token() -> None:
    tokens = {token(KEY, "a", 7), token(KEY, "b", 7), token(b"l" * 32, "a", 7)}
    assert len({text.partition(":")[2] for text in tokens}) == 3


def test_a_frame_keeps_its_other_columns_and_its_missing_values() -> None:
    frame = pd.DataFrame({"parcel": pd.Series(["x", None, "x"]), "weight": [1.0, 2.0, 3.0]})
    masked = mask_frame(personal_parcels(), frame, KEY)
    expected = token(KEY, "parcel", "x")
    assert masked["parcel"].tolist() == [expected, None, expected]
    assert masked["weight"].tolist() == [1.0, 2.0, 3.0]
    assert frame["parcel"].tolist() == ["x", None, "x"]


def test_a_row_is_masked_as_a_frame_is() -> None:
    contract = personal_parcels()
    frame = mask_frame(contract, pd.DataFrame({"parcel": ["x"], "weight": [1.0]}), KEY)
    row = mask_row(contract, {"parcel": "x", "weight": 1.0}, KEY)
    assert row == frame.to_dict("records")[0]
    assert mask_row(contract, {"parcel": None}, KEY) == {"parcel": None}


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(masking_key, [folder] * 8))
    assert len(keys) == 1
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    masking_key(tmp_path)
    (tmp_path / "masking.key").chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by others: chmod 600"):
        masking_key(tmp_path)


def test_a_truncated_key_is_refused(tmp_path: Path) -> None:
    masking_key(tmp_path)
    (tmp_path / "masking.key").write_bytes(b"short")
    with pytest.raises(SettingsError, match="holds 5 bytes, a key has 32"):
        masking_key(tmp_path)
