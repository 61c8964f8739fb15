"""Hosts: real model servers under the node, and specs that never change."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mlops_pipeline.delivery.hosts import HostSpec, serving_command, socket_name
from mlops_pipeline.errors import DeliveryError
from mlops_pipeline.features.online import publish
from mlops_pipeline.serving.request_log import Arm, read_records
from mlops_pipeline.settings import Settings
from mlops_pipeline_tests.delivery.conftest import NodeProcess, until
from mlops_pipeline_tests.registry.parts import sign_in_place
from mlops_pipeline_tests.serving import world

MODEL = "flight_delay"


@pytest.fixture
def real_node(settings: Settings) -> Iterator[NodeProcess]:
    """A node over our own model servers; a version and its look-ups are there."""
    running = NodeProcess(settings, real=True)
    publish(settings.feature_snapshots / MODEL, world.snapshot(world.flights()))
    sign_in_place(settings.home / "bundle", world.bundle_files(world.flights()), settings.keys)
    running.start()
    yield running
    running.stop()


@pytest.mark.slow
def test_the_real_server_is_started_mirrored_and_drilled_by_the_node(real_node: NodeProcess):
    bundle = str(real_node.settings.home / "bundle")
    real_node.serve(MODEL, "1", bundle=bundle)
    real_node.serve(MODEL, "2", "error=1", bundle=bundle)
    said = {"stable": "1", "candidate": "2", "salt": "rollout-1", "rollout": 1}
    real_node.client.put_routes(MODEL, weight=0, shadow=True, generation=1, **said)
    with httpx.Client(base_url=real_node.url) as ask:
        headers = {"content-type": "application/json", "x-request-id": "r-1", "x-unit": "ana"}
        answer = ask.post(f"/{MODEL}/predict", content=world.body(), headers=headers)
        assert (answer.status_code, answer.json()["version"]) == (200, "1")
        assert answer.json()["id"] == "r-1"
        real_node.client.put_routes(MODEL, weight=10_000, shadow=False, generation=2, **said)
        answer = ask.post(f"/{MODEL}/predict", content=world.body(), headers=headers)
        assert answer.status_code == 500
    log = real_node.settings.request_log / MODEL

    def pair() -> bool:
        return {r.id for r in read_records(log / "1", arm=Arm.LIVE)} == {
            r.id for r in read_records(log / "2", arm=Arm.SHADOW)
        }

    until("both servers logged the same request", lambda: log.joinpath("2").exists() and pair())


@pytest.mark.slow
def test_a_version_is_never_served_in_two_ways(node: NodeProcess):
    node.serve("m", "1")
    node.client.ensure_host(HostSpec("m", "1", "/nowhere"))
    with pytest.raises(DeliveryError, match=r"a version never changes: stop its host first"):
        node.client.ensure_host(HostSpec("m", "1", "/elsewhere"))
    node.client.stop_host("m", "1")
    node.serve("m", "1", bundle="/elsewhere")


@pytest.mark.slow
def test_a_version_that_cannot_load_is_tried_again_after_longer_and_longer_pauses(
    real_node: NodeProcess,
):
    real_node.client.ensure_host(HostSpec(MODEL, "9", "/nowhere"))
    until("it was tried again", lambda: real_node.state().host(MODEL, "9").restarts >= 2)
    assert not real_node.state().host(MODEL, "9").ready
    assert "host=host-flight_delay-v9" in real_node.log()


def test_one_place_knows_the_command_line(settings: Settings):
    argv = serving_command(settings)(HostSpec("m", "3", "/b", "error=1"), Path("/run/h.sock"))
    assert argv[1:3] == ["-m", "mlops_pipeline.serving"]
    assert argv[-4:] == ["--uds", "/run/h.sock", "--fault", "error=1"]
    assert str(settings.request_log / "m" / "3") in argv


def test_socket_names_are_short_whatever_the_model_is_called():
    assert len(socket_name("m" * 41, "123456")) == 15
