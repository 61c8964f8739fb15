"""A tiny code location: jobs whose verdict, failure or partition a test chooses."""

import dagster as dg


class EvaluationConfig(dg.Config):
    """The gate's word, given by the one who launches."""

    verdict: str = "promote"


@dg.asset(key=["m", "evaluation"])
def evaluation(config: EvaluationConfig) -> dg.MaterializeResult:
    """Carries the verdict as the training job does."""
    why = dg.TableRecord({"promise": "roc_auc", "finding": "as configured"})
    reasons = dg.MetadataValue.table([why])
    return dg.MaterializeResult(metadata={"verdict": config.verdict, "reasons": reasons})


@dg.asset(key=["m", "rows"])
def rows() -> None:
    """Rows that a blocking check finds bad."""


@dg.asset_check(asset=["m", "rows"], blocking=True)
def nulls() -> dg.AssetCheckResult:
    """Never passes."""
    return dg.AssetCheckResult(passed=False, description="3 of 10 rows")


@dg.asset(key=["m", "features"], deps=[["m", "rows"]])
def features() -> None:
    """Never built, because the check before it blocks."""


@dg.asset(
    key=["m", "month"],
    partitions_def=dg.MonthlyPartitionsDefinition("2013-01-01", end_date="2013-04-01"),
)
def month() -> None:
    """One month."""


@dg.op
def burn() -> None:
    """Always fails."""
    raise RuntimeError("the disk is on fire")


@dg.job
def m__burn() -> None:
    """A job that breaks."""
    burn()


@dg.op
def rule(context: dg.OpExecutionContext) -> None:
    """Says no, as the retrain controller does."""
    asked = context.run.tags["mlops/run_config"]
    said = {"mlops/rule": "cooling_down", "mlops/ruling": f"until tomorrow; asked with {asked}"}
    context.instance.add_run_tags(context.run_id, said)


@dg.job
def m__ask() -> None:
    """Asks for m__guarded."""
    rule()


defs = dg.Definitions(
    assets=[evaluation, rows, features, month],
    asset_checks=[nulls],
    jobs=[
        dg.define_asset_job("m__train", 'key:"m/evaluation"'),
        dg.define_asset_job("m__load", 'key:"m/rows" or key:"m/features"'),
        dg.define_asset_job("m__ingest", 'key:"m/month"'),
        dg.define_asset_job("m__guarded", 'key:"m/evaluation"', tags={"mlops/asked_by": "m__ask"}),
        m__ask,
        m__burn,
    ],
    executor=dg.in_process_executor,
)
