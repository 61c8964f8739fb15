"""A version rebuilt from its lineage is the same, or it is said what differs or is missing."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_pipeline.registry.bundle import MANIFEST
from mlops_pipeline.registry.code import read_code
from mlops_pipeline.registry.proof import Stores
from mlops_pipeline.registry.reproduce import Answer, reproduce
from mlops_pipeline_tests.registry import world

pytestmark = pytest.mark.slow


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Stores of a home of its own."""
    return world.open_home(tmp_path / "home")


@pytest.mark.parametrize("trainer", ["lightgbm", "torch"])
@pytest.mark.parametrize("small", [True, False])
def test_the_same_lineage_gives_the_same_bytes(stores: Stores, trainer: str, small: bool) -> None:
    found = reproduce(stores, world.registered_version(stores, trainer=trainer), small=small)
    assert found.answer is Answer.EQUAL, found.text
    assert found.divergence is None
    assert found.metric_differences is not None
    assert set(found.metric_differences.values()) == {0.0}
    assert found.notes == ()


def test_another_parameter_than_the_recorded_one_is_found_with_the_tree(stores: Stores) -> None:
    known = world.registered_version(stores)
    params = {**known.lineage.params, "num_leaves": 3}
    found = reproduce(stores, replace(known, lineage=replace(known.lineage, params=params)))
    assert found.answer is Answer.DIFFERS
    assert found.divergence is not None
    assert found.divergence.startswith("model.txt: line ")
    assert "tree 0" in found.divergence
    assert (found.largest_prediction_difference or 0) > 0


def test_other_code_is_refused_with_the_commit_to_check_out(stores: Stores) -> None:
    code = replace(read_code(), commit="c" * 40, sources="0" * 64)
    found = reproduce(stores, world.registered_version(stores, code=code))
    assert found.answer is Answer.CANNOT
    assert "the code is another" in found.text
    assert f"check out commit {'c' * 40}" in found.text


def test_rows_that_are_gone_are_named(stores: Stores) -> None:
    known = world.registered_version(stores)
    found = reproduce(stores, replace(known, lineage=replace(known.lineage, snapshot="9" * 64)))
    assert found.answer is Answer.CANNOT
    assert found.text.startswith("SnapshotMissing: no object 9999")


def test_a_version_that_was_altered_is_not_even_tried(stores: Stores) -> None:
    known = world.registered_version(stores)
    names = stores.objects.get_json(known.row.bundle)
    other = stores.objects.put_json({**names, MANIFEST: stores.objects.put(b"{}")})
    found = reproduce(stores, replace(known, row=replace(known.row, bundle=other)))
    assert found.answer is Answer.CANNOT
    assert found.text.startswith("Tampered: visits version 1: manifest.json is not as signed")


def test_another_machine_is_noted(stores: Stores) -> None:
    known = world.registered_version(stores)
    made = replace(known.lineage.environment, vectors="sse4_2")
    found = reproduce(stores, replace(known, lineage=replace(known.lineage, environment=made)))
    assert found.notes[0].startswith("vector instructions: built on sse4_2, now ")
