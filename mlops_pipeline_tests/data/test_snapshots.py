from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import SnapshotCorrupt, SnapshotMissing, SourceError
from mlops_pipeline_tests.data import tiny

BOTH = Window.of_months("2024-01", "2024-02")
CONTRACT = tiny.contract()


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(ObjectStore(tmp_path / "objects"), tmp_path / "parts")


def fill(snapshots: Snapshots, rows: pd.DataFrame | None = None) -> None:
    """Every month of the rows is stored."""
    frame = tiny.frame() if rows is None else rows
    for key in ("2024-01", "2024-02"):
        part = frame[Window.of_month(key).mask(frame["at"])]
        snapshots.store_part(CONTRACT, key, part)


def object_path(snapshots: Snapshots, digest: str) -> Path:
    return snapshots.objects.root / digest[:2] / digest[2:]


def test_a_snapshot_gives_back_what_was_stored(snapshots: Snapshots) -> None:
    fill(snapshots)
    snapshot = snapshots.commit(CONTRACT, BOTH)
    assert (snapshot.model, snapshot.rows, snapshot.window) == ("visits", 8, BOTH)
    pd.testing.assert_frame_equal(snapshots.read(snapshot), tiny.frame())
    pd.testing.assert_frame_equal(snapshots.read(snapshot.digest), tiny.frame())
    assert snapshots.find(snapshot.digest) == snapshot


@settings(deadline=None)
@given(st.permutations(tiny.ROWS))
def test_equal_data_has_an_equal_digest_in_any_order_and_place(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]]
) -> None:
    digests = set()
    for order in (tiny.ROWS, rows):
        home = tmp_path_factory.mktemp("home")
        snapshots = Snapshots(ObjectStore(home / "objects"), home / "parts")
        fill(snapshots, tiny.raw(order))
        digests.add(snapshots.commit(CONTRACT, BOTH).digest)
    assert len(digests) == 1


def test_one_other_value_gives_another_digest(snapshots: Snapshots) -> None:
    fill(snapshots)
    before = snapshots.commit(CONTRACT, BOTH)
    changed = tiny.frame()
    changed.loc[3, "amount"] += 1e-9
    fill(snapshots, changed)
    after = snapshots.commit(CONTRACT, BOTH)
    assert after.digest != before.digest
    pd.testing.assert_frame_equal(snapshots.read(after), changed)
    pd.testing.assert_frame_equal(snapshots.read(before), tiny.frame())


def test_storing_the_same_rows_again_changes_nothing(snapshots: Snapshots) -> None:
    fill(snapshots)
    first = snapshots.commit(CONTRACT, BOTH)
    fill(snapshots)
    assert snapshots.commit(CONTRACT, BOTH) == first
    assert len(snapshots.history("visits", "2024-01")) == 1


def test_a_partition_remembers_all_it_ever_held(snapshots: Snapshots) -> None:
    for end in (1, 2, 1):
        snapshots.store_part(CONTRACT, "2024-01", tiny.frame(tiny.ROWS[:end]))
    assert [part.rows for part in snapshots.history("visits", "2024-01")] == [1, 2, 1]
    stands = snapshots.part("visits", "2024-01")
    assert stands is not None
    assert stands.rows == 1


def test_parts_are_listed_in_the_order_of_time(snapshots: Snapshots) -> None:
    assert snapshots.parts("visits") == {}
    assert snapshots.part("visits", "2024-01") is None
    fill(snapshots)
    assert [(key, part.rows) for key, part in snapshots.parts("visits").items()] == [
        ("2024-01", 7),
        ("2024-02", 1),
    ]


def test_the_manifest_says_where_the_rows_come_from_and_no_time(snapshots: Snapshots) -> None:
    fill(snapshots)
    manifest = snapshots.manifest(snapshots.commit(CONTRACT, BOTH).digest)
    assert manifest.source == "mlops_pipeline_tests.data.tiny:visits"
    assert [part.key for part in manifest.parts] == ["2024-01", "2024-02"]
    assert len(manifest.contract) == len(manifest.code) == 64
    assert (manifest.start, manifest.end) == (BOTH.start, BOTH.end)


def test_a_window_inside_is_cut_out_and_other_parts_are_not_read(snapshots: Snapshots) -> None:
    fill(snapshots)
    snapshot = snapshots.commit(CONTRACT, BOTH)
    object_path(snapshots, snapshots.manifest(snapshot.digest).parts[1].digest).unlink()
    window = Window(datetime.fromisoformat("2024-01-02"), datetime.fromisoformat("2024-01-04"))
    rows = snapshots.read(snapshot, window)
    assert rows["visitor"].tolist() == ["v4", "v5", "v6"]
    assert rows.index.tolist() == [0, 1, 2]


