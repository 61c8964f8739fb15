import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.data.objects import ObjectStore, canonical_json, digest_of
from mlops_pipeline.errors import RegistryError
from mlops_pipeline.registry.bundle import (
    CONTRACT,
    MANIFEST,
    cardinalities,
    open_bundle,
    pack,
    tree_digest,
)
from mlops_pipeline.registry.lineage import lineage_digest
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.registry.parts import FILES, FileModel, bundle, laid_out, lineage


def test_a_bundle_opens_as_it_was_packed(tmp_path: Path) -> None:
    opened = open_bundle(laid_out(tmp_path, bundle()))
    manifest = opened.manifest
    assert opened.contract == tiny.contract()
    assert opened.model_files() == FILES
    assert (manifest.model, manifest.candidate, manifest.trainer) == ("visits", "trees", "lightgbm")
    assert manifest.feature_names[:2] == ("shop", "hour")
    assert manifest.cardinalities == (3, 0, 0, 0, 0, 0)
    assert manifest.threshold == 0.5
    assert manifest.contract_digest == contract_digest(tiny.contract())
    assert manifest.lineage_digest == lineage_digest(lineage())


def test_equal_parts_give_equal_bytes() -> None:
    assert bundle() == bundle()
    assert bundle() != bundle(seed=2)


def test_the_tree_digest_is_the_stores(tmp_path: Path) -> None:
    assert tree_digest(bundle()) == ObjectStore(tmp_path).put_tree(bundle())


def test_cardinalities_are_the_contracts() -> None:
    assert cardinalities(tiny.contract()) == (3, 0, 0, 0, 0, 0)


def _append(folder: Path) -> None:
    path = folder / "model" / "model.txt"
    path.write_bytes(path.read_bytes() + b" ")


def _swap_contract(folder: Path) -> None:
    (folder / "contract.json").write_bytes(b"{}")


def _drop(folder: Path) -> None:
    (folder / "lineage.json").unlink()


def _add(folder: Path) -> None:
    (folder / "model" / "extra.pkl").write_bytes(b"")


def _link(folder: Path) -> None:
    target = folder / "model" / "model.txt"
    elsewhere = folder.parent / "elsewhere.txt"
    elsewhere.write_bytes(target.read_bytes())
    target.unlink()
    target.symlink_to(elsewhere)


def _say(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))


@pytest.mark.parametrize(
    ("alter", "match"),
    [
        (_append, r"model.txt was altered: sha256 .*check it out again"),
        (_swap_contract, r"contract.json was altered"),
        (_drop, r"lacks lineage.json: it is not the bundle that was registered"),
        (_add, r"also holds model/extra.pkl"),
        (_link, r"model.txt leads out of the bundle"),
        (lambda folder: _say(folder, format=2), r"format 2; this code reads 1"),
        (lambda folder: _say(folder, files={}), r"does not list contract.json"),
        (lambda folder: _say(folder, model=3), r"is no manifest of format 1"),
        (lambda folder: _say(folder, model="other"), r"model is 'other', but .* 'visits'"),
        (lambda folder: _say(folder, lineage_digest="x"), r"lineage_digest is 'x', but"),
        (lambda folder: _say(folder, contract_digest="x"), r"contract_digest is 'x', but"),
        (lambda folder: _say(folder, feature_names=["shop"]), r"feature_names is \('shop',\), but"),
    ],
)
def test_a_bundle_that_was_touched_does_not_open(
    tmp_path: Path, alter: Callable[[Path], None], match: str
) -> None:
    folder = laid_out(tmp_path / "bundle", bundle())
    alter(folder)
    with pytest.raises(RegistryError, match=match):
        open_bundle(folder)


def test_a_file_that_changes_after_opening_is_not_read(tmp_path: Path) -> None:
    opened = open_bundle(laid_out(tmp_path, bundle()))
    _append(tmp_path)
    with pytest.raises(RegistryError, match=r"model.txt was altered"):
        opened.model_files()


def test_a_file_that_is_not_listed_is_not_read(tmp_path: Path) -> None:
    opened = open_bundle(laid_out(tmp_path, bundle()))
    with pytest.raises(RegistryError, match=r"lists no file '../x'; it lists: contract.json"):
        opened.read("../x")


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"manifest.json cannot be read: .* is this a bundle\?"):
        open_bundle(tmp_path)


def test_parts_that_do_not_belong_together_are_not_packed() -> None:
    contract = tiny.contract()
    candidate = contract.candidates[0]
    with pytest.raises(RegistryError, match=r"the model's features: \('a',\) where"):
        pack(contract, candidate, FileModel(feature_names=("a",)), lineage())
    with pytest.raises(RegistryError, match=r"the model's trainer: 'torch' where"):
        pack(contract, candidate, FileModel(trainer="torch"), lineage())
    with pytest.raises(RegistryError, match=r"the lineage's contract: '0' where"):
        pack(contract, candidate, FileModel(), lineage(contract="0"))
    with pytest.raises(RegistryError, match=r"the lineage's model: 'other' where"):
        pack(contract, candidate, FileModel(), lineage(model="other"))


def test_opening_imports_no_heavy_client() -> None:
    heavy = {"mlflow", "pandas", "torch", "lightgbm", "pyarrow", "scipy", "sqlalchemy", "dagster"}
    code = (
        f"import sys, mlops_pipeline.registry.bundle\nprint(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_bundle_of_an_earlier_release_opens_though_the_contract_has_new_words(
    tmp_path: Path,
) -> None:
    files = bundle()
    older = json.loads(files[CONTRACT])
    del older["acceptance"]["beat_linear"]  # a word that this release reads by its default
    files[CONTRACT] = canonical_json(older)
    manifest = json.loads(files[MANIFEST])
    manifest["contract_digest"] = manifest["files"][CONTRACT] = digest_of(files[CONTRACT])
    files[MANIFEST] = canonical_json(manifest)
    assert open_bundle(laid_out(tmp_path / "older", files)).contract.acceptance.beat_linear is None
