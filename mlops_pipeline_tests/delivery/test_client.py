"""Client and control interface: what the node refuses arrives as the right error."""

from pathlib import Path

import httpx
import pytest

from mlops_pipeline.delivery.client import NodeClient
from mlops_pipeline.delivery.control import control_app
from mlops_pipeline.delivery.hosts import HostSpec
from mlops_pipeline.errors import DeliveryError, NodeUnreachable, RouterRejected, StaleGeneration
from mlops_pipeline.settings import Settings
from mlops_pipeline_tests.delivery.fakes import Bridge, FakeNode

SAID = {"stable": "1", "candidate": None, "weight": 0, "shadow": False, "salt": "s", "rollout": 1}


@pytest.fixture
def node(settings: Settings) -> FakeNode:
    return FakeNode(settings)


@pytest.fixture
def http(node: FakeNode) -> httpx.Client:
    return httpx.Client(transport=Bridge(control_app(node)), base_url="http://node")


@pytest.fixture
def client(http: httpx.Client) -> NodeClient:
    return NodeClient(Path("/nowhere"), http=http)


def test_what_is_put_is_what_is_seen(client: NodeClient):
    client.ensure_host(HostSpec("m", "1", "/bundle", "error=1"))
    version = client.put_routes("m", generation=1, timeout_ms=300, **SAID)
    view = client.state()
    assert view.route_version == version
    assert view.routes["m"].timeout_ms == 300
    assert view.host("m", "1").spec == HostSpec("m", "1", "/bundle", "error=1")
    assert view.host("m", "2") is None
    assert client.counters()["m-v1"].healthy_hosts == 1


def test_a_stale_command_and_a_refusing_router_are_told_apart(client: NodeClient, node: FakeNode):
    client.ensure_host(HostSpec("m", "1", "/bundle"))
    client.put_routes("m", generation=5, **SAID)
    with pytest.raises(StaleGeneration, match=r"is older than"):
        client.put_routes("m", generation=4, **SAID)
    node.router.refuse = True
    with pytest.raises(RouterRejected, match=r"was refused"):
        client.put_routes("m", generation=6, **{**SAID, "salt": "t"})
    with pytest.raises(DeliveryError, match=r"weight or shadow without a candidate"):
        client.put_routes("m", generation=7, **{**SAID, "weight": 9})


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/routes/m"), ("PUT", "/hosts/m/1"), ("POST", "/rollback/m")]
)
def test_a_body_that_is_no_order_is_refused(http: httpx.Client, method: str, path: str):
    answer = http.request(method, path, content=b'{"weight": "much"}')
    assert answer.status_code == 422
    assert answer.json()["kind"].endswith("Order")


def test_a_node_that_is_not_there_is_named_with_what_to_do(tmp_path: Path):
    client = NodeClient(tmp_path / "node.sock")
    with pytest.raises(NodeUnreachable, match=r"node.sock does not answer .*`mlops serve`"):
        client.state()
    client.close()
