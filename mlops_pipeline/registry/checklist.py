"""The checklist before promotion: what must be true of a version, besides its gate.

Some items hold once a version is built (locked packages, whole lineage, signature, rebuild, card);
others when it is about to serve (look-ups, a way back). A rebuild needs the version's own code, so
its result is remembered in the audit chain and asked there once the code has moved on.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from mlops_pipeline.contract.load import parse_contract_json
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.objects import ObjectStore
from mlops_pipeline.data.windows import month_start
from mlops_pipeline.errors import RegistryError
from mlops_pipeline.features.readiness import readiness
from mlops_pipeline.ledger import audit, champion, quarantine, versions
from mlops_pipeline.ledger.store import reading, transaction
from mlops_pipeline.ledger.versions import VersionRow, VersionStatus
from mlops_pipeline.registry.bundle import CONTRACT
from mlops_pipeline.registry.code import PACKAGE
from mlops_pipeline.registry.environment import installed_packages, read_environment
from mlops_pipeline.registry.lineage import Lineage
from mlops_pipeline.registry.proof import Registered, Stores, registered, verify_stored
from mlops_pipeline.registry.reproduce import Answer, reproduce
from mlops_pipeline.registry.standing import stored_manifest
from mlops_pipeline.registry.twins import quarantined_twin

LOCK = PACKAGE.parent / "requirements.lock"
REBUILT = "version.rebuilt"  # the audit's word for a rebuild that was tried
ONCE_BUILT = ("dependencies", "lineage", "signature", "rebuild", "card")
BEFORE_SERVING = ("quarantine", "look-ups", "way back")


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist."""

    name: str
    passed: bool
    text: str

    @property
    def once_built(self) -> bool:
        """It can be true as soon as the version is there."""
        return self.name in ONCE_BUILT


def promotion_checklist(
    stores: Stores, model: str, version: str, *, now: datetime
) -> tuple[Item, ...]:
    """Every item, in the order in which a person would mend them.

    Raises:
        RegistryError: there is no such version.
    """
    known = registered(stores, model, version)
    contract = parse_contract_json(
        stores.objects.get(stores.objects.get_json(known.row.bundle)[CONTRACT])
    )
    return (
        Item("dependencies", *_dependencies(known.lineage)),
        Item("lineage", *_lineage(known.lineage, stores.objects)),
        Item("signature", *_signature(stores, known.row)),
        Item("rebuild", *_rebuild(stores, known, now=now)),
        Item("card", *_card(contract)),
        Item("quarantine", *_quarantine(stores, known.row)),
        Item("look-ups", *_lookups(stores, contract, known.lineage, now=now)),
        Item("way back", *_way_back(stores, known.row)),
    )


def blockers(stores: Stores, version: VersionRow, *, now: datetime) -> tuple[str, ...]:
    """Why the version may not reach users, each as `item: why`; empty where it may."""
    found = promotion_checklist(stores, version.model, version.version, now=now)
    return tuple(f"{item.name}: {item.text}" for item in found if not item.passed)


def locked(lock: Path = LOCK) -> dict[str, str]:
    """Version of every package that the lock pins, by normalised name; empty without a lock."""
    if not lock.is_file():
        return {}
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;]+)", lock.read_text(), re.M)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pinned}


def _dependencies(lineage: Lineage, lock: Path = LOCK) -> tuple[bool, str]:
    """The packages that are here are the locked ones, and those that the version was built with."""
    pinned, here = locked(lock), installed_packages()
    off = [
        f"{name} {here[name]} (locked {version})"
        for name, version in pinned.items()
        if name in here and not _is(here[name], version)
    ]
    if off:
        return False, f"not as locked: {', '.join(off[:5])}; install requirements.lock"
    if read_environment().packages != lineage.environment.packages:
        return False, "built with other packages than are here; build it again in this environment"
    words = f"{len(pinned)} packages are as locked" if pinned else "no lock file is here"
    return bool(pinned), words + "; the version was built with those that are here"


def _is(found: str, pinned: str) -> bool:
    """The same version; a local build such as 2.13.0+cpu is that version."""
    return found == pinned or found.partition("+")[0] == pinned


