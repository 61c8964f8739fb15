"""Where errors become exit codes: one line for a person, one object for a machine.

| code | meaning |
|---|---|
| 0 | done; for `mlops ci`, the gate passed |
| 1 | the answer is no: a gate rejected, a check found something |
| 2 | inconclusive: there is not enough evidence yet |
| 3 | something is broken: the machine, the network, the state |
| 4 | what was typed, or a contract or setting that it names, is wrong |
| 130 | interrupted |

click's own code for a wrong option is 2, which here would read as "inconclusive".
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from mlops_pipeline.errors import ContractError, LaunchRefused, MlopsError, SettingsError

BROKEN = 3
USAGE = 4
INTERRUPTED = 130
TYPED_WRONG = (ContractError, LaunchRefused, SettingsError)


class Edge(click.Group):
    """A group of commands in which every expected error ends as one line and an exit code.

    With `--json` among the words, the error also stands on stdout as the one JSON object.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command; ends the process unless `standalone_mode` is off."""
        words = list(sys.argv[1:] if args is None else args)
        if not standalone_mode:
            return super().main(words, prog_name, complete_var, False, **extra)
        try:
            done = super().main(words, prog_name, complete_var, False, **extra)
            sys.exit(done if isinstance(done, int) else 0)
        except click.ClickException as error:
            error.show()
            _leave(words, USAGE, error.format_message())
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            _leave(words, INTERRUPTED, "interrupted")
        except MlopsError as error:
            click.echo(f"Error: {error}", err=True)
            _leave(words, exit_code(error), str(error))
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            sys.stderr.close()
            sys.exit(0)


def exit_code(error: MlopsError) -> int:
    """4 where the person who typed can mend it, 3 where something is broken."""
    return USAGE if isinstance(error, TYPED_WRONG) else BROKEN


def _leave(words: Sequence[str], code: int, said: str) -> None:
    if "--json" in words:
        click.echo(json.dumps({"ok": False, "exit_code": code, "error": said}))
    sys.exit(code)
