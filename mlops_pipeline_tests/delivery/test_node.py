"""The node as a process: it moves traffic without losing a request, and survives."""

import os
import shutil
import signal
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from mlops_pipeline.delivery import testers
from mlops_pipeline.delivery.assignment import meets_candidate
from mlops_pipeline.delivery.envoy_routes import TESTER_HEADERS
from mlops_pipeline.errors import DeliveryError, NodeUnreachable, StaleGeneration
from mlops_pipeline_tests.delivery.conftest import Load, NodeProcess, until

pytestmark = pytest.mark.slow


def put(node: NodeProcess, generation: int, weight: int, *, candidate: str | None = "2", **more):
    """Routes of model m: version 1, and 2 with a weight."""
    said = {"stable": "1", "shadow": False, "salt": "rollout-1", "rollout": 1, **more}
    return node.client.put_routes(
        "m", candidate=candidate, weight=weight, generation=generation, **said
    )


def test_no_request_fails_while_weights_move_and_units_stay_where_they_were(node: NodeProcess):
    node.serve("m", "1")
    put(node, 1, 0, candidate=None)
    node.serve("m", "2")
    with Load(f"{node.url}/m/predict") as load:
        load.until_sent(200)
        for generation, weight in ((2, 0), (3, 500), (4, 5000), (5, 10_000), (6, 0)):
            put(node, generation, weight, shadow=weight == 0)
            load.until_sent(400)
        put(node, 7, 0, candidate=None)
        load.until_sent(200)
    assert load.failures == []
    assert load.sent >= 2400
    assert load.served["m-v2"] > 400


def test_every_pick_is_the_one_that_python_predicts(node: NodeProcess):
    node.serve("m", "1")
    node.serve("m", "2")
    version = put(node, 1, 3000)
    with httpx.Client(base_url=node.url) as ask:
        for number in range(200):
            header = "x-unit" if number % 2 else "x-request-id"
            answer = ask.post("/m/predict", headers={header: f"u{number}"}, content=b"{}")
            expected = "m-v2" if meets_candidate(f"u{number}", "rollout-1", 3000) else "m-v1"
            assert answer.headers["x-served-by"] == expected
            assert answer.headers["x-route-version"] == version


def test_a_candidate_that_fails_hard_is_retreated_by_the_node_alone(node: NodeProcess):
    node.serve("m", "1")
    node.serve("m", "2", fault="error=1,after=20")
    put(node, 1, 2000)
    with Load(f"{node.url}/m/predict") as load:
        until("the reflex retreats", lambda: node.state().routes["m"].arms.weight == 0)
        until("it is confirmed", lambda: node.state().retreats[0].milliseconds is not None)
        failed = len(load.failures)
        load.until_sent(300)
    retreat = node.state().retreats[0]
    assert retreat.by == "reflex"
    assert "consecutive failures" in retreat.cause or "without a success" in retreat.cause
    assert retreat.milliseconds < 250
    assert failed >= 5
    assert len(load.failures) - failed <= load.threads  # only what was under way
    with pytest.raises(StaleGeneration, match=r"version 2 was retreated in rollout-1: "):
        put(node, 1, 2000)
    with pytest.raises(StaleGeneration, match=r"only a new rollout"):
        put(node, 9, 2500)
    assert put(node, 1, 2000, salt="rollout-2", rollout=2)


def test_a_killed_candidate_is_retreated_and_started_again(node: NodeProcess):
    node.serve("m", "1")
    node.serve("m", "2")
    put(node, 1, 5000)
    os.kill(node.state().host("m", "2").pid, signal.SIGKILL)
    until("the reflex retreats", lambda: node.state().routes["m"].arms.weight == 0)
    until("the host is back", lambda: node.state().host("m", "2").ready)
    assert node.state().host("m", "2").restarts == 1


def test_the_mirror_copies_what_the_stable_serves_and_marks_it(node: NodeProcess):
    node.serve("m", "1")
    node.serve("m", "2")
    put(node, 1, 0, shadow=True)
    with httpx.Client(base_url=node.url) as ask:
        forged = ask.post("/m/predict", headers={"x-shadow": "1"}, content=b'{"a": 1}').json()
    assert "x-shadow" not in forged["headers"]
    assert forged["body"] == '{"a": 1}'
    shadow = node.settings.request_log / "m" / "2"
    until("the copy was answered", lambda: any(shadow.glob("shadow-*.jsonl")))
    assert not any(shadow.glob("live-*.jsonl"))
    assert node.state().counters["m-v2"].good == 0
    until("it is counted apart", lambda: node.state().counters["m-v2-shadow"].good == 1)


def test_a_killed_node_leaves_traffic_alone_and_the_next_one_adopts_the_children(
    node: NodeProcess,
):
    node.serve("m", "1")
    node.serve("m", "2")
    put(node, 4, 5000)
    before = node.state()
    with Load(f"{node.url}/m/predict") as load:
        node.kill()
        load.until_sent(200)
        node.start()
        load.until_sent(200)
    assert load.failures == []
    after = node.state()
    assert after.pid != before.pid
    assert after.router_pid == before.router_pid
    assert {host.pid for host in after.hosts} == {host.pid for host in before.hosts}
    assert after.routes == before.routes
    assert after.route_version != before.route_version
    with pytest.raises(StaleGeneration, match=r"generation=3\) is older than .*generation=4"):
        put(node, 3, 6000)


