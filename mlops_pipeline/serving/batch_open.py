"""Finding what a batch is scored with: a version in the ledger, its bundle, the newest look-ups."""

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.errors import ServingError
from mlops_pipeline.features.online import newest
from mlops_pipeline.ledger import champion, versions
from mlops_pipeline.ledger.store import open_ledger, reading
from mlops_pipeline.registry.attestation import open_signed
from mlops_pipeline.registry.keys import TRUSTED
from mlops_pipeline.serving.batch import BatchScorer
from mlops_pipeline.serving.lookups import empty_snapshot
from mlops_pipeline.serving.scorers import load_scorer
from mlops_pipeline.settings import Settings


def open_scorer(
    settings: Settings, model: str, version: str | None = None, *, threads: int = 1
) -> BatchScorer:
    """The version (the champion, where none is named) with the newest feature snapshot.

    Raises:
        LedgerError: there is no such version.
        RegistryError: its bundle is Unsigned, Tampered, or signed by an UntrustedKey.
        ServingError: there is no champion, or no snapshot was published.
    """
    with reading(open_ledger(settings.ledger_url)) as tx:
        if version is None:
            pointer = champion.read(tx, model)
            if pointer is None:
                raise ServingError(f"{model} has no champion; name one with --version")
            version = pointer.version
        row = versions.get(tx, model, version)
    folder = ObjectStore(settings.objects).check_out(row.bundle, settings.bundles / row.bundle)
    bundle = open_signed(folder, settings.keys / TRUSTED)
    definition = bundle.manifest.definition_digest
    snapshot = newest(settings.feature_snapshots / model, definition)
    if snapshot is None:
        if bundle.contract.history:
            raise ServingError(
                f"no feature snapshot of {model} was published for version {version}: "
                f"materialise {model}/feature_snapshot"
            )
        snapshot = empty_snapshot(model, definition)
    return BatchScorer(bundle, version, load_scorer(bundle, threads), snapshot)
