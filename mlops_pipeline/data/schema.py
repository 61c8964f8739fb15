"""The contract's columns as a pandera schema: for this room's checks and for anybody's frames."""

import warnings

import pandas as pd
import pandera.pandas as pa

from mlops_pipeline.contract.columns import Column, ColumnType, Severity
from mlops_pipeline.contract.model import ModelContract

DTYPES = {
    ColumnType.NUMBER: "float64",
    ColumnType.INTEGER: "int64",
    ColumnType.CATEGORY: "object",
    ColumnType.TEXT: "object",
    ColumnType.TIME: "datetime64[ns]",
}


def dtype_of(column: Column) -> str:
    """The dtype that a frame holds the column in; a nullable integer is a float64."""
    if column.type is ColumnType.INTEGER and column.nullable:
        return "float64"
    return DTYPES[column.type]


def pandera_schema(contract: ModelContract) -> pa.DataFrameSchema:
    """A schema that holds of exactly those frames whose every row is as the contract says.

    Columns in their order, types, nulls, ranges, categories and the uniqueness of the entity. A
    column of severity `warn` only warns. Shares, volume and age are not a schema's to judge.
    """
    return pa.DataFrameSchema(
        {column.name: _column(column) for column in contract.columns},
        name=contract.name,
        strict=True,
        ordered=True,
        unique=list(contract.entity),
    )


def structure_faults(contract: ModelContract, frame: pd.DataFrame) -> tuple[str, ...]:
    """What is wrong with the frame's columns, apart from their values; one line a fault."""
    with warnings.catch_warnings():
        # pandera joins its own tables of failures in a way that pandas is about to change.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            pandera_schema(contract).validate(frame.head(0), lazy=True)
        except pa.errors.SchemaErrors as errors:
            cases = errors.failure_cases
            return tuple(
                _fault(str(check), column, case)
                for check, column, case in zip(
                    cases["check"], cases["column"], cases["failure_case"], strict=True
                )
            )
    return ()


def _fault(check: str, column: object, case: object) -> str:
    match check:
        case "column_in_dataframe":
            return f"{case}: missing"
        case "column_in_schema":
            return f"{case}: not in the contract"
        case "column_ordered":
            return f"{case}: out of order"
    return f"{column}: is {case}, not {check}"


def _column(column: Column) -> pa.Column:
    warn = column.severity is Severity.WARN
    checks = []
    if column.categories:
        checks.append(pa.Check.isin(column.categories, raise_warning=warn))
    if column.type in (ColumnType.NUMBER, ColumnType.INTEGER):
        low = float("-inf") if column.minimum is None else column.minimum
        high = float("inf") if column.maximum is None else column.maximum
        checks.append(
            pa.Check(
                lambda values: values.between(low, high) & (values.abs() != float("inf")),
                name="range",
                error=f"range({low}, {high})",
                raise_warning=warn,
            )
        )
    return pa.Column(dtype_of(column), checks=checks, nullable=column.nullable)
