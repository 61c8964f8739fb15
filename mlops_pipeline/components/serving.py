"""Serving on the Dagster floor: a month's rows answered in one go, by the champion."""

import io
from dataclasses import dataclass
from datetime import date

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_pipeline.components.data import partitions
from mlops_pipeline.components.house import House
from mlops_pipeline.components.names import common, key
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.registry.answers import score_name
from mlops_pipeline.serving.batch_open import open_scorer


@dataclass(frozen=True, slots=True)
class PredictionsRef:
    """One month of batch answers, fixed by content."""

    month: str
    version: str
    features_as_of: date | None
    digest: str  # of the Parquet file: the entity's columns and the answer's
    rows: int
    refused: int


def batch_predictions_asset(contract: ModelContract) -> dg.AssetsDefinition:
    """What a server would answer now to every row of a stored month."""

    @dg.asset(
        key=key(contract, "batch_predictions"),
        description="A stored month answered by the champion with the newest look-ups: the very "
        "numbers that its server gives.",
        deps=[key(contract, contract.source.name)],
        partitions_def=partitions(contract),
        **common(contract, "serving", "parquet"),
    )
    def batch_predictions(
        context: dg.AssetExecutionContext, house: House
    ) -> dg.MaterializeResult[PredictionsRef]:
        month = context.partition_key
        scorer = open_scorer(house.settings, contract.name)
        part = house.snapshots.part(contract.name, month)
        if part is None:
            raise dg.Failure(
                f"no rows of {month} are stored: materialise "
                f"{contract.name}/{contract.source.name} for {month} first"
            )
        table = pq.read_table(io.BytesIO(house.objects.get(part.digest)))
        scorer.check(table.schema)
        score = score_name(contract)
        told = scorer.score(table).select([*contract.entity, *scorer.told])
        refused = len(told) - told["error"].null_count
        as_of = scorer.snapshot.as_of if contract.history else None
        reference = PredictionsRef(
            month, scorer.version, as_of, house.objects.put(_parquet(told)), len(told), refused
        )
        return dg.MaterializeResult(
            value=reference,
            data_version=dg.DataVersion(reference.digest),
            metadata={
                "dagster/row_count": reference.rows,
                "version": reference.version,
                "refused": reference.refused,
                "features_as_of": str(as_of),
                f"mean_{score}": pc.mean(told[score]).as_py() or 0.0,
            },
        )

    return batch_predictions


def _parquet(table: pa.Table) -> bytes:
    whole = io.BytesIO()
    pq.write_table(table, whole)
    return whole.getvalue()
