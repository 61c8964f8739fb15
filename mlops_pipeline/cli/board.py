"""A run's steps and checks while they happen: a live table on a terminal, lines in a CI log."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mlops_pipeline.ci.answers import Run
from mlops_pipeline.ci.story import Check, Step, Story

COLOURS = {"success": "green", "failure": "red", "running": "cyan", "skipped": "yellow"}


class Board:
    """Shows a story again and again, in a `with`."""

    def __init__(self, *, to_stderr: bool, console: Console | None = None) -> None:
        self._console = console or Console(stderr=to_stderr, highlight=False)
        self._live = (
            Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        )
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, run: Run, story: Story) -> None:
        """The story stands on the board; in a log, only what is new is said."""
        if self._live:
            self._live.update(_table(run, story))
            return
        for line in [f"run {run.status.lower()}", *_lines(story)]:
            if line not in self._said:
                self._said.add(line)
                self._console.print(line, markup=False, soft_wrap=True)


def _lines(story: Story) -> list[str]:
    done = [step for step in story.steps if step.state not in ("running", "waiting to retry")]
    return [
        *(f"step {step.key}: {step.state} in {step.seconds:.1f} s" for step in done),
        *(f"check {c.asset}: {c.name}: {_result(c)}".rstrip() for c in story.checks),
        *(f"step {f.step} failed: {f.message}" for f in story.failures),
    ]


def _table(run: Run, story: Story) -> Table:
    table = Table(title=f"{run.job_name} {run.status.lower()}", title_justify="left")
    for heading in ("step or check", "state", "what"):
        table.add_column(heading, overflow="fold")
    why = {failure.step: failure.message for failure in story.failures}
    for step in story.steps:
        what = why.get(step.key, f"{step.seconds:.1f} s")
        table.add_row(Text(step.key), _coloured(step), Text(what))
    for check in story.checks:
        colour = "green" if check.passed else "red" if check.severity == "ERROR" else "yellow"
        word = "passed" if check.passed else check.severity.lower()
        name = Text(f"  {check.asset}: {check.name}")
        table.add_row(name, Text(word, style=colour), Text(check.description))
    return table


def _coloured(step: Step) -> Text:
    return Text(step.state, style=COLOURS.get(step.state, "yellow"))


def _result(check: Check) -> str:
    return f"{'passed' if check.passed else check.severity.lower()} {check.description}"
