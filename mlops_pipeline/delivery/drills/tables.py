"""What drills found, as Markdown for docs/reliability.md."""

from collections.abc import Iterable, Sequence

from mlops_pipeline.delivery.drills.matrix import PLACES, CellReport, Moment
from mlops_pipeline.delivery.drills.run import DrillReport


def drills_table(reports: Iterable[DrillReport]) -> str:
    """One line a drill."""
    head = ("drill", "what is hurt", "rollout", "agreed after", "down", "failed / sent")
    rows = [
        (
            f"`{r.name}`",
            r.harm,
            r.state if r.passed else f"**{r.trouble}**",
            f"{r.settle_seconds:.2g} s",
            f"{r.down_seconds:.2g} s" if r.down_seconds else "-",
            f"{sum(r.failed.values()):,} / {r.sent:,}",
        )
        for r in reports
    ]
    return _markdown(head, rows)


def matrix_table(reports: Sequence[CellReport]) -> str:
    """One line a place and moment, one column a harm; bold where a cell did not pass."""
    harms = list(dict.fromkeys(report.cell.harm for report in reports))
    found = {(r.cell.place, r.cell.moment, r.cell.harm): r for r in reports}
    rows = []
    for place in PLACES:
        for moment in Moment:
            line = [found.get((place, moment, harm)) for harm in harms]
            if any(line):
                rows.append((place, moment.value, *map(_told, line)))
    return _markdown(("state", "killed", *harms), rows)


def matrix_summary(reports: Sequence[CellReport]) -> str:
    """The whole matrix in a sentence."""
    passed = sum(report.passed for report in reports)
    worst = max((report.settle_seconds for report in reports), default=0.0)
    sent, failed = (sum(getattr(r, name) for r in reports) for name in ("sent", "failed"))
    minutes = sum(report.seconds for report in reports) / 60
    return (
        f"{passed} of {len(reports)} cells passed in {minutes:.0f} minutes; agreed after at most "
        f"{worst:.2g} s; {failed:,} of {sent:,} requests failed, each explained by its cause."
        if passed == len(reports)
        else f"{passed} of {len(reports)} cells passed in {minutes:.0f} minutes."
    )


def _told(report: CellReport | None) -> str:
    if report is None:
        return ""
    if not report.passed:
        return f"**{report.trouble}**"
    words = f"{report.state.replace('_', ' ')}, {report.settle_seconds:.2g} s"
    if report.failed:
        words += f"; {report.failed} failed in {report.down_seconds:.2g} s"
    return words


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
