"""Which rows a model learns from, stops early on, and is judged on: always in the order of time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops_pipeline.contract.promises import Splits
from mlops_pipeline.data.windows import Window, month_start
from mlops_pipeline.errors import DataError


@dataclass(frozen=True, slots=True)
class Split:
    """Three windows that follow each other without a gap; nothing is judged on its own past."""

    train: Window
    validation: Window
    test: Window

    @property
    def whole(self) -> Window:
        """From the first row of training to the last of the test."""
        return Window(self.train.start, self.test.end)


def plan_split(splits: Splits, as_of: datetime) -> Split:
    """The split for a question asked at `as_of`, a local time.

    The test is the last `test_months` whole months that are over; training is everything before,
    of which the last `validation_days` only stop it early.

    Raises:
        DataError: nothing is left to train on.
    """
    local = as_of.replace(tzinfo=None)
    test = Window(month_start(local, -splits.test_months), month_start(local))
    first = datetime.combine(splits.train_from, datetime.min.time())
    border = test.start - timedelta(days=splits.validation_days)
    if border <= first:
        raise DataError(
            f"as of {local:%Y-%m-%d}, the test starts on {test.start:%Y-%m-%d} and validation on "
            f"{border:%Y-%m-%d}: nothing from {first:%Y-%m-%d} on is left to train on; "
            "ask later, or lower test_months or validation_days"
        )
    return Split(Window(first, border), Window(border, test.start), test)
