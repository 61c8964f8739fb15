"""What a rollout step saw and judged, as Dagster metadata; and whether one is needed to settle."""

from typing import Any

from mlops_pipeline.components.metadata import table
from mlops_pipeline.delivery.client import NodeClient
from mlops_pipeline.delivery.judge import Judgement
from mlops_pipeline.delivery.rollout import Looked
from mlops_pipeline.errors import NodeUnreachable, RegistryError
from mlops_pipeline.ledger.champion import Champion
from mlops_pipeline.registry.mlflow import MlflowRegistry


def unsettled(node: NodeClient, registry: MlflowRegistry, leading: Champion) -> str:
    """What does not follow the ledger between rollouts; empty where all does, or cannot be asked.

    A run that was killed right after its commit leaves this behind.
    """
    said = []
    try:
        routes = node.state().routes.get(leading.model)
        if routes is None or not routes.arms.only(leading.version):
            said.append(f"the router splits {routes.arms if routes else 'nothing'}")
    except NodeUnreachable:
        pass  # its own alarm tells of it, and no run could mend it
    try:
        alias = registry.alias(leading.model, "champion")
        if alias != leading.version:
            said.append(f"the alias champion names version {alias}")
    except RegistryError:
        pass
    return "; ".join(said)


def look_metadata(looked: Looked) -> dict[str, Any]:
    """Which rollout, where it stands, and how much evidence there is."""
    live = looked.evidence.live
    return {
        "rollout": looked.row.id,
        "candidate": looked.row.candidate,
        "stable": looked.row.stable,
        "stop": looked.stop.phase.value,
        "weight %": looked.stop.weight / 100,
        "generation": looked.row.generation,
        "units of the candidate": live.candidate.n if live else 0,
        "compared in shadow": looked.evidence.shadow.n if looked.evidence.shadow else 0,
    }


def judgement_metadata(judgement: Judgement) -> dict[str, Any]:
    """What to do and every number behind it."""
    return {
        "action": judgement.action.value,
        "reasons": "; ".join(judgement.reasons),
        "findings": table(
            {
                "guard": f.guard,
                "test": f.test,
                "value": f.value,
                "limit": f.limit,
                "n": f.n,
                "e-value": f.e_value,
                "needed": f.e_limit,
            }
            for f in judgement.findings
        ),
    }
