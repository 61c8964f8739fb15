"""The retrain controller: whoever asks, one rule decides whether a model is trained again.

    data whose checks failed     never, until a person let that very snapshot pass
    the same inputs              never twice: the same fit would come out
    a request is open            joined: it carries one more reason
    N requests without gain      stopped, until a person says how it goes on
    cool-down                    waits; a person's own wish does not
    budget of runs and minutes   waits until the period has room again

Every rule that says no gives its text; the last three leave an incident or a time to wait for.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from mlops_pipeline.contract.columns import Severity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.ledger import retrains, reviews
from mlops_pipeline.ledger.retrains import RetrainRequest, RetrainSource
from mlops_pipeline.ledger.reviews import ReviewKind
from mlops_pipeline.monitoring.causes import Cause, recovered, tell

GAIN = "promote"  # the gate's word that a candidate is worth having
JUDGED = frozenset({GAIN, "hold", "reject"})  # the fit came to a verdict: it would again


class Rule(StrEnum):
    """Which rule had the last word."""

    GRANTED = "granted"
    JOINED = "joined"
    BAD_DATA = "bad_data"
    SAME_INPUTS = "same_inputs"
    NO_GAIN = "no_gain"
    COOLING = "cooling_down"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a model should be trained again."""

    metric: str  # drift, performance, schedule, …
    window: str
    finding: str  # in words, with values and limits
    value: float | None = None
    limit: float | None = None
    version: str | None = None
    as_of: str | None = None  # the day on which the fit asks, as 2013-07-01


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the fit would depend on."""

    snapshot: str  # digest of the rows
    digest: str  # of snapshot, features, contract, code and environment


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of a wish."""

    rule: Rule
    text: str
    request: RetrainRequest | None
    came_to: str | None = None  # the verdict that the same inputs had before

    @property
    def asked(self) -> bool:
        """Whether an open request carries the wish."""
        return self.request is not None


def ask(
    tx: Connection,
    contract: ModelContract,
    *,
    reason: Reason,
    source: RetrainSource,
    inputs: Inputs | None,
    now: datetime,
    actor: str = "pipeline",
) -> Ruling:
    """An open request carries the wish, or the ruling says which rule stands against it.

    Asking again with the same reason changes nothing.

    Args:
        inputs: of the fit; None where they cannot be known yet, such as without stored rows.
    """
    ruling = against(tx, contract, source, inputs, now)
    known = retrains.open_request(tx, contract.name)
    if ruling is not None and (known is None or ruling.rule is Rule.BAD_DATA):
        return ruling
    told = {name: value for name, value in asdict(reason).items() if value is not None}
    request = retrains.request(
        tx,
        contract.name,
        reason=told,
        source=source,
        cooldown=timedelta(0),  # ruled on above
        inputs=None if inputs is None else inputs.digest,
        now=now,
        actor=actor,
    )
    assert request is not None
    rule = Rule.GRANTED if known is None else Rule.JOINED
    return Ruling(rule, f"request {request.id}: {chain(request)}", request)


def refuse(
    tx: Connection, contract: ModelContract, ruling: Ruling, reason: Reason, *, now: datetime
) -> None:
    """A wish that was not granted is on the chain; what a person must settle is an incident."""
    detail = {"rule": ruling.rule, "ruling": ruling.text, "metric": reason.metric}
    retrains.decline(tx, contract.name, why={**detail, "window": reason.window}, now=now)
    cause = {Rule.NO_GAIN: Cause.NO_GAIN, Rule.BUDGET: Cause.BUDGET}.get(ruling.rule)
    if cause is not None:
        tell(
            tx,
            contract.name,
            cause,
            owner=contract.owner,
            summary=f"{contract.name} is not trained again: {ruling.text}",
            detail={**detail, "finding": reason.finding},
            now=now,
        )


def resume(tx: Connection, model: str, *, by: str, reason: str, now: datetime) -> None:
    """Retraining goes on: what had no gain so far counts no more, and its incident is resolved."""
    retrains.resume(tx, model, by=by, reason=reason, now=now)
    recovered(tx, model, Cause.NO_GAIN, reason=f"{by}: {reason}", now=now)


def broke(
    tx: Connection, contract: ModelContract, request_id: int, *, error: str, now: datetime
) -> RetrainRequest:
    """A run that broke is tried again while the contract has attempts left; then it is closed."""
    request = retrains.get(tx, request_id)
    if request.state != "open":
        return request
    if request.attempt < contract.retraining.attempts:
        return retrains.try_again(tx, request_id, error=error, now=now)
    return retrains.close(tx, request_id, outcome="broken", now=now)


