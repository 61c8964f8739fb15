"""The doctor's checks: each bad state of a machine is found, and says how it is mended."""

import os
import socket
from pathlib import Path

import pytest

from mlops_pipeline.cli.machine import (
    Finding,
    State,
    dagster_home,
    disk,
    envoy_runs,
    folder,
    look,
    packages,
    port_is_free,
    python_version,
    runtime_dir,
    telemetry,
)
from mlops_pipeline.settings import read_settings

SILENT = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ((3, 10, 14), State.BROKEN),
        ((3, 11, 0), State.OK),
        ((3, 13, 9), State.OK),
        ((3, 14, 0), State.BROKEN),
    ],
)
def test_python_is_one_that_has_wheels(version: tuple[int, ...], state: State) -> None:
    finding = python_version(version)

    assert finding.state is state
    assert ("Python 3.11 to 3.13" in finding.mend) == (state is State.BROKEN)


def test_a_package_that_is_missing_or_old_is_named() -> None:
    wanted = ["pytest>=1", "no-such-package-anywhere>=2", "click>=99", "other; extra == 'dev'"]

    findings = list(packages(wanted))

    assert [finding.name for finding in findings] == [
        "package no-such-package-anywhere",
        "package click",
    ]
    assert findings[0].found == "not installed"
    assert findings[1].found.endswith(", not >=99")
    assert {finding.state for finding in findings} == {State.BROKEN}


def test_only_requirements_without_extras_are_counted() -> None:
    assert list(packages(["pytest", "other; extra == 'dev'"])) == [
        Finding("packages", State.OK, "1 requirements are met")
    ]


def test_a_folder_that_is_not_there_yet_is_fine_and_is_not_made(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"

    assert folder("MLOPS_HOME", home) == Finding("MLOPS_HOME", State.OK, f"{home} will be made")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    finding = folder("MLOPS_HOME", tmp_path / "file" / "home")

    assert finding.state is State.BROKEN
    assert "Not a directory" in finding.found
    assert "set MLOPS_HOME to another folder" in finding.mend


def test_disk_is_judged_where_the_home_will_be(tmp_path: Path) -> None:
    assert f"GiB free at {tmp_path}" in disk(tmp_path / "not" / "yet").found


def test_a_port_that_somebody_holds_is_a_warning() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        finding = port_is_free("MLflow", port)

    assert (finding.name, finding.state) == (f"port {port}", State.WARN)
    assert "Address already in use" in finding.found
    assert "mlops dev --mlflow-port" in finding.mend
    assert port_is_free("MLflow", port).state is State.OK


def test_the_runtime_folder_holds_sockets(tmp_path: Path) -> None:
    short = read_settings({"MLOPS_RUNTIME_DIR": f"/tmp/mlops-test-{os.getpid()}"})

    finding = runtime_dir(short)

    assert finding.state is State.OK
    assert "of 107 bytes" in finding.found
    assert not short.runtime_dir.exists()


def test_a_runtime_folder_of_another_user_is_broken(tmp_path: Path) -> None:
    foreign = Path("/usr")  # root's
    if os.getuid() == 0:
        foreign = tmp_path / "foreign"
        foreign.mkdir()
        os.chown(foreign, 12345, -1)

    finding = runtime_dir(read_settings({"MLOPS_RUNTIME_DIR": str(foreign)}))

    assert finding.state is State.BROKEN
    assert "belongs to another user" in finding.found


@pytest.mark.parametrize(
    ("home", "state", "said"),
    [
        (None, State.OK, "not set"),
        ("relative", State.BROKEN, "relative is not absolute"),
        ("/no/such/folder", State.BROKEN, "/no/such/folder is no folder"),
        ("{tmp}", State.OK, "{tmp}"),
    ],
)
def test_dagster_home_is_what_dagster_takes(
    tmp_path: Path, home: str | None, state: State, said: str
) -> None:
    environ = {} if home is None else {"DAGSTER_HOME": home.format(tmp=tmp_path)}

    finding = dagster_home(environ)

    assert finding.state is state
    assert said.format(tmp=tmp_path) in finding.found
    assert bool(finding.mend) == (state is not State.OK)


@pytest.mark.parametrize(
    ("instance", "state"),
    [
        ("telemetry:\n  enabled: false\n", State.OK),
        ("telemetry:\n  enabled: true\n", State.WARN),
        ("{broken", State.WARN),
        (None, State.WARN),
    ],
    ids=["off", "on", "broken", "no file"],
)
def test_telemetry_of_dagster_is_read_from_its_file(
    tmp_path: Path, instance: str | None, state: State
) -> None:
    if instance is not None:
        (tmp_path / "dagster.yaml").write_text(instance)

    assert telemetry({**SILENT, "DAGSTER_HOME": str(tmp_path)}).state is state


def test_telemetry_that_is_not_switched_off_says_what_to_export() -> None:
    finding = telemetry({"DO_NOT_TRACK": "true"})

    assert (finding.state, finding.mend) == (State.WARN, "export MLFLOW_DISABLE_TELEMETRY=true")


@pytest.mark.parametrize(
    ("script", "state", "found"),
    [
        ("echo 'envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL'", State.OK, "1.40.0"),
        ("echo 'GLIBC_2.99 not found' >&2; exit 1", State.BROKEN, "status 1: GLIBC_2.99 not found"),
    ],
)
def test_envoy_is_judged_by_running_it(
    tmp_path: Path, script: str, state: State, found: str
) -> None:
    binary = tmp_path / "envoy"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)

    finding = envoy_runs(binary, "mend it")

    assert finding.state is state
    assert found in finding.found


def test_an_envoy_that_is_no_program_is_broken(tmp_path: Path) -> None:
    finding = envoy_runs(tmp_path / "nowhere", "mend it")

    assert (finding.state, finding.mend) == (State.BROKEN, "mend it")
    assert "does not run" in finding.found


def test_a_setting_that_is_wrong_is_one_finding_and_the_others_still_come() -> None:
    findings = {finding.name: finding for finding in look({**SILENT, "MLOPS_PORT": "http"})}

    assert findings["settings"].state is State.BROKEN
    assert "MLOPS_PORT='http' is no port" in findings["settings"].found
    assert {"Python", "packages", "DAGSTER_HOME", "telemetry", "memory", "Envoy"} <= set(findings)


def test_every_finding_that_is_not_ok_says_how_to_mend_it(tmp_path: Path) -> None:
    environ = {"MLOPS_HOME": str(tmp_path), "DAGSTER_HOME": "relative"}

    for finding in look(environ):
        assert bool(finding.mend) == (finding.state is not State.OK), finding
