"""The registry's aliases as a picture of the ledger: drawn again whenever asked.

    champion     the ledger's pointer
    previous     where a rollback would go: the champion before, or the last that served well
    challenger   the candidate of the rollout under way
    staging      the newest version that passed its gate and has not served, newer than the champion
    candidate    the newest version

A version in quarantine has none of them but `champion`, should it still be serving.
"""

import logging
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from mlops_pipeline.errors import RegistryError
from mlops_pipeline.ledger import champion, rollouts, versions
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.ledger.versions import VersionRow, VersionStatus
from mlops_pipeline.registry.mlflow import MlflowRegistry

ALIASES = ("candidate", "staging", "challenger", "champion", "previous")
TRIES = 5  # the ledger may move while its picture is drawn
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Repair:
    """An alias that was not what the ledger says; `error` where it could not be mended."""

    model: str
    alias: str
    was: str | None
    now: str | None
    error: str = ""

    def __str__(self) -> str:
        said = f"{self.model}@{self.alias}: {self.was or 'none'} -> {self.now or 'none'}"
        return f"{said}, not mended: {self.error}" if self.error else said


def project_aliases(ledger: Engine, registry: MlflowRegistry, model: str) -> tuple[Repair, ...]:
    """Every alias is what the ledger says; what had to be mended, where nothing is empty.

    The ledger is read again after writing, so that of several at once the last to write has drawn
    what stands. An alias that MLflow refuses (its version was deleted by hand) holds up no other.
    """
    repairs: dict[str, Repair] = {}
    for _ in range(TRIES):
        with reading(ledger) as view:
            wanted = wanted_aliases(view, model)
        found = registry.aliases(model)
        off = [a for a in ALIASES if found.get(a) != wanted[a]]
        off = [a for a in off if not (a in repairs and repairs[a].error)]
        if not off:
            break
        for alias in off:
            first = repairs[alias].was if alias in repairs else found.get(alias)
            repairs[alias] = _mend(registry, model, alias, first, wanted[alias])
    return tuple(repairs[alias] for alias in ALIASES if alias in repairs)


def wanted_aliases(tx: Connection, model: str) -> dict[str, str | None]:
    """What each alias should point to by the ledger; None: nothing."""
    leading, active = champion.read(tx, model), rollouts.active(tx, model)
    known = sorted(versions.all_of(tx, model), key=_age)
    sound = [v for v in known if v.status is not VersionStatus.QUARANTINED]
    lead = next((v for v in known if leading and v.version == leading.version), None)
    waiting = [
        v
        for v in sound
        if v.status is VersionStatus.STAGING and (lead is None or _age(v) > _age(lead))
    ]
    before = [v.version for v in sound if leading and v.version == leading.previous]
    proven = [v.version for v in versions.proven(tx, model)]
    back = [v for v in (*before, *proven) if leading and v != leading.version]
    return {
        "candidate": sound[-1].version if sound else None,
        "staging": waiting[-1].version if waiting else None,
        "challenger": active.candidate if active else None,
        "champion": leading.version if leading else None,
        "previous": back[0] if back else None,
    }


def _age(version: VersionRow) -> tuple[int, str]:
    """Older first; MLflow counts versions up."""
    number = int(version.version) if version.version.isdecimal() else 0
    return number, version.created.isoformat()


def _mend(
    registry: MlflowRegistry, model: str, alias: str, was: str | None, version: str | None
) -> Repair:
    try:
        if version is None:
            registry.drop_alias(model, alias)
        else:
            registry.set_alias(model, alias, version)
    except RegistryError as error:
        _log.warning("event=alias_not_mended model=%s alias=%s error=%s", model, alias, error)
        return Repair(model, alias, was, version, str(error))
    _log.info("event=alias_mended model=%s alias=%s was=%s now=%s", model, alias, was, version)
    return Repair(model, alias, was, version)
