"""Dagster's own processes on the instance of a drill: daemon, code server, run workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import psutil

from mlops_pipeline.delivery.drills.scene import Scene, free_port
from mlops_pipeline.delivery.drills.scratch_node import set_trap, sprung_at

PATIENCE = 180.0
SENSOR = "flight_delay__rollout_due"


@dataclass
class DagsterProcesses:
    """A daemon and a code server that can be killed; what they print is below the home."""

    scene: Scene
    instance: dg.DagsterInstance
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    daemon: subprocess.Popen[bytes] | None = None
    code: subprocess.Popen[bytes] | None = None

    @property
    def workspace(self) -> Path:
        """The code server, as the daemon is told of it."""
        path = self.scene.settings.home / "workspace.yaml"
        where = f"{{host: 127.0.0.1, port: {self.port}, location_name: mlops_pipeline}}"
        path.write_text(f"load_from:\n  - grpc_server: {where}\n")
        return path

    def start_code(self) -> None:
        """A code server answers."""
        words = ("api", "grpc", "--module-name", "mlops_pipeline.definitions")
        self.code = self._start(
            "code", *words, "--port", str(self.port), "--location-name", "mlops_pipeline"
        )
        self.scene.until("the code server answers", self._code_answers, 90)

    def start_daemon(self) -> None:
        """A daemon was started; it ticks some seconds later."""
        words = ("run", "-w", str(self.workspace))
        self.daemon = self._start("daemon", *words, module="dagster._daemon")

    def switch_sensor_on(self) -> None:
        """The sensor of the rollout ticks from now on."""
        done = self._start("sensor", "sensor", "start", SENSOR, "-w", str(self.workspace))
        assert done.wait(90) == 0

    def kill(self, *which: "subprocess.Popen[bytes] | None") -> None:
        """SIGKILL; nobody is asked."""
        for process in which:
            assert process is not None
            process.kill()
            process.wait(10)

    def stop(self) -> None:
        """Nothing of Dagster runs on this instance any more."""
        for process in (self.daemon, self.code):
            if process is not None:
                process.kill()
                process.wait(10)
        strays = self.workers()
        for stray in strays:
            with suppress(psutil.NoSuchProcess):
                stray.kill()
        psutil.wait_procs(strays, timeout=10)

    def workers(self) -> list[psutil.Process]:
        """Run workers: the only spawned processes of this instance that last."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                mine = process.environ().get("DAGSTER_HOME") == self.environment["DAGSTER_HOME"]
                if mine and "spawn_main" in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def catch_in_mid_step(self, act: Callable[[], object], *more: int) -> str:
        """A run worker was killed after its command was written and before it was confirmed, and
        with it the processes of `more`; the id of the run that it was in the middle of.

        `act` lets a run have something to write.
        """
        home = self.scene.settings.home
        set_for = self._trap([], *more)
        act()
        give_up = time.monotonic() + PATIENCE
        while not set_for or sprung_at(home) is None:
            assert time.monotonic() < give_up, "no run wrote anything"
            set_for = self._trap(set_for, *more)
            time.sleep(0.05)
        lost = [run.run_id for run in self.unfinished() if self._in_mid_step(run.run_id)]
        assert lost, "the run that wrote was not in the middle of a step"
        return lost[0]

    def unfinished(self) -> Sequence[dg.DagsterRun]:
        """Runs whose worker runs, or is believed to."""
        statuses = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
        return self.instance.get_runs(dg.RunsFilter(statuses=statuses))

    def ended_well(self) -> int:
        """How many runs ended well."""
        filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
        return self.instance.get_runs_count(filters)

    def _trap(self, set_for: list[int], *more: int) -> list[int]:
        """The trap names the workers of all runs; which those are."""
        pids = [self._pid_of(run.run_id) for run in self.unfinished()]
        known = [pid for pid in pids if pid is not None]
        if not known or known == set_for:
            return set_for
        set_trap(self.scene.settings.home, [*known, *more], again=bool(set_for))
        return known

    def _in_mid_step(self, run_id: str) -> bool:
        told = [(e.step_key, e.event_type_value) for e in self._events(run_id)]
        began = {step for step, kind in told if kind == "STEP_START"}
        return bool(began - {step for step, kind in told if kind == "STEP_SUCCESS"})

    def _events(self, run_id: str) -> list[dg.DagsterEvent]:
        return [e.dagster_event for e in self.instance.all_logs(run_id) if e.dagster_event]

    def _pid_of(self, run_id: str) -> int | None:
        for event in self._events(run_id):
            if "Started process for run" in (event.message or ""):
                return int(event.message.partition("(pid: ")[2].partition(")")[0])
        return None

    def _code_answers(self) -> bool:
        words = ("-m", "dagster", "api", "grpc-health-check", "--port", str(self.port))
        asked = subprocess.run([sys.executable, *words], capture_output=True, check=False)
        return asked.returncode == 0

    def _start(self, name: str, *words: str, module: str = "dagster") -> "subprocess.Popen[bytes]":
        with (self.scene.settings.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )


def environment_of(scene: Scene) -> dict[str, str]:
    """What names the scene's instance to another process."""
    settings = scene.settings
    ours = ("MLOPS_", "MLFLOW_", "DAGSTER_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **plain,
        "MLOPS_HOME": str(settings.home),
        "MLOPS_RUNTIME_DIR": str(settings.runtime_dir),
        "MLOPS_PORT": str(settings.port),
        "MLOPS_PROFILE": "scratch",
        "DAGSTER_HOME": str(settings.dagster_home),
        "OMP_NUM_THREADS": "1",
    }
