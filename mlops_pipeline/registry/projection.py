"""The registry's aliases as a picture of the ledger's pointer: drawn again whenever asked."""

from sqlalchemy import Engine

from mlops_pipeline.ledger import champion, rollouts
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.registry.mlflow import MlflowRegistry

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"


def project_aliases(ledger: Engine, registry: MlflowRegistry, model: str) -> dict[str, str]:
    """Aliases that differed from the ledger are mended; returns those that were, by name."""
    with reading(ledger) as view:
        leading = champion.read(view, model)
        active = rollouts.active(view, model)
    wanted = {
        CHAMPION: leading.version if leading else None,
        PREVIOUS: leading.previous if leading else None,
        CHALLENGER: active.candidate if active else None,
    }
    mended: dict[str, str] = {}
    for alias, version in wanted.items():
        if registry.alias(model, alias) == version:
            continue
        if version is None:
            registry.drop_alias(model, alias)
        else:
            registry.set_alias(model, alias, version)
        mended[alias] = version or "none"
    return mended
