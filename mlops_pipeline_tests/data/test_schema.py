import warnings

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.data.quality import run_checks
from mlops_pipeline.data.schema import pandera_schema, structure_faults
from mlops_pipeline_tests.data import tiny

ROW_CHECKS = ("schema", "nulls", "ranges", "categories", "uniqueness")
VALUES = st.tuples(
    st.sampled_from(["a", "b", "z", None]),
    st.sampled_from(["v1", "v2"]),
    st.sampled_from([0.0, 100.0, 100.1, -0.1, np.inf, None]),
    st.sampled_from([1, 9, 10]),
)


def test_good_rows_satisfy_the_schema() -> None:
    pandera_schema(tiny.contract()).validate(tiny.frame(), lazy=True)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda f: f.drop(columns="items"), "items: missing"),
        (lambda f: f.assign(extra=1), "extra: not in the contract"),
        (lambda f: f[["shop", "at", *f.columns[2:]]], "shop: out of order"),
        (lambda f: f.astype({"amount": "float32"}), "amount: is float32, not dtype('float64')"),
        (lambda f: f.astype({"items": "object"}), "items: is object, not dtype('int64')"),
        (lambda f: f.astype({"shop": "category"}), "shop: is category, not dtype('object')"),
    ],
)
def test_each_fault_of_structure_is_named(change: object, fault: str) -> None:
    frame: pd.DataFrame = change(tiny.frame())  # type: ignore[operator]
    assert fault in structure_faults(tiny.contract(), frame)


def test_all_faults_of_structure_are_named_at_once() -> None:
    frame = tiny.frame().drop(columns="items").astype({"amount": "float32"}).assign(extra=1)
    assert sorted(structure_faults(tiny.contract(), frame)) == [
        "amount: is float32, not dtype('float64')",
        "extra: not in the contract",
        "items: missing",
    ]


def test_values_are_no_matter_of_structure() -> None:
    assert structure_faults(tiny.contract(), tiny.frame().assign(items=99)) == ()


def test_a_column_of_severity_warn_only_warns() -> None:
    contract = tiny.with_column("items", severity=Severity.WARN)
    with pytest.warns(pa.errors.SchemaWarning, match="range"):
        pandera_schema(contract).validate(tiny.frame().assign(items=99))


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=6))
def test_the_schema_and_the_checks_agree_on_rows(
    values: list[tuple[str | None, str, float | None, int]],
) -> None:
    contract = tiny.with_column("amount", max_null_share=1.0)
    frame = tiny.frame([("2024-01-01T00:00", *value, 1.0) for value in values])
    outcomes = run_checks(
        contract, frame, reference=None, usual_rows=(), as_of=pd.Timestamp("2024-02-01")
    )
    judged = all(o.passed for o in outcomes if o.name in ROW_CHECKS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # pandera's own tables of failures
        try:
            pandera_schema(contract).validate(frame, lazy=True)
            good = True
        except pa.errors.SchemaErrors:
            good = False
    assert judged == good
