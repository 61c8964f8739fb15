"""The board: a table on a terminal, each line once in a log, and text is never markup."""

import io

from rich.console import Console

from mlops_pipeline.ci.answers import Run
from mlops_pipeline.ci.story import Check, Failure, Step, Story
from mlops_pipeline.cli.board import Board

RUN = Run("r1", "m__train", "STARTED")
STORY = Story(
    steps=(Step("rows", "success", 0.0, 1.5), Step("fit", "failure", 0.0, 2.0)),
    checks=(Check("m/rows", "nulls", False, "ERROR", "3 of [bold]10[/bold]"),),
    failures=(Failure("fit", False, "no [memory]"),),
)


def test_a_log_says_each_line_once() -> None:
    out = io.StringIO()
    with Board(to_stderr=False, console=Console(file=out, width=60)) as board:
        board.show(RUN, Story(steps=STORY.steps[:1]))
        board.show(RUN, STORY)
        board.show(RUN, STORY)

    assert out.getvalue().splitlines() == [
        "run started",
        "step rows: success in 1.5 s",
        "step fit: failure in 2.0 s",
        "check m/rows: nulls: error 3 of [bold]10[/bold]",
        "step fit failed: no [memory]",
    ]


def test_a_terminal_gets_a_table() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system=None)
    with Board(to_stderr=False, console=console) as board:
        board.show(RUN, STORY)

    text = out.getvalue()
    for words in ("m__train started", "rows", "1.5 s", "no [memory]", "3 of [bold]10[/bold]"):
        assert words in text
