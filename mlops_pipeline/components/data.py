"""Data on the Dagster floor: the source's partitions, the snapshot, and the checks on it."""

from collections.abc import Iterator
from datetime import datetime

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_pipeline.components.checks import declared, settled
from mlops_pipeline.components.house import House
from mlops_pipeline.components.metadata import table
from mlops_pipeline.components.names import common, key, name
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import label_counts
from mlops_pipeline.data.quality import check_specs, run_checks
from mlops_pipeline.data.sampling import FULL, share_of
from mlops_pipeline.data.snapshots import SnapshotRef
from mlops_pipeline.data.source_columns import kinds_of, note_columns, noted_columns
from mlops_pipeline.data.sources import conform, read_raw
from mlops_pipeline.data.splits import plan_split
from mlops_pipeline.data.windows import Window
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.registry.standing import champion_version, stored_lineage

PROFILE_TAG = "mlops/profile"


class SnapshotConfig(dg.Config):
    """Which rows a training run sees."""

    as_of: str = Field(
        default="",
        description="The day on which the question is asked (YYYY-MM-DD): whole months before it "
        "are used. Empty: the end of the newest stored month.",
    )
    profile: str = Field(
        default="",
        description="full, or smoke: a tenth of each day and label, for fast runs whose model can "
        "never go on in production. Empty: the run's tag mlops/profile, or full.",
    )


def partitions(contract: ModelContract) -> dg.MonthlyPartitionsDefinition:
    """One partition a month of event time."""
    source = contract.source
    last = source.last
    end = None
    if last is not None:
        end = datetime(last.year + last.month // 12, last.month % 12 + 1, 1)  # noqa: DTZ001 - local
    return dg.MonthlyPartitionsDefinition(
        start_date=datetime(source.first.year, source.first.month, 1),  # noqa: DTZ001 - local
        end_date=end,
        fmt="%Y-%m",
    )


def rows_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """The source's rows, one content-addressed part a month."""

    @dg.asset(
        key=key(contract, contract.source.name),
        description=f"Rows of {contract.source.name}: {contract.source.origin}",
        partitions_def=partitions(contract),
        backfill_policy=dg.BackfillPolicy.single_run(),
        **common(contract, "data", "python", "parquet"),
    )
    def rows(context: dg.AssetExecutionContext, house: House) -> None:
        first, last = context.partition_key_range.start, context.partition_key_range.end
        window = Window.of_months(first, last)
        raw = read_raw(contract, window)
        frame = conform(contract, raw, window)
        for month in window.months():
            inside = Window.of_month(month)
            part_frame = frame[inside.mask(frame[contract.event_time])]
            part = house.snapshots.store_part(contract, month, part_frame)
            columns = kinds_of(raw[inside.mask(raw[contract.event_time])])
            note_columns(house.snapshots.root, contract.name, month, columns)
            counts = label_counts(contract, part_frame)
            context.add_asset_metadata(
                {
                    "dagster/row_count": part.rows,
                    "digest": part.digest,
                    "labelled": counts.labelled,
                    "unlabelled": counts.unlabelled,
                    "positive_share": counts.positive / max(counts.labelled, 1),
                    "left out": sorted(columns.keys() - set(contract.column_names)),
                },
                partition_key=month,
            )

    return rows


def snapshot_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """The rows of one training run, fixed for ever under one digest."""

    @dg.asset(
        key=key(contract, "snapshot"),
        description="The rows that one training run sees; its data version is their content.",
        deps=[key(contract, contract.source.name)],
        **common(contract, "data", "parquet"),
    )
    def snapshot(
        context: dg.AssetExecutionContext, config: SnapshotConfig, house: House
    ) -> dg.MaterializeResult[SnapshotRef]:
        window = house.snapshots.window_until(contract, config.as_of)
        share = share_of(config.profile or context.run.tags.get(PROFILE_TAG) or FULL)
        reference = house.snapshots.commit(contract, window, share=share)
        split = plan_split(contract.splits, reference.end)
        return dg.MaterializeResult(
            value=reference,
            data_version=dg.DataVersion(reference.digest),
            metadata={
                "dagster/row_count": reference.rows,
                "digest": reference.digest,
                "share of rows": reference.share,
                "trained on": _days(split.train),
                "stops early on": _days(split.validation),
                "judged on": _days(split.test),
                "unlabelled rows": contract.target.unlabelled,
                "columns": table(
                    {"column": c.name, "type": c.type.value, "available": c.available.value}
                    for c in contract.columns
                ),
            },
        )

    return snapshot


def snapshot_checks(contract: ModelContract) -> dg.AssetChecksDefinition:
    """Every check that the contract asks for; errors stop what follows, warnings ask a person."""
    asset = key(contract, "snapshot")

    @dg.multi_asset_check(
        name=name(contract, "snapshot_checks"),
        ins={"snapshot": dg.AssetIn(asset)},
        specs=declared(asset, check_specs(contract)),
    )
    def checks(house: House, snapshot: SnapshotRef) -> Iterator[dg.AssetCheckResult]:
        outcomes = run_checks(
            contract,
            house.snapshots.read(snapshot),
            reference=_trusted_rows(contract, house),
            usual_rows=[part.rows for part in house.snapshots.parts(contract.name).values()],
            as_of=snapshot.end,
            share=snapshot.share,
            source_columns=noted_columns(house.snapshots.root, contract.name),
        )
        yield from settled(house, contract.name, asset, snapshot.digest, outcomes)

    return checks


def _trusted_rows(contract: ModelContract, house: House) -> pd.DataFrame | None:
    """The rows that the champion learnt from; None before the first champion."""
    with reading(house.ledger) as view:
        champion = champion_version(view, contract.name)
    if champion is None:
        return None
    return house.snapshots.read(stored_lineage(house.objects, champion.bundle).snapshot)


def _days(window: Window) -> str:
    return f"{window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}"
