"""The story on a terminal: a list of stages that grows, the newest lines below the present one."""

import logging
import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

LINES = 6  # of the present stage


class Show:
    """A live display on a terminal; plain lines, one a claim, where there is none."""

    def __init__(self, console: Console, stages: int) -> None:
        self._console = console
        self._stages = stages
        self._done = 0
        self._title = ""
        self._lines: list[str] = []
        self._began = time.monotonic()
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def begin(self, title: str) -> None:
        """A stage begins."""
        self._title, self._lines = title, []
        if not self._console.is_terminal:
            self._console.print(f"{self._done + 1}/{self._stages} {title}")
        self._draw()

    def say(self, text: str) -> None:
        """A claim held, or something happened."""
        self._lines.append(text)
        if not self._console.is_terminal:
            self._console.print(f"    {text}")
        self._draw()

    def end(self, title: str, seconds: float) -> None:
        """The stage ended well; what held in it stays on the screen."""
        self._done += 1
        if self._console.is_terminal:
            self._console.print(f"[green]✓[/] [bold]{title}[/] [dim]{seconds} s[/]")
            for line in self._lines:
                self._console.print(Text(f"    {line}", style="dim"))
        self._title = ""
        self._draw()

    def __enter__(self) -> "Show":
        for name in ("dagster", "mlflow", "alembic", "httpx"):
            logging.getLogger(name).setLevel(logging.ERROR)
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def _draw(self) -> None:
        if not self._title:
            self._live.update(Text(""))
            return
        head = Spinner("dots", Text(f" {self._done + 1}/{self._stages} {self._title}"))
        tail = [Text(f"    {line}", style="dim") for line in self._lines[-LINES:]]
        self._live.update(Group(head, *tail))
