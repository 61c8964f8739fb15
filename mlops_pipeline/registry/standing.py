"""What stands now: the champion's row in the ledger, and what its stored bundle holds."""

import msgspec
from sqlalchemy import Connection

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.evaluation.records import REPORT, EvaluationReport, read_report
from mlops_pipeline.ledger import champion, versions
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.registry.bundle import LINEAGE, MANIFEST, MODEL, BundleManifest
from mlops_pipeline.registry.lineage import Lineage, read_lineage
from mlops_pipeline.training.protocols import Model
from mlops_pipeline.training.table import load


def champion_version(tx: Connection, model: str) -> VersionRow | None:
    """The champion's version, or None before the first one."""
    pointer = champion.read(tx, model)
    return None if pointer is None else versions.get(tx, model, pointer.version)


def stored_lineage(objects: ObjectStore, bundle: str) -> Lineage:
    """Where the bundle of that tree digest came from."""
    return read_lineage(objects.get(objects.get_json(bundle)[LINEAGE]))


def stored_report(objects: ObjectStore, tree: str) -> EvaluationReport:
    """The report in the tree of that digest."""
    return read_report(objects.get(objects.get_json(tree)[REPORT]))


def stored_manifest(objects: ObjectStore, bundle: str) -> BundleManifest:
    """What the bundle of that tree digest says of itself."""
    return msgspec.json.decode(objects.get(objects.get_json(bundle)[MANIFEST]), type=BundleManifest)


def stored_model(objects: ObjectStore, bundle: str) -> Model:
    """The model in the bundle of that tree digest, loaded by its own trainer; bytes verified."""
    names = objects.get_json(bundle)
    files = {
        name.removeprefix(MODEL): objects.get(digest)
        for name, digest in names.items()
        if name.startswith(MODEL)
    }
    return load(stored_manifest(objects, bundle).trainer, files)
