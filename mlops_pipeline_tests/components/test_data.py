"""Data and features on the Dagster floor: versions, profiles, checks and reviews."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from mlops_pipeline.cli.main import main
from mlops_pipeline.components.drive import Driver
from mlops_pipeline.components.names import key
from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger import reviews
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline_tests.components.place import Place, place
from mlops_pipeline_tests.monitoring import town

HISTORY = {"kind": "history", "name": "region_7d", "keys": ["region"], "days": 7}
FEATURES = {
    **town.CONTRACT["features"],
    "columns": [*town.CONTRACT["features"]["columns"], HISTORY],
}
COUNTED = {"name": "weighed", "holds": "not empty(weight)", "severity": "warn"}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Three months of parcels are ingested."""
    home = tmp_path_factory.mktemp("home")
    with place(home, features=FEATURES, relations=[COUNTED]) as made:
        wanted = dg.AssetSelection.assets(key(made.contract, "snapshot"))
        wanted |= dg.AssetSelection.assets(key(made.contract, "features"))
        job = dg.define_asset_job("validate", selection=wanted, executor_def=dg.in_process_executor)
        whole = dg.Definitions.merge(made.definitions, dg.Definitions(jobs=[job]))
        made = replace(made, definitions=whole)
        assert run(made, "town__ingest", months=["2024-01", "2024-03"]).success
        yield made


def run(there: Place, job: str, **words: Any) -> Any:
    return Driver(there.definitions, there.instance).run(job, **words)


def version_of(there: Place, noun: str) -> str:
    event = there.instance.get_latest_materialization_event(key(there.contract, noun))
    assert event is not None
    assert event.asset_materialization is not None
    return str((event.asset_materialization.tags or {})["dagster/data_version"])


def stale(there: Place, noun: str) -> str:
    graph = there.definitions.resolve_asset_graph()
    loading = LoadingContextForTest(there.instance)
    resolver = CachingStaleStatusResolver(there.instance, graph, loading)
    return resolver.get_status(key(there.contract, noun)).value


@pytest.mark.slow
def test_equal_content_materialised_again_keeps_what_follows_fresh(there: Place) -> None:
    assert run(there, "validate").success
    before = version_of(there, "snapshot"), version_of(there, "features")
    assert run(there, "town__ingest", months=["2024-03"]).success
    only = dg.AssetSelection.assets(key(there.contract, "snapshot")).without_checks()
    alone = dg.define_asset_job("alone", selection=only, executor_def=dg.in_process_executor)
    job = replace(
        there, definitions=dg.Definitions.merge(there.definitions, dg.Definitions(jobs=[alone]))
    )
    assert run(job, "alone").success
    assert version_of(there, "snapshot") == before[0]
    assert stale(there, "features") == "FRESH"


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [{"ops": {"town__snapshot": {"profile": "smoke"}}}, {"tags": {"mlops/profile": "smoke"}}],
    ids=["by config", "by tag"],
)
def test_a_smoke_run_sees_a_tenth_and_passes_the_same_checks(
    there: Place, asked: dict[str, Any]
) -> None:
    assert run(there, "validate").success
    whole = version_of(there, "snapshot")
    ran = run(there, "validate", **asked)
    assert ran.success, ran.failures
    shown = ran.metadata["town/snapshot"]
    assert shown["share of rows"] == pytest.approx(0.1)
    assert shown["dagster/row_count"] < 0.2 * 3 * town.ROWS
    assert shown["digest"] != whole
    assert ran.metadata["town/features"]["dagster/row_count"] == shown["dagster/row_count"]


@pytest.mark.slow
def test_a_profile_that_is_not_there_is_named(there: Place) -> None:
    ran = run(there, "validate", tags={"mlops/profile": "fast"})
    assert not ran.success
    assert "profile 'fast': say 'full' or 'smoke'" in " ".join(ran.failures)


