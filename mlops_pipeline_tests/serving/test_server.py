import os
import re
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_pipeline.registry.keys import signing_key
from mlops_pipeline.serving.client import Reply
from mlops_pipeline.serving.replay import BackgroundReplay, ReplayRequest, replay
from mlops_pipeline.serving.request_log import read_records
from mlops_pipeline_tests.registry.parts import sign_in_place
from mlops_pipeline_tests.serving.asgi import JSON
from mlops_pipeline_tests.serving.processes import command, prepare, run, serving
from mlops_pipeline_tests.serving.waiting import wait_for
from mlops_pipeline_tests.serving.world import body, probability

pytestmark = pytest.mark.slow

FORBIDDEN = (
    "pandas",
    "pyarrow",
    "mlflow",
    "torch",
    "lightgbm",
    "dagster",
    "sklearn",
    "scipy",
    "sqlalchemy",
    "onnxruntime",
    "evidently",
)


def requests(count: int) -> Iterator[ReplayRequest]:
    return (ReplayRequest(f"r{n}", f"u{n}", body(distance=100 + n % 900)) for n in range(count))


def test_a_real_process_answers_over_a_private_socket_and_logs_each_request(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600
        response = server.client.post("/predict", content=body(), headers=JSON)
        assert response.json()["probability"] == probability(-2.0)
        report = replay("http://version/predict", requests(500), uds=str(server.socket))
        assert (report.answered, report.by_version) == (500, {"flight_delay-v7": 500})
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
    assert len(list(read_records(tmp_path / "log"))) == 501
    assert not server.socket.exists()


def test_the_process_is_small_and_imports_none_of_the_training_stack(tmp_path: Path) -> None:
    with serving(tmp_path, python=("-X", "importtime")) as server:
        replay("http://version/predict", requests(2_000), uds=str(server.socket))
        server.client.get("/metrics")
        assert server.memory_mb() < 100
        imported = set(re.findall(r"\| +([\w.]+)$", server.said, flags=re.MULTILINE))
    assert "mlops_pipeline.serving.app" in imported
    roots = {name.partition(".")[0] for name in imported}
    assert roots.isdisjoint(FORBIDDEN)


def test_sigterm_drains_without_failing_a_request(tmp_path: Path) -> None:
    with serving(tmp_path, "--fault", "delay_ms=100") as server:
        background = BackgroundReplay(
            "http://version/predict", requests(8), concurrency=8, uds=str(server.socket)
        )
        background.start()
        wait_for(lambda: background.progress.sent == 8)
        server.process.send_signal(signal.SIGTERM)
        assert background.wait(10)
        report = background.stop()
        assert (report.answered, report.failed) == (8, 0)
        assert server.process.wait(10) == 0
        assert "server=draining" in server.said
    assert len(list(read_records(tmp_path / "log"))) == 8


def test_sigkill_under_load_loses_at_most_the_last_second_of_the_log(tmp_path: Path) -> None:
    heard: dict[str, float] = {}

    def hear(request: ReplayRequest, reply: Reply) -> None:
        heard[request.id] = time.time()

    with serving(tmp_path) as server:
        background = BackgroundReplay(
            "http://version/predict",
            requests(100_000),
            rate=400.0,
            uds=str(server.socket),
            listener=hear,
        )
        background.start()
        wait_for(lambda: background.progress.answered >= 800)
        killed = time.time()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
        background.stop()
    logged = {record.id for record in read_records(tmp_path / "log")}
    safe = {name for name, at in heard.items() if at < killed - 1.0}
    assert len(safe) > 100
    assert safe <= logged


def test_a_stale_socket_of_a_killed_process_does_not_stop_the_next_one(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.process.kill()
        server.process.wait(10)
        assert server.socket.exists()
    with serving(tmp_path) as server:
        assert server.client.get("/livez").status_code == 200


def test_a_drill_is_loud(tmp_path: Path) -> None:
    with serving(tmp_path, "--fault", "error=1") as server:
        assert "FAULT DRILL" in server.said
        assert server.client.get("/version").json()["fault"]["error"] == 1.0
        assert server.client.post("/predict", content=body(), headers=JSON).status_code == 500


def test_ill_formed_http_leaves_the_server_healthy(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for raw in (b"\0\0\0\0\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"POST /predict HTTP/1.1\r\n"):
            with socket.socket(socket.AF_UNIX) as plain:
                plain.connect(str(server.socket))
                plain.sendall(raw)
        with socket.socket(socket.AF_UNIX) as endless:
            endless.connect(str(server.socket))
            endless.settimeout(10)
            endless.sendall(
                b"POST /predict HTTP/1.1\r\nhost: v\r\ncontent-type: application/json\r\n"
                b"content-length: 1000000000\r\n\r\n"
            )
            assert endless.recv(100).startswith(b"HTTP/1.1 413 ")
        assert server.ready()


def refused(folder: Path, *more: str) -> tuple[int, str]:
    done = subprocess.run(
        command(folder, *more), capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stderr


def test_a_version_that_cannot_serve_ends_with_one_line_that_says_why(tmp_path: Path) -> None:
    prepare(tmp_path)
    status, said = refused(tmp_path, "--model", "other")
    assert status == 1
    assert "--model other: " in said
    assert "Traceback" not in said
    model = tmp_path / "bundle" / "model" / "model.txt"
    model.write_bytes(model.read_bytes() + b" ")
    status, said = refused(tmp_path)
    assert status == 1
    assert "was altered" in said


def test_a_server_asks_for_a_signature_unless_it_is_told_loudly_not_to(tmp_path: Path) -> None:
    prepare(tmp_path)
    silent = [word for word in command(tmp_path) if word != "--unsigned"]
    done = subprocess.run(silent, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "one of the arguments --trust --unsigned is required" in done.stderr
    with serving(tmp_path / "told") as server:
        assert "server=UNVERIFIED" in server.said


@pytest.mark.parametrize("attack", ["unsigned", "wrong key", "tampered", "swapped lineage"])
def test_what_cannot_be_trusted_is_never_loaded(tmp_path: Path, attack: str) -> None:
    prepare(tmp_path)
    files = {
        path.relative_to(tmp_path / "bundle").as_posix(): path.read_bytes()
        for path in (tmp_path / "bundle").rglob("*")
        if path.is_file()
    }
    keys = tmp_path / "keys"
    if attack != "unsigned":
        sign_in_place(tmp_path / "bundle", files, keys)
    trusted = keys if attack != "wrong key" else tmp_path / "others"
    signing_key(trusted)
    if attack == "tampered":
        model = tmp_path / "bundle" / "model" / "model.txt"
        model.write_bytes(model.read_bytes() + b" ")
    if attack == "swapped lineage":
        lineage = tmp_path / "bundle" / "lineage.json"
        lineage.write_bytes(lineage.read_bytes().replace(b'"seed":', b'"seed":1'))
    status, said = refused(tmp_path, "--trust", str(trusted / "trusted"))
    assert status == 1
    assert "server=failed" in said
    named = {
        "unsigned": "holds no attestation.json",
        "wrong key": "signed by",
        "tampered": "model.txt: sha256",
        "swapped lineage": "lineage.json: sha256",
    }
    assert named[attack] in said
    assert "server=warmed" not in said


def test_a_version_signed_by_a_trusted_key_serves(tmp_path: Path) -> None:
    prepare(tmp_path)
    files = {
        path.relative_to(tmp_path / "bundle").as_posix(): path.read_bytes()
        for path in (tmp_path / "bundle").rglob("*")
        if path.is_file()
    }
    sign_in_place(tmp_path / "bundle", files, tmp_path / "keys")
    with run(tmp_path, "--trust", str(tmp_path / "keys" / "trusted")) as server:
        assert server.client.post("/predict", content=body(), headers=JSON).status_code == 200
        assert "UNVERIFIED" not in server.said


def test_a_socket_path_that_is_too_long_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    prepare(tmp_path)
    status, said = refused(tmp_path, "--uds", str(tmp_path / ("x" * 120)))
    assert (status, "name a shorter folder" in said) == (1, True)
    assert sorted(os.listdir(tmp_path)) == ["bundle", "features"]