def test_a_killed_router_is_back_with_the_same_routes(node: NodeProcess):
    node.serve("m", "1")
    put(node, 1, 0, candidate=None)
    pid = node.state().router_pid
    xds = node.settings.home / "node" / "xds"
    (xds / "rds.json").write_text("{broken")  # must not survive the boot
    os.kill(pid, signal.SIGKILL)
    until("another router runs", lambda: node.state().router_pid not in (pid, None))

    def answered() -> bool:
        try:
            return httpx.post(f"{node.url}/m/predict", content=b"{}").status_code == 200
        except httpx.HTTPError:
            return False

    until("users are answered", answered)


def test_testers_choose_a_version_and_users_cannot(node: NodeProcess):
    node.serve("m", "1")
    node.serve("m", "2")
    put(node, 1, 0)
    key = {"x-tester": testers.tester_key(node.settings)}
    with httpx.Client(base_url=node.url) as ask:
        for headers, expected in (
            ({**key, "x-model-variant": "candidate"}, "m-v2"),
            ({**key, "x-model-variant": "stable"}, "m-v1"),
            (key, "m-v1"),
            ({"x-tester": "guess", "x-model-variant": "candidate"}, "m-v1"),
            ({"x-model-variant": "candidate"}, "m-v1"),
        ):
            answer = ask.post("/m/predict", headers=headers, content=b"{}")
            assert answer.headers["x-served-by"] == expected
            assert not set(answer.json()["headers"]) & set(TESTER_HEADERS)
    log = node.settings.home / "node" / "access.jsonl"
    until("all is logged", lambda: log.read_text().count("POST") == 5)
    assert '"rollout":"tester"' in log.read_text().replace(" ", "")


def test_a_deleted_runtime_folder_is_mended_while_users_are_served(node: NodeProcess):
    node.serve("m", "1")
    node.serve("m", "2")
    put(node, 1, 5000)
    before = node.state()
    pid = before.router_pid
    with Load(f"{node.url}/m/predict") as load:
        load.until_sent(100)
        shutil.rmtree(node.settings.runtime_dir)
        until("the node answers again", node.answers)
        until("another router runs", lambda: node.state().router_pid not in (pid, None))
        until("both servers are ready", lambda: all(host.ready for host in node.state().hosts))
        until("the router counts", lambda: bool(node.state().counters))
        load.until_sent(100)  # those under way in the old router have ended
        failed = len(load.failures)
        load.until_sent(400)
    after = node.state()
    assert {h.pid for h in after.hosts}.isdisjoint({h.pid for h in before.hosts})
    assert failed <= 4 * load.threads  # new connections in the second before
    assert len(load.failures) == failed
    assert after.routes == before.routes
    assert after.retreats == ()


def test_children_whose_entry_was_never_written_are_ended_at_boot(node: NodeProcess):
    node.serve("m", "1")
    pid = node.state().host("m", "1").pid
    node.kill()
    (node.settings.home / "node" / "processes" / "host-m-v1.json").unlink()
    node.start()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert node.state().host("m", "1").pid != pid


def test_a_second_node_does_not_start(node: NodeProcess):
    said = (node.settings.home, node.settings.runtime_dir, node.settings.port)
    argv = [sys.executable, "-m", "mlops_pipeline_tests.delivery.node_process"]
    second = subprocess.run([*argv, *map(str, said)], capture_output=True, text=True, timeout=30)
    assert second.returncode != 0
    place = node.settings.home / "node"
    assert f"a node runs already on {place} (pid {node.state().pid})" in second.stderr


def test_sigterm_stops_the_children(node: NodeProcess):
    node.serve("m", "1")
    state = node.state()
    children = [psutil.Process(state.router_pid), psutil.Process(state.hosts[0].pid)]
    began = time.monotonic()
    node.process.send_signal(signal.SIGTERM)
    node.process.wait(20)
    assert not [c for c in children if c.is_running() and c.status() != psutil.STATUS_ZOMBIE]
    assert time.monotonic() - began < 10
    with pytest.raises(NodeUnreachable, match=r"start it with `mlops serve`"):
        node.client.state()
    node.start()


def test_a_routed_host_is_not_stopped_and_an_unserved_version_gets_no_traffic(node: NodeProcess):
    node.serve("m", "1")
    with pytest.raises(DeliveryError, match=r"m-v2 is not served by this node"):
        put(node, 1, 100)
    put(node, 1, 0, candidate=None)
    with pytest.raises(DeliveryError, match=r"m version 1 is still routed"):
        node.client.stop_host("m", "1")
    assert (node.settings.node_socket.stat().st_mode & 0o777) == 0o600
