from pathlib import Path

import pytest

from mlops_pipeline.data import catalog
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import DataError, SnapshotMissing
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.stores import BOTH, filled, path_of

CONTRACT = tiny.contract()


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return filled(tmp_path)


def test_snapshots_are_listed_once_each_with_their_parents(snapshots: Snapshots) -> None:
    first = snapshots.commit(CONTRACT, Window.of_month("2024-01"))
    second = snapshots.commit(CONTRACT, BOTH)
    assert snapshots.commit(CONTRACT, Window.of_month("2024-01")) == first
    listed = catalog.listing(snapshots, "visits")
    assert [(one.digest, one.parent, one.rows) for one in listed] == [
        (first.digest, None, 7),
        (second.digest, first.digest, 8),
    ]
    assert catalog.models_of(snapshots) == ("visits",)


def test_a_promise_that_judges_rows_does_not_change_their_digest(snapshots: Snapshots) -> None:
    rollout = {"guards": [{"name": "error", "budget": 0.01}]}
    bound = tiny.with_column("amount", maximum=90)
    digests = {
        snapshots.commit(contract, BOTH).digest
        for contract in (CONTRACT, tiny.contract(rollout=rollout), bound)
    }
    assert len(digests) == 1


def test_a_difference_names_months_and_causes(snapshots: Snapshots) -> None:
    before = snapshots.commit(CONTRACT, BOTH)
    more = tiny.frame([*tiny.ROWS[7:], ("2024-02-02T09:00", "a", "v9", 1.0, 1, 1.0)])
    snapshots.store_part(CONTRACT, "2024-02", more)
    after = snapshots.commit(CONTRACT, BOTH)
    found = catalog.difference(snapshots, before.digest, after.digest)
    assert not found.same_rows
    assert [(p.key, p.change, p.rows_before, p.rows_after) for p in found.parts] == [
        ("2024-02", "replaced", 1, 2)
    ]
    assert (found.columns, found.causes) == ((), ())
    january = snapshots.commit(CONTRACT, Window.of_month("2024-01"))
    fewer = catalog.difference(snapshots, after.digest, january.digest)
    assert [part.change for part in fewer.parts] == ["removed"]
    assert [cause.partition(":")[0] for cause in fewer.causes] == ["end"]
    assert catalog.difference(snapshots, after.digest, after.digest).same_rows


def test_a_difference_names_added_removed_and_retyped_columns(snapshots: Snapshots) -> None:
    before = snapshots.commit(CONTRACT, BOTH)
    columns = [
        *({**c, "type": "number"} if c["name"] == "items" else c for c in tiny.CONTRACT["columns"]),
        {"name": "tip", "type": "number", "nullable": True},
    ]
    other = tiny.contract(columns=columns)
    frame = tiny.raw().assign(tip=1.0)
    for key in BOTH.months():
        snapshots.store_part(other, key, frame[Window.of_month(key).mask(frame["at"])])
    after = snapshots.commit(other, BOTH)
    found = catalog.difference(snapshots, before.digest, after.digest)
    assert found.columns == ("tip added", "items was int64, is double")
    assert [cause.partition(":")[0] for cause in found.causes] == ["contract"]


def test_a_flipped_bit_and_a_lost_object_are_found(snapshots: Snapshots) -> None:
    snapshot = snapshots.commit(CONTRACT, BOTH)
    assert catalog.verify(snapshots, snapshot.digest) == ()
    january, february = snapshots.manifest(snapshot.digest).parts
    path = path_of(snapshots, january.digest)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    path_of(snapshots, february.digest).unlink()
    faults = catalog.verify(snapshots, snapshot.digest)
    assert [fault.part for fault in faults] == ["2024-01", "2024-02"]
    assert "the disk or somebody changed it" in faults[0].what
    assert "no object" in faults[1].what


def test_a_few_digits_name_a_snapshot(snapshots: Snapshots) -> None:
    digest = snapshots.commit(CONTRACT, BOTH).digest
    assert catalog.resolve(snapshots, digest[:6]) == digest
    with pytest.raises(DataError, match="give at least 6 digits"):
        catalog.resolve(snapshots, digest[:5])
    with pytest.raises(SnapshotMissing, match="no snapshot begins with zzzzzz"):
        catalog.resolve(snapshots, "zzzzzz")
