"""The switchboard: fenced commands, retreats that stay, and a journal that is written first."""

import errno
from pathlib import Path

import pytest

from mlops_pipeline.delivery.ballast import Ballast
from mlops_pipeline.delivery.hosts import HostSpec
from mlops_pipeline.delivery.inprocess import InProcessRouter
from mlops_pipeline.delivery.journal import Fence, load_journal
from mlops_pipeline.delivery.router import Arms
from mlops_pipeline.delivery.switchboard import RouteCommand, Switchboard
from mlops_pipeline.errors import DeliveryError, RouterRejected, StaleGeneration

ENDPOINTS = {("m", version): f"/run/{version}" for version in "123"}


@pytest.fixture
def router() -> InProcessRouter:
    return InProcessRouter()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.json"


@pytest.fixture
def switch(router: InProcessRouter, path: Path) -> Switchboard:
    return Switchboard(router, path, lambda: dict(ENDPOINTS), wall=lambda: 5.0)


def command(generation: int, weight: int = 500, rollout: int = 1, **more: object) -> RouteCommand:
    said = {"model": "m", "stable": "1", "candidate": "2", "weight": weight, "salt": f"r{rollout}"}
    return RouteCommand(Arms(**{**said, **more}), Fence(rollout, generation))


def test_a_command_is_journalled_and_serves(switch, router, path):
    version = switch.put(command(1))
    assert router.send("m", "ana").route_version == version
    assert load_journal(path) == switch.journal
    assert switch.journal.routes["m"].arms.weight == 500


def test_the_same_command_again_changes_nothing(switch):
    assert switch.put(command(1)) == switch.put(command(1))


def test_an_older_generation_or_rollout_is_refused(switch):
    switch.put(command(3, rollout=2))
    for old in (command(2, rollout=2), command(9, rollout=1)):
        with pytest.raises(StaleGeneration, match=r"is older than .*it changed nothing"):
            switch.put(old)
    assert switch.journal.routes["m"].fence == Fence(2, 3)


def test_a_generation_means_one_split_but_may_be_cleaned_up(switch):
    switch.put(command(3, weight=500))
    with pytest.raises(StaleGeneration, match=r"was used for .*weight=500"):
        switch.put(command(3, weight=600))
    switch.put(command(3, weight=0))
    switch.put(command(3, weight=0, candidate=None))
    with pytest.raises(StaleGeneration, match=r"was used for"):
        switch.put(command(3, weight=500))


def test_a_retreated_version_gets_nothing_more_in_its_rollout(switch, router):
    switch.put(command(1))
    retreat = switch.retreat("m", cause="it fails", by="reflex", bad=7)
    assert (retreat.weight, retreat.bad, retreat.at) == (500, 7, 5.0)
    assert retreat.milliseconds is not None
    assert {router.send("m", f"u{n}").served_by for n in range(99)} == {"m-v1"}
    for later in (command(1), command(2), command(2, weight=0, stable="2", candidate=None)):
        with pytest.raises(StaleGeneration, match=r"version 2 was retreated in r1: it fails"):
            switch.put(later)
    switch.put(command(2, weight=0, candidate=None))
    switch.put(command(1, rollout=2))


def test_retreating_twice_is_one_retreat(switch):
    switch.put(command(1))
    first = switch.retreat("m", cause="it fails", by="reflex")
    assert switch.retreat("m", cause="too late", by="ana") == first


def test_a_retreat_survives_the_node(switch, path):
    switch.put(command(1))
    switch.retreat("m", cause="it fails", by="reflex")
    router = InProcessRouter()
    again = Switchboard(router, path, lambda: dict(ENDPOINTS))
    router.apply(again.next_plan())
    assert again.journal.routes["m"].arms.weight == 0
    with pytest.raises(StaleGeneration, match=r"was retreated"):
        again.put(command(5))


