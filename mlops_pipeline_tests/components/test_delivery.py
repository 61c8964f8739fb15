"""Delivery on the Dagster floor: no run lasts, and rollback waits for nobody."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlops_pipeline.components.delivery import (
    approve_job,
    first_job,
    glass_check,
    rollback_job,
    step_job,
)
from mlops_pipeline.ledger import overrides, versions
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline_tests.components.place import place
from mlops_pipeline_tests.delivery.contracts import short_contract

JOBS = [make(short_contract()) for make in (step_job, rollback_job, approve_job, first_job)]


def test_no_delivery_run_lasts_longer_than_five_minutes():
    assert all(0 < int(job.tags["dagster/max_runtime"]) <= 300 for job in JOBS)


def test_no_delivery_job_shares_a_pool_or_a_tag_limit_with_anything():
    for job in JOBS:
        assert set(job.tags) == {"dagster/max_runtime"}
        assert {node.definition.pool for node in job.graph.nodes} == {None}


def test_a_yes_in_the_ui_needs_a_name_and_a_reason():
    job = JOBS[2]
    fields = job.run_config_schema.config_type.fields["ops"].config_type.fields
    config = fields["say_yes"].config_type.fields["config"].config_type.fields
    assert {name for name, field in config.items() if field.is_required} == {"approver", "reason"}


def test_the_check_is_red_from_the_broken_glass_until_a_normal_pass(tmp_path: Path):
    now = datetime.now(UTC)
    with place(tmp_path) as here:
        check = glass_check(here.contract)
        with transaction(here.house.ledger) as tx:
            versions.add(tx, "town", "2", bundle="b", lineage="l", now=now)
        assert check(here.house).passed
        with transaction(here.house.ledger) as tx:
            until = now + timedelta(hours=1)
            overrides.put(tx, "town", "2", actor="ana", reason="fire", expires=until, now=now)
        red = check(here.house)
        assert not red.passed
        assert red.description == "ana for version 2: fire"
        with transaction(here.house.ledger) as tx:
            overrides.close(tx, "town", why="rollout 7", now=now, actor="pipeline")
        assert check(here.house).passed
