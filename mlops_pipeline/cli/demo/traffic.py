"""The application's side: flights asked about over HTTP, and labels that arrive afterwards."""

import itertools
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_pipeline.contract.columns import ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import label
from mlops_pipeline.monitoring.labels import LabelRecord
from mlops_pipeline.serving.replay import ReplayRequest


def requests_of(
    contract: ModelContract, frame: pd.DataFrame, *, mark: str
) -> Iterator[ReplayRequest]:
    """One request a row, in its order; the id is the row's entity behind `mark`."""
    columns = contract.request_columns
    times = {c.name for c in columns if c.type is ColumnType.TIME}
    whole = {c.name for c in columns if c.type is ColumnType.INTEGER}
    names = [c.name for c in columns]
    for identity, values in zip(
        identities(contract, frame, mark), frame[names].itertuples(index=False), strict=True
    ):
        body: dict[str, Any] = {}
        for name, value in zip(names, values, strict=True):
            if pd.isna(value):
                continue
            if name in times:
                body[name] = value.isoformat()
            elif name in whole:
                body[name] = int(value)
            else:
                body[name] = value
        yield ReplayRequest(id=identity, unit=identity, body=json.dumps(body).encode())


def identities(contract: ModelContract, frame: pd.DataFrame, mark: str) -> Iterator[str]:
    """`live/UA-1545-EWR-20130601T0515`: what the application calls one question."""
    for values in frame[list(contract.entity)].itertuples(index=False):
        words = [v.strftime("%Y%m%dT%H%M") if isinstance(v, datetime) else str(v) for v in values]
        yield f"{mark}/{'-'.join(words)}"


def labels_of(contract: ModelContract, frame: pd.DataFrame, *, mark: str) -> Iterator[LabelRecord]:
    """The outcome of every row that has one, known after the contract's label delay."""
    outcome = label(contract, frame)
    delay = timedelta(hours=contract.target.label_delay_hours)
    named = zip(identities(contract, frame, mark), frame[contract.event_time], outcome, strict=True)
    for identity, moment, value in named:
        if not np.isnan(value):
            when = moment.to_pydatetime()
            yield LabelRecord(identity, float(value), event_time=when, label_time=when + delay)


def again_and_again(
    contract: ModelContract, frame: pd.DataFrame, *, mark: str, limit: int
) -> Iterable[ReplayRequest]:
    """The rows' requests, round after round with new ids, `limit` in all."""
    rounds = (
        request
        for number in itertools.count()
        for request in requests_of(contract, frame, mark=f"{mark}{number}")
    )
    return itertools.islice(rounds, limit)


def sample(frame: pd.DataFrame, size: int) -> pd.DataFrame:
    """`size` rows spread evenly over the frame's time, in its order."""
    if size >= len(frame):
        return frame
    places = np.linspace(0, len(frame) - 1, size).astype(int)
    return frame.iloc[places].reset_index(drop=True)
