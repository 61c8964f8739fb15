"""What the evaluation asset composes: scores of candidates and champion on the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_pipeline.components.house import House
from mlops_pipeline.components.training import CandidateRef
from mlops_pipeline.contract.load import parse_contract_json
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import HIGHER_IS_BETTER
from mlops_pipeline.data.splits import plan_split
from mlops_pipeline.errors import EvaluationError
from mlops_pipeline.evaluation.evaluate import evaluate
from mlops_pipeline.evaluation.metrics import measure
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


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """The candidates, their scores on the test's rows, and which one goes on."""

    chosen: CandidateRef
    scores: Mapping[str, np.ndarray]  # by candidate
    points: Mapping[str, float]  # the choosing metric, by candidate
    rows: Assembled
    frame: pd.DataFrame
    matrix: FeatureMatrix


def hold_contest(
    contract: ModelContract, house: House, candidates: Mapping[str, CandidateRef]
) -> Contest:
    """Every candidate was asked about the test's rows; the best by `choose_by` goes on."""
    features = next(iter(candidates.values())).features
    frame = house.snapshots.read(features.snapshot)
    matrix = load_matrix(house.objects, features.digest)
    rows = assemble(contract, frame, matrix, plan_split(contract.splits, features.snapshot.end))
    metric = contract.acceptance.choose_by
    scores, points = {}, {}
    for name, candidate in candidates.items():
        model = stored_model(house.objects, candidate.bundle)
        scores[name] = model.predict(rows.test.matrix.values)
        points[name] = measure(
            metric, rows.test.labels, scores[name], contract.acceptance.threshold
        )
    best = max(points, key=lambda name: points[name] * (1 if HIGHER_IS_BETTER[metric] else -1))
    return Contest(candidates[best], scores, points, rows, frame, matrix)


def evaluate_chosen(contract: ModelContract, house: House, contest: Contest) -> EvaluationReport:
    """The chosen candidate's report, beside the champion on the same rows where there is one."""
    chosen, test = contest.chosen, contest.rows.test
    with reading(house.ledger) as view:
        champion = champion_version(view, contract.name)
    files = house.objects.get_tree(chosen.bundle)
    scores = contest.scores[chosen.name]
    return evaluate(
        contract,
        candidate=chosen.name,
        rows=test,
        cuts=_cuts(contract, contest),
        scores=scores,
        champion_scores=None if champion is None else _champion_scores(house, contest, champion),
        champion_version=None if champion is None else champion.version,
        resources=measure_resources(
            chosen.trainer,
            {n.removeprefix(MODEL): c for n, c in files.items() if n.startswith(MODEL)},
            values=test.matrix.values,
            expected=scores,
            bundle_bytes=sum(len(content) for content in files.values()),
        ),
        seed=contract.seed,
        importance=stored_model(house.objects, chosen.bundle).importance(),
        changes=_changes(house, chosen, champion),
    )


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


def _champion_scores(house: House, contest: Contest, champion: VersionRow) -> np.ndarray:
    """The champion's scores of the same rows, from features by its own definition.

    Raises:
        EvaluationError: the code that computed its features is no longer here.
    """
    manifest = stored_manifest(house.objects, champion.bundle)
    features = contest.rows.test.matrix.values
    if manifest.definition_digest != contest.chosen.features.definition:
        names = house.objects.get_json(champion.bundle)
        own = parse_contract_json(house.objects.get(names[CONTRACT]))
        if definition_digest(own) != manifest.definition_digest:
            raise EvaluationError(
                f"champion version {champion.version} reads features of definition "
                f"{manifest.definition_digest[:12]}…, which this code no longer computes: "
                "restore its feature function, or deploy with a recorded reason"
            )
        matrix = compute_features(own, contest.frame, count_history(own, contest.frame))
        features = matrix.values[contest.rows.test_index]
    return stored_model(house.objects, champion.bundle).predict(features)


def _changes(house: House, chosen: CandidateRef, champion: VersionRow | None) -> tuple[Change, ...]:
    before = None if champion is None else stored_lineage(house.objects, champion.bundle)
    return changes(before, stored_lineage(house.objects, chosen.bundle))
