"""What the evaluation asset composes: the best candidate, and it beside the champion.

The candidate is chosen on the validation rows. The test's rows are asked once, about the one that
was chosen: a gate on rows that also picked the winner would flatter it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlops_pipeline.components.controls import (
    beside_baseline,
    look_for_leaks,
    try_controls,
)
from mlops_pipeline.components.house import House
from mlops_pipeline.components.training import CandidateRef
from mlops_pipeline.contract.load import parse_contract_json
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.tasks import HIGHER_IS_BETTER
from mlops_pipeline.data.splits import plan_split
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.evaluate import evaluate
from mlops_pipeline.evaluation.gates import judge_comparison, suspicious
from mlops_pipeline.evaluation.measures import measure
from mlops_pipeline.evaluation.records import Change, EvaluationReport
from mlops_pipeline.evaluation.resources import measure_resources
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.history import count_history
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.features.store import load_matrix
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.ledger.versions import VersionRow
from mlops_pipeline.registry.bundle import CONTRACT, MODEL
from mlops_pipeline.registry.changes import changes
from mlops_pipeline.registry.standing import (
    champion_version,
    stored_lineage,
    stored_manifest,
    stored_model,
)
from mlops_pipeline.training.assemble import Assembled, assemble
from mlops_pipeline.training.protocols import Explaining, Model

ATTRIBUTED_ROWS = 2000  # one attribution costs as much as a hundred answers


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """Which candidate goes on, why, and its scores on the test's rows."""

    chosen: CandidateRef
    scores: np.ndarray  # of the chosen one, on the test's rows
    points: Mapping[str, float]  # the choosing metric on the validation rows, by candidate
    rows: Assembled
    frame: pd.DataFrame
    matrix: FeatureMatrix


def hold_contest(
    contract: ModelContract, house: House, candidates: Mapping[str, CandidateRef]
) -> Contest:
    """The best candidate by `choose_by` on the validation rows goes on to the test's rows.

    Raises:
        EvaluationError: no candidate has a finite score.
    """
    features = next(iter(candidates.values())).features
    frame = house.snapshots.read(features.snapshot)
    matrix = load_matrix(house.objects, features.digest)
    rows = assemble(contract, frame, matrix, plan_split(contract.splits, features.snapshot.end))
    models = {name: stored_model(house.objects, c.bundle) for name, c in candidates.items()}
    metric, seen = contract.acceptance.choose_by, rows.validation
    points = {
        name: measure(metric, seen.labels, model.predict(seen.matrix.values), contract.bar)
        for name, model in models.items()
    }
    best = best_of(metric, points)
    scores = models[best].predict(rows.test.matrix.values)
    return Contest(candidates[best], scores, points, rows, frame, matrix)


def best_of(metric: str, points: Mapping[str, float]) -> str:
    """The name with the best finite value; of equals, the first in the contract's order.

    Raises:
        EvaluationError: no value is finite.
    """
    finite = {name: point for name, point in points.items() if math.isfinite(point)}
    if not finite:
        raise EvaluationError(
            f"no candidate can be chosen by {metric} on the validation rows: {dict(points)}; "
            "widen splits.validation_days or choose by another metric"
        )
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    return max(finite, key=lambda name: sign * finite[name])


def evaluate_chosen(contract: ModelContract, house: House, contest: Contest) -> EvaluationReport:
    """The chosen candidate's report, beside the champion on the same rows where there is one."""
    chosen, test = contest.chosen, contest.rows.test
    with reading(house.ledger) as view:
        champion = champion_version(view, contract.name)
    files = house.objects.get_tree(chosen.bundle)
    model = stored_model(house.objects, chosen.bundle)
    cuts = _cuts(contract, contest)
    rival = None if champion is None else _champion_scores(contract, house, contest, champion)
    report = evaluate(
        contract,
        candidate=chosen.name,
        rows=test,
        cuts=cuts,
        scores=contest.scores,
        champion_scores=rival,
        champion_version=None if champion is None else champion.version,
        resources=measure_resources(
            chosen.trainer,
            {n.removeprefix(MODEL): c for n, c in files.items() if n.startswith(MODEL)},
            values=test.matrix.values,
            expected=contest.scores,
            bundle_bytes=sum(len(content) for content in files.values()),
            limits=contract.acceptance.resources,
        ),
        seed=contract.seed,
        importance=model.importance(),
        attributions=_attributions(model, test.matrix),
        changes=_changes(house, chosen, champion),
    )
    tried = try_controls(contract, contest.rows, cuts, contest.scores, rival)
    cheap = beside_baseline(contract, contest.rows, contest.scores)
    report = replace(report, controls=tried, baseline=cheap)
    if suspicious(judge_comparison(contract, report)):
        split = plan_split(contract.splits, chosen.features.snapshot.end)
        report = replace(report, leaks=look_for_leaks(contract, contest.rows, contest.frame, split))
    return report


def _attributions(model: Model, matrix: FeatureMatrix) -> dict[str, float]:
    """Mean size of what each feature adds to an answer, on some of the test's rows."""
    if not isinstance(model, Explaining):
        return {}
    added = model.attributions(matrix.values[:ATTRIBUTED_ROWS])
    return dict(zip(matrix.names, np.abs(added).mean(axis=0).tolist(), strict=True))


def _cuts(contract: ModelContract, contest: Contest) -> dict[str, np.ndarray]:
    """The values by which slices and fairness groups cut the test's rows."""
    names = {cut.by for cut in contract.slices} | {group.by for group in contract.fairness}
    return {
        name: (
            contest.frame[name].to_numpy()[contest.rows.test_index]
            if name in contract.column_names
            else contest.rows.test.matrix.column(name)
        )
        for name in names
    }


def _champion_scores(
    contract: ModelContract, house: House, contest: Contest, champion: VersionRow
) -> np.ndarray:
    """The champion's scores of the same rows, from features by its own definition.

    Raises:
        EvaluationError: it answers other classes, or the code that computed its features is no
            longer here.
    """
    manifest = stored_manifest(house.objects, champion.bundle)
    features = contest.rows.test.matrix.values
    if contract.classes:
        require_same_classes(contract, _contract_of(house, champion), champion.version)
    if manifest.definition_digest != contest.chosen.features.definition:
        own = _contract_of(house, champion)
        if definition_digest(own) != manifest.definition_digest:
            raise EvaluationError(
                f"champion version {champion.version} reads features of definition "
                f"{manifest.definition_digest[:12]}…, which this code no longer computes: "
                "restore its feature function, or deploy with a recorded reason"
            )
        matrix = compute_features(own, contest.frame, count_history(own, contest.frame))
        features = matrix.values[contest.rows.test_index]
    return stored_model(house.objects, champion.bundle).predict(features)


def require_same_classes(contract: ModelContract, champion: ModelContract, version: str) -> None:
    """Both tell the same classes apart, in the same order.

    Raises:
        EvaluationError: they do not.
    """
    if champion.classes != contract.classes:
        told = ", ".join(champion.classes) or f"a {champion.task} answer"
        raise EvaluationError(
            f"champion version {version} answers {told}; the candidate answers "
            f"{', '.join(contract.classes)}: they cannot be compared; "
            "deploy with a recorded reason"
        )


def _contract_of(house: House, version: VersionRow) -> ModelContract:
    names = house.objects.get_json(version.bundle)
    return parse_contract_json(house.objects.get(names[CONTRACT]))


def _changes(house: House, chosen: CandidateRef, champion: VersionRow | None) -> tuple[Change, ...]:
    before = None if champion is None else stored_lineage(house.objects, champion.bundle)
    return changes(before, stored_lineage(house.objects, chosen.bundle))
