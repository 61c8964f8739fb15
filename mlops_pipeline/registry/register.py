"""A candidate that passed becomes a version: in MLflow for people, in the ledger for the system."""

from datetime import datetime

from sqlalchemy import Engine

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.errors import RegistryError
from mlops_pipeline.evaluation.verdict import Verdict
from mlops_pipeline.ledger import quarantine, verdicts, versions
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.ledger.versions import VersionRow, VersionStatus
from mlops_pipeline.registry.mlflow import MlflowRegistry
from mlops_pipeline.registry.standing import stored_manifest

STAGING = "staging"  # the alias of the newest version that passed its gate


def register_passed(
    ledger: Engine,
    objects: ObjectStore,
    registry: MlflowRegistry,
    *,
    bundle: str,
    run_id: str,
    now: datetime,
) -> VersionRow:
    """The bundle is a version that may be rolled out; doing it again gives the same version.

    The stored verdict is asked, not the caller: a red check in a user interface is only a picture.

    Raises:
        RegistryError: no gate passed this bundle, or its lineage is in quarantine.
    """
    manifest = stored_manifest(objects, bundle)
    with transaction(ledger) as tx:
        verdict = verdicts.latest(tx, manifest.model, bundle)
        barred = quarantine.is_quarantined(tx, manifest.model, manifest.lineage_digest)
    if verdict is None or verdict.verdict != Verdict.PROMOTE:
        said = "no gate has judged it" if verdict is None else f"its verdict is {verdict.verdict}"
        raise RegistryError(
            f"{manifest.model} bundle {bundle[:12]}… cannot become a version: {said}"
        )
    if barred:
        raise RegistryError(
            f"{manifest.model} lineage {manifest.lineage_digest[:12]}… was rolled back and is in "
            "quarantine: train on other data, code or parameters"
        )
    registered = registry.register(
        run_id=run_id,
        files=objects.get_tree(bundle),
        manifest=manifest,
        tags={"verdict": verdict.verdict, "report": verdict.report},
    )
    with transaction(ledger) as tx:
        row = versions.add(
            tx,
            manifest.model,
            registered.version,
            bundle=registered.bundle,
            lineage=registered.lineage,
            verdict_id=verdict.id,
            status=VersionStatus.STAGING,
            now=now,
        )
    registry.set_alias(manifest.model, STAGING, registered.version)
    return row
