"""A serving node over stub servers, as a process of its own, so that it can be killed.

python -m mlops_pipeline_tests.delivery.node_process HOME RUNTIME_DIR PORT
"""

import logging
import sys
from pathlib import Path

from mlops_pipeline.delivery.hosts import HostCommand, HostSpec
from mlops_pipeline.delivery.node import Node
from mlops_pipeline.settings import Settings, read_settings


def stub_settings(home: Path, runtime: Path, port: int) -> Settings:
    """Settings of a scratch node."""
    return read_settings(
        {
            "MLOPS_HOME": str(home),
            "MLOPS_RUNTIME_DIR": str(runtime),
            "MLOPS_PORT": str(port),
            "MLOPS_PROFILE": "scratch",
        }
    )


def stub_command(settings: Settings) -> HostCommand:
    """The command line of a stub server, which takes the same words as a real one."""

    def command(spec: HostSpec, socket: Path) -> list[str]:
        argv = [sys.executable, "-m", "mlops_pipeline.delivery.drills.stand_in"]
        argv += ["--model", spec.model, "--version", spec.version, "--uds", str(socket)]
        argv += ["--log", str(settings.request_log / spec.model / spec.version)]
        return argv + (["--fault", spec.fault] if spec.fault else [])

    return command


def main() -> None:
    """Run until a signal."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = stub_settings(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    Node(settings, command=None if "real" in sys.argv else stub_command(settings)).run()


if __name__ == "__main__":
    main()
