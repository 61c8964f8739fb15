"""A serving node over stand-in servers, as a process of its own, so that it can be killed.

python -m mlops_pipeline.delivery.drills.scratch_node HOME RUNTIME_DIR PORT
"""

import logging
import sys
from pathlib import Path

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


def main() -> None:
    """Run until a signal."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = scratch_settings(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    Node(settings, command=stand_in_command(settings)).run()


if __name__ == "__main__":
    main()
