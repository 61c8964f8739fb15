"""What a rollout step saw and judged, as Dagster metadata."""

from typing import Any

from mlops_pipeline.components.metadata import table
from mlops_pipeline.delivery.judge import Judgement
from mlops_pipeline.delivery.rollout import Looked


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
