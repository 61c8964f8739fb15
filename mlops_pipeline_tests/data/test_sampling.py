import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.data.labels import label
from mlops_pipeline.data.sampling import require_full, share_of, stratified
from mlops_pipeline.errors import DataError
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.stores import BOTH, filled

CONTRACT = tiny.contract()


def many(rows: int = 4000, seed: int = 1) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(chance.integers(0, 31 * 86400, rows), "s")
    frame = pd.DataFrame(
        {
            "at": times,
            "shop": chance.choice(["a", "b", "c"], rows),
            "visitor": [f"v{n}" for n in range(rows)],
            "amount": chance.uniform(0, 100, rows),
            "items": chance.integers(1, 9, rows),
            "result": chance.choice([-1.0, 1.0, np.nan], rows, p=[0.7, 0.25, 0.05]),
        }
    )
    frame["at"] = frame["at"].astype("datetime64[ns]")
    return frame


def test_a_sample_holds_its_share_of_every_day_and_label() -> None:
    frame = many()
    sample = stratified(CONTRACT, frame, 0.2)
    whole = frame.assign(
        label=np.nan_to_num(label(CONTRACT, frame), nan=-1), day=frame["at"].dt.day
    )
    drawn = sample.assign(
        label=np.nan_to_num(label(CONTRACT, sample), nan=-1), day=sample["at"].dt.day
    )
    sizes = whole.groupby(["day", "label"]).size()
    found = drawn.groupby(["day", "label"]).size()
    assert (found == np.ceil(sizes * 0.2)).all()


def test_the_order_of_rows_does_not_choose_them_and_a_larger_share_holds_a_smaller() -> None:
    frame = many(500)
    turned = stratified(CONTRACT, frame.iloc[::-1].reset_index(drop=True), 0.3)
    drawn = set(stratified(CONTRACT, frame, 0.3)["visitor"])
    assert set(turned["visitor"]) == drawn
    assert drawn <= set(stratified(CONTRACT, frame, 0.6)["visitor"])


def test_a_sampled_snapshot_has_its_own_digest_and_says_what_it_is(tmp_path) -> None:  # type: ignore[no-untyped-def]
    snapshots = filled(tmp_path)
    full = snapshots.commit(CONTRACT, BOTH)
    sample = snapshots.commit(CONTRACT, BOTH, share=0.4)
    assert snapshots.commit(CONTRACT, BOTH, share=0.4) == sample
    assert (full.share, sample.share, snapshots.find(sample.digest).share) == (1.0, 0.4, 0.4)
    assert sample.digest != full.digest
    assert 0 < len(snapshots.read(sample)) == sample.rows <= full.rows


def test_a_model_of_a_sample_goes_on_only_in_a_scratch_instance() -> None:
    require_full(1.0, "production")
    require_full(share_of("smoke"), "scratch")
    with pytest.raises(DataError, match=r"a sample of 10% of the rows .* can never become"):
        require_full(share_of("smoke"), "production")
    with pytest.raises(DataError, match="profile 'fast': say 'full' or 'smoke'"):
        share_of("fast")
