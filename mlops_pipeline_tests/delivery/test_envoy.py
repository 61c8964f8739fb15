"""Envoy's files: what it refuses is taken back, and never waits for the next boot."""

import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from mlops_pipeline.delivery.envoy import EnvoyRouter
from mlops_pipeline.delivery.envoy_bootstrap import EnvoyPlace, static_rendering
from mlops_pipeline.delivery.envoy_routes import clusters, route_table
from mlops_pipeline.delivery.processes import ProcessBook
from mlops_pipeline.delivery.router import Arms, RoutePlan
from mlops_pipeline.errors import DeliveryError, RouterRejected
from mlops_pipeline_tests.delivery.conftest import free_port, until

ENDS = {("m", "1"): "/run/1.sock", ("m", "2"): "/run/2.sock"}
IMPOSSIBLE = {"m": -5000}  # milliseconds; Python does not mind, Envoy does
SPLIT = RoutePlan(7, (Arms("m", "1", "2", 500, True, "rollout-1"),), ENDS, {"m": 250})


def test_the_candidates_buckets_come_first_and_the_total_is_constant():
    route = route_table(SPLIT)["virtual_hosts"][0]["routes"][1]
    assert route["route"]["weighted_clusters"]["clusters"] == [
        {"name": "m-v2", "weight": 500},
        {"name": "m-v1", "weight": 9500},
    ]
    assert route["route"]["timeout"] == "0.250s"
    assert route["metadata"]["filter_metadata"]["mlops"] == {"rollout": "rollout-1", "weight": 500}


def test_only_what_the_stable_serves_is_mirrored_to_a_cluster_of_its_own():
    made = {cluster["name"]: json.dumps(cluster) for cluster in clusters(SPLIT)}
    assert sorted(made) == ["m-v1", "m-v2", "m-v2-shadow"]
    assert '"cluster": "m-v2-shadow"' in made["m-v1"]
    assert "mirror" not in made["m-v2"] + made["m-v2-shadow"]


def test_the_route_version_is_part_of_the_content():
    assert route_table(SPLIT) != route_table(replace(SPLIT, generation=8))


def test_the_static_rendering_holds_everything_and_no_files():
    place = EnvoyPlace(1, Path("/run/a"), Path("/xds"), Path("/log"))
    text = json.dumps(static_rendering(place, SPLIT))
    assert "m-v2-shadow" in text
    assert "/xds" not in text


@pytest.fixture
def router(tmp_path: Path) -> Iterator[EnvoyRouter]:
    """An Envoy that serves nothing yet."""
    run = Path(tempfile.mkdtemp(prefix="me", dir="/tmp"))
    book = ProcessBook(tmp_path / "processes", tmp_path / "logs")
    place = EnvoyPlace(free_port(), run / "a.sock", tmp_path / "xds", tmp_path / "access.jsonl")
    made = EnvoyRouter(place, book, spare=run / "xds")
    made.boot(RoutePlan(1, (), {}))
    yield made
    made.stop(5)
    made.close()
    shutil.rmtree(run)


@pytest.mark.slow
def test_a_plan_that_envoy_refuses_is_taken_back(router: EnvoyRouter):
    good = RoutePlan(2, (Arms("m", "1"),), ENDS)
    router.apply(good)
    with pytest.raises(RouterRejected, match=r"Envoy refused rds.json of r3 \(update_"):
        router.apply(replace(good, generation=3, timeouts_ms=IMPOSSIBLE))
    kept = json.loads((router.place.xds / "rds.json").read_text())
    assert kept["resources"] == [route_table(good)]
    router.confirm("r2", timeout=2)
    assert router.apply(RoutePlan(4, (Arms("m", "1", "2", 9, salt="s"),), ENDS)) == "r4"
    router.confirm("r4", timeout=2)


@pytest.mark.slow
def test_a_rendering_that_the_binary_refuses_is_never_written(router: EnvoyRouter):
    with pytest.raises(RouterRejected, match=r"Envoy refuses the rendering of r2 in .*validate"):
        router.apply(RoutePlan(2, (Arms("m", "1"),), ENDS, IMPOSSIBLE))
    assert "-5.000s" not in (router.place.xds / "rds.json").read_text()
    router.confirm("r1", timeout=2)


@pytest.mark.slow
def test_an_envoy_that_hangs_is_an_error_and_takes_plans_afterwards(router: EnvoyRouter):
    os.kill(router.pid, signal.SIGSTOP)
    with pytest.raises(DeliveryError, match=r"admin .* does not answer"):
        router.apply(RoutePlan(2, (), {}))
    os.kill(router.pid, signal.SIGCONT)
    router.confirm("r1", timeout=5)
    assert router.apply(RoutePlan(3, (), {})) == "r3"
    router.confirm("r3", timeout=2)


@pytest.mark.slow
def test_without_models_only_the_routers_own_answer_is_given(router: EnvoyRouter):
    url = f"http://127.0.0.1:{router.place.port}"
    assert httpx.get(f"{url}/-/route").text == "r1"
    assert httpx.get(f"{url}/m/predict").status_code == 404
    assert (router.place.admin_socket.stat().st_mode & 0o777) == 0o600


def users_of(router: EnvoyRouter, asked: list[int], stop: threading.Event) -> threading.Thread:
    """Somebody who asks the router all the time, each time on a new connection."""

    def ask() -> None:
        while not stop.is_set():
            try:
                found = httpx.get(
                    f"http://127.0.0.1:{router.place.port}/-/route", trust_env=False, verify=False
                )
                asked.append(found.status_code)
            except httpx.HTTPError:
                asked.append(0)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_another_envoy_takes_over_without_a_failed_request(router: EnvoyRouter):
    first = router.pid
    asked: list[int] = []
    stop = threading.Event()
    thread = users_of(router, asked, stop)
    until("users ask", lambda: len(asked) > 20)
    router.place.admin_socket.unlink()
    assert not router.reachable()
    router.renew(RoutePlan(2, (), {}))
    assert router.reachable()
    assert router.pid != first
    before = len(asked)
    until("users ask the new one", lambda: len(asked) > before + 50)

    def gone() -> bool:
        router.tick()
        return not psutil.pid_exists(first) or psutil.Process(first).status() == "zombie"

    until("the old one is gone", gone)
    router.apply(RoutePlan(3, (), {}))
    router.confirm("r3", timeout=2)
    stop.set()
    thread.join()
    assert set(asked) == {200}


def test_a_folder_that_cannot_be_written_does_not_stop_a_plan(router: EnvoyRouter):
    shutil.rmtree(router.place.xds)
    router.place.xds.write_text("somebody's file")
    router.apply(RoutePlan(2, (), {}))
    router.confirm("r2", timeout=2)
    router.apply(RoutePlan(3, (), {}))
    router.confirm("r3", timeout=2)


def test_a_changed_binary_or_bootstrap_is_noticed_at_the_next_boot(router: EnvoyRouter):
    process = router._process
    assert not process.outdated()
    kept = process._epoch()
    process._remember(replace(kept, fingerprint="of the version before"))
    assert process.outdated()
    first = router.pid
    router.boot(RoutePlan(2, (), {}))
    assert router.pid != first
    assert not process.outdated()