def test_a_window_outside_is_refused(snapshots: Snapshots) -> None:
    fill(snapshots)
    january = snapshots.commit(CONTRACT, Window.of_month("2024-01"))
    with pytest.raises(SourceError, match=r"holds 2024-01-01T.* to 2024-02-01T.*, not 2024-01"):
        snapshots.read(january, BOTH)


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_damaged_rows_are_found_at_read_and_at_commit(snapshots: Snapshots, damage: str) -> None:
    fill(snapshots)
    snapshot = snapshots.commit(CONTRACT, BOTH)
    path = object_path(snapshots, snapshots.manifest(snapshot.digest).parts[0].digest)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 0x10
    path.write_bytes(content if damage == "flip" else content[:-10])
    with pytest.raises(SnapshotCorrupt, match="the disk or somebody changed it"):
        snapshots.read(snapshot)
    with pytest.raises(SnapshotCorrupt, match="the disk or somebody changed it"):
        snapshots.commit(CONTRACT, BOTH)


def test_missing_partitions_are_named_with_what_fills_them(snapshots: Snapshots) -> None:
    snapshots.store_part(CONTRACT, "2024-02", tiny.frame(tiny.ROWS[7:]))
    window = Window.of_months("2024-01", "2024-03")
    with pytest.raises(
        SourceError, match=r"for 2024-01, 2024-03; materialise the asset visits/visits"
    ):
        snapshots.commit(CONTRACT, window)


def test_a_window_of_part_of_a_month_is_no_snapshot(snapshots: Snapshots) -> None:
    half = Window(BOTH.start, datetime.fromisoformat("2024-01-16"))
    with pytest.raises(SourceError, match="a snapshot holds whole months, not 2024-01-01"):
        snapshots.commit(CONTRACT, half)


def test_rows_of_another_month_are_refused(snapshots: Snapshots) -> None:
    with pytest.raises(SourceError, match="1 of 8 rows have an event time outside"):
        snapshots.store_part(CONTRACT, "2024-01", tiny.frame())
    assert snapshots.part("visits", "2024-01") is None


def test_parts_stored_under_other_columns_are_refused_by_name(snapshots: Snapshots) -> None:
    fill(snapshots)
    columns = [c for c in tiny.CONTRACT["columns"] if c["name"] != "items"]
    columns += [{"name": "colour", "type": "text"}, {"name": "items", "type": "text"}]
    features = {
        "function": tiny.CONTRACT["features"]["function"],
        "columns": [{"kind": "category", "name": "shop", "inputs": ["shop"]}],
    }
    drift = {"drift": [{"column": "shop"}]}
    changed = tiny.contract(columns=columns, features=features, monitoring=drift)
    with pytest.raises(
        SourceError,
        match=r"2024-01 was stored with other columns \(colour added, items was int64, is string",
    ):
        snapshots.commit(changed, BOTH)


def test_another_object_is_no_manifest(snapshots: Snapshots) -> None:
    digest = snapshots.objects.put(b"{}")
    with pytest.raises(SnapshotCorrupt, match=f"object {digest} is no snapshot manifest"):
        snapshots.read(digest)
    with pytest.raises(SnapshotMissing, match="no object"):
        snapshots.read("0" * 64)


def test_a_damaged_pointer_is_named(snapshots: Snapshots) -> None:
    fill(snapshots)
    (snapshots.root / "visits" / "2024-01" / "00000001.json").write_text("{")
    with pytest.raises(SnapshotCorrupt, match=r"00000001\.json is no pointer"):
        snapshots.parts("visits")


def test_the_window_until_a_day_ends_with_the_month_before(snapshots: Snapshots) -> None:
    window = snapshots.window_until(CONTRACT, "2024-03-15")
    assert window == BOTH


def test_the_window_without_a_day_ends_with_the_newest_part(snapshots: Snapshots) -> None:
    fill(snapshots)
    assert snapshots.window_until(CONTRACT) == BOTH


def test_the_window_reaches_back_for_the_history_of_the_first_rows(snapshots: Snapshots) -> None:
    later = tiny.contract(splits={"train_from": "2024-02-05"})
    assert snapshots.window_until(later, "2024-03-01").months() == ("2024-01", "2024-02")
    late = tiny.contract(splits={"train_from": "2024-02-15"})
    assert snapshots.window_until(late, "2024-03-01").months() == ("2024-02",)


def test_there_is_no_window_without_parts_or_with_a_wrong_day(snapshots: Snapshots) -> None:
    with pytest.raises(SourceError, match="no partition is stored; materialise the asset"):
        snapshots.window_until(CONTRACT)
    with pytest.raises(SourceError, match="as_of='soon' is no day; write it as 2013-06-01"):
        snapshots.window_until(CONTRACT, "soon")
