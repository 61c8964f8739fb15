import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from mlops_pipeline.data.garbage import collect
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.ledger import reviews, rollouts, verdicts, versions
from mlops_pipeline.ledger.reviews import ReviewKind
from mlops_pipeline.ledger.store import open_ledger, transaction
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.stores import BOTH, filled, path_of

CONTRACT = tiny.contract()
NOW = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return filled(tmp_path)


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Connection]:
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with transaction(engine) as connection:
        yield connection
    engine.dispose()


def replaced(snapshots: Snapshots) -> str:
    """A snapshot of rows that the partitions no longer hold, every object two days old."""
    old = snapshots.commit(CONTRACT, BOTH)
    for number in (1, 2):
        more = ("2024-01-05T09:00", "a", f"new{number}", 1.0, 1, 1.0)
        snapshots.store_part(CONTRACT, "2024-01", tiny.frame([*tiny.ROWS[:7], more]))
        snapshots.commit(CONTRACT, BOTH)
    for path in snapshots.objects.root.glob("??/*"):
        os.utime(path, (time.time() - 2 * 86400,) * 2)
    return old.digest


def test_rows_that_nothing_names_would_go_and_a_dry_run_leaves_them(
    tx: Connection, snapshots: Snapshots
) -> None:
    old = replaced(snapshots)
    found = collect(tx, snapshots)
    gone = {one.digest for one in found.unreached}
    assert old in gone
    assert snapshots.manifest(old).parts[0].digest in gone
    assert snapshots.manifest(old).parts[1].digest not in gone  # February is as it was
    assert len(gone) == 4  # two replaced Januaries, two older manifests
    assert found.objects == found.reached + len(gone)
    assert collect(tx, snapshots, newest=9).unreached == ()


def test_what_goes_is_gone_and_what_stays_is_whole(tx: Connection, snapshots: Snapshots) -> None:
    old = replaced(snapshots)
    assert len(collect(tx, snapshots, remove=True).unreached) == 4
    assert old not in snapshots.objects
    assert len(snapshots.read(snapshots.commit(CONTRACT, BOTH))) == 9
    assert collect(tx, snapshots).unreached == ()


def test_a_review_keeps_the_rows_it_asks_about(tx: Connection, snapshots: Snapshots) -> None:
    old = replaced(snapshots)
    reviews.open_review(
        tx,
        "visits",
        kind=ReviewKind.DATA,
        subject=old,
        check="volume",
        severity="warn",
        detail={},
        now=NOW,
    )
    assert old not in {one.digest for one in collect(tx, snapshots).unreached}
    assert len(snapshots.read(old)) == 8


def test_a_registered_version_keeps_its_bundle_and_the_rows_of_its_lineage(
    tx: Connection, snapshots: Snapshots
) -> None:
    objects = snapshots.objects
    old = snapshots.commit(CONTRACT, BOTH).digest
    lineage = objects.put_json({"snapshot": old})
    bundle = objects.put_json({"lineage.json": lineage, "model/model.txt": objects.put(b"trees")})
    stray = objects.put(b"a candidate that lost")
    replaced(snapshots)
    verdict = verdicts.record(
        tx,
        "visits",
        candidate_digest=bundle,
        verdict="promote",
        report_digest=objects.put(b"report"),
        reasons=[],
        run_id="r",
        now=NOW,
    )
    versions.add(
        tx,
        "visits",
        version="1",
        bundle=bundle,
        lineage=lineage,
        verdict_id=verdict,
        now=NOW,
    )
    gone = {one.digest for one in collect(tx, snapshots).unreached}
    assert stray in gone
    assert not gone & {bundle, lineage, old, *(p.digest for p in snapshots.manifest(old).parts)}


def test_a_rollout_keeps_its_candidate_and_the_version_it_would_replace(
    tx: Connection, snapshots: Snapshots
) -> None:
    objects = snapshots.objects
    bundles = {}
    for version in ("1", "2"):
        bundles[version] = objects.put_json({"model.txt": objects.put(version.encode())})
        verdict = verdicts.record(
            tx,
            "visits",
            candidate_digest=bundles[version],
            verdict="promote",
            report_digest="",
            reasons=[],
            run_id="r",
            now=NOW,
        )
        versions.add(
            tx,
            "visits",
            version=version,
            bundle=bundles[version],
            lineage="",
            verdict_id=verdict,
            now=NOW,
        )
    plan = objects.put_json({"steps": [5, 100]})
    rollouts.start(
        tx,
        "visits",
        candidate="2",
        stable="1",
        plan={},
        plan_digest=plan,
        reason="tried",
        now=NOW,
    )
    stray = objects.put(b"a candidate that lost")
    replaced(snapshots)
    gone = {one.digest for one in collect(tx, snapshots, remove=True).unreached}
    assert stray in gone
    for kept in (plan, *bundles.values()):
        objects.get(kept)
    for bundle in bundles.values():
        assert objects.get_tree(bundle)


def test_a_young_object_stays_and_storing_one_again_makes_it_young(
    tx: Connection, snapshots: Snapshots
) -> None:
    digest = snapshots.objects.put(b"of a run that goes on")
    assert digest not in {one.digest for one in collect(tx, snapshots).unreached}
    os.utime(path_of(snapshots, digest), (time.time() - 2 * 86400,) * 2)
    assert digest in {one.digest for one in collect(tx, snapshots).unreached}
    snapshots.objects.put(b"of a run that goes on")
    assert digest not in {one.digest for one in collect(tx, snapshots).unreached}
