"""Policy: rules that hold for every model without being asked, each with a number and a reason.

A rule looks at a contract, and at the lineage of a version where there is one, and gives what it
finds: no text, no problem. Rules of severity error stop a promotion; warnings are shown. Numbers
are never given again: a new rule takes the next one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mlops_pipeline.contract.columns import (
    Availability,
    ColumnType,
    Feature,
    HistoryFeature,
    Sensitivity,
    Severity,
)
from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.registry.lineage import Lineage


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule over a contract, or over a contract and a lineage."""

    number: str
    name: str
    severity: Severity
    why: str
    of_contract: Callable[[ModelContract], Iterable[str]] | None = None
    of_lineage: Callable[[ModelContract, Lineage], Iterable[str]] | None = None


@dataclass(frozen=True, slots=True)
class PolicyFinding:
    """What one rule says of one model."""

    rule: str
    name: str
    severity: Severity
    passed: bool | None  # None: not looked at, since there is no version yet
    problems: tuple[str, ...]
    why: str

    @property
    def blocks(self) -> bool:
        """Whether no version may be promoted before this is mended."""
        return self.passed is False and self.severity is Severity.ERROR


def check_policy(
    contract: ModelContract, lineage: Lineage | None = None
) -> tuple[PolicyFinding, ...]:
    """One finding for each rule, in the order of their numbers, whether it holds or not."""
    return tuple(_finding(rule, contract, lineage) for rule in RULES)


def _finding(rule: Rule, contract: ModelContract, lineage: Lineage | None) -> PolicyFinding:
    problems: tuple[str, ...] = ()
    passed: bool | None = None
    if rule.of_contract is not None:
        problems = tuple(rule.of_contract(contract))
        passed = not problems
    elif rule.of_lineage is not None and lineage is not None:
        problems = tuple(rule.of_lineage(contract, lineage))
        passed = not problems
    return PolicyFinding(rule.number, rule.name, rule.severity, passed, problems, rule.why)


def sources_of(contract: ModelContract, feature: Feature) -> frozenset[str]:
    """The columns that a feature is made of, through derived features down to the source."""
    derived = {other.name: other for other in contract.derived}
    found: set[str] = set()
    for name in feature.inputs:
        through = derived.get(name)
        if isinstance(feature, HistoryFeature) and through is not None:
            found |= set(through.inputs)
        else:
            found.add(name)
    return frozenset(found)


def _reaching(contract: ModelContract, columns: set[str]) -> Iterable[tuple[str, str]]:
    """Pairs of a feature and one of `columns` that it is made of."""
    for feature in contract.features.columns:
        for column in sorted(sources_of(contract, feature) & columns):
            yield feature.name, column


def _somebody_answers(contract: ModelContract) -> Iterable[str]:
    if not contract.owner.strip():
        yield "owner: nobody"
    if not contract.description.strip():
        yield "description: nothing says what the model is for"


def _nothing_from_the_future(contract: ModelContract) -> Iterable[str]:
    late = {c.name for c in contract.columns if c.available is Availability.OUTCOME}
    late.add(contract.target.column)
    for feature, column in _reaching(contract, late):
        yield f"feature {feature} is made of {column}, which is known only with the outcome"


def _nothing_personal(contract: ModelContract) -> Iterable[str]:
    personal = {c.name for c in contract.columns if c.sensitivity is Sensitivity.PERSONAL}
    for feature, column in _reaching(contract, personal):
        yield f"feature {feature} is made of {column}, which is personal"


def _reports_name_nobody(contract: ModelContract) -> Iterable[str]:
    personal = {c.name: c for c in contract.columns if c.sensitivity is Sensitivity.PERSONAL}
    for cut in contract.slices:
        if cut.by in personal:
            yield f"slices: the values of {cut.by} would be printed, and it is personal"
    for group in contract.fairness:
        if group.by in personal and personal[group.by].type is not ColumnType.CATEGORY:
            yield f"fairness: {group.by} is personal and no category: its values name people"


def _origin_is_named(contract: ModelContract) -> Iterable[str]:
    if not contract.source.origin.strip():
        yield "source.origin: say who publishes the data, and under which licence"


def _slices_are_declared(contract: ModelContract) -> Iterable[str]:
    if not contract.slices:
        yield "slices: none; a gain on average can hide a loss for some"


def _fairness_is_declared(contract: ModelContract) -> Iterable[str]:
    if not contract.fairness:
        yield "fairness: no groups; say between whom a gap would matter"


