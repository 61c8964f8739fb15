"""The label inbox: what really happened, told after the prediction was made.

    <folder>/labels-<digest>.jsonl      one batch, never changed; the same batch twice is one file

A prediction's first label and every later correction are kept, each with the time at which it was
known: what a report said then can be computed again now.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path

import msgspec

from mlops_pipeline.data.objects import digest_of, write_durably
from mlops_pipeline.errors import MonitoringError


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """What became known of one prediction; times are the entity's local time, without zone."""

    prediction_id: str
    label: float | None  # as the task has it, of a class its place; None: there will be none
    event_time: datetime
    label_time: datetime  # when this was known
    sampled: float = 1.0  # the probability with which this prediction was chosen to get a label


def append(folder: Path, labels: Sequence[LabelRecord], *, task: str = "binary") -> Path:
    """The batch is in the inbox, durably; appending it again changes nothing.

    Raises:
        MonitoringError: a label is none of the task's, was known before its event, or the batch is
            empty.
    """
    if not labels:
        raise MonitoringError("an empty batch of labels; append only what arrived")
    for record in labels:
        _require_sound(record, task)
    content = b"".join(msgspec.json.encode(record) + b"\n" for record in labels)
    path = folder / f"labels-{digest_of(content)[:24]}.jsonl"
    if not path.exists():
        write_durably(path, content)
    return path


def read(folder: Path, as_of: datetime | None = None) -> tuple[LabelRecord, ...]:
    """Every label below `folder` that was known at `as_of`, in the order in which they were known.

    Raises:
        MonitoringError: a line is no label; the message names file and line.
    """
    decode = msgspec.json.Decoder(LabelRecord).decode
    found = []
    for path in sorted(folder.glob("labels-*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                record = decode(line)
            except msgspec.DecodeError as error:
                raise MonitoringError(f"{path}:{number}: no label record: {error}") from error
            if as_of is None or record.label_time <= as_of:
                found.append(record)
    return tuple(sorted(found, key=lambda record: (record.label_time, record.prediction_id)))


@dataclass(frozen=True, slots=True)
class LabelHistory:
    """The first label of a prediction, and the one that counts now."""

    first: float | None
    first_known: datetime
    current: float | None
    corrections: int
    sampled: float = 1.0


def by_prediction(labels: Iterable[LabelRecord]) -> dict[str, LabelHistory]:
    """The history of each prediction's label; `labels` in the order in which they were known.

    The same label told again is no correction.
    """
    histories: dict[str, LabelHistory] = {}
    for record in labels:
        known = histories.get(record.prediction_id)
        if known is None:
            histories[record.prediction_id] = LabelHistory(
                record.label, record.label_time, record.label, 0, record.sampled
            )
        elif record.label != known.current:
            histories[record.prediction_id] = LabelHistory(
                known.first,
                known.first_known,
                record.label,
                known.corrections + 1,
                known.sampled,
            )
    return histories


def _require_sound(record: LabelRecord, task: str) -> None:
    where = f"label of prediction {record.prediction_id!r}"
    good, wanted = _GOOD[task]
    if record.label is not None and not good(record.label):
        raise MonitoringError(f"{where} is {record.label}; it is {wanted} or null")
    if not 0 < record.sampled <= 1:
        raise MonitoringError(f"{where} was sampled with probability {record.sampled}; not 0 to 1")
    if record.event_time.tzinfo is not None or record.label_time.tzinfo is not None:
        raise MonitoringError(f"{where}: event times are local and carry no time zone")
    if record.label_time < record.event_time:
        raise MonitoringError(
            f"{where} was known at {record.label_time}, before its event at {record.event_time}"
        )


_GOOD: dict[str, tuple[Callable[[float], bool], str]] = {
    "binary": (lambda label: label in (0.0, 1.0), "0, 1"),
    "regression": (isfinite, "a finite number"),
    "multiclass": (lambda label: label >= 0 and label.is_integer(), "the place of a class, from 0"),
}