def spoilt(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(weight=np.where(np.arange(len(frame)) % 50 == 0, np.nan, frame["weight"]))


@pytest.mark.slow
def test_a_warning_asks_a_person_and_an_approval_answers_for_these_rows(there: Place) -> None:
    march = Window.of_month("2024-03")
    snapshots, contract = there.house.snapshots, there.contract
    good = snapshots.read(snapshots.commit(contract, march))
    snapshots.store_part(contract, "2024-03", spoilt(good))
    ran = run(there, "validate")
    assert ran.success  # a warning lets the run go on
    assert "town/snapshot:relations_warn" in ran.failed_checks
    with reading(there.house.ledger) as view:
        (asked,) = reviews.open_items(view, "town")
    assert (asked.check, asked.subject) == ("relations_warn", version_of(there, "snapshot"))
    with transaction(there.house.ledger) as tx:
        reviews.approve(
            tx, asked.id, approver="mara", reason="a broken scale", now=datetime.now(UTC)
        )
    assert run(there, "validate").failed_checks == ()
    snapshots.store_part(contract, "2024-03", spoilt(good.iloc[::-1].reset_index(drop=True)))
    assert "town/snapshot:relations_warn" in run(there, "validate").failed_checks
    snapshots.store_part(contract, "2024-03", good)


@pytest.mark.slow
def test_an_error_blocks_until_a_person_lets_exactly_these_rows_pass(there: Place) -> None:
    snapshots, contract = there.house.snapshots, there.contract
    good = snapshots.read(snapshots.commit(contract, Window.of_month("2024-03")))
    snapshots.store_part(
        contract, "2024-03", good.assign(weight=good["weight"].mask(good.index == 9, 99.0))
    )
    ran = run(there, "validate")
    assert not ran.success
    assert ran.failed_checks == ("town/snapshot:ranges",)
    assert "town/features" not in ran.metadata  # what follows did not run
    with reading(there.house.ledger) as view:
        (asked,) = [one for one in reviews.open_items(view, "town") if one.check == "ranges"]
    said = ["review", "approve", str(asked.id), "--reason", "an anvil", "--by", "mara"]
    assert CliRunner().invoke(main, said).exit_code == 0
    ran = run(there, "validate")
    assert ran.success
    assert "town/features" in ran.metadata
    snapshots.store_part(
        contract, "2024-03", good.assign(weight=good["weight"].mask(good.index == 8, 99.0))
    )
    assert run(there, "validate").failed_checks == ("town/snapshot:ranges",)
    snapshots.store_part(contract, "2024-03", good)


def tipped(start: datetime, end: datetime) -> pd.DataFrame:
    """The town's parcels; from February on with a column that no contract knows."""
    frame = town.parcels(start, end)
    return frame if start < datetime.fromisoformat("2024-02-01") else frame.assign(tip=1.5)


@pytest.mark.slow
def test_columns_that_a_source_gains_are_shown_by_a_check_and_ask_a_person(
    tmp_path: Path,
) -> None:
    source = {**town.CONTRACT["source"], "function": f"{__name__}:tipped"}
    with place(tmp_path, source=source) as made:
        asset = key(made.contract, "snapshot")
        only = dg.define_asset_job(
            "only",
            selection=dg.AssetSelection.assets(asset),
            executor_def=dg.in_process_executor,
        )
        whole = dg.Definitions.merge(made.definitions, dg.Definitions(jobs=[only]))
        made = replace(made, definitions=whole)
        for month in ("2024-01", "2024-02"):
            ingested = run(made, "town__ingest", months=[month])
            assert ingested.success, ingested.failures
        assert "tip" in str(ingested.metadata["town/parcels"]["left out"])
        ran = run(made, "only")
        assert ran.success
        assert ran.failed_checks == ("town/snapshot:schema_evolution",)
        with reading(made.house.ledger) as view:
            (asked,) = reviews.open_items(view, "town")
    assert asked.check == "schema_evolution"
    assert asked.detail["summary"] == "tip added (number) since 2024-01"


@pytest.mark.slow
def test_a_feature_that_knows_the_outcome_stops_the_run(tmp_path: Path) -> None:
    leaking = f"{__name__}:knowing"
    columns = [*FEATURES["columns"][:3], {"kind": "number", "name": "hint", "inputs": ["parcel"]}]
    with place(tmp_path, features={"function": leaking, "columns": columns}) as made:
        assert run(made, "town__ingest", months=["2024-01", "2024-03"]).success
        ran = run(made, "town__train")
    assert not ran.success
    assert "town/features:leakage" in ran.failed_checks
    assert not [asset for asset in ran.metadata if "candidate" in asset]


def knowing(row: Any) -> dict[str, Any]:
    """As if the parcel's number had been given once its fate was known."""
    hint = row["parcel"] * 1.0
    if isinstance(hint, np.ndarray):
        months = {f"2024-{m:02}": town.month(f"2024-{m:02}") for m in (1, 2, 3)}
        late = pd.concat(months.values()).set_index("parcel")["hours_late"] > 0
        hint = late.reindex(hint.astype(int)).fillna(False).to_numpy(dtype=float)
    return {**town.derive(row), "hint": hint}


@pytest.mark.slow
def test_a_smoke_model_becomes_no_version_where_pointers_serve_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place(tmp_path) as made:
        assert run(made, "town__ingest", months=["2024-01", "2024-04"]).success
        monkeypatch.setenv("MLOPS_PROFILE", "production")
        ran = run(made, "town__train", tags={"mlops/profile": "smoke"})
    assert not ran.success
    assert "town/evaluation" in ran.metadata  # it was fitted and judged
    assert "town/version" not in ran.metadata
    assert any("it can never become a version here" in failure for failure in ran.failures)
