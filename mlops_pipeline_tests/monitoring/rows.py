"""Parcels: a small contract, windows of it and requests about it, known by construction."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord
from mlops_pipeline_tests.contract.rows import small

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONDAY = datetime(2024, 3, 4)  # noqa: DTZ001 - event times are local


def parcels(**monitoring: Any) -> ModelContract:
    """The contract, watching weight (PSI) and region (Jensen-Shannon) where not told otherwise."""
    data = small()
    data["monitoring"] = {
        "min_rows": 500,
        "drift": [
            {"column": "weight", "method": "psi", "threshold": 0.2},
            {"column": "region", "method": "jensenshannon", "threshold": 0.1},
        ],
        **monitoring,
    }
    return ModelContract.model_validate(data)


def features(
    rows: int, *, seed: int, weight: float = 10.0, south: float = 0.3, silent: float = 0.0
) -> pd.DataFrame:
    """Rows whose weight is normal about `weight` with deviation 2, `south` of them to the south.

    `silent` is the share of rows without a weight.
    """
    chance = np.random.default_rng(seed)
    weights = chance.normal(weight, 2.0, rows)
    weights[chance.random(rows) < silent] = np.nan
    regions = np.where(chance.random(rows) < south, "south", "north").astype(object)
    return pd.DataFrame({"region": regions, "weight": weights, "region_late": chance.random(rows)})


def request(number: int, **changes: Any) -> RequestRecord:
    """One live answer of version 1 on day `number` after Monday; features are codes."""
    fields: dict[str, Any] = {
        "id": f"parcel-{number}",
        "at": NOON.timestamp() + number,
        "model": "parcels",
        "version": "1",
        "arm": Arm.LIVE,
        "unit": f"parcel-{number}",
        "status": 200,
        "outcome": Outcome.OK,
        "score": 0.25,
        "latency_ms": 1.5,
        "event_time": (MONDAY + timedelta(days=number)).isoformat(),
        "row": {},
        "features": {"region": 1.0, "weight": 12.5, "region_late": None},
    }
    return RequestRecord(**{**fields, **changes})
