"""A candidate that passed becomes a version: in MLflow for people, in the ledger for the system."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.errors import RegistryError
from mlops_pipeline.evaluation.outcomes import Outcome
from mlops_pipeline.evaluation.verdict import Verdict
from mlops_pipeline.ledger import audit, quarantine, reviews, verdicts, versions
from mlops_pipeline.ledger.store import exclusive, reading, transaction
from mlops_pipeline.ledger.verdicts import VerdictRow
from mlops_pipeline.ledger.versions import VersionRow, VersionStatus
from mlops_pipeline.registry.attestation import attest
from mlops_pipeline.registry.bundle import BundleManifest
from mlops_pipeline.registry.compiled import with_compiled_trees
from mlops_pipeline.registry.keys import signing_key
from mlops_pipeline.registry.mlflow import MlflowRegistry
from mlops_pipeline.registry.projection import project_aliases
from mlops_pipeline.registry.standing import stored_manifest
from mlops_pipeline.registry.twins import quarantined_twin


def register_passed(
    ledger: Engine,
    objects: ObjectStore,
    registry: MlflowRegistry,
    *,
    bundle: str,
    run_id: str,
    keys: Path,
    now: datetime,
) -> VersionRow:
    """The bundle, signed, is a version that may be rolled out; again gives the same version.

    The stored verdict is asked, not the caller: a red check in a user interface is only a picture.
    The version's bundle is the candidate's with its attestation, and with compiled trees where the
    contract asks for them, so its digest is another.

    Raises:
        RegistryError: no gate passed this bundle, or its lineage or its model files are in
            quarantine.
    """
    manifest = stored_manifest(objects, bundle)
    with exclusive(ledger, f"register {manifest.model}"):
        verdict = _passed(ledger, objects, manifest, bundle)
        files = with_compiled_trees(objects.get_tree(bundle))
        signed = attest(files, report=verdict.report, run=run_id, key=signing_key(keys))
        objects.put_tree(signed)
        registered = registry.register(
            run_id=run_id,
            files=signed,
            manifest=manifest,
            tags={
                "verdict": verdict.verdict,
                "report": verdict.report,
                "change": change_of(verdict.reasons),
            },
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
    project_aliases(ledger, registry, manifest.model)
    return row


def change_of(reasons: Sequence[Any]) -> str:
    """What the version is beside the champion: improved, equivalent, regressed, or first."""
    outcomes = {reason["outcome"] for reason in reasons if "against" in reason["subject"]}
    if not outcomes:
        return "first"
    if Outcome.INFERIOR in outcomes:
        return "regressed"
    return "improved" if Outcome.SUPERIOR in outcomes else "equivalent"


def may_pass(tx: Connection, model: str, bundle: str, verdict: VerdictRow | None) -> bool:
    """The gate promotes the bundle, or holds it and a person let it pass with a reason."""
    if verdict is None or verdict.verdict not in (Verdict.PROMOTE, Verdict.HOLD):
        return False
    if verdict.verdict == Verdict.PROMOTE:
        return True
    answer = reviews.find(tx, model, bundle, "gate")
    if answer is None or answer.dismissed:
        return False
    return answer.approver not in (None, audit.PIPELINE)


def _passed(
    ledger: Engine, objects: ObjectStore, manifest: BundleManifest, bundle: str
) -> VerdictRow:
    """The verdict that lets the bundle pass; raises where there is none."""
    with reading(ledger) as view:
        verdict = verdicts.latest(view, manifest.model, bundle)
        barred = quarantine.is_quarantined(view, manifest.model, manifest.lineage_digest)
        twin = quarantined_twin(view, objects, manifest)
        waived = may_pass(view, manifest.model, bundle, verdict)
    if verdict is None or not waived:
        said = "no gate has judged it" if verdict is None else f"its verdict is {verdict.verdict}"
        raise RegistryError(
            f"{manifest.model} bundle {bundle[:12]}… cannot become a version: {said}"
        )
    if barred:
        raise RegistryError(
            f"{manifest.model} lineage {manifest.lineage_digest[:12]}… was rolled back and is in "
            "quarantine: train on other data, code or parameters"
        )
    if twin is not None:
        raise RegistryError(
            f"{manifest.model} bundle {bundle[:12]}… holds the very model files of version "
            f"{twin.version}, which is in quarantine: another commit alone does not change what it "
            "answers; train on other data or parameters"
        )
    return verdict
