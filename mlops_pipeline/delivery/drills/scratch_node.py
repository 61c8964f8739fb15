"""A serving node over stand-in servers, as a process of its own, so that it can be killed.

python -m mlops_pipeline.delivery.drills.scratch_node HOME RUNTIME_DIR PORT

Its router has a trap: whatever process is named in it is killed after the next plan was written and
before it is confirmed, the node itself too.
"""

import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from mlops_pipeline.delivery.envoy import EnvoyRouter
from mlops_pipeline.delivery.hosts import HostCommand, HostSpec
from mlops_pipeline.delivery.node import Node
from mlops_pipeline.settings import Settings, read_settings


def scratch_settings(home: Path, runtime: Path, port: int, ledger: str = "") -> Settings:
    """Settings of an instance that serves nobody."""
    return read_settings(
        {
            "MLOPS_HOME": str(home),
            "MLOPS_RUNTIME_DIR": str(runtime),
            "MLOPS_PORT": str(port),
            "MLOPS_PROFILE": "scratch",
            "MLOPS_LEDGER_URL": ledger,
        }
    )


def stand_in_command(settings: Settings) -> HostCommand:
    """The command line of a stand-in, which takes the same words as a real server."""

    def command(spec: HostSpec, socket: Path) -> list[str]:
        argv = [sys.executable, "-m", "mlops_pipeline.delivery.drills.stand_in"]
        argv += ["--model", spec.model, "--version", spec.version, "--uds", str(socket)]
        argv += ["--log", str(settings.request_log / spec.model / spec.version)]
        return argv + (["--fault", spec.fault] if spec.fault else [])

    return command


class TrappedRouter(EnvoyRouter):
    """Envoy; between the write of a plan and its confirmation the trap is sprung, if one is set."""

    def confirm(self, route_version: str, *, timeout: float) -> None:
        """See `Router.confirm`."""
        _spring(self.place.access_log.parent)
        super().confirm(route_version, timeout=timeout)


def set_trap(home: Path, pids: list[int], *, again: bool = False) -> None:
    """These processes are killed, in this order, before the node's next plan is confirmed.

    With `again` a trap that waits names others from now on; one that was sprung stays sprung.
    """
    folder = home / "node"
    if not again:
        (folder / "trap.sprung").unlink(missing_ok=True)
    aside = folder / "trap.new"
    aside.write_bytes(msgspec.json.encode(pids))
    aside.rename(folder / "trap")


def sprung_at(home: Path) -> float | None:
    """The monotonic time at which the trap was sprung; None while it waits."""
    try:
        return float((home / "node" / "trap.sprung").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _spring(folder: Path) -> None:
    try:
        pids = msgspec.json.decode((folder / "trap").read_bytes(), type=list[int])
    except FileNotFoundError:
        return
    (folder / "trap").unlink()
    (folder / "trap.sprung").write_text(str(time.monotonic()))
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Run until a signal."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = scratch_settings(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    Node(settings, command=stand_in_command(settings), router=TrappedRouter).run()


if __name__ == "__main__":
    main()
