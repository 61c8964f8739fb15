"""What every router promises, held against the real Envoy and the one in this process."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from mlops_pipeline.delivery.assignment import meets_candidate
from mlops_pipeline.delivery.envoy import EnvoyRouter
from mlops_pipeline.delivery.envoy_bootstrap import EnvoyPlace
from mlops_pipeline.delivery.hosts import probe
from mlops_pipeline.delivery.inprocess import InProcessRouter
from mlops_pipeline.delivery.processes import ProcessBook
from mlops_pipeline.delivery.router import Arms, RoutePlan, Router, split_cluster
from mlops_pipeline.errors import DeliveryError, StaleGeneration
from mlops_pipeline_tests.delivery.conftest import free_port, until


@dataclass
class Rig:
    """A router over two versions of model m, and a way to ask it."""

    router: Router
    endpoints: dict[tuple[str, str], str]
    ask: Callable[[str], tuple[str, str]]  # unit -> (served by, route version)
    end: Callable[[str], None]  # the server of a version stops

    def plan(self, generation: int, *arms: Arms) -> RoutePlan:
        """A plan over the two versions."""
        return RoutePlan(generation, arms, self.endpoints)


def fake_rig() -> Rig:
    router = InProcessRouter()
    endpoints = {("m", "1"): "/run/1", ("m", "2"): "/run/2"}

    def ask(unit: str) -> tuple[str, str]:
        answer = router.send("m", unit)
        return answer.served_by, answer.route_version

    return Rig(router, endpoints, ask, lambda version: router.down.add(f"/run/{version}"))


@pytest.fixture(scope="module")
def envoy_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    home = tmp_path_factory.mktemp("router")
    run = Path(tempfile.mkdtemp(prefix="mr", dir="/tmp"))  # short: it holds sockets
    book = ProcessBook(home / "processes", home / "logs")
    sockets = {version: run / f"{version}.sock" for version in "12"}
    stub = [sys.executable, "-m", "mlops_pipeline.delivery.drills.stand_in", "--model", "m"]
    servers = {
        version: book.start(
            f"v{version}",
            [*stub, "--version", version, "--uds", str(path), "--log", str(home / version)],
        )
        for version, path in sockets.items()
    }
    for path in sockets.values():
        until("the stub is ready", lambda path=path: probe(path))
    port = free_port()
    place = EnvoyPlace(port, run / "admin.sock", home / "xds", home / "access.jsonl")
    router = EnvoyRouter(place, book)
    router.boot(RoutePlan(1, (), {}))
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}")

    def ask(unit: str) -> tuple[str, str]:
        answer = client.post("/m/predict", headers={"x-unit": unit}, content=b"{}")
        return answer.headers.get("x-served-by", ""), answer.headers.get("x-route-version", "")

    endpoints = {("m", version): str(path) for version, path in sockets.items()}
    yield Rig(router, endpoints, ask, lambda version: servers[version].stop(5))
    client.close()
    router.stop(5)
    router.close()
    for server in servers.values():
        server.stop(5)
    shutil.rmtree(run)


@pytest.fixture(params=["in-process", pytest.param("envoy", marks=pytest.mark.slow)])
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each test runs on both."""
    return fake_rig() if request.param == "in-process" else request.getfixturevalue("envoy_rig")


def newest(rig: Rig) -> int:
    """A generation newer than any other test's."""
    newest.count += 10
    return newest.count


newest.count = 10


def test_a_plan_serves_once_it_is_applied(rig: Rig):
    number = newest(rig)
    version = rig.router.apply(rig.plan(number, Arms("m", "1")))
    rig.router.confirm(version, timeout=2)
    assert rig.ask("ana") == ("m-v1", version)
    assert rig.router.health()["m-v1"]


def test_units_are_split_as_python_predicts(rig: Rig):
    rig.router.apply(rig.plan(newest(rig), Arms("m", "1", "2", 4000, salt="s")))
    for number in range(60):
        expected = "m-v2" if meets_candidate(f"u{number}", "s", 4000) else "m-v1"
        assert rig.ask(f"u{number}")[0] == expected


def test_an_older_plan_is_refused_and_the_same_one_is_applied_already(rig: Rig):
    number = newest(rig)
    plan = rig.plan(number, Arms("m", "1", "2", 100, salt="s"))
    version = rig.router.apply(plan)
    assert rig.router.apply(plan) == version
    with pytest.raises(StaleGeneration, match=rf"plan {number - 1} is not newer than {number}"):
        rig.router.apply(rig.plan(number - 1, Arms("m", "1")))
    with pytest.raises(StaleGeneration, match=rf"plan {number} is not newer"):
        rig.router.apply(rig.plan(number, Arms("m", "1")))
    assert rig.ask("ana")[1] == version


def test_outcomes_are_counted_by_version(rig: Rig):
    rig.router.apply(rig.plan(newest(rig), Arms("m", "1", "2", 5000, salt="s")))
    before = rig.router.observe()
    served = [rig.ask(f"u{number}")[0] for number in range(40)]
    until(
        "all are counted",
        lambda: sum(rig.router.observe()[n].good - before[n].good for n in ("m-v1", "m-v2")) == 40,
    )
    after = rig.router.observe()
    assert after["m-v2"].good - before["m-v2"].good == served.count("m-v2")
    assert after["m-v2"].hosts == 1


def test_a_route_version_that_does_not_serve_is_not_confirmed(rig: Rig):
    rig.router.apply(rig.plan(newest(rig), Arms("m", "1")))
    with pytest.raises(DeliveryError, match=r"not r99999"):
        rig.router.confirm("r99999", timeout=0.05)


def test_a_version_without_endpoint_is_no_plan(rig: Rig):
    with pytest.raises(DeliveryError, match=r"m-v3 has no endpoint; start its host first"):
        rig.plan(newest(rig), Arms("m", "3"))


def test_an_ended_server_is_unhealthy(rig: Rig):  # the last test on the shared Envoy
    rig.router.apply(rig.plan(newest(rig), Arms("m", "1", "2", 100, salt="s")))
    rig.end("2")
    until("it is unhealthy", lambda: not rig.router.health()["m-v2"])
    assert rig.router.health()["m-v1"]


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"model": "M"}, r"model 'M': small letters"),
        ({"stable": "1.0"}, r"version '1.0': letters"),
        ({"candidate": "2-shadow"}, r"no -shadow at its end"),
        ({"candidate": "1"}, r"version 1 cannot be both arms"),
        ({"weight": 5}, r"weight or shadow without a candidate"),
        ({"candidate": "2", "weight": 10_001}, r"weight 10001 is not within 0 to 10000"),
        ({"salt": r"a\1"}, r"letters, digits and \. _ : - only"),
    ],
)
def test_a_split_that_no_router_could_serve_is_refused(said: dict[str, object], match: str):
    with pytest.raises(DeliveryError, match=match):
        Arms(**{"model": "m", "stable": "1", **said})


def test_one_model_has_one_split():
    with pytest.raises(DeliveryError, match=r"splits each model once"):
        RoutePlan(1, (Arms("m", "1"), Arms("m", "2")), {("m", "1"): "/a", ("m", "2"): "/b"})


def test_clusters_name_their_version():
    assert split_cluster("flight_delay-v12") == ("flight_delay", "12")
    assert split_cluster("flight_delay-v12-shadow") is None
    assert split_cluster("") is None
