"""The label inbox keeps what was known when."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_pipeline.errors import MonitoringError
from mlops_pipeline.monitoring.labels import LabelHistory, LabelRecord, append, by_prediction, read
from mlops_pipeline_tests.monitoring.rows import MONDAY

HOUR = timedelta(hours=1)


def told(name: str, label: float | None, hours: int) -> LabelRecord:
    """Of an event on Monday, known so many hours later."""
    return LabelRecord(name, label, MONDAY, MONDAY + hours * HOUR)


def test_labels_come_back_in_the_order_in_which_they_were_known(tmp_path: Path) -> None:
    append(tmp_path, [told("b", 1.0, 3), told("a", 0.0, 2)])
    append(tmp_path, [told("c", None, 1)])
    assert read(tmp_path) == (told("c", None, 1), told("a", 0.0, 2), told("b", 1.0, 3))


def test_the_same_batch_twice_is_one(tmp_path: Path) -> None:
    paths = {append(tmp_path, [told("a", 1.0, 1)]) for _ in range(2)}
    assert len(paths) == len(read(tmp_path)) == 1


def test_what_was_known_later_is_not_known_now(tmp_path: Path) -> None:
    append(tmp_path, [told("a", 0.0, 1), told("a", 1.0, 5)])
    assert read(tmp_path, as_of=MONDAY + 4 * HOUR) == (told("a", 0.0, 1),)


def test_an_inbox_that_nobody_wrote_to_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == ()


def test_the_first_label_and_the_corrections_are_both_kept() -> None:
    history = by_prediction([told("a", 0.0, 1), told("a", 0.0, 2), told("a", 1.0, 5)])
    assert history == {"a": LabelHistory(0.0, MONDAY + HOUR, 1.0, 1)}


def test_a_label_can_be_taken_back() -> None:
    history = by_prediction([told("a", 1.0, 1), told("a", None, 2)])
    assert history["a"] == LabelHistory(1.0, MONDAY + HOUR, None, 1)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (told("a", 0.5, 1), r"label of prediction 'a' is 0\.5; it is 0, 1 or null"),
        (told("a", float("nan"), 1), "is nan; it is 0, 1 or null"),
        (told("a", 1.0, -1), "was known at .* before its event"),
        (
            LabelRecord("a", 1.0, MONDAY, datetime(2024, 3, 5, tzinfo=UTC)),
            "carry no time zone",
        ),
    ],
)
def test_an_unsound_label_is_refused_with_its_batch(
    tmp_path: Path, record: LabelRecord, why: str
) -> None:
    with pytest.raises(MonitoringError, match=why):
        append(tmp_path, [told("b", 1.0, 1), record])
    assert read(tmp_path) == ()


def test_an_empty_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MonitoringError, match="an empty batch"):
        append(tmp_path, [])


def test_a_line_that_is_no_label_is_named(tmp_path: Path) -> None:
    path = append(tmp_path, [told("a", 1.0, 1)])
    path.write_bytes(path.read_bytes() + b'{"prediction_id": 7}\n')
    with pytest.raises(MonitoringError, match=r"labels-.*\.jsonl:2: no label record"):
        read(tmp_path)
