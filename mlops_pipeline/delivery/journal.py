"""What the node was told and what it did by itself, on disk before it acts.

The journal is the truth for the next boot: routes are rendered from it, never from what Envoy's
files happen to say. A retreat stays in it, so that no later command of the same rollout can raise
the retreated version again.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from mlops_pipeline.data.objects import write_durably
from mlops_pipeline.delivery.hosts import HostSpec
from mlops_pipeline.delivery.router import Arms
from mlops_pipeline.errors import DeliveryError

KEPT_RETREATS = 200
DEFAULT_CONSECUTIVE = 5


@dataclass(frozen=True, slots=True, order=True)
class Fence:
    """Orders commands about one model: a later rollout first, then a later generation."""

    rollout: int
    generation: int


@dataclass(frozen=True, slots=True)
class ModelRoutes:
    """How one model is routed, and which command said so."""

    arms: Arms
    fence: Fence
    timeout_ms: int = 2000
    consecutive_failures: int = DEFAULT_CONSECUTIVE


@dataclass(frozen=True, slots=True)
class Retreat:
    """A candidate was taken out of traffic, by the reflex or by a command."""

    model: str
    version: str
    salt: str
    cause: str
    by: str  # "reflex", or who asked
    at: float  # unix seconds of the verdict
    weight: int  # that it had
    bad: int  # failed requests of it that the node knew of
    route_version: str = ""  # that confirms it; empty until confirmed
    milliseconds: float | None = None  # from the verdict to the confirmation
    condemns: bool = True  # False: nothing is known against its answers


@dataclass(frozen=True, slots=True)
class NodeJournal:
    """Everything a node must know again after it was killed."""

    serial: int = 0  # of the newest route plan
    routes: dict[str, ModelRoutes] = field(default_factory=dict)
    hosts: tuple[HostSpec, ...] = ()
    retreats: tuple[Retreat, ...] = ()

    def retreat_of(self, model: str, version: str, salt: str) -> Retreat | None:
        """The retreat of that version in that rollout, if there was one."""
        for retreat in reversed(self.retreats):
            if (retreat.model, retreat.version, retreat.salt) == (model, version, salt):
                return retreat
        return None

    def with_routes(self, model: str, routes: ModelRoutes) -> "NodeJournal":
        """One model is routed anew, by the next plan."""
        return replace(self, serial=self.serial + 1, routes={**self.routes, model: routes})

    def with_retreat(self, retreat: Retreat) -> "NodeJournal":
        """The retreat is remembered, once for each version and rollout."""
        key = (retreat.model, retreat.version, retreat.salt)
        others = [r for r in self.retreats if (r.model, r.version, r.salt) != key]
        return replace(self, retreats=(*others, retreat)[-KEPT_RETREATS:])


def load_journal(path: Path) -> NodeJournal:
    """The journal at `path`; an empty one where there is none.

    Raises:
        DeliveryError: the file is no journal.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=NodeJournal)
    except FileNotFoundError:
        return NodeJournal()
    except msgspec.DecodeError as error:
        raise DeliveryError(
            f"{path} is no journal of a node: {error}; move it away and put the routes again"
        ) from error


def save_journal(path: Path, journal: NodeJournal) -> None:
    """The journal is durably at `path`."""
    write_durably(path, msgspec.json.encode(journal))
