"""Features on the Dagster floor: the matrix of a training run, the look-ups of the servers."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
from pydantic import Field

from mlops_pipeline.components.checks import declared, settled
from mlops_pipeline.components.house import House
from mlops_pipeline.components.metadata import table
from mlops_pipeline.components.names import common, key, name
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.snapshots import SnapshotRef
from mlops_pipeline.features.checks import FEATURE_CHECKS, run_feature_checks
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.inheritance import inherited, require_allowed
from mlops_pipeline.features.partitions import snapshot_features
from mlops_pipeline.features.publish import publish_as_of
from mlops_pipeline.features.store import FeaturesRef, load_matrix, store_matrix


class PublishConfig(dg.Config):
    """For which day the look-ups are made."""

    as_of: str = Field(
        default="", description="YYYY-MM-DD; empty: the day after the newest stored month."
    )


def features_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """Inputs of every row of the snapshot, point in time."""

    @dg.asset(
        key=key(contract, "features"),
        description="What the models read, computed point in time: a row reads the days before it.",
        ins={"snapshot": dg.AssetIn(key(contract, "snapshot"))},
        **common(contract, "features", "numpy"),
    )
    def features(house: House, snapshot: SnapshotRef) -> dg.MaterializeResult[FeaturesRef]:
        require_allowed(contract)
        matrix = snapshot_features(contract, house.snapshots, snapshot)
        reference = FeaturesRef(
            snapshot, definition_digest(contract), store_matrix(house.objects, matrix)
        )
        return dg.MaterializeResult(
            value=reference,
            data_version=dg.DataVersion(reference.digest),
            metadata={
                "dagster/row_count": len(matrix),
                "definition": reference.definition,
                "features": table(
                    {
                        "feature": f.name,
                        "kind": f.kind,
                        "made of": ", ".join((has := inherited(contract, f)).columns),
                        "sensitivity": has.sensitivity.value,
                        "for": ", ".join(sorted(has.purposes or {"anything"})),
                    }
                    for f in contract.features.columns
                ),
            },
        )

    return features


def feature_checks(contract: ModelContract) -> dg.AssetChecksDefinition:
    """No feature knows the outcome, and servers compute what is trained on."""
    asset = key(contract, "features")

    @dg.multi_asset_check(
        name=name(contract, "feature_checks"),
        ins={"features": dg.AssetIn(asset)},
        specs=declared(asset, FEATURE_CHECKS),
    )
    def checks(house: House, features: FeaturesRef) -> Iterator[dg.AssetCheckResult]:
        frame = house.snapshots.read(features.snapshot)
        matrix = load_matrix(house.objects, features.digest)
        outcomes = run_feature_checks(contract, frame, matrix, end=features.snapshot.end)
        yield from settled(house, contract.name, asset, features.digest, outcomes)

    return checks


def feature_snapshot_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """The newest look-ups, published for servers."""

    @dg.asset(
        key=key(contract, "feature_snapshot"),
        description="Late rates of the days before, by key: what servers look up for a request.",
        deps=[key(contract, contract.source.name)],
        **common(contract, "features", "json"),
    )
    def feature_snapshot(config: PublishConfig, house: House) -> dg.MaterializeResult[None]:
        as_of = config.as_of or f"{house.snapshots.window_until(contract).end:%Y-%m-%d}"
        folder = house.settings.feature_snapshots / contract.name
        published = publish_as_of(contract, house.snapshots, folder, date.fromisoformat(as_of))
        return dg.MaterializeResult(
            metadata={
                "as_of": str(published.as_of),
                "definition": published.definition,
                "keys": sum(len(rates) for rates in published.tables.values()),
                "overall": {name: float(rate) for name, rate in published.defaults.items()},
            }
        )

    return feature_snapshot
