"""A version built again from its lineage, and held against what was registered.

The rows come from the snapshot that the lineage names, verified; features, split, parameters and
seed from the bundle's own contract and lineage. Equal bytes are promised on one machine type, code
and set of packages, on the CPU; where one of these is another, the comparison says so.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from mlops_pipeline.contract.load import parse_contract_json
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Candidate
from mlops_pipeline.data.snapshots import Snapshots
from mlops_pipeline.data.splits import Split
from mlops_pipeline.errors import MlopsError
from mlops_pipeline.evaluation.measures import measure
from mlops_pipeline.evaluation.records import EvaluationReport
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.history import count_history
from mlops_pipeline.registry.bundle import CONTRACT, MODEL
from mlops_pipeline.registry.code import read_code
from mlops_pipeline.registry.divergence import first_divergence
from mlops_pipeline.registry.environment import read_environment
from mlops_pipeline.registry.lineage import Lineage
from mlops_pipeline.registry.proof import Registered, Stores, verify_stored
from mlops_pipeline.registry.standing import stored_report
from mlops_pipeline.training.assemble import Assembled, assemble
from mlops_pipeline.training.table import fit, load

SAMPLE_ROWS = 20_000


class Answer(IntEnum):
    """What a rebuild proved; the number is the exit code of `mlops reproduce`."""

    EQUAL = 0
    DIFFERS = 1
    CANNOT = 2


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What was compared, and where it first differed."""

    answer: Answer
    model: str
    version: str
    profile: str  # full: the whole fit again; small: a sample fitted twice, and every prediction
    text: str
    divergence: str | None = None
    largest_prediction_difference: float | None = None
    metric_differences: Mapping[str, float] | None = None
    rows: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def reproduce(stores: Stores, known: Registered, *, small: bool = False) -> Reproduced:
    """The version, rebuilt and compared; what is missing is an answer, not an exception."""
    started = time.monotonic()
    profile = "small" if small else "full"

    def said(answer: Answer, text: str, **more: object) -> Reproduced:
        took = round(time.monotonic() - started, 2)
        return Reproduced(
            answer,
            known.row.model,
            known.row.version,
            profile,
            text,
            seconds=took,
            **more,  # type: ignore[arg-type]
        )

    try:
        verify_stored(stores, known.row)
        files = stores.objects.get_tree(known.row.bundle)
        contract = parse_contract_json(files[CONTRACT])
        missing = _missing(known.lineage, contract)
        if missing:
            return said(Answer.CANNOT, missing)
        rows = _rows(stores, contract, known.lineage)
    except MlopsError as error:
        return said(Answer.CANNOT, f"{type(error).__name__}: {error}")
    stored = {n.removeprefix(MODEL): c for n, c in files.items() if n.startswith(MODEL)}
    notes = _environment_notes(known.lineage)
    report = None if known.verdict is None else stored_report(stores.objects, known.verdict.report)
    made = known.lineage
    candidate = Candidate.model_validate(
        {"name": made.candidate, "trainer": made.trainer, "params": dict(made.params)}
    )
    scores = load(candidate.trainer, stored).predict(rows.test.matrix.values)
    told = _metrics(contract, rows, scores, report)
    try:
        if small:
            some = rows.train.only(np.arange(min(SAMPLE_ROWS, len(rows.train))))
            before = fit(candidate, some, rows.validation, seed=known.lineage.seed).files()
            again = fit(candidate, some, rows.validation, seed=known.lineage.seed)
        else:
            before = stored
            again = fit(candidate, rows.train, rows.validation, seed=known.lineage.seed)
    except MlopsError as error:
        return said(Answer.CANNOT, f"the fit failed: {error}", notes=notes)
    divergence = first_divergence(before, again.files())
    apart = float(np.abs(again.predict(rows.test.matrix.values) - scores).max())
    broken = divergence is not None or any(told.values())
    return said(
        Answer.DIFFERS if broken else Answer.EQUAL,
        _words(divergence, told, small=small),
        divergence=divergence,
        largest_prediction_difference=None if small else apart,
        metric_differences=told,
        rows=len(rows.train),
        notes=notes,
    )


def _missing(lineage: Lineage, contract: ModelContract) -> str | None:
    """Why the version cannot be built here, with what would help; None where it can."""
    code = read_code()
    if code.sources != lineage.code.sources:
        where = f"check out commit {lineage.code.commit}" if lineage.code.commit else "install it"
        return (
            f"the code is another: sources {code.sources[:12]}…, the version was built by "
            f"{lineage.code.sources[:12]}…; {where}, and ask again"
        )
    if (found := definition_digest(contract)) != lineage.definition:
        return f"its features are {lineage.definition[:12]}…, this code computes {found[:12]}…"
    return None


def _rows(stores: Stores, contract: ModelContract, lineage: Lineage) -> Assembled:
    snapshots = Snapshots(stores.objects, stores.settings.home / "partitions")
    frame = snapshots.read(lineage.snapshot)
    matrix = compute_features(contract, frame, count_history(contract, frame))
    split = Split(lineage.train, lineage.validation, lineage.test)
    return assemble(contract, frame, matrix, split)


def _metrics(
    contract: ModelContract, rows: Assembled, scores: np.ndarray, report: EvaluationReport | None
) -> dict[str, float]:
    """How far each metric of the stored model lies from the one in the report that was judged."""
    if report is None:
        return {}
    bar, labels = contract.bar, rows.test.labels
    return {
        name: abs(measure(name, labels, scores, bar) - result.candidate.value)
        for name, result in report.metrics.items()
        if name in contract.kind.metrics and result.candidate.value is not None
    }


def _environment_notes(lineage: Lineage) -> tuple[str, ...]:
    now, then = read_environment(), lineage.environment
    pairs = (
        ("python", then.python, now.python),
        ("machine", then.machine, now.machine),
        ("vector instructions", then.vectors, now.vectors),
        ("packages", then.packages[:12], now.packages[:12]),
    )
    return tuple(f"{what}: built on {old}, now {new}" for what, old, new in pairs if old != new)


def _words(divergence: str | None, told: Mapping[str, float], *, small: bool) -> str:
    off = [f"{name} by {value:.3g}" for name, value in told.items() if value]
    if divergence is not None:
        return f"differs: {divergence}"
    if off:
        return f"the stored model no longer has the metrics that were judged: {', '.join(off)}"
    if small:
        return "a sample fitted twice has equal bytes, and every judged metric is met again"
    return "every byte of the model is equal, and so is every judged metric"
