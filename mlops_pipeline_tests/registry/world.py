"""A version of the visits' model, really trained, judged and signed, in stores of its own."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.snapshots import SnapshotRef, Snapshots
from mlops_pipeline.data.sources import conform
from mlops_pipeline.data.splits import plan_split
from mlops_pipeline.data.windows import Window
from mlops_pipeline.evaluation.evaluate import evaluate
from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.records import GATE, REPORT, report_json
from mlops_pipeline.evaluation.verdict import gate_json
from mlops_pipeline.features.compute import compute_features
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.history import count_history
from mlops_pipeline.ledger import verdicts, versions
from mlops_pipeline.ledger.store import transaction
from mlops_pipeline.registry.attestation import attest
from mlops_pipeline.registry.bundle import pack
from mlops_pipeline.registry.code import read_code
from mlops_pipeline.registry.environment import read_environment
from mlops_pipeline.registry.keys import signing_key
from mlops_pipeline.registry.lineage import Lineage, lineage_digest
from mlops_pipeline.registry.proof import Registered, Stores, open_stores, registered
from mlops_pipeline.settings import read_settings
from mlops_pipeline.training.assemble import assemble
from mlops_pipeline.training.table import fit
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.evaluation.cases import GOOD_USE

NOW = datetime(2024, 3, 1, 6, tzinfo=UTC)
PARAMS: dict[str, dict[str, Any]] = {
    "lightgbm": {"num_boost_round": 10, "min_data_in_leaf": 5},
    "torch": {"epochs": 1, "hidden": [4]},
}


def contract(trainer: str = "lightgbm") -> ModelContract:
    """The visits' contract with one small candidate."""
    candidate = {"name": "small", "trainer": trainer, "params": PARAMS[trainer]}
    splits = {"train_from": "2024-01-01", "validation_days": 6}
    return tiny.contract(candidates=[candidate], splits=splits)


def open_home(home: Path) -> Stores:
    """The stores of a home of its own."""
    return open_stores(read_settings({"MLOPS_HOME": str(home), "MLOPS_PROFILE": "scratch"}))


def judged(stores: Stores, asked: ModelContract, **changes: Any) -> tuple[str, Lineage, str]:
    """A candidate that passed its gate: its bundle, lineage and the digest of its report's tree."""
    made, model, rows = _fitted(stores, asked)
    lineage = replace(made, **changes)
    bundle = stores.objects.put_tree(pack(asked, asked.candidates[0], model, lineage))
    report = evaluate(
        asked,
        candidate="small",
        rows=rows.test,
        cuts={},
        scores=model.predict(rows.test.matrix.values),
        champion_scores=None,
        champion_version=None,
        resources=GOOD_USE,
        seed=asked.seed,
    )
    gate = judge(asked, report)
    tree = stores.objects.put_tree({REPORT: report_json(report), GATE: gate_json(gate)})
    with transaction(stores.ledger) as tx:
        verdicts.record(
            tx,
            asked.name,
            candidate_digest=bundle,
            verdict=gate.verdict,
            report_digest=tree,
            reasons=gate.reasons,
            run_id="run-1",
            now=NOW,
        )
    return bundle, lineage, tree


def registered_version(
    stores: Stores,
    *,
    trainer: str = "lightgbm",
    version: str = "1",
    files: Mapping[str, bytes] | None = None,
    **changes: Any,
) -> Registered:
    """The candidate as a signed version; `files` replace some of the bundle's before signing."""
    asked = contract(trainer)
    bundle, lineage, tree = judged(stores, asked, **changes)
    signed = attest(
        {**stores.objects.get_tree(bundle), **(files or {})},
        report=tree,
        run="run-1",
        key=signing_key(stores.settings.keys),
    )
    with transaction(stores.ledger) as tx:
        verdict = verdicts.latest(tx, asked.name, bundle)
        assert verdict is not None
        versions.add(
            tx,
            asked.name,
            version,
            bundle=stores.objects.put_tree(signed),
            lineage=lineage_digest(lineage),
            verdict_id=verdict.id,
            now=NOW,
        )
    return registered(stores, asked.name, version)


def _fitted(stores: Stores, asked: ModelContract) -> tuple[Lineage, Any, Any]:
    snapshot = _stored(stores, asked)
    frame = Snapshots(stores.objects, stores.settings.home / "partitions").read(snapshot)
    matrix = compute_features(asked, frame, count_history(asked, frame))
    split = plan_split(asked.splits, snapshot.end)
    rows = assemble(asked, frame, matrix, split)
    candidate = asked.candidates[0]
    model = fit(candidate, rows.train, rows.validation, seed=asked.seed)
    made = Lineage(
        model=asked.name,
        candidate=candidate.name,
        trainer=candidate.trainer,
        params=candidate.params,
        seed=asked.seed,
        snapshot=snapshot.digest,
        definition=definition_digest(asked),
        contract=contract_digest(asked),
        train=split.train,
        validation=split.validation,
        test=split.test,
        code=read_code(),
        environment=read_environment(),
    )
    return made, model, rows


def _stored(stores: Stores, asked: ModelContract) -> SnapshotRef:
    """Two months of visits whose result follows the amount."""
    chance = np.random.default_rng(3)
    start, count = datetime(2024, 1, 1), 1200  # noqa: DTZ001 - event times carry no zone
    amount = chance.uniform(1, 99, count)
    frame = pd.DataFrame(
        {
            "at": [start + timedelta(hours=1.19 * place) for place in range(count)],
            "shop": chance.choice(["a", "b", "c"], count),
            "visitor": [f"v{place}" for place in range(count)],
            "amount": amount,
            "items": chance.integers(1, 9, count),
            "result": amount - 50 + chance.normal(size=count) * 15,
        }
    )
    snapshots = Snapshots(stores.objects, stores.settings.home / "partitions")
    rows = conform(asked, frame)
    for key in ("2024-01", "2024-02"):
        month = Window.of_month(key)
        snapshots.store_part(asked, key, rows[month.mask(rows["at"])])
    return snapshots.commit(asked, Window.of_months("2024-01", "2024-02"))
