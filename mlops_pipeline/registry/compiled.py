"""Compiled trees: made when a version is registered, signed with it, and equal to LightGBM's.

Made where the contract's candidate says `compiled: true` and there is a C compiler; a version
without them is served by LightGBM's own call.
"""

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from mlops_pipeline.contract.load import parse_contract_json
from mlops_pipeline.data.objects import canonical_json, digest_of
from mlops_pipeline.errors import RegistryError
from mlops_pipeline.registry.bundle import CONTRACT, MANIFEST, MODEL, BundleManifest
from mlops_pipeline.registry.compiled_trees import ABOUT, LIBRARY, CompiledTrees, this_machine
from mlops_pipeline.registry.trees_source import cuts_of, tables_of
from mlops_pipeline.training.lightgbm import LightgbmTrainer

logger = logging.getLogger(__name__)

SOURCE = Path(__file__).with_name("trees.c")
TABLES = "tables.h"
MODEL_FILE = f"{MODEL}model.txt"
COMPILER = "cc"
# Vectorised, gcc gathers node by node, which is slower than eight plain loads (measured: 3 times).
# No fused multiply-add: the bits would differ.
FLAGS = ("-O3", "-fno-tree-vectorize", "-ffp-contract=off", "-shared", "-fPIC", "-s")
SECONDS = 300.0
PROVED_ROWS = 2_000


def with_compiled_trees(
    files: Mapping[str, bytes], *, compiler: str = COMPILER
) -> dict[str, bytes]:
    """The bundle's files, with compiled trees where the contract asks for them.

    Where they cannot be made, the log says why and the version is served by LightGBM's own call.

    Raises:
        RegistryError: the compiled trees give other numbers than LightGBM.
    """
    manifest = msgspec.json.decode(files[MANIFEST], type=BundleManifest)
    contract = parse_contract_json(files[CONTRACT])
    asked = {candidate.name for candidate in contract.candidates if candidate.compiled}
    if manifest.candidate not in asked:
        return dict(files)
    try:
        if MODEL_FILE not in files:
            raise RegistryError(f"the trainer {manifest.trainer} makes no trees")
        library = compile_trees(files[MODEL_FILE].decode(), compiler=compiler)
    except RegistryError as error:
        logger.warning("compiled=none model=%s reason=%s", manifest.model, error)
        return dict(files)
    prove(library, files[MODEL_FILE], manifest.cardinalities)
    made = {LIBRARY: library, ABOUT: canonical_json(msgspec.to_builtins(this_machine()))}
    listed = {**manifest.files, **{name: digest_of(content) for name, content in made.items()}}
    manifest = replace(manifest, files=dict(sorted(listed.items())))
    return {**files, **made, MANIFEST: canonical_json(msgspec.to_builtins(manifest))}


def compile_trees(text: str, *, compiler: str = COMPILER) -> bytes:
    """A shared library of the model's trees.

    Raises:
        RegistryError: there is no compiler, it failed, or the trees are of another kind.
    """
    program = shutil.which(compiler)
    if program is None:
        raise RegistryError(f"no C compiler {compiler!r} on the path; install gcc or clang")
    with tempfile.TemporaryDirectory(prefix="mlops-trees-") as name:
        folder = Path(name)
        (folder / TABLES).write_text(tables_of(text))
        shutil.copyfile(SOURCE, folder / SOURCE.name)
        command = [program, *FLAGS, "-o", "trees.so", SOURCE.name, "-lm"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise RegistryError(f"{program} took longer than {SECONDS:g} seconds") from None
        if done.returncode:
            raise RegistryError(f"{program} failed: {done.stderr[-500:]}")
        return (folder / "trees.so").read_bytes()


def prove(library: bytes, model: bytes, cardinalities: Sequence[int]) -> None:
    """The library answers as LightGBM does, bit for bit, also on the cuts and beside them.

    Raises:
        RegistryError: it does not.
    """
    rows = probes(model.decode(), cardinalities)
    expected = LightgbmTrainer().load({"model.txt": model}).predict(rows)
    found = CompiledTrees(library, rows.shape[1]).score_matrix(rows)
    differ = np.flatnonzero(found != expected)
    if len(differ):
        row = int(differ[0])
        raise RegistryError(
            f"the compiled trees are not the model: {len(differ)} of {len(rows)} rows differ, "
            f"such as {rows[row].tolist()}: {found[row]!r}, LightGBM {expected[row]!r}"
        )


def probes(text: str, cardinalities: Sequence[int], rows: int = PROVED_ROWS) -> np.ndarray:
    """Rows of values on the model's cuts and beside them, missing, zero, and unknown categories."""
    chance = np.random.default_rng(0)
    cuts = cuts_of(text)
    columns = []
    for feature, categories in enumerate(cardinalities):
        exact = np.array(
            [*cuts.get(feature, [0.0]), *range(-1, categories + 40 * (categories > 0))]
        )
        known = [exact, np.nextafter(exact, np.inf), np.nextafter(exact, -np.inf)]
        values = np.concatenate([*known, [np.nan, 0.0, 1e-36, np.inf, -np.inf]])
        columns.append(chance.choice(values, rows))
    return np.ascontiguousarray(np.stack(columns, axis=1))
