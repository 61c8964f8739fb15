"""What any router must do, in the words of delivery: arms in, counters out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mlops_pipeline.delivery.assignment import TOTAL_WEIGHT
from mlops_pipeline.errors import DeliveryError

_MODEL = re.compile(r"[a-z][a-z0-9_]{0,40}")
_VERSION = re.compile(r"[A-Za-z0-9_-]{1,40}")
_SALT = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


@dataclass(frozen=True, slots=True)
class Arms:
    """How one model's traffic is split. `weight` is the candidate's, of 10 000 buckets."""

    model: str
    stable: str
    candidate: str | None = None
    weight: int = 0
    shadow: bool = False  # the candidate also answers a copy of what the stable serves
    salt: str = ""

    def __post_init__(self) -> None:
        """Refuse a split that no router could serve."""
        if not _MODEL.fullmatch(self.model):
            raise DeliveryError(f"model {self.model!r}: small letters, digits and _ only")
        for version in (self.stable, self.candidate):
            if version is not None and (
                not _VERSION.fullmatch(version) or version.endswith("-shadow")
            ):
                raise DeliveryError(
                    f"version {version!r}: letters, digits, - and _ only, and no -shadow at its end"
                )
        if self.salt and not _SALT.fullmatch(self.salt):
            raise DeliveryError(f"salt {self.salt!r}: letters, digits and . _ : - only")
        if not 0 <= self.weight <= TOTAL_WEIGHT:
            raise DeliveryError(f"weight {self.weight} is not within 0 to {TOTAL_WEIGHT}")
        if self.candidate is None and (self.weight or self.shadow):
            raise DeliveryError(f"{self.model}: weight or shadow without a candidate")
        if self.candidate == self.stable:
            raise DeliveryError(f"{self.model}: version {self.stable} cannot be both arms")

    @property
    def versions(self) -> tuple[str, ...]:
        """The stable, then the candidate where there is one."""
        return (self.stable,) if self.candidate is None else (self.stable, self.candidate)

    def only(self, version: str) -> bool:
        """Whether everybody meets that version."""
        return version == self.stable and self.weight == 0

    def answers(self, version: str) -> bool:
        """Whether any user meets that version."""
        if version == self.stable:
            return self.weight < TOTAL_WEIGHT
        return version == self.candidate and self.weight > 0


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """Everything the router shall do. `generation` only grows; an older plan is refused."""

    generation: int
    arms: tuple[Arms, ...]
    endpoints: Mapping[tuple[str, str], str]  # (model, version) -> unix socket path
    timeouts_ms: Mapping[str, int] = field(default_factory=dict)  # by model; else 2000
    tester_key: str = ""  # who sends it chooses a version; empty: nobody can

    def __post_init__(self) -> None:
        """Refuse two splits of one model, and versions without an endpoint."""
        models = [arms.model for arms in self.arms]
        if len(models) != len(set(models)):
            raise DeliveryError(f"a plan splits each model once, not {sorted(models)}")
        for arms in self.arms:
            for version in arms.versions:
                if (arms.model, version) not in self.endpoints:
                    raise DeliveryError(
                        f"{cluster_name(arms.model, version)} has no endpoint; start its host first"
                    )

    @property
    def route_version(self) -> str:
        """What responses carry as `x-route-version` while this plan serves."""
        return f"r{self.generation}"


@dataclass(frozen=True, slots=True)
class ClusterCounters:
    """Outcomes of one cluster since the router started, and its hosts."""

    good: int  # answered below 500
    bad: int  # answered 5xx, timed out, or not at all
    healthy_hosts: int
    hosts: int


class Router(Protocol):
    """Splits requests over versions as the last applied plan says."""

    def apply(self, plan: RoutePlan) -> str:
        """`plan` serves, or nothing changed; the route version is returned.

        Raises:
            StaleGeneration: a newer plan was applied before.
            RouterRejected: the router refused it; the last good plan still serves.
        """
        ...

    def confirm(self, route_version: str, *, timeout: float) -> None:
        """A real response carried `route_version` within `timeout` seconds.

        Raises:
            DeliveryError: none did.
        """
        ...

    def observe(self) -> Mapping[str, ClusterCounters]:
        """Counters of every cluster that the plan names."""
        ...

    def health(self) -> Mapping[str, bool]:
        """Whether each cluster has a host that may be sent requests."""
        ...


def cluster_name(model: str, version: str) -> str:
    """One cluster for each version, so that counters belong to a version."""
    return f"{model}-v{version}"


def shadow_name(model: str, version: str) -> str:
    """The cluster that takes mirrored requests: same host, own counters."""
    return f"{model}-v{version}-shadow"


def split_cluster(name: str) -> tuple[str, str] | None:
    """(model, version) of a live cluster's name; None for a shadow's or a stranger's."""
    model, parted, version = name.partition("-v")
    if not parted or version.endswith("-shadow"):
        return None
    return model, version
