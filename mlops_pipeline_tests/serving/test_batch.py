import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import ServingError
from mlops_pipeline.features.online import publish
from mlops_pipeline.serving.batch import BatchScorer, frame_of
from mlops_pipeline.serving.batch_file import score_file
from mlops_pipeline.serving.dialects import sentence
from mlops_pipeline.serving.lookups import Lookups
from mlops_pipeline.serving.predictor import Predictor
from mlops_pipeline.serving.refusals import Refusal
from mlops_pipeline.serving.scorers import load_scorer
from mlops_pipeline_tests.serving import world
from mlops_pipeline_tests.serving.world import ROW, changed, flights, probability, snapshot

NOON = datetime(2013, 4, 1, 6, 30)  # noqa: DTZ001  event times carry no zone


def make(folder: Path, contract: ModelContract | None = None) -> tuple[BatchScorer, Predictor]:
    """The small version, for tables and for requests."""
    contract = contract or flights()
    bundle = world.make_bundle(folder / "bundle", contract)
    looked_up = snapshot(contract)
    publish(folder / "features", looked_up)
    lookups = Lookups(folder / "features", contract, bundle.manifest.definition_digest)
    lookups.look()
    scorer = load_scorer(bundle)
    return BatchScorer(bundle, "7", scorer, looked_up), Predictor(bundle, scorer, lookups)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[BatchScorer, Predictor]:
    return make(tmp_path_factory.mktemp("batch"))


def row(**changes: Any) -> dict[str, Any]:
    return {**ROW, "scheduled_departure": NOON, **changes}


def table(*rows: dict[str, Any]) -> pa.Table:
    """Numbers as float64, texts as strings, times as timestamps."""
    kinds = {
        name: pa.timestamp("us")
        if name == "scheduled_departure"
        else pa.string()
        if isinstance(value, str)
        else pa.float64()
        for name, value in ROW.items()
    }
    return pa.Table.from_pylist(list(rows), schema=pa.schema(list(kinds.items())))


def served(predictor: Predictor, asked: dict[str, Any]) -> float | str:
    """The probability, or what is wrong, as a request hears it."""
    values = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asked.items()
    }
    values = {k: None if v is None or v != v else v for k, v in values.items()}
    read = predictor.reader.check(values)
    said = read if isinstance(read, Refusal) else predictor.predict(read)
    return sentence(said) if isinstance(said, Refusal) else said.score


def told(answer: pa.Table) -> list[float | str]:
    """The probability of each row, or its error; never both."""
    pairs = zip(answer["probability"].to_pylist(), answer["error"].to_pylist(), strict=True)
    found: list[float | str] = []
    for number, error in pairs:
        assert (number is None) != (error is None)
        found.append(number if error is None else error)
    return found


def test_rows_get_the_numbers_computed_by_hand(both: tuple[BatchScorer, Predictor]) -> None:
    answer = both[0].score(table(row(), row(distance=2000.0)))
    assert told(answer) == [probability(-2.0), 0.5]
    assert answer["answer"].to_pylist() == [False, False]
    assert answer["model_version"].to_pylist() == ["7", "7"]
    assert answer["features_as_of"].to_pylist() == [date(2013, 4, 1)] * 2
    assert answer["distance"].to_pylist() == [500.0, 2000.0]


NUMBERS = st.one_of(
    st.none(),
    st.floats(-200, 10_000),
    st.integers(-5, 3000).map(float),
    st.sampled_from([math.nan, math.inf, -math.inf, 1e308]),
)
TEXTS = st.one_of(
    st.none(), st.sampled_from(["UA", "EWR", "IAH", "ZZ", "", "a|b"]), st.just("x" * 1001)
)
TIMES = st.one_of(
    st.none(),
    st.datetimes(datetime(2013, 3, 1), datetime(2013, 6, 1)),  # noqa: DTZ001
    st.datetimes(datetime(1890, 1, 1), datetime(2210, 1, 1)),  # noqa: DTZ001
)
KINDS = {
    name: TIMES if name == "scheduled_departure" else TEXTS if isinstance(value, str) else NUMBERS
    for name, value in ROW.items()
}


@st.composite
def wild_rows(draw: Callable[[st.SearchStrategy[Any]], Any]) -> dict[str, Any]:
    """A good row of which a few values are wild."""
    names = draw(st.lists(st.sampled_from(list(ROW)), max_size=3))
    return row(**{name: draw(KINDS[name]) for name in names})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(wild_rows(), min_size=1, max_size=12))
def test_every_row_is_told_what_a_request_would_be_told(
    both: tuple[BatchScorer, Predictor], rows: list[dict[str, Any]]
) -> None:
    scorer, predictor = both
    assert told(scorer.score(table(*rows))) == [served(predictor, each) for each in rows]


@pytest.mark.parametrize("closed", [False, True])
def test_unknown_categories_follow_the_contract(tmp_path: Path, closed: bool) -> None:
    policy = "reject" if closed else "missing"
    contract = changed(flights(), {"features.unknown_category": policy})
    scorer, predictor = make(tmp_path, contract)
    (one,) = told(scorer.score(table(row(carrier="ZZ"))))
    assert one == served(predictor, row(carrier="ZZ"))
    assert isinstance(one, str) is closed


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1.3e9, 1.4e9), min_size=1, max_size=5))
def test_times_in_seconds_are_rounded_as_a_server_rounds_them(
    both: tuple[BatchScorer, Predictor], seconds: list[float]
) -> None:
    rows = [row(scheduled_departure=one) for one in seconds]
    asked = pa.table({name: [each[name] for each in rows] for name in ROW})
    assert told(both[0].score(asked)) == [served(both[1], each) for each in rows]


