"""A bundle: everything that one version needs to serve, as one folder that cannot change unseen.

    manifest.json     what it is, and the digest of every other file
    contract.json     the contract it was judged by
    lineage.json      where it came from
    model/…           the trainer's native files
    attestation.json  once registered: the signed statement over all of these

Serving opens bundles, so this module imports no client of anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mlops_pipeline.contract.columns import DerivedFeature, Feature
from mlops_pipeline.contract.load import contract_digest, contract_json, parse_contract_json
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Candidate
from mlops_pipeline.data.objects import canonical_json, digest_of
from mlops_pipeline.errors import ContractError, RegistryError
from mlops_pipeline.registry.lineage import Lineage, lineage_digest, lineage_json

if TYPE_CHECKING:
    from mlops_pipeline.training.protocols import Model

MANIFEST = "manifest.json"
CONTRACT = "contract.json"
LINEAGE = "lineage.json"
ATTESTATION = "attestation.json"
MODEL = "model/"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """What a bundle is; `files` covers every file but the manifest itself."""

    format: int
    model: str
    candidate: str
    trainer: str
    feature_names: tuple[str, ...]
    cardinalities: tuple[int, ...]  # 0 for a number, else categories 0..k-1
    definition_digest: str
    contract_digest: str
    threshold: float  # a probability above it answers yes
    lineage_digest: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on disk whose files were verified when it was opened."""

    folder: Path
    manifest: BundleManifest
    contract: ModelContract

    def read(self, name: str) -> bytes:
        """The file's bytes, verified again: what is loaded is what was registered.

        Raises:
            RegistryError: the bundle has no such file, or it was altered.
        """
        if name not in self.manifest.files:
            raise RegistryError(
                f"{self.folder} lists no file {name!r}; it lists: {', '.join(self.manifest.files)}"
            )
        return _verified(self.folder, name, self.manifest.files[name])

    def model_files(self) -> dict[str, bytes]:
        """The trainer's native files by their own names, verified."""
        return {
            name.removeprefix(MODEL): self.read(name)
            for name in self.manifest.files
            if name.startswith(MODEL)
        }


def pack(
    contract: ModelContract, candidate: Candidate, model: "Model", lineage: Lineage
) -> dict[str, bytes]:
    """The bundle's files by name; equal model, contract and lineage give equal files.

    Raises:
        RegistryError: the parts do not belong together.
    """
    names = tuple(feature.name for feature in contract.features.columns)
    digest = contract_digest(contract)
    for what, said, true in (
        ("the model's features", model.feature_names, names),
        ("the model's trainer", model.trainer, candidate.trainer),
        ("the lineage's contract", lineage.contract, digest),
        ("the lineage's model", lineage.model, contract.name),
        ("the lineage's candidate", lineage.candidate, candidate.name),
    ):
        if said != true:
            raise RegistryError(f"{what}: {said!r} where the contract has {true!r}")
    files = {
        CONTRACT: contract_json(contract).encode(),
        LINEAGE: lineage_json(lineage),
        **{f"{MODEL}{name}": content for name, content in model.files().items()},
    }
    manifest = BundleManifest(
        format=FORMAT,
        model=contract.name,
        candidate=candidate.name,
        trainer=candidate.trainer,
        feature_names=names,
        cardinalities=cardinalities(contract),
        definition_digest=lineage.definition,
        contract_digest=digest,
        threshold=contract.acceptance.threshold,
        lineage_digest=lineage_digest(lineage),
        files={name: digest_of(files[name]) for name in sorted(files)},
    )
    return {MANIFEST: canonical_json(msgspec.to_builtins(manifest)), **files}


def cardinalities(contract: ModelContract) -> tuple[int, ...]:
    """How many categories each feature has, in order; 0 for a number."""

    def of(feature: Feature) -> int:
        category = isinstance(feature, DerivedFeature) and feature.kind == "category"
        return len(contract.column(feature.name).categories) if category else 0

    return tuple(of(feature) for feature in contract.features.columns)


def tree_digest(files: Mapping[str, bytes]) -> str:
    """The digest under which `ObjectStore.put_tree` keeps these files."""
    return digest_of(canonical_json({name: digest_of(files[name]) for name in sorted(files)}))


def native_digest(manifest: BundleManifest) -> str:
    """What the version computes, whoever built it when: its model files and feature definitions."""
    files = {n: d for n, d in manifest.files.items() if n.startswith(MODEL)}
    return digest_of(canonical_json({"files": files, "definition": manifest.definition_digest}))


def open_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`: every byte is what its manifest says, and nothing else lies there.

    Raises:
        RegistryError: the manifest is unreadable, or a file is missing, unknown or altered.
    """
    manifest = read_manifest(folder)
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    listed = {MANIFEST, *manifest.files}
    extra = found - listed - {ATTESTATION}
    for what, names in (("lacks", listed - found), ("also holds", extra)):
        if names:
            raise RegistryError(
                f"{folder} {what} {', '.join(sorted(names))}: it is not the bundle that was "
                "registered; delete the folder and check it out again"
            )
    contents = {
        name: _verified(folder, name, digest) for name, digest in sorted(manifest.files.items())
    }
    try:
        contract = parse_contract_json(contents[CONTRACT])
    except ContractError as error:
        raise RegistryError(f"{folder / CONTRACT}: {error}") from error
    _agree(folder, manifest, contract, contents)
    return Bundle(folder=folder, manifest=manifest, contract=contract)


def read_manifest(folder: Path) -> BundleManifest:
    """The manifest in `folder`, read but not compared with the files beside it.

    Raises:
        RegistryError: there is none, or it is of another format.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=BundleManifest)
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror}; is this a bundle?") from None
    except msgspec.DecodeError as error:
        raise RegistryError(f"{path} is no manifest of format {FORMAT}: {error}") from error
    if manifest.format != FORMAT:
        raise RegistryError(f"{path} has format {manifest.format}; this code reads {FORMAT}")
    for name in (CONTRACT, LINEAGE):
        if name not in manifest.files:
            raise RegistryError(f"{path} does not list {name}: it is no whole bundle")
    return manifest


def _agree(
    folder: Path,
    manifest: BundleManifest,
    contract: ModelContract,
    contents: Mapping[str, bytes],
) -> None:
    """The manifest's words fit the files; digests are of the stored bytes, whatever is read today.

    A later release reads an older contract with its new words' defaults, so writing it again would
    give another digest.
    """
    for what, said, true in (
        ("contract_digest", manifest.contract_digest, digest_of(contents[CONTRACT])),
        ("lineage_digest", manifest.lineage_digest, digest_of(contents[LINEAGE])),
        ("model", manifest.model, contract.name),
        ("cardinalities", manifest.cardinalities, cardinalities(contract)),
        ("feature_names", manifest.feature_names, tuple(f.name for f in contract.features.columns)),
    ):
        if said != true:
            raise RegistryError(
                f"{folder / MANIFEST}: {what} is {said!r}, but the files beside it say {true!r}"
            )


def _verified(folder: Path, name: str, digest: str) -> bytes:
    path = folder / name
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        raise RegistryError(
            f"{path} leads out of the bundle; delete the folder, check it out again"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror}") from error
    if (found := digest_of(content)) != digest:
        raise RegistryError(
            f"{path} was altered: sha256 {found[:12]}…, registered {digest[:12]}…; "
            "delete the folder and check it out again"
        )
    return content
