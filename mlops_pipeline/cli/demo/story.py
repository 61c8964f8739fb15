"""The story's frame: stages in order, claims that must hold, and what is known so far."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlops_pipeline.cli.demo.profiles import Profile
from mlops_pipeline.cli.demo.webhook import Webhook
from mlops_pipeline.components.drive import Driver, Ran
from mlops_pipeline.components.house import House
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import MlopsError


class StoryBroken(MlopsError):
    """A claim of the story did not hold."""


class Teller(Protocol):
    """Who shows the story while it happens."""

    def begin(self, title: str) -> None:
        """A stage begins."""

    def say(self, text: str) -> None:
        """Something happened within it."""

    def end(self, title: str, seconds: float) -> None:
        """It ended well."""


@dataclass
class Story:
    """One telling: the doors of the real system, and what was seen so far."""

    profile: Profile
    contract: ModelContract
    house: House
    driver: Driver
    teller: Teller
    webhook: Webhook
    closing: ExitStack
    facts: dict[str, Any] = field(default_factory=dict)
    claims: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Show what just happened."""
        self.teller.say(text)

    def claim(self, held: bool, text: str) -> None:
        """The claim is kept among those that held.

        Raises:
            StoryBroken: it did not hold.
        """
        self.require(held, f"this should have held and did not: {text}")
        self.claims.append(text)
        self.say(text)

    def claim_ran(self, ran: Ran, text: str) -> None:
        """The run ended well; where it did not, the story breaks with what its steps said."""
        self.require(ran.success, f"{text}: it did not; {'; '.join(ran.failures)}")
        self.claims.append(text)
        self.say(text)

    def require(self, held: bool, otherwise: str) -> None:
        """Nothing is said where it holds.

        Raises:
            StoryBroken: it does not; the message is `otherwise`.
        """
        if not held:
            raise StoryBroken(otherwise)

    def run(self, job: str, **wanted: Any) -> Ran:
        """The model's job of that name ran here, on the instance that the UI shows."""
        return self.driver.run(f"{self.contract.name}__{job}", **wanted)


@dataclass(frozen=True, slots=True)
class Stage:
    """One chapter."""

    name: str
    title: str
    tell: Callable[[Story], None]


def tell(story: Story, stages: tuple[Stage, ...]) -> None:
    """Every stage was told; the first claim that fails ends the story.

    Raises:
        StoryBroken: with the stage's name and the claim.
    """
    for stage in stages:
        with _timed(story, stage):
            try:
                stage.tell(story)
            except StoryBroken as broken:
                raise StoryBroken(f"stage {stage.name!r}: {broken}") from broken


def peak_mib() -> int:
    """Most memory that this process ever held (MiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def _timed(story: Story, stage: Stage) -> Iterator[None]:
    story.teller.begin(stage.title)
    start = time.monotonic()
    yield
    story.seconds[stage.name] = round(time.monotonic() - start, 1)
    story.teller.end(stage.title, story.seconds[stage.name])
