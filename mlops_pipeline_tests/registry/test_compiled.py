"""Compiled trees answer as LightGBM does, to the bit, or are not made."""

import logging
from array import array
from pathlib import Path

import numpy as np
import pytest

from mlops_pipeline.errors import RegistryError
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.registry.attestation import open_signed
from mlops_pipeline.registry.bundle import MANIFEST, open_bundle
from mlops_pipeline.registry.compiled import (
    compile_trees,
    probes,
    prove,
    with_compiled_trees,
)
from mlops_pipeline.registry.compiled_trees import ABOUT, LIBRARY, CompiledTrees
from mlops_pipeline.registry.keys import TRUSTED
from mlops_pipeline.registry.mlflow import open_registry
from mlops_pipeline.registry.register import register_passed
from mlops_pipeline.serving.scorers import load_scorer
from mlops_pipeline.training.lightgbm import LightgbmModel, LightgbmTrainer
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline_tests.registry import world as registry_world
from mlops_pipeline_tests.serving import world

pytestmark = pytest.mark.usefixtures("compiler")
SIZES = (0, 5, 0, 70, 0)


def fitted(*, missing: str = "nan", trees: int = 40, leaves: int = 31) -> LightgbmModel:
    """Trees over numbers and categories; `missing` says which hole the training rows have."""
    chance = np.random.default_rng(3)
    values = chance.normal(0, 2, (4_000, len(SIZES)))
    for feature, size in enumerate(SIZES):
        if size:
            values[:, feature] = chance.integers(0, size, len(values))
    if missing == "nan":
        values[chance.random(values.shape) < 0.1] = np.nan
    known = np.nan_to_num(values)
    odds = known[:, 0] + (known[:, 1] == 2) - (known[:, 3] % 3 == 1) + known[:, 2] * known[:, 4]
    labels = (chance.random(len(values)) < 1 / (1 + np.exp(-odds))).astype(float)
    names = tuple(f"f{n}" for n in range(len(SIZES)))
    rows = LabelledRows(FeatureMatrix(names, values, SIZES), labels, np.arange(len(values)))
    params = {"num_boost_round": trees, "num_leaves": leaves}
    return LightgbmTrainer().fit(rows, rows, params=params, seed=1)


def text_of(model: LightgbmModel) -> str:
    return model.files()["model.txt"].decode()


@pytest.mark.parametrize("missing", ["nan", "none"])
def test_every_answer_is_the_boosters_to_the_bit(missing: str) -> None:
    model = fitted(missing=missing)
    trees = CompiledTrees(compile_trees(text_of(model)), len(SIZES))
    rows = probes(text_of(model), SIZES, 5_003)  # no multiple of a block or of eight
    expected = model.predict(rows)
    assert (trees.score_matrix(rows) == expected).all()
    assert trees.score_batch([array("d", row) for row in rows[:500]]) == expected[:500].tolist()


@pytest.mark.parametrize("trees", [1, 7, 8, 9])
def test_a_number_of_trees_that_fills_no_group_is_whole(trees: int) -> None:
    model = fitted(trees=trees, leaves=4)
    compiled = CompiledTrees(compile_trees(text_of(model)), len(SIZES))
    rows = probes(text_of(model), SIZES, 100)
    assert (compiled.score_matrix(rows) == model.predict(rows)).all()
    one = [compiled.score(array("d", row)) for row in rows]
    assert one == model.predict(rows).tolist()


def test_threads_share_the_rows_and_change_nothing() -> None:
    model = fitted()
    library = compile_trees(text_of(model))
    rows = probes(text_of(model), SIZES, 1_001)
    several = CompiledTrees(library, len(SIZES), threads=3).score_matrix(rows)
    assert (several == CompiledTrees(library, len(SIZES)).score_matrix(rows)).all()


def test_zero_as_missing_goes_the_way_that_the_booster_goes() -> None:
    import lightgbm

    chance = np.random.default_rng(4)
    values = chance.choice([0.0, 1.0, 2.5, -3.0], size=(2_000, 3))
    labels = (values.sum(axis=1) + chance.normal(size=2_000) > 0).astype(float)
    options = {"objective": "binary", "zero_as_missing": True, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(values, label=labels), 20)
    text = booster.model_to_string()
    rows = probes(text, (0, 0, 0), 3_000)
    compiled = CompiledTrees(compile_trees(text), 3).score_matrix(rows)
    assert (compiled == booster.predict(rows, num_threads=1)).all()


def test_trees_that_are_another_models_are_never_registered() -> None:
    library = compile_trees(text_of(fitted(trees=5)))
    with pytest.raises(RegistryError, match=r"not the model: \d+ of 2000 rows differ"):
        prove(library, text_of(fitted(trees=6)).encode(), SIZES)


def test_trees_of_another_objective_are_not_compiled() -> None:
    other = text_of(fitted(trees=1)).replace("objective=binary sigmoid:1", "objective=regression")
    with pytest.raises(RegistryError, match="objective 'regression' are not compiled"):
        compile_trees(other)


def asking(folder: Path, *, compiled: bool = True) -> dict[str, bytes]:
    """The files of a bundle whose candidate asks for compiled trees."""
    contract = world.changed(world.flights(), {"candidates.0.compiled": compiled})
    return world.bundle_files(contract)


def test_a_version_that_asks_holds_them_listed_by_their_hash(tmp_path: Path) -> None:
    files = with_compiled_trees(asking(tmp_path))
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    bundle = open_bundle(tmp_path)
    assert bundle.read(LIBRARY) == files[LIBRARY]
    (tmp_path / LIBRARY).write_bytes(files[LIBRARY] + b"\0")
    with pytest.raises(RegistryError, match="altered"):
        open_bundle(tmp_path)


def test_a_version_that_does_not_ask_stays_as_it_was(tmp_path: Path) -> None:
    files = asking(tmp_path, compiled=False)
    assert with_compiled_trees(files) == files


def test_without_a_compiler_the_version_is_registered_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = asking(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert with_compiled_trees(files, compiler="no-such-compiler") == files
    assert "compiled=none model=flight_delay reason=no C compiler 'no-such-compiler'" in caplog.text


def test_equal_models_have_equal_libraries(tmp_path: Path) -> None:
    files = asking(tmp_path)
    first, second = with_compiled_trees(files), with_compiled_trees(files)
    assert first == second
    assert {LIBRARY, ABOUT} == first.keys() - files.keys()
    assert first[MANIFEST] != files[MANIFEST]


@pytest.mark.slow
def test_registration_signs_the_compiled_trees_with_the_version(tmp_path: Path) -> None:
    stores = registry_world.open_home(tmp_path / "home")
    asked = world.changed(registry_world.contract(), {"candidates.0.compiled": True})
    bundle, _, _ = registry_world.judged(stores, asked)
    registry = open_registry(stores.settings)
    row = register_passed(
        stores.ledger,
        stores.objects,
        registry,
        bundle=bundle,
        run_id=registry.open_run("train", tags={}, now=registry_world.NOW),
        keys=stores.settings.keys,
        now=registry_world.NOW,
    )
    folder = stores.objects.check_out(row.bundle, tmp_path / "version")
    opened = open_signed(folder, stores.settings.keys / TRUSTED)
    assert isinstance(load_scorer(opened), CompiledTrees)
    assert open_bundle(folder).manifest.lineage_digest == row.lineage