def chain(request: RetrainRequest) -> str:
    """Who asked, and why, first to last: metric, window, value against limit."""
    return "; ".join(
        f"{r.get('source')}: {r.get('metric', '')} {r.get('window', '')}: {r.get('finding', '')}"
        for r in request.reasons
    )


def without_gain(tx: Connection, contract: ModelContract) -> int:
    """How many requests in a row, the newest first, brought no version that passed its gate."""
    resumed = retrains.resumed(tx, contract.name)
    count = 0
    for request in retrains.history(tx, contract.name):
        if request.state != "closed":
            continue
        since = request.closed is not None and (resumed is None or request.closed > resumed)
        if request.outcome == GAIN or not since:
            break
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class Spent:
    """What the period's retraining has cost so far."""

    runs: int
    minutes: float


def spent(tx: Connection, contract: ModelContract, now: datetime) -> Spent:
    """Runs that were launched in the budget's period, and their minutes."""
    since = now - timedelta(days=contract.retraining.budget_days)
    recent = [
        r
        for r in retrains.history(tx, contract.name)
        if r.launched is not None
        if r.launched >= since
    ]
    return Spent(sum(r.attempt for r in recent), sum(r.minutes or 0.0 for r in recent))


def against(
    tx: Connection,
    contract: ModelContract,
    source: RetrainSource,
    inputs: Inputs | None,
    now: datetime,
) -> Ruling | None:
    """The first rule that stands against another training, if one does."""
    return (
        _bad_data(tx, contract, inputs)
        or _same_inputs(tx, contract, inputs)
        or _no_gain(tx, contract)
        or _cooling(tx, contract, source, now)
        or _budget(tx, contract, now)
    )


def _bad_data(tx: Connection, contract: ModelContract, inputs: Inputs | None) -> Ruling | None:
    if inputs is None:
        return None
    failed = [
        item
        for item in reviews.open_items(tx, contract.name)
        if item.kind is ReviewKind.DATA
        and item.subject == inputs.snapshot
        and item.severity == Severity.ERROR
    ]
    if not failed:
        return None
    names = ", ".join(item.check for item in failed)
    text = f"checks of snapshot {inputs.snapshot[:12]} failed: {names}; mend the data or approve it"
    return Ruling(Rule.BAD_DATA, text, None)


def _same_inputs(tx: Connection, contract: ModelContract, inputs: Inputs | None) -> Ruling | None:
    if inputs is None:
        return None
    for request in retrains.history(tx, contract.name):
        if request.inputs == inputs.digest and request.outcome in JUDGED:
            text = (
                f"request {request.id} was trained on the same inputs {inputs.digest[:12]} and "
                f"came to {request.outcome}"
            )
            return Ruling(Rule.SAME_INPUTS, text, None, request.outcome)
    return None


def _no_gain(tx: Connection, contract: ModelContract) -> Ruling | None:
    vain, most = without_gain(tx, contract), contract.retraining.max_without_gain
    if vain < most:
        return None
    text = (
        f"{vain} requests in a row brought no gain >= {most} (retraining.max_without_gain); "
        f"look why, then: mlops retrain resume {contract.name}"
    )
    return Ruling(Rule.NO_GAIN, text, None)


def _cooling(
    tx: Connection, contract: ModelContract, source: RetrainSource, now: datetime
) -> Ruling | None:
    if source is RetrainSource.PERSON:
        return None
    closed = [r.closed for r in retrains.history(tx, contract.name) if r.closed is not None]
    until = max(closed, default=None)
    if until is None:
        return None
    until += timedelta(hours=contract.retraining.cooldown_hours)
    if now >= until:
        return None
    text = f"the last request has just ended: cooling down until {until:%Y-%m-%d %H:%M} UTC"
    return Ruling(Rule.COOLING, text, None)


def _budget(tx: Connection, contract: ModelContract, now: datetime) -> Ruling | None:
    words, used = contract.retraining, spent(tx, contract, now)
    if used.runs < words.budget_runs and used.minutes < words.budget_minutes:
        return None
    text = (
        f"{used.runs} of {words.budget_runs} runs and {used.minutes:.0f} of "
        f"{words.budget_minutes:g} minutes of the last {words.budget_days:g} days are used"
    )
    return Ruling(Rule.BUDGET, text, None)
