"""A small snapshot that looks like the whole: rows drawn by day and label, always the same ones."""

import math

import numpy as np
import pandas as pd

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.labels import days, yes_or_no
from mlops_pipeline.errors import DataError

SMOKE_SHARE = 0.1  # of every day's rows with, and without, the label
FULL, SMOKE = "full", "smoke"


def stratified(contract: ModelContract, frame: pd.DataFrame, share: float) -> pd.DataFrame:
    """At least `share` of each stratum of day and label, in the frame's order.

    Which rows is decided by the entity's hash alone: equal rows give an equal sample, and a larger
    share holds every row of a smaller one.
    """
    entity = frame[list(contract.entity)]
    place = pd.util.hash_pandas_object(entity, index=False).to_numpy()
    labels = np.nan_to_num(yes_or_no(contract, frame), nan=-1.0)
    strata = pd.DataFrame({"day": days(contract, frame), "label": labels, "place": place})
    order = strata.sort_values(["day", "label", "place"], kind="stable")
    groups = order.groupby(["day", "label"], sort=False)
    rank = groups.cumcount()
    keep = rank < np.ceil(groups["place"].transform("size") * share)
    chosen = np.zeros(len(frame), dtype=bool)
    chosen[order.index[keep]] = True
    return frame[chosen].reset_index(drop=True)


def share_of(profile: str) -> float:
    """The share of rows that a profile trains on.

    Raises:
        DataError: there is no such profile.
    """
    if profile not in (FULL, SMOKE):
        raise DataError(f"profile {profile!r}: say {FULL!r} or {SMOKE!r}")
    return 1.0 if profile == FULL else SMOKE_SHARE


def require_full(share: float, instance: str) -> None:
    """A model of a sample may only go on where no pointer serves users.

    Raises:
        DataError: the snapshot is a sample, and the instance did not declare itself scratch.
    """
    if not math.isclose(share, 1.0) and instance != "scratch":
        raise DataError(
            f"this model saw a sample of {share:.0%} of the rows (profile smoke): it can never "
            "become a version here; train with profile full, or rehearse with MLOPS_PROFILE=scratch"
        )
