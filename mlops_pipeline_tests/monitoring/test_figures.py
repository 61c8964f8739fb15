"""Figures are pictures, and the same for the same report."""

from dataclasses import replace

from mlops_pipeline.monitoring.figures import drift_figure
from mlops_pipeline.monitoring.records import DriftOutcome, DriftReport, DriftRow

PNG = b"\x89PNG"
ROW = DriftRow(
    column="weight",
    kind="number",
    method="psi",
    value=0.4,
    threshold=0.2,
    limit=0.22,
    drifted=True,
    reasons=("psi 0.400 > 0.220",),
    effect="mean 10 -> 12 (+1.00 sd)",
    n_reference=5000,
    n_current=1000,
    null_reference=0.0,
    null_current=0.0,
    unseen=(),
    unseen_share=0.0,
)
REPORT = DriftReport(
    model="parcels",
    outcome=DriftOutcome.DRIFTED,
    reason="1 of 2 columns drifted",
    rows=(
        ROW,
        replace(ROW, column="region_late", method="ks", value=0.9, limit=0.05, drifted=False),
        replace(ROW, column="silent", value=None, limit=None),
    ),
    prediction=ROW,
    n_reference=5000,
    n_current=1000,
)


def test_a_report_becomes_the_same_picture_each_time() -> None:
    first, second = drift_figure(REPORT), drift_figure(REPORT)
    assert first == second
    assert first.startswith(PNG)


def test_a_report_without_rows_is_a_picture_too() -> None:
    assert drift_figure(replace(REPORT, rows=(), prediction=None)).startswith(PNG)
