"""What a matrix found, for people."""

from mlops_pipeline.delivery.drills.matrix import Cell, CellReport, Moment
from mlops_pipeline.delivery.drills.tables import matrix_summary, matrix_table


def report(harm: str, *, failed: int = 0, trouble: str = "") -> CellReport:
    cell = Cell(harm, "bake", Moment.WITHIN)
    return CellReport(cell, not trouble, trouble, "rolled_back", 0.25, 0.5, 900, failed, 6.0)


def test_a_line_is_a_place_a_column_a_harm_and_trouble_is_bold():
    reports = [report("node"), report("Envoy", failed=30), report("stable", trouble="it | hangs")]
    assert matrix_table(reports).splitlines() == [
        "| state | killed | node | Envoy | stable |",
        "| --- | --- | --- | --- | --- |",
        "| bake | within | rolled back, 0.25 s | rolled back, 0.25 s; 30 failed in 0.5 s "
        "| **it \\| hangs** |",
    ]
    assert matrix_summary(reports) == "2 of 3 cells passed in 0 minutes."
    assert matrix_summary(reports[:2]) == (
        "2 of 2 cells passed in 0 minutes; agreed after at most 0.25 s; "
        "30 of 1,800 requests failed, each explained by its cause."
    )
