"""The report as one HTML page that needs nothing else: it can be mailed, archived, printed."""

import base64
from collections.abc import Mapping

from mlops_pipeline.evaluation.figures import answers_unit
from mlops_pipeline.evaluation.outcomes import Outcome
from mlops_pipeline.evaluation.records import EvaluationReport, SliceStatus
from mlops_pipeline.evaluation.verdict import GateResult, Kind, Verdict, shown, unit_of

TEMPLATE = "report.html.jinja"
HEADLINES = {
    Verdict.PROMOTE: "May be promoted",
    Verdict.HOLD: "On hold: a person or more rows must decide",
    Verdict.REJECT: "Rejected",
    Verdict.ERROR: "Could not be judged",
}
TONES = {
    Outcome.SUPERIOR: "good",
    Outcome.NON_INFERIOR: "good",
    Outcome.MET: "good",
    Outcome.INFERIOR: "bad",
    Outcome.MISSED: "bad",
    Outcome.MISSING: "bad",
    Outcome.INCONCLUSIVE: "open",
    Outcome.SUSPICIOUS: "open",
    Outcome.NO_BASELINE: "mute",
    Outcome.NOT_EVALUATED: "mute",
}


def render_html(
    report: EvaluationReport, gate: GateResult, figures: Mapping[str, bytes], *, title: str = ""
) -> str:
    """The page: verdict and reasons first, then the evidence. Every text is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mlops_pipeline.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    of_kind = {kind.value: [f for f in gate.findings if f.kind is kind] for kind in Kind}
    return environment.get_template(TEMPLATE).render(
        title=title or report.model,
        report=report,
        gate=gate,
        headline=HEADLINES[gate.verdict],
        tones={outcome.value: tone for outcome, tone in TONES.items()},
        findings=of_kind,
        not_evaluated=[s for s in report.slices if s.status is SliceStatus.TOO_SMALL],
        images={
            name: "data:image/png;base64," + base64.b64encode(content).decode()
            for name, content in figures.items()
        },
        shown=shown,
        unit_of=lambda metric: unit_of(report, metric),
        answers_unit=answers_unit(report),
    )