def test_another_version_can_be_made_stable(switch, router):
    switch.put(command(1, weight=0, candidate=None))
    retreat = switch.retreat("m", cause="labels", by="ana", to="3")
    assert retreat.version == "1"
    assert router.send("m", "ana").served_by == "m-v3"
    switch.put(command(2, weight=0, candidate=None, stable="3"))
    with pytest.raises(DeliveryError, match=r"m version 3 serves already"):
        switch.retreat("m", cause="again", by="ana", to="3")


def test_there_must_be_something_to_retreat(switch):
    with pytest.raises(DeliveryError, match=r"m is not routed by this node"):
        switch.retreat("m", cause="?", by="ana")
    switch.put(command(1, weight=0, candidate=None))
    with pytest.raises(DeliveryError, match=r"m has no candidate, only version 1"):
        switch.retreat("m", cause="?", by="ana")


def test_a_rollout_can_be_barred_before_it_has_traffic(switch):
    switch.put(command(1, weight=0, candidate=None))
    switch.bar("m", "2", "r2", cause="a person saw it", by="ana")
    with pytest.raises(StaleGeneration, match=r"version 2 was retreated in r2: a person saw it"):
        switch.put(command(1, rollout=2))


def test_what_the_router_refuses_leaves_everything_as_it_was(switch, router, path):
    switch.put(command(1))
    router.refuse = True
    with pytest.raises(RouterRejected, match=r"was refused"):
        switch.put(command(2, weight=900))
    assert load_journal(path).routes["m"] == command(1).routes
    switch.put(command(2, weight=900))
    assert switch.journal.routes["m"].arms.weight == 900


def test_a_retreat_that_the_router_refuses_stays_decided_and_is_settled_later(switch, router):
    switch.put(command(1))
    router.refuse = True
    with pytest.raises(RouterRejected, match=r"was refused"):
        switch.retreat("m", cause="it fails", by="reflex")
    assert switch.journal.routes["m"].arms.weight == 0
    switch.settle()
    assert {router.send("m", f"u{n}").served_by for n in range(99)} == {"m-v1"}
    assert switch.retreat("m", cause="again", by="ana").cause == "it fails"


def test_a_retreat_needs_no_disk(switch, router, path):
    switch.put(command(1))
    path.unlink()
    path.mkdir()  # the journal cannot be replaced any more
    switch.retreat("m", cause="it fails", by="reflex")
    assert {router.send("m", f"u{n}").served_by for n in range(99)} == {"m-v1"}
    path.rmdir()
    switch.settle()  # it is written as soon as the disk takes it
    assert load_journal(path).retreats[0].cause == "it fails"


def test_a_full_disk_has_room_for_a_retreat(router, path):
    held = Ballast(path.with_name("ballast"), 4096)
    assert held.load()
    switch = Switchboard(router, path, lambda: dict(ENDPOINTS), make_room=held.drop)
    switch.put(command(1))
    assert held.drop(OSError(errno.EIO, "another error")) is False
    assert held.drop(OSError(errno.ENOSPC, "full")) is True
    assert not path.with_name("ballast").exists()
    assert held.load() is False  # what was freed is left to whoever needs it
    assert held.drop(OSError(errno.ENOSPC, "full")) is False


def test_a_host_with_traffic_is_not_forgotten(switch, path):
    switch.remember_host(HostSpec("m", "1", "/bundle"))
    switch.put(command(1, weight=0, candidate=None))
    with pytest.raises(DeliveryError, match=r"m version 1 is still routed"):
        switch.forget_host("m", "1")
    switch.remember_host(HostSpec("m", "3", "/bundle"))
    switch.forget_host("m", "3")
    assert [spec.version for spec in load_journal(path).hosts] == ["1"]


def test_a_file_that_is_no_journal_is_named(path):
    path.write_text("{broken")
    with pytest.raises(DeliveryError, match=r"journal.json is no journal of a node"):
        load_journal(path)
