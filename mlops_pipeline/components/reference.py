"""What live answers are held against: the rows that the version in service learnt from, and what
it was worth when it was released.

Both follow from the version's bundle alone, so they are computed once and kept beside the objects.
"""

import io
from dataclasses import dataclass

import msgspec
import numpy as np
import pandas as pd

from mlops_pipeline.components.house import House
from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import label
from mlops_pipeline.data.objects import write_once
from mlops_pipeline.evaluation.metrics_multiclass import row_right
from mlops_pipeline.evaluation.records import read_report
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.history import count_history
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.ledger import verdicts
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.monitoring.estimate import Calibration, calibrate
from mlops_pipeline.monitoring.frames import feature_frame
from mlops_pipeline.registry.answers import score_of
from mlops_pipeline.registry.standing import stored_lineage, stored_model

REFERENCE_ROWS = 20_000  # drift statistics gain nothing beyond, and Evidently loses seconds
FEATURES, SCORES, JUDGED, IMPORTANCE = (
    "features.parquet",
    "scores.parquet",
    "judged.parquet",
    "importance.json",
)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Features of a version's training rows, its scores of them, and what it attends to."""

    features: pd.DataFrame
    scores: np.ndarray
    importance: dict[str, float]
    calibration: Calibration | None  # of answers by the rows that judged it; None: no chances


def training_reference(contract: ModelContract, house: House, version: VersionRow) -> Reference:
    """A seeded sample of the rows that the version was fitted on, read from its lineage."""
    name = f"{version.bundle[:32]}-{contract_digest(contract)[:16]}.json"
    pointer = house.settings.home / "references" / name
    if not pointer.exists():
        tree = house.objects.put_tree(_computed(contract, house, version))
        pointer.parent.mkdir(parents=True, exist_ok=True)
        write_once(pointer, tree.encode())
    files = house.objects.get_tree(pointer.read_text(encoding="utf-8"))
    judged = _frame(files[JUDGED])
    return Reference(
        _frame(files[FEATURES]),
        _frame(files[SCORES])["score"].to_numpy(),
        msgspec.json.decode(files[IMPORTANCE], type=dict[str, float]),
        calibrate(judged["score"].to_numpy(), judged["label"].to_numpy())
        if contract.kind.calibrated
        else None,
    )


def released_metrics(house: House, version: VersionRow) -> dict[str, float]:
    """What the report that let the version pass says of it; empty where there is none."""
    if version.verdict_id is None:
        return {}
    with reading(house.ledger) as view:
        verdict = verdicts.get(view, version.verdict_id)
    report = read_report(house.objects.get_tree(verdict.report)["report.json"])
    return {
        name: result.candidate.value
        for name, result in report.metrics.items()
        if result.candidate.value is not None
    }


def _computed(contract: ModelContract, house: House, version: VersionRow) -> dict[str, bytes]:
    lineage = stored_lineage(house.objects, version.bundle)
    frame = house.snapshots.read(lineage.snapshot)
    matrix = compute_features(contract, frame, count_history(contract, frame))
    model = stored_model(house.objects, version.bundle)
    trained = np.flatnonzero(lineage.train.mask(frame[contract.event_time]))
    size = min(REFERENCE_ROWS, len(trained))
    picked = np.sort(np.random.default_rng(contract.seed).choice(trained, size, replace=False))
    values = matrix.values[picked]
    outcome = label(contract, frame)
    judged = lineage.test.mask(frame[contract.event_time]) & ~np.isnan(outcome)
    scores, truth = model.predict(matrix.values[judged]), outcome[judged]
    chances = row_right(truth, scores) if contract.classes else truth
    return {
        FEATURES: _parquet(
            feature_frame(contract, FeatureMatrix(matrix.names, values, matrix.cardinalities))
        ),
        SCORES: _parquet(pd.DataFrame({"score": score_of(contract, model.predict(values))})),
        JUDGED: _parquet(pd.DataFrame({"score": score_of(contract, scores), "label": chances})),
        IMPORTANCE: msgspec.json.encode(model.importance(), order="sorted"),
    }


def _parquet(frame: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.to_parquet(content, index=False, compression="zstd")
    return content.getvalue()


def _frame(content: bytes) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(content))
