"""A town that sends parcels for nine months, with troubles planted where they are known.

| month | what happens |
|---|---|
| 2024-01 to 03 | the first version learns and is judged |
| 2024-04 | all is as it was |
| 2024-05 | the scales fall silent: 60 % of the requests have no weight (an outage) |
| 2024-06 | the scales are back |
| 2024-07, 08 | parcels get heavier by one deviation (covariate), and in the north their weight \
no longer makes them late (concept) |
| 2024-09 | all is as it was |
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import label
from mlops_pipeline.data.windows import Window
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.history import count_history
from mlops_pipeline.monitoring.labels import LabelRecord
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord
from mlops_pipeline.training.protocols import Model

ROWS = 1500  # a month
OUTAGE, COVARIATE, CONCEPT = ("2024-05",), ("2024-07", "2024-08"), ("2024-07", "2024-08")
HERE = "mlops_pipeline_tests.monitoring.town"

CONTRACT: dict[str, Any] = {
    "contract": 1,
    "name": "town",
    "title": "Will this parcel be late?",
    "description": "Asked when the parcel is handed over.",
    "owner": "team:parcels",
    "task": "binary",
    "entity": ["parcel"],
    "event_time": "handed_over",
    "seed": 7,
    "source": {
        "name": "parcels",
        "function": f"{HERE}:parcels",
        "first": "2024-01-01",
        "last": "2024-09-01",
        "min_rows": 100,
    },
    "columns": [
        {"name": "parcel", "type": "integer"},
        {"name": "handed_over", "type": "time"},
        {"name": "region", "type": "category", "categories": ["north", "south"]},
        {
            "name": "weight",
            "type": "number",
            "nullable": True,
            "minimum": -10,
            "maximum": 50,
            "distribution": {"method": "none"},
        },
        {"name": "hours_late", "type": "number", "nullable": True, "available": "outcome"},
    ],
    "target": {
        "name": "late",
        "column": "hours_late",
        "above": 0,
        "label_delay_hours": 24,
        "unlabelled": "parcels that were lost",
    },
    "features": {
        "function": f"{HERE}:derive",
        "columns": [
            {"kind": "category", "name": "region", "inputs": ["region"]},
            {"kind": "number", "name": "weight", "inputs": ["weight"]},
            {"kind": "number", "name": "hour", "inputs": ["handed_over"]},
        ],
    },
    "splits": {"train_from": "2024-01-01", "validation_days": 3, "group": "row"},
    "candidates": [
        {
            "name": "trees",
            "trainer": "lightgbm",
            "params": {"num_boost_round": 40, "num_leaves": 7, "min_data_in_leaf": 40},
        }
    ],
    "acceptance": {
        "resamples": 200,
        "criteria": [
            {"metric": "roc_auc", "at_least": 0.55},
            {"metric": "log_loss", "margin": 0.02},
        ],
        "resources": {"load_seconds": 60, "single_row_p99_ms": 1000},
    },
    "slices": [{"by": "region", "margin": 0.1}],
    "rollout": {"guards": [{"name": "error", "budget": 0.02}]},
    "monitoring": {
        "min_rows": 500,
        "windows": 3,
        "fire_on": 2,
        "performance": [{"metric": "roc_auc", "margin": 0.05}],
        "drift": [
            {"column": "weight", "method": "psi", "threshold": 0.2},
            {"column": "region", "method": "jensenshannon", "threshold": 0.1},
        ],
    },
    "retraining": {"cooldown_hours": 0},
}


def contract(**parts: Any) -> ModelContract:
    """The town's contract with whole parts replaced."""
    return ModelContract.model_validate({**CONTRACT, **parts})


def derive(row: Mapping[str, Any]) -> dict[str, Any]:
    """The feature function."""
    return {"hour": row["handed_over"] % 86400 // 3600}


def parcels(start: datetime, end: datetime) -> pd.DataFrame:
    """The source: what the warehouse knows of the months of the window, without outages."""
    return pd.concat(
        [month(key) for key in Window(start, end).months()], ignore_index=True
    ).sort_values("handed_over")


def month(
    key: str, covariate: tuple[str, ...] = COVARIATE, concept: tuple[str, ...] = CONCEPT
) -> pd.DataFrame:
    """The parcels of a month; the same month is the same parcels."""
    window, number = Window.of_month(key), int(key[-2:])
    chance = np.random.default_rng(1000 + number)
    seconds = np.sort(chance.uniform(0, window.days * 86400 - 1, ROWS)).astype(int)
    weight = chance.normal(12.0 if key in covariate else 10.0, 2.0, ROWS)
    south = chance.random(ROWS) < 0.4
    slope = np.where(south, 1.2, 0.0) if key in concept else 1.2
    odds = np.exp(-0.9 + slope * (weight - 10.0) / 1.5 + 0.8 * south)
    late = chance.random(ROWS) < odds / (1 + odds)
    hours = np.where(late, chance.exponential(5.0, ROWS) + 0.1, -chance.exponential(5.0, ROWS))
    hours[chance.random(ROWS) < 0.01] = np.nan
    return pd.DataFrame(
        {
            "parcel": number * 100_000 + np.arange(ROWS),
            "handed_over": pd.Timestamp(window.start) + pd.to_timedelta(seconds, unit="s"),
            "region": np.where(south, "south", "north").astype(object),
            "weight": weight,
            "hours_late": hours,
        }
    )


def answered(
    contract: ModelContract, frame: pd.DataFrame, model: Model, version: str, *, silent: float = 0.0
) -> list[RequestRecord]:
    """What the version answered of these rows; `silent` is the share that came without a weight."""
    asked = frame.copy()
    gone = np.random.default_rng(9).random(len(asked)) < silent
    asked.loc[gone, "weight"] = np.nan
    matrix = compute_features(contract, asked, count_history(contract, asked))
    scores = model.predict(matrix.values)
    return [
        RequestRecord(
            id=str(parcel),
            at=1.7e9 + place,
            model=contract.name,
            version=version,
            arm=Arm.LIVE,
            unit=str(parcel),
            status=200,
            outcome=Outcome.OK,
            score=float(score),
            latency_ms=1.0,
            event_time=moment.isoformat(),
            row={},
            features={
                name: None if np.isnan(value) else float(value)
                for name, value in zip(matrix.names, values, strict=True)
            },
        )
        for place, (parcel, moment, score, values) in enumerate(
            zip(asked["parcel"], asked["handed_over"], scores, matrix.values, strict=True)
        )
    ]


def labels(contract: ModelContract, frame: pd.DataFrame) -> list[LabelRecord]:
    """Labels as they arrive: within a day for most, late parcels a little later."""
    chance = np.random.default_rng(11)
    found = []
    for parcel, moment, value in zip(
        frame["parcel"], frame["handed_over"], label(contract, frame), strict=True
    ):
        if np.isnan(value):
            continue
        event = moment.to_pydatetime()
        hours = min(chance.exponential(9.0 if value else 5.0), 47.0)
        known = event + timedelta(hours=hours)
        found.append(LabelRecord(str(parcel), float(value), event, known))
    return found
