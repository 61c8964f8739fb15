"""The contract's promises about its data, held against all twelve months."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.quality import CheckOutcome, run_checks
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.sources import read_source
from mlops_pipeline.data.windows import Window, partition_keys
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.history import count_history, feature_snapshot
from mlops_pipeline.features.row import RowFeatures
from mlops_pipeline.settings import PACKAGE_MODELS

pytestmark = pytest.mark.slow

WINTER = Window.of_months("2013-01", "2013-03")


@pytest.fixture(scope="module")
def contract() -> ModelContract:
    return load_contract(PACKAGE_MODELS / "flight_delay" / "contract.yaml")


@pytest.fixture(scope="module")
def year(contract: ModelContract) -> pd.DataFrame:
    return read_source(contract, Window.of_months("2013-01", "2013-12"))


def months(contract: ModelContract, year: pd.DataFrame) -> dict[str, pd.DataFrame]:
    times = year[contract.event_time]
    return {
        key: year[Window.of_month(key).mask(times)].reset_index(drop=True)
        for key in partition_keys(contract.source)
    }


def checked(contract: ModelContract, year: pd.DataFrame, frame: pd.DataFrame) -> list[CheckOutcome]:
    return list(
        run_checks(
            contract,
            frame,
            reference=year[WINTER.mask(year[contract.event_time])],
            usual_rows=[len(month) for month in months(contract, year).values()],
            as_of=frame[contract.event_time].max(),
        )
    )


def test_every_month_passes_every_check_that_blocks(
    contract: ModelContract, year: pd.DataFrame
) -> None:
    for key, frame in months(contract, year).items():
        failed = [o for o in checked(contract, year, frame) if not o.passed]
        assert [o for o in failed if o.severity is Severity.ERROR] == [], key
        assert {o.name for o in failed} <= {"distribution"}, key  # the seasons


def test_each_new_month_is_like_those_before_it_but_for_a_wet_december(
    contract: ModelContract, year: pd.DataFrame
) -> None:
    """As a retraining sees them: the year so far, against the rows of the month before."""
    times = year[contract.event_time]
    warned = []
    for last in ("2013-04", "2013-08", "2013-12"):
        window = Window.of_months("2013-01", last)
        frame = year[window.mask(times)].reset_index(drop=True)
        before = Window(window.start, Window.of_month(last).start)
        outcomes = run_checks(
            contract,
            frame,
            reference=year[before.mask(times)].reset_index(drop=True),
            usual_rows=[],
            as_of=frame[contract.event_time].max(),
        )
        warned += [(last, o.name) for o in outcomes if not o.passed]
    assert warned == [("2013-12", "distribution")]


def test_the_wind_that_the_station_at_newark_reported_is_a_warning(
    contract: ModelContract, year: pd.DataFrame
) -> None:
    february = months(contract, year)["2013-02"]
    hour = february[contract.event_time].dt.floor("h")
    # A station reports to every flight of its hour; the real one spoke when nobody flew.
    heard = (february["origin"] == february["origin"][100]) & (hour == hour[100])
    february.loc[heard, "wind_speed"] = 1048.36058
    failed = [o for o in checked(contract, year, february) if not o.passed]
    assert ("ranges_warn", Severity.WARN) in [(o.name, o.severity) for o in failed]
    assert [o for o in failed if o.severity is Severity.ERROR] == []


def test_stored_months_come_back_as_the_source_gave_them(
    contract: ModelContract, year: pd.DataFrame, tmp_path: Path
) -> None:
    snapshots = Snapshots(ObjectStore(tmp_path / "objects"), tmp_path / "parts")
    for key, frame in months(contract, year).items():
        snapshots.store_part(contract, key, frame)
    snapshot = snapshots.commit(contract, snapshots.window_until(contract))
    assert snapshot.rows == len(year)
    pd.testing.assert_frame_equal(snapshots.read(snapshot), year)


def test_a_day_of_may_is_served_as_it_was_trained_on(
    contract: ModelContract, year: pd.DataFrame
) -> None:
    rows = year[Window.of_months("2013-04", "2013-05").mask(year[contract.event_time])]
    rows = rows.reset_index(drop=True)
    history = count_history(contract, rows)
    matrix = compute_features(contract, rows, history)
    day = pd.Timestamp("2013-05-17").date()
    snapshot = feature_snapshot(contract, history, day)
    serve = RowFeatures(contract)
    picked = np.flatnonzero((rows[contract.event_time].dt.date == day).to_numpy())
    assert len(picked) == 980
    for position in picked:
        request = rows.iloc[int(position)].to_dict()
        vector = serve.vector(request, snapshot)
        assert vector.tobytes() == matrix.values[position].tobytes()
