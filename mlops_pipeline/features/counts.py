"""Daily counts by key: sparse, added exactly, summed over any span of days by two look-ups."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mlops_pipeline.features.declared import key_part

MISSING = -1  # the code of a row whose key has a missing part
SPARSE = 16  # cells of key and day for each pair that is there, from which on pairs are sorted


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Rows and positives by key and day as one partition has them: unsorted, only to be added.

    `key` indexes `texts`; equal texts are one key, and a pair may stand several times.
    """

    texts: Sequence[str]
    key: np.ndarray
    day: np.ndarray
    rows: np.ndarray
    positives: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class DailyCounts:
    """For each key and day with a labelled row: how many, and how many of them say yes.

    `texts` are the keys, sorted; `key`, `day`, `rows` and `positives` are int64 of one length,
    sorted by key and then day, each pair once.
    """

    texts: tuple[str, ...]
    key: np.ndarray
    day: np.ndarray
    rows: np.ndarray
    positives: np.ndarray
    _sums: tuple[np.ndarray, np.ndarray] = field(init=False)
    _places: np.ndarray = field(init=False)
    _rim: tuple[int, int] = field(init=False)  # the first and the last day of all

    def __post_init__(self) -> None:
        sums = tuple(np.concatenate(([0], np.cumsum(c))) for c in (self.rows, self.positives))
        rim = (int(self.day.min()), int(self.day.max())) if len(self.day) else (0, 0)
        object.__setattr__(self, "_sums", sums)
        object.__setattr__(self, "_rim", rim)
        object.__setattr__(self, "_places", self._place(self.key, self.day))

    @classmethod
    def of_rows(
        cls, texts: Sequence[str], codes: np.ndarray, day: np.ndarray, positive: np.ndarray
    ) -> "DailyCounts":
        """Counts of labelled rows; `codes` index `texts`, rows with a missing key are left out."""
        known = codes != MISSING
        ones = np.ones(int(known.sum()), dtype=np.int64)
        return _grouped(texts, codes[known], day[known], ones, positive[known].astype(np.int64))

    @classmethod
    def added(cls, parts: "Iterable[DailyCounts | Tally]") -> "DailyCounts":
        """The sum of several counts."""
        listed = list(parts)
        texts = [text for part in listed for text in part.texts]
        offsets = np.cumsum([0, *(len(part.texts) for part in listed)])
        key = np.concatenate([p.key + shift for p, shift in zip(listed, offsets, strict=False)])
        day, rows, positives = (
            np.concatenate([getattr(part, name) for part in listed])
            for name in ("day", "rows", "positives")
        )
        return _grouped(texts, key, day, rows, positives)

    def find(self, texts: Sequence[str], codes: np.ndarray) -> np.ndarray:
        """`codes` into `texts` as codes into `self.texts`; MISSING for a key that has no counts."""
        known = {text: code for code, text in enumerate(self.texts)}
        # The last entry is what code -1 reads.
        table = np.array([*(known.get(text, MISSING) for text in texts), MISSING], dtype=np.int64)
        found: np.ndarray = table[codes]
        return found

    def over_days(
        self, key: np.ndarray, first: np.ndarray, last: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and positives of each key over `first <= day < last` (int64); 0 for MISSING keys."""
        begin = np.searchsorted(self._places, self._place(key, first))
        end = np.searchsorted(self._places, self._place(key, last))
        known = key != MISSING
        rows, positives = (np.where(known, s[end] - s[begin], 0) for s in self._sums)
        return rows, positives

    def _place(self, key: np.ndarray, day: np.ndarray) -> np.ndarray:
        """One number that orders by key, then day; days outside the counts go to their rim."""
        low, high = self._rim
        places: np.ndarray = key * (high - low + 2) + np.clip(day, low, high + 1) - low
        return places


def key_codes(
    values: Mapping[str, np.ndarray], keys: Sequence[str], rows: int
) -> tuple[list[str], np.ndarray]:
    """The look-up key of every row: the distinct texts, and each row's index into them.

    A row with a missing part has MISSING. The texts are those of `declared.key_text`.
    """
    texts, codes = [""], np.zeros(rows, dtype=np.int64)
    for position, name in enumerate(keys):
        part, distinct = pd.factorize(values[name])
        joined = np.where((codes < 0) | (part < 0), MISSING, codes * len(distinct) + part)
        codes, pairs = pd.factorize(np.where(joined < 0, np.nan, joined))
        parts = [str(key_part(value)) for value in distinct.tolist()]
        before = [text + "|" for text in texts] if position else texts
        texts = [before[int(pair) // len(parts)] + parts[int(pair) % len(parts)] for pair in pairs]
    return texts, codes.astype(np.int64)


def _grouped(
    texts: Sequence[str],
    key: np.ndarray,
    day: np.ndarray,
    rows: np.ndarray,
    positives: np.ndarray,
) -> DailyCounts:
    """Sums by key and day; equal texts become one key, and keys without rows are dropped."""
    used = sorted({texts[code] for code in np.flatnonzero(np.bincount(key)).tolist()})
    index = {text: code for code, text in enumerate(used)}
    renamed = np.array([index.get(text, MISSING) for text in texts], dtype=np.int64)
    order = renamed[key] if len(key) else key.astype(np.int64)
    low = int(day.min()) if len(day) else 0
    span = int(day.max()) - low + 1 if len(day) else 1
    pairs, place = _distinct(order * span + (day - low), len(used) * span)
    sums = []
    for counts in (rows, positives):
        total = np.bincount(place, weights=counts, minlength=len(pairs))  # exact below 2**53
        sums.append(total.astype(np.int64))
    return DailyCounts(tuple(used), pairs // span, pairs % span + low, *sums)


def _distinct(numbers: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ones of whole numbers from 0 to below `end`, sorted, and each one's place."""
    if end > SPARSE * len(numbers):
        return np.unique(numbers, return_inverse=True)
    there = np.zeros(end, dtype=bool)
    there[numbers] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[numbers]
