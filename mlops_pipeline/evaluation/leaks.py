"""The leak probe: a gain too good to be believed is looked at before a person is asked.

A feature that tells the answer by itself, rows that were seen in training, or training rows from
after the test: each has given a model a gain that it lost in service.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mlops_pipeline.data.labels import contrast
from mlops_pipeline.evaluation.metrics import roc_auc
from mlops_pipeline.evaluation.records import Leak, LeakProbe
from mlops_pipeline.training.rows import LabelledRows

TELLS = 0.95  # an AUC of one feature alone that is taken as a leak
SUSPECT = 0.85
BINS = 20


def probe_leaks(
    train: LabelledRows,
    test: LabelledRows,
    *,
    train_keys: Sequence[object] = (),
    test_keys: Sequence[object] = (),
    train_until: float | None = None,
    test_from: float | None = None,
) -> LeakProbe:
    """What was looked for and what was found; nothing found does not prove that there is none.

    Args:
        train_keys, test_keys: what names each row; a key on both sides is a row that was learnt.
        train_until, test_from: the last training and the first test moment, in one unit.
    """
    shared = len(set(train_keys) & set(test_keys))
    found = [*_telling(train, test)]
    if shared:
        found.append(Leak("rows", float(shared), f"{shared} rows of the test were trained on"))
    if train_until is not None and test_from is not None and train_until >= test_from:
        found.append(
            Leak("time", train_until - test_from, "training reaches into the time of the test")
        )
    return LeakProbe(features=len(test.matrix.names), keys=len(test_keys), found=tuple(found))


def _telling(train: LabelledRows, test: LabelledRows) -> Iterator[Leak]:
    """Features that alone rank the test's rows almost perfectly, raw, binned, or by absence.

    A plain AUC misses leaks that are not monotone and those that lie in which values are missing.
    """
    task = test.question.task
    asked = contrast(test.labels, task, usual=train.labels)
    learnt = contrast(train.labels, task) if task == "multiclass" else train.labels
    for index, name in enumerate(test.matrix.names):
        own, seen = test.matrix.values[:, index], train.matrix.values[:, index]
        ways = {
            "by its value": np.where(np.isnan(own), np.nanmedian(seen), own)
            if not np.isnan(seen).all()
            else np.zeros(len(own)),
            "by being absent": np.isnan(own) * 1.0,
            "by its range of values": _encoded(seen, learnt, own),
        }
        strength = {way: _either_way(asked, values) for way, values in ways.items()}
        way = max(strength, key=lambda name: strength[name])
        if strength[way] >= SUSPECT:
            word = "tells the answer" if strength[way] >= TELLS else "nearly tells the answer"
            yield Leak(name, strength[way], f"feature {name} {word} {way}: AUC {strength[way]:.3f}")


def _encoded(seen: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The mean training label of each asked value's bin; missing values are a bin of their own."""
    present = seen[~np.isnan(seen)]
    edges: Any = (
        np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1])) if len(present) else []
    )

    def bins(values: np.ndarray) -> np.ndarray:
        place = np.searchsorted(edges, np.nan_to_num(values), "right")
        return np.where(np.isnan(values), len(edges) + 1, place)

    place = bins(seen)
    size = np.bincount(place, minlength=len(edges) + 2)
    total = np.bincount(place, labels, minlength=len(edges) + 2)
    mean = (total + labels.mean()) / (size + 1)
    encoded: np.ndarray = mean[bins(asked)]
    return encoded


def _either_way(labels: np.ndarray, values: np.ndarray) -> float:
    auc = roc_auc(labels, values)
    return max(auc, 1 - auc) if np.isfinite(auc) else 0.0
