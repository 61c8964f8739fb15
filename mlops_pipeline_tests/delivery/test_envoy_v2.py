"""The Open Inference Protocol through a real Envoy: its own paths, each version by its number."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import tritonclient.http as triton

from mlops_pipeline.delivery.envoy import EnvoyRouter
from mlops_pipeline.delivery.envoy_bootstrap import EnvoyPlace
from mlops_pipeline.delivery.envoy_routes import route_table
from mlops_pipeline.delivery.processes import ProcessBook
from mlops_pipeline.delivery.router import Arms, RoutePlan
from mlops_pipeline.edge import ApiKey, Edge
from mlops_pipeline_tests.delivery.conftest import free_port
from mlops_pipeline_tests.serving.processes import serving
from mlops_pipeline_tests.serving.waiting import wait_for

MODEL = "flight_delay"
TESTERS, CLIENT = "the-testers-key", "key-of-ana-0123456789"
PATH = f"/v2/models/{MODEL}"


def routes(*arms: Arms, tester_key: str = "") -> list[dict[str, object]]:
    ends = {(each.model, version): "/run/s" for each in arms for version in each.versions}
    plan = RoutePlan(1, arms, ends, tester_key=tester_key)
    found: list[dict[str, object]] = route_table(plan)["virtual_hosts"][0]["routes"]
    return found


def test_a_version_in_the_path_throws_no_coin_and_is_no_evidence() -> None:
    (found,) = [r for r in routes(Arms("m", "1")) if "/v2/models/m/versions/1" in str(r["match"])]
    assert found["route"] == {"timeout": "2.000s", "cluster": "m-v1"}
    assert "'rollout': 'direct'" in str(found["metadata"])


def test_without_a_testers_key_no_path_leads_to_the_candidate() -> None:
    asked = str([r["match"] for r in routes(Arms("m", "1", "2", 500, salt="s"))])
    assert "/versions/1" in asked
    assert "/versions/2" not in asked


def test_with_several_models_the_router_answers_for_the_server() -> None:
    said = {str(r["match"]): r for r in routes(Arms("a", "1"), Arms("b", "1"))}
    assert "direct_response" in said["{'path': '/v2/health/ready'}"]
    assert "a, b" in str(said["{'prefix': '/v2/models/'}"])


@dataclass(slots=True)
class Front:
    """Two versions of one model behind one router with an edge."""

    router: EnvoyRouter
    edge: str

    @property
    def inside(self) -> str:
        return f"127.0.0.1:{self.router.place.port}"

    def get(self, path: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"http://{self.inside}{path}", headers=named)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    home = tmp_path_factory.mktemp("v2")
    run = Path(tempfile.mkdtemp(prefix="m2", dir="/tmp"))  # short: it holds sockets
    edge = Edge("127.0.0.1", free_port(), (ApiKey("ana", CLIENT, 20),), 100_000, 40, None, None)
    place = EnvoyPlace(free_port(), run / "a.sock", home / "xds", home / "access.jsonl", edge)
    with ExitStack() as stack:
        servers = {
            version: stack.enter_context(serving(home / version, "--version", version))
            for version in ("7", "8")
        }
        router = EnvoyRouter(place, ProcessBook(home / "processes", home / "logs"))
        router.boot(RoutePlan(1, (), {}))
        stack.callback(shutil.rmtree, run)
        stack.callback(router.close)
        stack.callback(router.stop, 5)
        ends = {(MODEL, version): str(server.socket) for version, server in servers.items()}
        plan = RoutePlan(2, (Arms(MODEL, "7", "8", 0, salt="s"),), ends)
        router.confirm(router.apply(replace(plan, tester_key=TESTERS)), timeout=3)
        found = Front(router, f"http://127.0.0.1:{edge.port}")
        wait_for(lambda: found.get("/v2/health/ready").status_code == 200)
        wait_for(lambda: found.get(f"{PATH}/versions/8", x_tester=TESTERS).status_code == 200)
        yield found


@pytest.mark.slow
def test_tritons_client_needs_nothing_but_the_routers_address(front: Front) -> None:
    with triton.InferenceServerClient(front.inside) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.get_server_metadata()["name"] == "mlops_pipeline"
        assert client.is_model_ready(MODEL)
        assert client.is_model_ready(MODEL, "7")
        assert client.get_model_metadata(MODEL, "7")["versions"] == ["7"]


@pytest.mark.slow
def test_the_candidate_is_reached_by_its_number_with_the_testers_key_alone(front: Front) -> None:
    seen = front.get(f"{PATH}/versions/8", x_tester=TESTERS)
    assert (seen.status_code, seen.headers["x-served-by"]) == (200, f"{MODEL}-v8")
    for headers in ({}, {"x_tester": "guess"}, {"x_model_variant": "candidate"}):
        hidden = front.get(f"{PATH}/versions/8", **headers)
        assert hidden.status_code == 404
        assert hidden.json()["detail"]["field"] == "version"
        assert hidden.json()["detail"]["allowed"] == "7"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "field", "allowed"),
    [
        (f"{PATH}/versions/9/infer", "version", "7"),
        (f"{PATH}/versions/77", "version", "7"),
        ("/v2/models/weather/ready", "model", MODEL),
    ],
)
def test_what_is_not_served_is_named_in_the_protocols_words(
    front: Front, path: str, field: str, allowed: str
) -> None:
    told = front.get(path)
    assert (told.status_code, told.headers["content-type"]) == (404, "application/json")
    assert told.json() == {
        "error": f"{field}: is not served here; allowed: {allowed}",
        "detail": {"field": field, "what": "is not served here", "allowed": allowed},
    }


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/v2", "/v2/health/live", f"{PATH}/versions/7", "/v2/models/x"])
def test_at_the_edge_these_paths_need_a_key_and_have_its_rate(front: Front, path: str) -> None:
    assert httpx.get(f"{front.edge}{path}").status_code == 401
    with httpx.Client(headers={"x-api-key": CLIENT}) as client:
        told = [client.get(f"{front.edge}{path}").status_code for _ in range(60)]
    assert 429 in told