def _labels_are_bounded(contract: ModelContract) -> Iterable[str]:
    if contract.target.above is None:
        if None in contract.score_range:
            yield "target: nothing bounds the number; say lowest and highest, or the column's range"
    elif contract.target.min_rate == 0 and contract.target.max_rate == 1:
        yield "target: min_rate 0 and max_rate 1 let any labels pass; bound the rate of yes"


def _champion_is_the_measure(contract: ModelContract) -> Iterable[str]:
    if all(criterion.margin is None for criterion in contract.acceptance.criteria):
        yield "acceptance.criteria: none has a margin, so a worse version could replace a better"


def _users_are_guarded(contract: ModelContract) -> Iterable[str]:
    guards = contract.rollout.guards
    if all(guard.over_ms is not None for guard in guards):
        yield "rollout.guards: none counts failed requests (a guard without over_ms)"
    if all(guard.over_ms is None for guard in guards):
        yield "rollout.guards: none counts slow answers (a guard with over_ms)"


def _traffic_grows(contract: ModelContract) -> Iterable[str]:
    first = contract.rollout.steps[0]
    if first > 50 and not contract.approvals.before_traffic:
        yield f"rollout.steps: the first exposes {first:g}% of users, and nobody approves it"


def _lineage_is_of_this_contract(contract: ModelContract, lineage: Lineage) -> Iterable[str]:
    digest = contract_digest(contract)
    if lineage.contract != digest:
        yield f"lineage: contract {lineage.contract[:12]}…, this one is {digest[:12]}…"
    if lineage.model != contract.name:
        yield f"lineage: of model {lineage.model!r}, not {contract.name!r}"


def _judged_on_later_rows(_: ModelContract, lineage: Lineage) -> Iterable[str]:
    for name, window in (("train", lineage.train), ("validation", lineage.validation)):
        if window.end > lineage.test.start:
            yield f"lineage: {name} ends {window.end}, after the test begins {lineage.test.start}"


def _code_can_be_found(_: ModelContract, lineage: Lineage) -> Iterable[str]:
    if lineage.code.commit is None:
        yield "lineage: the code was no checkout; only its digest is known"
    elif lineage.code.dirty:
        yield f"lineage: the code differs from commit {lineage.code.commit[:12]}"


ERROR, WARN = Severity.ERROR, Severity.WARN
RULES: tuple[Rule, ...] = (
    Rule(
        "P01",
        "somebody answers for the model",
        ERROR,
        "an alert, a review and an auditor need a person to turn to",
        _somebody_answers,
    ),
    Rule(
        "P02",
        "no feature knows the outcome",
        ERROR,
        "what is known only afterwards makes a model that is good in tests alone",
        _nothing_from_the_future,
    ),
    Rule(
        "P03",
        "no feature is personal",
        ERROR,
        "a model must not decide by, or memorise, who somebody is",
        _nothing_personal,
    ),
    Rule(
        "P04",
        "reports name nobody",
        ERROR,
        "reports travel further than the data they are made of",
        _reports_name_nobody,
    ),
    Rule(
        "P05",
        "the data's origin is named",
        WARN,
        "a licence can forbid a use, and a publisher can be asked",
        _origin_is_named,
    ),
    Rule(
        "P06",
        "slices are declared",
        ERROR,
        "a version that harms one group must not pass on its average",
        _slices_are_declared,
    ),
    Rule(
        "P07",
        "fairness groups are declared",
        WARN,
        "a gap that nobody measures is a gap that nobody mends",
        _fairness_is_declared,
    ),
    Rule(
        "P08",
        "the label rate is bounded",
        ERROR,
        "mislabelled rows look like any others, but not in their share of yes",
        _labels_are_bounded,
    ),
    Rule(
        "P09",
        "the champion is the measure",
        ERROR,
        "good enough in itself can still be worse than what users have",
        _champion_is_the_measure,
    ),
    Rule(
        "P10",
        "users are guarded while traffic moves",
        ERROR,
        "failures and slowness show only under real requests",
        _users_are_guarded,
    ),
    Rule(
        "P11",
        "traffic grows in steps",
        WARN,
        "what goes wrong should go wrong for few",
        _traffic_grows,
    ),
    Rule(
        "P12",
        "the version was made under this contract",
        ERROR,
        "a promise that changed after the fit was not judged",
        of_lineage=_lineage_is_of_this_contract,
    ),
    Rule(
        "P13",
        "the version was judged on later rows",
        ERROR,
        "rows that a model has seen say nothing of those that come",
        of_lineage=_judged_on_later_rows,
    ),
    Rule(
        "P14",
        "the code can be found again",
        WARN,
        "a digest proves which code ran, a commit shows it",
        of_lineage=_code_can_be_found,
    ),
)