def _lineage(lineage: Lineage, objects: ObjectStore) -> tuple[bool, str]:
    digests = {
        "snapshot": lineage.snapshot,
        "feature definitions": lineage.definition,
        "contract": lineage.contract,
        "sources": lineage.code.sources,
        "packages": lineage.environment.packages,
    }
    empty = [name for name, digest in digests.items() if not digest]
    if empty:
        return False, f"it does not name its {', '.join(empty)}"
    if lineage.snapshot not in objects:
        return False, f"the rows of snapshot {lineage.snapshot[:12]}… are gone"
    commit = (lineage.code.commit or "no commit")[:12]
    return True, f"every cause is named; {commit}{', changed since' if lineage.code.dirty else ''}"


def _signature(stores: Stores, version: VersionRow) -> tuple[bool, str]:
    try:
        told = verify_stored(stores, version)
    except RegistryError as error:
        return False, f"{type(error).__name__}: {error}"
    return True, f"valid, over {len(told['subject'])} files"


def _rebuild(stores: Stores, known: Registered, *, now: datetime) -> tuple[bool, str]:
    """The remembered rebuild, or one in the small profile."""
    subject = versions.subject_of(known.row.model, known.row.version)
    with reading(stores.ledger) as view:
        tried = [e.detail for e in audit.entries(view, subject) if e.action == REBUILT]
    proven = [t for t in tried if t["answer"] == Answer.EQUAL]
    if proven:
        return True, f"{proven[-1]['text']} (proven when it was built)"
    found = reproduce(stores, known, small=True)
    detail: Mapping[str, object] = {**asdict(found), "answer": int(found.answer)}
    with transaction(stores.ledger) as tx:
        audit.append(
            tx, now=now, actor=audit.PIPELINE, action=REBUILT, subject=subject, detail=detail
        )
    return found.answer is Answer.EQUAL, found.text


def _card(contract: ModelContract) -> tuple[bool, str]:
    """The words that only a person can write are there."""
    asked = {"title": contract.title, "description": contract.description, "owner": contract.owner}
    empty = [name for name, text in asked.items() if not text.strip()]
    empty += [] if contract.target.unlabelled.strip() else ["target.unlabelled"]
    if empty:
        return False, f"the contract does not say its {', '.join(empty)}"
    return True, "the contract says what it is for, whose it is, and what it leaves out"


def _quarantine(stores: Stores, version: VersionRow) -> tuple[bool, str]:
    """Neither its lineage nor its model files were rolled back, also if that was after its gate."""
    manifest = stored_manifest(stores.objects, version.bundle)
    with reading(stores.ledger) as view:
        barred = quarantine.is_quarantined(view, version.model, version.lineage)
        twin = quarantined_twin(view, stores.objects, manifest)
    if barred:
        return False, f"its lineage {version.lineage[:12]}… was rolled back: train a new one"
    if twin is not None:
        return False, f"it holds the very model files of version {twin.version}, in quarantine"
    return True, "neither its lineage nor its model files were rolled back"


def _lookups(
    stores: Stores, contract: ModelContract, lineage: Lineage, *, now: datetime
) -> tuple[bool, str]:
    """Whole and fresh look-ups of the version's own definition are published."""
    last = contract.source.last
    replayed = last is not None and month_start(last, 1) <= now.replace(tzinfo=None)
    folder = stores.settings.feature_snapshots / contract.name
    asked = None if replayed else now.date()  # a source that has ended is asked about its past
    found = readiness(folder, contract, lineage.definition, asked)
    return found.ready, found.reason


def _way_back(stores: Stores, version: VersionRow) -> tuple[bool, str]:
    """The champion, which a rollback returns to, is sound; that it answers is the preflight's."""
    with reading(stores.ledger) as view:
        leading = champion.read(view, version.model)
        back = None if leading is None else versions.get(view, version.model, leading.version)
    if back is None:
        return True, "first version: there is nothing to go back to"
    if back.version == version.version:
        return True, "it is the champion"
    if back.status is VersionStatus.QUARANTINED:
        return False, f"version {back.version}, the champion, is in quarantine"
    valid, said = _signature(stores, back)
    if not valid:
        return False, f"version {back.version}, the champion, cannot be started again: {said}"
    when = f"served well at {back.served:%Y-%m-%d %H:%M}" if back.served else "serves as the first"
    return True, f"version {back.version} {when}; its signature is {said}"


def checklist_lines(items: tuple[Item, ...]) -> Iterator[str]:
    """The checklist for a terminal."""
    for item in items:
        yield f"{'ok ' if item.passed else 'NO '} {item.name}: {item.text}"
