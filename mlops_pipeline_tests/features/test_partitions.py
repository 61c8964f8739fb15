"""Part by part and row by row: the same bits."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import days
from mlops_pipeline.data.parts import encode_part
from mlops_pipeline.data.sources import conform
from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.arrays import values_of
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.history import count_history, history_columns
from mlops_pipeline.features.partitions import history_of_parts, snapshot_features
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.stores import BOTH, filled
from mlops_pipeline_tests.data.test_sampling import many
from mlops_pipeline_tests.features.test_compute import FRAMES

CONTRACT = tiny.contract()
DELAYED = tiny.contract(target={**tiny.CONTRACT["target"], "label_delay_hours": 30})


def by_rows(contract: ModelContract, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    values = values_of(contract, frame)
    history = count_history(contract, frame)
    return history_columns(contract, values, days(contract, frame), history)


def by_parts(contract: ModelContract, frames: list[pd.DataFrame]) -> dict[str, np.ndarray]:
    contents = [encode_part(contract, frame) for frame in frames]
    parts = [partial(bytes, content) for content in contents]
    found = list(history_of_parts(contract, parts))
    return {f.name: np.concatenate([part[f.name] for part in found]) for f in contract.history}


def assert_same(contract: ModelContract, frames: list[pd.DataFrame]) -> None:
    whole = pd.concat(frames, ignore_index=True)
    wanted, found = by_rows(contract, whole), by_parts(contract, frames)
    for name, values in wanted.items():
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(values), err_msg=name)
        known = ~np.isnan(values)
        assert found[name][known].tobytes() == values[known].tobytes(), name


@settings(deadline=None, max_examples=15)
@given(FRAMES, FRAMES)
def test_parts_give_the_bits_that_rows_give(
    first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]
) -> None:
    later = [((row[0] + timedelta(days=5)), *row[1:]) for row in second]
    for contract in (CONTRACT, DELAYED):
        frames = [conform(contract, tiny.raw(rows)) for rows in (first, later)]
        assert_same(contract, frames)


def test_months_of_many_rows_give_the_bits_that_rows_give() -> None:
    frames = []
    for month in range(3):
        rows = many(2000, seed=month)
        rows["at"] = rows["at"] + pd.Timedelta(31 * month, "D")
        frames.append(conform(CONTRACT, rows))
    assert_same(CONTRACT, [*frames, frames[0].head(0)])


def test_keys_that_are_no_small_whole_numbers_are_keys_too() -> None:
    columns = [
        *tiny.CONTRACT["features"]["columns"][:4],
        {"kind": "history", "name": "amount_9d", "keys": ["amount", "shop"], "days": 9},
        {"kind": "history", "name": "visitor_9d", "keys": ["visitor"], "days": 9},
    ]
    contract = tiny.with_features(columns=columns)
    frame = conform(contract, many(800).assign(amount=lambda f: f["amount"].round(1)))
    frame.loc[::7, "amount"] = np.nan
    assert_same(contract, [frame.head(400), frame.tail(400)])


def test_a_snapshot_s_features_are_those_of_its_rows(tmp_path: Path) -> None:
    snapshots = filled(tmp_path)
    snapshot = snapshots.commit(CONTRACT, BOTH)
    frame = snapshots.read(snapshot)
    wanted = compute_features(CONTRACT, frame, count_history(CONTRACT, frame))
    found = snapshot_features(CONTRACT, snapshots, snapshot)
    assert (found.names, found.cardinalities) == (wanted.names, wanted.cardinalities)
    assert found.values.tobytes() == wanted.values.tobytes()


def test_the_function_sees_only_what_its_features_declare() -> None:
    contract = tiny.with_features(
        function="mlops_pipeline_tests.features.functions:reads_the_outcome"
    )
    with pytest.raises(FeatureError, match="read 'result', which no feature declares"):
        by_parts(contract, [conform(contract, tiny.raw())])
