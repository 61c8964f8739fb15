"""Training on the Dagster floor: one asset a candidate, each packed as a bundle."""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from mlops_pipeline.components.house import House
from mlops_pipeline.components.metadata import table
from mlops_pipeline.components.names import common, key
from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Candidate
from mlops_pipeline.data.splits import Split, plan_split
from mlops_pipeline.features.store import FeaturesRef, load_matrix
from mlops_pipeline.registry.bundle import pack
from mlops_pipeline.registry.code import read_code
from mlops_pipeline.registry.environment import read_environment
from mlops_pipeline.registry.lineage import Lineage, lineage_digest
from mlops_pipeline.training.assemble import Assembled, assemble
from mlops_pipeline.training.search import search
from mlops_pipeline.training.table import fit


@dataclass(frozen=True, slots=True)
class CandidateRef:
    """A fitted candidate: the tree that would serve, and the rows it came from."""

    name: str
    trainer: str
    bundle: str
    lineage: str
    features: FeaturesRef


class CandidateConfig(dg.Config):
    """What one run may change of the contract, recorded in the lineage."""

    seed: int = -1  # below 0: the contract's
    params: dict[str, Any] = {}  # noqa: RUF012  over the contract's; Dagster reads the default


def candidate_asset(contract: ModelContract, candidate: Candidate) -> dg.AssetsDefinition:
    """One way to fit, fitted."""

    @dg.asset(
        key=key(contract, f"candidate_{candidate.name}"),
        description=f"{contract.title} Fitted by {candidate.trainer} with {candidate.params}.",
        ins={"features": dg.AssetIn(key(contract, "features"))},
        **common(contract, "training", candidate.trainer),
    )
    def fitted(
        config: CandidateConfig, house: House, features: FeaturesRef
    ) -> dg.MaterializeResult[CandidateRef]:
        split = plan_split(contract.splits, features.snapshot.end)
        rows = assembled(contract, house, features, split)
        seed = contract.seed if config.seed < 0 else config.seed
        tried = candidate.model_copy(update={"params": {**candidate.params, **config.params}})
        tried, trials = search(tried, rows.train, rows.validation, seed=seed)
        model = fit(tried, rows.train, rows.validation, seed=seed)
        lineage = _lineage(contract, tried, features, split, seed)
        files = pack(contract, tried, model, lineage)
        reference = CandidateRef(
            candidate.name,
            candidate.trainer,
            house.objects.put_tree(files),
            lineage_digest(lineage),
            features,
        )
        importance = sorted(model.importance().items(), key=lambda item: -item[1])
        metadata: dict[str, Any] = {
            **{f"fit {name}": value for name, value in model.facts().items() if value is not None},
            "rows": len(rows.train),
            "positives": rows.train.positives,
            "seed": seed,
            "bundle": reference.bundle,
            "lineage": reference.lineage,
            "bytes": sum(len(content) for content in files.values()),
            "importance": table({"feature": f, "share": share} for f, share in importance),
        }
        if trials:
            metadata["search"] = table({"loss": t.loss, **t.params} for t in trials)
        version = dg.DataVersion(reference.bundle)
        return dg.MaterializeResult(value=reference, data_version=version, metadata=metadata)

    return fitted


def assembled(
    contract: ModelContract, house: House, features: FeaturesRef, split: Split
) -> Assembled:
    """The labelled rows of a run, read back from its snapshot and features."""
    frame = house.snapshots.read(features.snapshot)
    return assemble(contract, frame, load_matrix(house.objects, features.digest), split)


def _lineage(
    contract: ModelContract, candidate: Candidate, features: FeaturesRef, split: Split, seed: int
) -> Lineage:
    return Lineage(
        model=contract.name,
        candidate=candidate.name,
        trainer=candidate.trainer,
        params=candidate.params,
        seed=seed,
        snapshot=features.snapshot.digest,
        definition=features.definition,
        contract=contract_digest(contract),
        train=split.train,
        validation=split.validation,
        test=split.test,
        code=read_code(),
        environment=read_environment(),
    )
