"""What is concluded from a sampled log is what the whole log would have said.

The real writer keeps records as a server does; its rate is lowered in mid-month, when parcels get
heavier and late ones are no longer told from others: whoever counts records instead of answers
sees too little of that.
"""

from array import array
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.windows import Window
from mlops_pipeline.monitoring.cohort import gather
from mlops_pipeline.monitoring.drift import judge_drift
from mlops_pipeline.monitoring.estimate import Calibration
from mlops_pipeline.monitoring.frames import Served, served
from mlops_pipeline.monitoring.labels import LabelRecord
from mlops_pipeline.monitoring.live import LivePerformance
from mlops_pipeline.monitoring.performance import judge_performance
from mlops_pipeline.monitoring.records import DriftOutcome
from mlops_pipeline.serving.records import Call, RecordMaker
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestLog, read_records
from mlops_pipeline.serving.wire import Row
from mlops_pipeline_tests.monitoring import town

ROWS, HALF = 12_000, 6_000
MONTH = Window.of_month("2024-04")
CONTRACT = town.contract()
AS_IT_IS = Calibration(np.array([0.0, 1.0]), np.array([0.0, 1.0]))


class Month:
    """A month of which the second half is another world."""

    def __init__(self) -> None:
        chance = np.random.default_rng(5)
        later = np.arange(ROWS) >= HALF
        self.weight = chance.normal(np.where(later, 12.0, 10.0), 2.0)
        self.south = chance.random(ROWS) < 0.4
        odds = np.exp(-0.9 + 0.8 * (self.weight - 10.0) + 0.8 * self.south)
        self.score = odds / (1 + odds)
        meant = np.where(later, 0.5, self.score)
        self.late = (chance.random(ROWS) < meant) * 1.0
        seconds = (np.arange(ROWS) / ROWS * (MONTH.days * 86400 - 1)).astype(int)
        self.times = [
            datetime.fromisoformat(str(np.datetime64(MONTH.start, "s") + int(each)))
            for each in seconds
        ]

    def calls(self, part: slice) -> list[Call]:
        """What a server noted of these rows."""
        found = []
        for n in range(ROWS)[part]:
            call = Call(Arm.LIVE, 1.7e9 + n, f"parcel-{n}", outcome=Outcome.OK)
            call.score, call.row = float(self.score[n]), Row({}, self.times[n])
            call.vector = array("d", [float(self.south[n]), self.weight[n], self.times[n].hour])
            found.append(call)
        return found

    def labels(self) -> list[LabelRecord]:
        """Every label, within the hour."""
        return [
            LabelRecord(f"parcel-{n}", self.late[n], self.times[n], self.times[n])
            for n in range(ROWS)
        ]


@pytest.fixture(scope="module")
def month() -> Month:
    return Month()


def logged(folder: Path, month: Month, rates: tuple[float, float]) -> Served:
    """What the real writer left of the two halves of the month."""
    for rate, part in zip(rates, (slice(0, HALF), slice(HALF, ROWS)), strict=True):
        log = RequestLog(folder / f"{part.start}", rate=rate, queue_limit=ROWS)
        maker = RecordMaker("town", "1", CONTRACT, rate=rate)
        log.start()
        for call in month.calls(part):
            if maker.keeps(call):
                log.append(maker.later(call))
            else:
                log.leave_out()
        log.close()
        assert log.dropped == 0
    return served(CONTRACT, read_records(folder))


def worth(found: Served, labels: list[LabelRecord], contract: ModelContract) -> LivePerformance:
    cohort = gather(contract, found.answers, labels, end=MONTH.end)
    return judge_performance(
        contract,
        cohort.rows,
        version="1",
        as_of=cohort.as_of,
        features=found.features,
        calibration=AS_IT_IS,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, month: Month) -> Served:
    return logged(tmp_path_factory.mktemp("whole"), month, (1.0, 1.0))


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory, month: Month) -> Served:
    return logged(tmp_path_factory.mktemp("sampled"), month, (1.0, 0.25))


def test_the_records_stand_for_all_answers(whole: Served, sampled: Served) -> None:
    assert (len(whole), whole.answered) == (ROWS, ROWS)
    assert HALF * 1.2 < len(sampled) < HALF * 1.3
    assert sampled.answered == pytest.approx(ROWS, rel=0.03)


def test_metrics_cost_and_slices_are_those_of_the_whole_log(
    whole: Served, sampled: Served, month: Month
) -> None:
    full = worth(whole, month.labels(), CONTRACT)
    part = worth(sampled, month.labels(), CONTRACT)
    for name, metric in full.metrics.items():
        live = part.metrics[name]
        assert metric.value is not None
        assert live.low is not None
        assert live.high is not None
        assert live.value == pytest.approx(metric.value, abs=0.02), name
        assert live.low <= metric.value <= live.high, name
    for slice_, whole_slice in zip(part.slices, full.slices, strict=True):
        assert slice_.estimate.value == pytest.approx(whole_slice.estimate.value, abs=0.03)


def test_the_estimate_is_that_of_the_whole_log(
    whole: Served, sampled: Served, month: Month
) -> None:
    full = worth(whole, month.labels(), CONTRACT).estimated
    part = worth(sampled, month.labels(), CONTRACT).estimated
    assert full is not None
    assert part == pytest.approx(full, abs=0.012)


def test_counting_records_instead_of_answers_would_have_been_wrong(
    whole: Served, sampled: Served, month: Month
) -> None:
    """The test above has teeth: without the rates the numbers are others."""
    blind = Served(sampled.answers.assign(rate=1.0), sampled.features)
    full, wrong = (worth(each, month.labels(), CONTRACT) for each in (whole, blind))
    off = {n: abs((wrong.metrics[n].value or 0) - (m.value or 0)) for n, m in full.metrics.items()}
    assert off["roc_auc"] > 0.05
    assert off["cost"] > 0.03
    assert full.estimated is not None
    assert wrong.estimated is not None
    assert abs(wrong.estimated["f1"] - full.estimated["f1"]) > 0.024


def test_a_lower_rate_is_no_outage_and_drift_sees_both_halves_alike(
    whole: Served, sampled: Served
) -> None:
    usual = [ROWS, ROWS]
    even = sampled.evenly()
    first = (even.answers["event_time"] < MONTH.start + (MONTH.end - MONTH.start) / 2).mean()
    assert first == pytest.approx(0.5, abs=0.03)
    report, _ = judge_drift(
        CONTRACT, whole.features, even.features, usual_rows=usual, answered=sampled.answered
    )
    assert report.outcome is DriftOutcome.STEADY, report.reason
    assert report.answers == pytest.approx(ROWS, rel=0.03)
    counted, _ = judge_drift(CONTRACT, whole.features, even.features, usual_rows=usual)
    assert counted.outcome is DriftOutcome.OUTAGE


def test_a_log_of_one_rate_is_looked_at_whole(whole: Served, tmp_path: Path, month: Month) -> None:
    assert len(whole.evenly()) == ROWS
    halved = logged(tmp_path, month, (0.5, 0.5))
    assert len(halved.evenly()) == len(halved) < ROWS * 0.52
    assert len(Served(halved.answers[:0], halved.features[:0]).evenly()) == 0
