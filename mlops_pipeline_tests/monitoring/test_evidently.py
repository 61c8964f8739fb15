"""Evidently measures what it is told to, and nothing by guessing."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.monitoring.evidently import Watched, measure
from mlops_pipeline_tests.monitoring.rows import features

WEIGHT = Watched("weight", "number", "psi", 0.2)
REGION = Watched("region", "category", "jensenshannon", 0.1)


@pytest.mark.slow
def test_each_column_is_measured_by_its_own_method() -> None:
    before, now = features(900, seed=1), features(700, seed=2, weight=11, south=0.5)
    columns = [
        REGION,
        Watched("weight", "number", "wasserstein", 0.1),
        Watched("region_late", "number", "ks", 0.05),
    ]
    found = measure(before, now, columns).values
    shares = [
        frame["region"].value_counts(normalize=True)[["north", "south"]].to_numpy()
        for frame in (before, now)
    ]
    assert found["region"] == pytest.approx(jensenshannon(*shares))
    assert found["weight"] == pytest.approx(
        wasserstein_distance(before["weight"], now["weight"]) / before["weight"].std(ddof=0)
    )
    assert found["region_late"] == pytest.approx(
        ks_2samp(before["region_late"], now["region_late"]).pvalue
    )


@pytest.mark.slow
def test_missing_values_do_not_enter_the_statistic() -> None:
    before, now = features(900, seed=1), features(700, seed=2)
    full = measure(before, now, [WEIGHT]).values
    holes = pd.concat([now, now.assign(weight=np.nan)], ignore_index=True)
    assert measure(before, holes, [WEIGHT]).values == pytest.approx(full)


@pytest.mark.slow
def test_the_page_works_without_a_network() -> None:
    page = measure(features(600, seed=1), features(600, seed=2), [WEIGHT]).page
    assert b"weight" in page
    assert b'<script src="http' not in page


@pytest.mark.slow
def test_a_constant_column_is_measured() -> None:
    before = pd.DataFrame({"weight": np.full(600, 1.0)})
    assert measure(before, before, [WEIGHT]).values == {"weight": 0.0}


@pytest.mark.slow
def test_monitors_load_without_the_engines_that_they_use() -> None:
    heavy = "{'evidently', 'apprise', 'dagster', 'mlflow', 'torch', 'lightgbm'}"
    program = (
        "import sys, mlops_pipeline.monitoring.drift, mlops_pipeline.monitoring.alerts, "
        "mlops_pipeline.monitoring.performance, mlops_pipeline.governance.card; "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "[]\n"), said.stderr


def test_nothing_to_watch_measures_nothing() -> None:
    assert measure(features(5, seed=1), features(5, seed=2), []).values == {}


@pytest.mark.parametrize("dtype", ["Float64", "int64", "object"])
def test_a_type_that_evidently_would_skip_or_guess_is_refused(dtype: str) -> None:
    before = pd.DataFrame({"weight": pd.Series([1, 2, 3], dtype=dtype)})
    with pytest.raises(MonitoringError, match=f"column 'weight' is {dtype}; a number is float64"):
        measure(before, before, [WEIGHT])


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([np.nan, np.nan], "current: column 'weight' has no value"),
        ([1.0, np.inf], "current: column 'weight' holds an infinite number"),
    ],
)
def test_values_that_break_a_statistic_are_refused(values: list[float], why: str) -> None:
    with pytest.raises(MonitoringError, match=why):
        measure(features(5, seed=1), pd.DataFrame({"weight": values}), [WEIGHT])


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(MonitoringError, match="reference has no column 'weight'"):
        measure(pd.DataFrame(), features(5, seed=1), [WEIGHT])
