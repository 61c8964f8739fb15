"""Rows whose label the model itself influenced, capped: a model must not learn its own echo.

Where an answer changes what happens (a parcel that was called late is hurried along), its label no
longer says what would have happened. The contract's `retraining.influenced_by` names the column
that marks such rows; no more than `max_influenced_share` of a training set may be of them.
"""

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import TrainingError


def cap_influenced(contract: ModelContract, frame: pd.DataFrame, index: np.ndarray) -> np.ndarray:
    """Of the rows at `index` those that a fit may learn from, in their order.

    Every row that was not influenced stays; of the others a seeded sample, the largest that keeps
    the cap.

    Raises:
        TrainingError: the frame has no such column, or holds something but 0, 1 or nothing in it.
    """
    words = contract.retraining
    if words.influenced_by is None:
        return index
    if words.influenced_by not in frame:
        raise TrainingError(f"retraining.influenced_by: no column {words.influenced_by!r}")
    marks = frame[words.influenced_by].to_numpy(dtype=np.float64, na_value=0.0)[index]
    odd = sorted(set(np.unique(marks).tolist()) - {0.0, 1.0})
    if odd:
        raise TrainingError(f"column {words.influenced_by!r} marks by 0 and 1, not {odd[0]:g}")
    marked, free = index[marks == 1.0], index[marks == 0.0]
    share = words.max_influenced_share
    most = int(share * len(free) / (1 - share))
    if len(marked) > most:
        chance = np.random.default_rng(contract.seed)
        marked = chance.choice(marked, most, replace=False)
    return np.sort(np.concatenate([free, marked]))
