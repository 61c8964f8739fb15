"""The access log: read piece by piece, through rotation, truncation and torn lines."""

import json
from pathlib import Path

import pytest

from mlops_pipeline.delivery.access_log import (
    AccessLine,
    AccessLog,
    Position,
    end_of,
    rotate,
    rotated,
)


def line(name: str, **more: object) -> str:
    """One line as Envoy writes it."""
    said = {
        "at": "1.5", "id": name, "unit": None, "method": "POST", "path": "/m/predict",
        "code": 200, "flags": "-", "cluster": "m-v1", "attempts": 1, "ms": 3,
        "rollout": "rollout-1", "weight": 500,
    }  # fmt: skip
    return json.dumps({**said, **more}) + "\n"


def append(path: Path, *names: str) -> None:
    with path.open("a") as file:
        file.writelines(line(name) for name in names)


def ids(log: AccessLog) -> list[str | None]:
    return [found.id for found in log.read()]


def test_each_read_gives_what_is_new(tmp_path: Path):
    log = AccessLog(tmp_path / "a.jsonl")
    assert ids(log) == []
    append(log.path, "1", "2")
    assert ids(log) == ["1", "2"]
    assert ids(log) == []
    append(log.path, "3")
    assert ids(log) == ["3"]


def test_a_line_that_is_still_being_written_is_left_for_later(tmp_path: Path):
    log = AccessLog(tmp_path / "a.jsonl")
    whole = line("1")
    log.path.write_text(whole + line("2")[:20])
    assert ids(log) == ["1"]
    log.path.write_text(whole + line("2"))
    assert ids(log) == ["2"]


def test_reading_goes_on_through_rotation(tmp_path: Path):
    log = AccessLog(tmp_path / "a.jsonl")
    append(log.path, "1", "2")
    assert ids(log) == ["1", "2"]
    append(log.path, "3")
    assert rotate(log.path, limit=10)
    append(log.path, "4")
    assert rotate(log.path, limit=10)
    append(log.path, "5")
    assert ids(log) == ["3", "4", "5"]
    assert not rotate(log.path, limit=10_000)
    assert len(rotated(log.path)) == 2


def test_old_files_are_dropped(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    for number in range(12):
        append(path, str(number))
        rotate(path, limit=10)
    assert [p.name for p in rotated(path)][::7] == ["a.jsonl.5", "a.jsonl.12"]


@pytest.mark.parametrize("refill", [("9",), ("9", "8", "7", "6", "5")])
def test_reading_starts_anew_after_truncation(tmp_path: Path, refill: tuple[str, ...]):
    log = AccessLog(tmp_path / "a.jsonl")
    append(log.path, "1", "long-name-so-that-places-differ", "3")
    list(log.read())
    log.path.write_text("".join(line(name) for name in refill))
    assert ids(log) == list(refill)


def test_a_position_taken_now_skips_what_was_before(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    assert end_of(path) == Position()
    append(path, "1")
    log = AccessLog(path, end_of(path))
    append(path, "2")
    assert ids(log) == ["2"]


def test_a_torn_line_is_left_out_and_blinds_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    log = AccessLog(tmp_path / "a.jsonl")
    torn = line("2")[:20]
    log.path.write_text(line("1") + "{}\n" + torn + line("3") + line("4"))
    assert ids(log) == ["1", "4"]
    assert caplog.text.count("event=torn_line") == 2
    assert ids(log) == []


def only(tmp_path: Path, **more: object) -> AccessLine:
    log = AccessLog(tmp_path / "a.jsonl")
    log.path.write_text(line("r", **more))
    (found,) = log.read()
    return found


def test_the_unit_is_the_header_or_the_request(tmp_path: Path):
    assert only(tmp_path, unit="ana").unit == "ana"
    assert only(tmp_path).unit == "r"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({}, "answered"),
        ({"code": 503, "flags": "UH"}, "failed"),
        ({"code": 0, "flags": "UR"}, "failed"),
        ({"code": 422}, "refused"),
        ({"code": 0, "flags": "DC"}, "left"),
        ({"method": "GET", "code": 500}, "nothing"),
        ({"cluster": None, "code": 404}, "nothing"),
    ],
)
def test_what_a_line_is_to_the_user(tmp_path: Path, said: dict[str, object], kind: str):
    found = only(tmp_path, **said)
    kinds = [k for k in ("answered", "failed", "refused", "left") if getattr(found, k)]
    assert kinds == ([] if kind == "nothing" else [kind])
