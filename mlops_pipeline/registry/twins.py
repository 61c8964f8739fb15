"""Twins: versions whose lineages differ but whose model files do not.

A lineage names the commit, so an unrelated commit makes a new one. What was rolled back must not
come again that way, so quarantine also holds for the files that compute the answers.
"""

from sqlalchemy import Connection

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.errors import SnapshotMissing
from mlops_pipeline.ledger import quarantine, versions
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.registry.bundle import BundleManifest, native_digest
from mlops_pipeline.registry.standing import stored_manifest


def quarantined_twin(
    tx: Connection, objects: ObjectStore, manifest: BundleManifest
) -> VersionRow | None:
    """The version in quarantine that answers exactly as this bundle would, or None."""
    condemned = {held.lineage for held in quarantine.all_of(tx, manifest.model)}
    own = native_digest(manifest)
    for row in versions.all_of(tx, manifest.model):
        if row.lineage not in condemned or row.lineage == manifest.lineage_digest:
            continue
        try:
            other = stored_manifest(objects, row.bundle)
        except SnapshotMissing:
            continue  # its files are gone from this store; its lineage stays barred
        if native_digest(other) == own:
            return row
    return None