def test_optional_columns_may_be_missing_and_integers_and_dictionaries_are_read(
    both: tuple[BatchScorer, Predictor],
) -> None:
    asked = table(row()).drop_columns(["temp"])
    asked = asked.set_column(
        asked.column_names.index("distance"), "distance", pa.array([500], pa.int16())
    )
    asked = asked.set_column(
        asked.column_names.index("carrier"), "carrier", asked["carrier"].dictionary_encode()
    )
    both[0].check(asked.schema)
    assert told(both[0].score(asked)) == [probability(-2.0)]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("distance", None, "the input lacks distance; it has"),
        ("distance", pa.array(["far"]), "column distance is string, not a number"),
        ("carrier", pa.array([1.0]), "column carrier is double, not a text"),
        ("scheduled_departure", pa.array(["noon"]), "is string, not a timestamp without a zone"),
        ("probability", pa.array([0.1]), "the input has the answer's columns probability"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_column(
    both: tuple[BatchScorer, Predictor], column: str, values: pa.Array | None, said: str
) -> None:
    asked = table(row())
    if column in asked.column_names:
        asked = asked.drop_columns([column])
    if values is not None:
        asked = asked.append_column(column, values)
    with pytest.raises(ServingError, match=said):
        both[0].check(asked.schema)


class Interrupted(Exception):
    """Somebody pressed a key."""


def write_input(path: Path, count: int, group: int) -> list[float]:
    """So many flights of growing distance; their probabilities."""
    rows = [row(distance=float(n + 10)) for n in range(count)]
    pq.write_table(table(*rows), path, row_group_size=group)
    return [probability(-2.0) if n + 10 <= 1000 else 0.5 for n in range(count)]


@pytest.mark.parametrize("stop", [None, 1, 3, 7])
def test_a_file_is_scored_in_order_and_goes_on_where_it_was_stopped(
    tmp_path: Path, stop: int | None
) -> None:
    scorer, _ = make(tmp_path)
    expected = write_input(tmp_path / "in.parquet", 2000, 700)
    looks: list[int] = []

    def look(done: int, total: int) -> None:
        looks.append(done)
        if len(looks) == stop:
            raise Interrupted

    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    if stop is not None:
        with pytest.raises(Interrupted):
            score_file(scorer, source, target, progress=look, part_rows=300)
        assert not target.exists()
    report = score_file(scorer, source, target, part_rows=300)
    assert (report.rows, report.scored, report.refused) == (2000, 2000, 0)
    assert report.resumed == (0 if stop is None else looks[-1])
    answer = pq.read_table(target)
    assert told(answer) == expected
    assert answer["distance"].to_pylist() == [float(n + 10) for n in range(2000)]
    assert sorted(path.name for path in tmp_path.glob("*out*")) == ["out.parquet"]


def test_parts_of_other_work_are_not_mixed_in(tmp_path: Path) -> None:
    scorer, _ = make(tmp_path)
    write_input(tmp_path / "in.parquet", 10, 5)

    def stop(done: int, total: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        score_file(scorer, tmp_path / "in.parquet", tmp_path / "out.parquet", progress=stop)
    other = replace(scorer, snapshot=snapshot(flights(), late=0.5))
    with pytest.raises(ServingError, match="holds parts of another input, version or feature"):
        score_file(other, tmp_path / "in.parquet", tmp_path / "out.parquet")


def test_an_empty_file_and_a_refused_row_are_answered(tmp_path: Path) -> None:
    scorer, _ = make(tmp_path)
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(table(), source)
    assert score_file(scorer, source, target).rows == 0
    assert "probability" in pq.read_table(target).column_names
    pq.write_table(table(row(), row(distance=-1.0)), source)
    assert score_file(scorer, source, target).refused == 1
    assert told(pq.read_table(target))[1] == (
        "distance: -1 is below 10; allowed: a number, at least 10, at most 6000"
    )


def test_what_is_no_parquet_is_said(tmp_path: Path) -> None:
    scorer, _ = make(tmp_path)
    (tmp_path / "in.csv").write_text("a,b")
    with pytest.raises(ServingError, match=r"in\.csv is no Parquet file"):
        score_file(scorer, tmp_path / "in.csv", tmp_path / "out.parquet")


def test_a_matrix_of_another_width_is_refused(both: tuple[BatchScorer, Predictor]) -> None:
    with pytest.raises(ServingError, match=r"reads 18 features; the matrix has shape \(2, 3\)"):
        both[0].scorer.score_matrix(np.zeros((2, 3)))


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_texts_are_read_alike_however_they_are_encoded(chunks: int) -> None:
    rows = [["UA", None, "AA"], ["AA", "DL"], [None, "UA"]][:chunks]
    plain = pa.chunked_array(rows, type=pa.string())
    each = [pa.array(row, pa.string()).dictionary_encode() for row in rows]
    encoded = pa.chunked_array(each, type=pa.dictionary(pa.int32(), pa.string()))
    expected = [value for row in rows for value in row]
    contract = flights()
    for texts in (plain, encoded, plain.cast(pa.large_string())):
        assert frame_of(contract, pa.table({"carrier": texts}))["carrier"].tolist() == expected
