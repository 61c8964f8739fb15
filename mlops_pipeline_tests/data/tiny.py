"""Visits to three shops: a contract and rows small enough to know their answers by hand."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.sources import conform

COLUMNS = ("at", "shop", "visitor", "amount", "items", "result")
ROWS = (
    # day, hour, shop, visitor, amount, items, result (late above 0)
    ("2024-01-01T09:00", "a", "v1", 10.0, 1, 1.0),
    ("2024-01-01T10:00", "a", "v2", 20.0, 2, -1.0),
    ("2024-01-01T11:00", "b", "v3", None, 3, 1.0),
    ("2024-01-02T09:00", "a", "v4", 40.0, 4, 1.0),
    ("2024-01-02T09:30", "b", "v5", 50.0, 5, None),
    ("2024-01-02T23:59", "b", "v6", 60.0, 6, -1.0),
    ("2024-01-04T09:00", "a", "v7", 70.0, 7, -1.0),
    ("2024-02-01T09:00", "c", "v8", 80.0, 8, 1.0),
)

CONTRACT: dict[str, Any] = {
    "contract": 1,
    "name": "visits",
    "title": "Will this visit end late?",
    "description": "Asked when the visitor comes in.",
    "owner": "team:shops",
    "task": "binary",
    "entity": ["visitor", "at"],
    "event_time": "at",
    "source": {
        "name": "visits",
        "function": "mlops_pipeline_tests.data.tiny:visits",
        "first": "2024-01-01",
        "last": "2024-03-01",
    },
    "columns": [
        {"name": "at", "type": "time"},
        {"name": "shop", "type": "category", "categories": ["a", "b", "c"]},
        {"name": "visitor", "type": "text", "sensitivity": "personal"},
        {
            "name": "amount",
            "type": "number",
            "nullable": True,
            "max_null_share": 0.5,
            "minimum": 0,
            "maximum": 100,
        },
        {"name": "items", "type": "integer", "minimum": 1, "maximum": 9},
        {"name": "result", "type": "number", "nullable": True, "available": "outcome"},
    ],
    "target": {
        "name": "late",
        "column": "result",
        "above": 0,
        "label_delay_hours": 0,
        "unlabelled": "visits that never ended",
    },
    "features": {
        "function": "mlops_pipeline_tests.data.tiny:derive",
        "columns": [
            {"kind": "category", "name": "shop", "inputs": ["shop"]},
            {"kind": "number", "name": "hour", "inputs": ["at"]},
            {"kind": "number", "name": "each", "inputs": ["amount", "items"]},
            {"kind": "number", "name": "amount", "inputs": ["amount"]},
            {"kind": "history", "name": "shop_3d", "keys": ["shop"], "days": 3, "prior_weight": 2},
            {"kind": "history", "name": "shop_hour_9d", "keys": ["shop", "hour"], "days": 9},
        ],
    },
    "splits": {"train_from": "2024-01-01"},
    "candidates": [{"name": "trees", "trainer": "lightgbm"}],
    "acceptance": {"criteria": [{"metric": "roc_auc", "at_least": 0.6}]},
    "rollout": {"guards": [{"name": "error", "budget": 0.02}]},
    "monitoring": {"drift": [{"column": "amount", "threshold": 0.3}]},
}


def contract(**parts: Any) -> ModelContract:
    """The contract with whole top-level parts replaced."""
    return ModelContract.model_validate({**CONTRACT, **parts})


def with_column(name: str, **changes: Any) -> ModelContract:
    """The contract with one column declared otherwise."""
    columns = [{**c, **changes} if c["name"] == name else c for c in CONTRACT["columns"]]
    return contract(columns=columns)


def with_features(**changes: Any) -> ModelContract:
    """The contract with its features section changed."""
    return contract(features={**CONTRACT["features"], **changes})


def frame(rows: Iterable[tuple[Any, ...]] = ROWS) -> pd.DataFrame:
    """Rows as `read_source` gives them."""
    return conform(contract(), raw(rows))


def raw(rows: Iterable[tuple[Any, ...]] = ROWS) -> pd.DataFrame:
    """Rows as the source's function gives them."""
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    table["at"] = pd.to_datetime(table["at"], format="ISO8601")
    return table.astype({"amount": "float64", "result": "float64"})


def visits(start: datetime, end: datetime) -> pd.DataFrame:
    """The source: the rows of the window, newest first."""
    table = raw()
    return table[(table["at"] >= start) & (table["at"] < end)].iloc[::-1]


def derive(row: Mapping[str, Any]) -> dict[str, Any]:
    """The feature function."""
    return {"hour": row["at"] % 86400 // 3600, "each": row["amount"] / row["items"]}
