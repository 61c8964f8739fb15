"""What a registered version can show for itself, from the stores alone."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from mlops_pipeline.data.objects import ObjectStore, digest_of
from mlops_pipeline.errors import LedgerError, RegistryError, Tampered, Unsigned
from mlops_pipeline.ledger import verdicts, versions
from mlops_pipeline.ledger.store import open_ledger, reading
from mlops_pipeline.ledger.verdicts import VerdictRow
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.registry.attestation import verify
from mlops_pipeline.registry.bundle import ATTESTATION
from mlops_pipeline.registry.keys import TRUSTED, trusted_keys
from mlops_pipeline.registry.lineage import Lineage
from mlops_pipeline.registry.standing import stored_lineage
from mlops_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Stores:
    """Where versions, their files and the keys lie."""

    settings: Settings
    ledger: Engine
    objects: ObjectStore


@dataclass(frozen=True, slots=True)
class Registered:
    """A version with its records."""

    row: VersionRow
    lineage: Lineage
    verdict: VerdictRow | None


def open_stores(settings: Settings) -> Stores:
    """The stores that the settings name."""
    return Stores(settings, open_ledger(settings.ledger_url), ObjectStore(settings.objects))


def registered(stores: Stores, model: str, version: str) -> Registered:
    """The version of that number, with where it came from.

    Raises:
        RegistryError: it was never registered; the message lists those that were.
    """
    with reading(stores.ledger) as view:
        try:
            row = versions.get(view, model, version)
        except LedgerError as error:
            raise RegistryError(str(error)) from error
        judged = None if row.verdict_id is None else verdicts.get(view, row.verdict_id)
    return Registered(row, stored_lineage(stores.objects, row.bundle), judged)


def verify_stored(stores: Stores, version: VersionRow) -> dict[str, Any]:
    """The version's statement: signed by a trusted key, and every stored file as it was signed.

    Raises:
        Unsigned, UntrustedKey, Tampered: see `attestation.verify`.
    """
    names = stores.objects.get_json(version.bundle)
    if ATTESTATION not in names:
        raise Unsigned(f"{version.model} version {version.version} holds no {ATTESTATION}")
    trusted = trusted_keys(stores.settings.keys / TRUSTED)
    told = verify(stores.objects.get(names[ATTESTATION]), trusted)
    said = {s["name"]: s["digest"]["sha256"] for s in told["subject"]}
    held = {
        name: digest_of(stores.objects.get(digest))
        for name, digest in names.items()
        if name != ATTESTATION
    }
    for name in sorted({*said, *held}):
        if said.get(name) != held.get(name):
            raise Tampered(f"{version.model} version {version.version}: {name} is not as signed")
    return told


def signature_words(stores: Stores, version: VersionRow) -> str:
    """Whether the signature holds, in words."""
    try:
        told = verify_stored(stores, version)
    except RegistryError as error:
        return f"{type(error).__name__}: {error}"
    return f"valid, over {len(told['subject'])} files"
