"""Which scorer a version gets: its compiled trees where they run here, else LightGBM's own call."""

import json
import logging
from array import array
from pathlib import Path

import pytest

from mlops_pipeline.data.objects import canonical_json, digest_of
from mlops_pipeline.features.online import publish
from mlops_pipeline.registry.bundle import MANIFEST, Bundle, open_bundle
from mlops_pipeline.registry.compiled import with_compiled_trees
from mlops_pipeline.registry.compiled_trees import ABOUT, LIBRARY, CompiledTrees
from mlops_pipeline.serving.lightgbm_native import LightGBMScorer
from mlops_pipeline.serving.scorers import load_scorer
from mlops_pipeline_tests.serving import world
from mlops_pipeline_tests.serving.asgi import JSON
from mlops_pipeline_tests.serving.processes import run


def compiled_bundle(folder: Path, changes: dict[str, bytes] | None = None) -> Bundle:
    """A version with compiled trees; `changes` replace files, listed with their new hash."""
    contract = world.changed(world.flights(), {"candidates.0.compiled": True})
    files = with_compiled_trees(world.bundle_files(contract))
    manifest = json.loads(files[MANIFEST])
    for name, content in (changes or {}).items():
        files[name] = content
        manifest["files"][name] = digest_of(content)
    files[MANIFEST] = canonical_json(manifest)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return open_bundle(folder)


def row(**values: float) -> "array[float]":
    names = [feature.name for feature in world.flights().features.columns]
    return array("d", [values.get(name, 0.0) for name in names])


@pytest.mark.usefixtures("compiler")
def test_compiled_trees_answer_with_the_native_numbers(tmp_path: Path) -> None:
    compiled = load_scorer(compiled_bundle(tmp_path / "compiled"))
    native = load_scorer(world.make_bundle(tmp_path / "native"))
    assert isinstance(compiled, CompiledTrees)
    assert isinstance(native, LightGBMScorer)
    for distance in (500.0, 1000.0, 2000.0):
        asked = row(distance=distance, carrier_late_28d=0.5)
        assert compiled.score(asked) == native.score(asked)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({ABOUT: b'{"system":"Linux","machine":"s390x"}'}, "made for Linux s390x, this is"),
        ({LIBRARY: b"no library"}, "does not load"),
        ({ABOUT: b"{"}, "Input data was truncated"),
    ],
)
def test_where_they_do_not_run_the_native_call_serves_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, bytes], said: str
) -> None:
    bundle = compiled_bundle(tmp_path, changes)
    with caplog.at_level(logging.WARNING):
        assert isinstance(load_scorer(bundle), LightGBMScorer)
    assert f"scorer=native version={tmp_path} compiled=refused: " in caplog.text
    assert said in caplog.text


@pytest.mark.usefixtures("compiler")
@pytest.mark.slow
def test_a_server_of_compiled_trees_needs_no_lightgbm_at_all(tmp_path: Path) -> None:
    compiled_bundle(tmp_path / "bundle")
    publish(tmp_path / "features", world.snapshot(world.flights()))
    with run(tmp_path) as server:
        response = server.client.post("/predict", content=world.body(), headers=JSON)
        assert response.json()["probability"] == world.probability(-2.0)
        assert "scorer=compiled" in server.said
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "memfd:trees" in maps
        assert "lib_lightgbm" not in maps
        assert server.memory_mb() < 100
