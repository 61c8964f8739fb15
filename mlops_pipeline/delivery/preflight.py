"""Before the first copy of a request: servers warm, the way back proven, users' words understood.

A candidate whose contract refuses what users send now would fail them at the first step; the
request log says so before any of them meets it.
"""

from collections import Counter, deque
from dataclasses import dataclass

from mlops_pipeline.contract.columns import Sensitivity
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.delivery.plan import RolloutPlan
from mlops_pipeline.delivery.router import cluster_name
from mlops_pipeline.delivery.world import World, ensure_host
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.ledger import versions
from mlops_pipeline.ledger.rollouts import RolloutRow
from mlops_pipeline.ledger.store import reading
from mlops_pipeline.serving.refusals import Refusal
from mlops_pipeline.serving.request_log import Arm, Outcome, RequestRecord, read_records
from mlops_pipeline.serving.wire import RequestReader

LOOK_BACK = 24 * 3600.0  # seconds of requests that count as recent


@dataclass(frozen=True, slots=True)
class SchemaFinding:
    """How many recent requests the candidate would refuse, and for which fields."""

    n: int
    refused: int
    fields: dict[str, int]
    example: str  # the first refusal

    @property
    def share(self) -> float:
        """Of the requests looked at; 0 without any."""
        return self.refused / self.n if self.n else 0.0

    def __str__(self) -> str:
        """Both numbers, the worst field first."""
        worst = ", ".join(f"{name} ({n})" for name, n in Counter(self.fields).most_common(3))
        return f"{self.refused} of {self.n} recent requests; fields: {worst}; {self.example}"


def waits_for(world: World, row: RolloutRow) -> str:
    """What the rollout must wait for before it may begin; empty where it need not."""
    with reading(world.engine) as tx:
        pair = [versions.get(tx, row.model, version) for version in (row.stable, row.candidate)]
    hosts = [ensure_host(world, version) for version in pair]
    late = [host.spec.version for host in hosts if not host.ready]
    if late:
        return f"servers not ready: versions {', '.join(late)}"
    return _way_back(world, row)


def _way_back(world: World, row: RolloutRow) -> str:
    """Why a rollback would not find the stable; a router that has yet to be told does not say."""
    routes = world.node.state().routes.get(row.model)
    if routes is None or not routes.arms.only(row.stable):
        return ""
    wanted = cluster_name(row.model, row.stable)
    try:
        answer = world.probe(row.model, "way-back")
    except DeliveryError as error:
        return f"the way back is not proven: {error}"
    if answer.status == 200 and answer.served_by == wanted:
        return ""
    by = answer.served_by or "nobody"
    return f"the way back is not proven: {by} answered {answer.status}, not {wanted} 200"


def schema_finding(world: World, row: RolloutRow, plan: RolloutPlan) -> SchemaFinding | None:
    """Recent requests of users, held against the candidate's contract; None where neither is known.

    Requests that the stable refused, too, are no evidence; personal columns are not in the log.
    """
    with reading(world.engine) as tx:
        contract = world.contract_of(versions.get(tx, row.model, row.candidate))
    if contract is None or not plan.preflight_requests:
        return None
    reader = RequestReader(_as_logged(contract))
    since = row.started.timestamp() - LOOK_BACK
    folder = world.settings.request_log / row.model / row.stable
    recent: deque[RequestRecord] = deque(maxlen=plan.preflight_requests)
    for record in read_records(folder, since, arm=Arm.LIVE):
        if record.outcome is Outcome.OK and record.row:
            recent.append(record)
    answers = [
        reader.check({name: value for name, value in record.row.items() if value is not None})
        for record in recent
    ]
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    fields = Counter(refusal.field for refusal in refusals)
    first = refusals[0] if refusals else None
    example = "" if first is None else f"{first.field}: {first.what}; allowed: {first.allowed}"
    return SchemaFinding(len(answers), len(refusals), dict(fields), example)


def _as_logged(contract: ModelContract) -> ModelContract:
    """The contract with what the log leaves out not asked for."""
    columns = tuple(
        column.model_copy(update={"nullable": True})
        if column.sensitivity is Sensitivity.PERSONAL
        else column
        for column in contract.columns
    )
    return contract.model_copy(update={"columns": columns})
