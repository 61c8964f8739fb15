"""Small ledgers whose answers are known by hand."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from mlops_pipeline.ledger import champion, rollouts, versions

MODEL = "toy"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


def with_versions(tx: Connection, *names: str) -> None:
    """Versions of those names; lineage `lineage-<name>`, bundle `bundle-<name>`."""
    for name in names:
        versions.add(tx, MODEL, name, bundle=f"bundle-{name}", lineage=f"lineage-{name}", now=NOON)


def with_champion(tx: Connection, name: str) -> champion.Champion:
    """That version leads since noon, without a baseline."""
    with_versions(tx, name)
    return champion.move(tx, MODEL, to=name, seen_epoch=0, reason="first", now=NOON, first=True)


def started_rollout(tx: Connection) -> rollouts.RolloutRow:
    """Version 1 leads, version 2 is planned to follow."""
    with_champion(tx, "1")
    with_versions(tx, "2")
    return rollouts.start(
        tx,
        MODEL,
        candidate="2",
        stable="1",
        plan={"steps": [5, 100]},
        plan_digest="plan",
        reason="passed its gate",
        now=NOON,
    )
