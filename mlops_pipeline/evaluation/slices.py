"""Rows cut by a column: where does the candidate lose, and is the loss proven?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlops_pipeline.contract.columns import ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.promises import Slice
from mlops_pipeline.evaluation.delong import auc_estimates, gain_spread
from mlops_pipeline.evaluation.estimates import Spread, estimate, p_below, spread
from mlops_pipeline.evaluation.intervals import Draws, draw_metric, gain
from mlops_pipeline.evaluation.measures import measure
from mlops_pipeline.evaluation.records import Estimate, SliceResult, SliceStatus, finite

MISSING_VALUE = "(missing)"
OUTSIDE = "(outside)"


def evaluate_slices(
    contract: ModelContract,
    cuts: Mapping[str, np.ndarray],
    *,
    labels: np.ndarray,
    scores: np.ndarray,
    champion_scores: np.ndarray | None,
    draws: Draws,
) -> tuple[SliceResult, ...]:
    """One result for each declared value of each declared slice, in the contract's order."""
    bounds = contract.acceptance
    compare = _Comparison(
        contract, bounds.confidence, contract.bar, labels, scores, champion_scores, draws
    )
    return tuple(
        result
        for declared in contract.slices
        for result in _of_slice(contract, declared, cuts.get(declared.by), compare)
    )


def cut_values(
    contract: ModelContract, by: str, values: np.ndarray, bins: Sequence[float] = ()
) -> tuple[list[str], np.ndarray]:
    """The names of a cut's parts, and each row's part as an index into them.

    Parts that the contract declares (categories, bins) are listed even where no row lies in them.
    Category codes, as a feature matrix holds them, are named by the contract's categories.
    """
    if bins:
        names = [_bin_name(bins, i) for i in range(len(bins) - 1)]
        numbers = np.asarray(values, dtype=np.float64)
        place = np.searchsorted(bins, numbers, "right") - 1
        place[numbers == bins[-1]] = len(names) - 1
        texts = np.array([*names, OUTSIDE], dtype=object)[
            np.where((place >= 0) & (place < len(names)), place, len(names))
        ]
        texts[np.isnan(numbers)] = MISSING_VALUE
    else:
        names = list(_categories(contract, by))
        texts = _texts(names, values)
    extra = sorted(set(texts.tolist()) - set(names))
    names += extra
    index = {name: place for place, name in enumerate(names)}
    return names, np.array([index[text] for text in texts.tolist()], dtype=np.int64)


def positives_of(contract: ModelContract, labels: np.ndarray) -> int | None:
    """How many rows say yes; None where that is not the question."""
    return int(labels.sum()) if contract.kind.counts_yes else None


def large_enough(contract: ModelContract, declared: Slice, labels: np.ndarray) -> bool:
    """The slice has the rows, and where they say yes or no the positives, that it asks for."""
    positives = positives_of(contract, labels)
    return len(labels) >= declared.min_rows and (
        positives is None or positives >= declared.min_positives
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted so that rejecting those below alpha errs once with probability alpha.

    Holm 1979, Scandinavian Journal of Statistics 6(2).
    """
    order = np.argsort(p_values, kind="stable")
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """What every slice is judged with."""

    contract: ModelContract
    confidence: float
    bar: float
    labels: np.ndarray
    scores: np.ndarray
    champion_scores: np.ndarray | None
    draws: Draws

    def of(self, declared: Slice, value: str, rows: np.ndarray) -> SliceResult:
        """The result of one part, whatever its size."""
        size, positives = len(rows), positives_of(self.contract, self.labels[rows])
        result = SliceResult(
            by=declared.by,
            value=value,
            metric=declared.metric,
            margin=declared.margin,
            status=SliceStatus.TOO_SMALL,
            rows=size,
            positives=positives,
            detail=f"{size} rows; needs {declared.min_rows}"
            if positives is None
            else f"{size} rows, {positives} positives; "
            f"needs {declared.min_rows} and {declared.min_positives}",
        )
        if not large_enough(self.contract, declared, self.labels[rows]):
            return result
        own = measure(declared.metric, self.labels[rows], self.scores[rows], self.bar)
        large = replace(result, candidate=finite(own), detail="")
        if self.champion_scores is None:
            return replace(large, status=SliceStatus.NO_BASELINE)
        return self._compared(large, own, rows, self.champion_scores[rows])

    def _compared(
        self, result: SliceResult, own: float, rows: np.ndarray, rival_scores: np.ndarray
    ) -> SliceResult:
        metric, labels = result.metric, self.labels[rows]
        rival = measure(metric, labels, rival_scores, self.bar)
        found, known = self._gain(metric, float(gain(metric, own, rival)), rows, rival_scores)
        if found.value is None or not found.whole:
            return replace(
                result,
                status=SliceStatus.MISSING,
                champion=finite(rival),
                gain=found,
                detail=f"{metric} or its interval is undefined on these {result.rows} rows",
            )
        return replace(
            result,
            status=SliceStatus.EVALUATED,
            champion=finite(rival),
            gain=found,
            harm_p=p_below(found.value, -result.margin, known),
        )

    def _gain(
        self, metric: str, point: float, rows: np.ndarray, rival_scores: np.ndarray
    ) -> tuple[Estimate, Spread | None]:
        """The gain and how sure it is: DeLong's for an AUC of independent rows, else by groups."""
        labels, scores = self.labels[rows], self.scores[rows]
        if metric == "roc_auc" and self.contract.splits.group == "row":
            found = auc_estimates(labels, scores, rival_scores, self.confidence)[2]
            known = Spread(gain_spread(labels, scores, rival_scores), np.inf)
            return found or Estimate(None, None, None), known
        draws = self.draws.only(rows)
        drawn = gain(
            metric,
            draw_metric(metric, draws, labels, scores, self.bar),
            draw_metric(metric, draws, labels, rival_scores, self.bar),
        )
        return estimate(point, drawn, draws, self.confidence), spread(drawn, draws)


def _of_slice(
    contract: ModelContract, declared: Slice, values: np.ndarray | None, compare: _Comparison
) -> Iterable[SliceResult]:
    if values is None:
        yield SliceResult(
            by=declared.by,
            value="*",
            metric=declared.metric,
            margin=declared.margin,
            status=SliceStatus.MISSING,
            rows=0,
            positives=0,
            detail=f"no values of {declared.by!r} were given",
        )
        return
    names, place = cut_values(contract, declared.by, values, declared.bins)
    for index, name in enumerate(names):
        yield compare.of(declared, name, np.flatnonzero(place == index))


def _categories(contract: ModelContract, by: str) -> tuple[str, ...]:
    if by not in contract.column_names:
        return ()
    column = contract.column(by)
    return column.categories if column.type is ColumnType.CATEGORY else ()


def _texts(categories: Sequence[str], values: np.ndarray) -> np.ndarray:
    """Each row's part by name; category codes are looked up, missing values have a name."""
    coded = bool(categories) and np.issubdtype(np.asarray(values).dtype, np.number)

    def name(value: object) -> str:
        if value is None or value != value:
            return MISSING_VALUE
        if coded and isinstance(value, int | float):
            known = 0 <= value < len(categories)
            return categories[int(value)] if known else OUTSIDE
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return str(value)

    return np.array([name(value) for value in np.asarray(values).tolist()], dtype=object)


def _bin_name(bins: Sequence[float], index: int) -> str:
    closed = "]" if index == len(bins) - 2 else ")"
    return f"[{bins[index]:g}, {bins[index + 1]:g}{closed}"
