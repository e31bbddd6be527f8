"""Nodes of the tree: fetched once and shared, whoever else gives up or fails, and fetched anew."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from tests.sdk.galaxies import ObservedGalaxy, cancelled, client_of
from zb_mom_ww_mxgateway.errors import MxGatewayNotFoundError, MxGatewayUnavailableError
from zb_mom_ww_mxgateway.galaxy import GalaxyRepositoryClient
from zb_mom_ww_mxgateway.galaxy.browse import BrowseNode
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import GalaxyObject


@pytest.fixture
def served() -> ObservedGalaxy:
    return ObservedGalaxy(machines=3)


@pytest.fixture
async def galaxy(served: ObservedGalaxy) -> AsyncIterator[GalaxyRepositoryClient]:
    async with client_of(served) as client:
        yield client


@pytest.fixture
async def area(served: ObservedGalaxy, galaxy: GalaxyRepositoryClient) -> BrowseNode:
    """A node with the machines below it; what was asked for it does not count."""
    plant, *_ = await galaxy.browse()
    area, *_ = await plant.children()
    served.calls.clear()
    return area


def names(nodes: tuple[BrowseNode, ...]) -> list[str]:
    return [node.object.tag_name for node in nodes]


MACHINES = ["TestMachine_001", "TestMachine_002", "TestMachine_003"]


async def test_children_are_fetched_once_however_many_ask(
    served: ObservedGalaxy, area: BrowseNode
) -> None:
    assert not area.expanded
    answers = await asyncio.gather(*(area.children() for _ in range(20)))
    assert names(answers[0]) == MACHINES
    assert all(answer is answers[0] for answer in answers)
    assert await area.children() is answers[0]
    assert area.expanded
    assert served.calls["browse"] == 1


async def test_nodes_that_are_expanded_at_the_same_time_do_not_mix_their_pages(
    galaxy: GalaxyRepositoryClient,
) -> None:
    (plant,) = await galaxy.browse(page_size=1)
    area, *_ = await plant.children()
    again, below = await asyncio.gather(plant.refresh(), area.children())
    assert names(again) == ["TestArea", "TestEngine", "TestPlatform"]
    assert names(below) == MACHINES


async def test_a_node_without_children_is_not_asked_about_until_it_is_refreshed(
    served: ObservedGalaxy, area: BrowseNode
) -> None:
    machine = (await area.children())[1]
    assert (machine.has_children, machine.expanded) == (False, True)
    assert await machine.children() == ()
    assert served.calls["browse"] == 1
    assert await machine.refresh() == ()
    assert served.calls["browse"] == 2


@given(
    leaving=st.lists(st.booleans(), min_size=1, max_size=8).filter(lambda who: not all(who)),
    late=st.booleans(),
)
def test_whoever_gives_up_the_wait_is_no_harm_to_those_who_stay(
    leaving: list[bool], late: bool
) -> None:
    async def run() -> None:
        served = ObservedGalaxy(machines=3)
        async with client_of(served) as galaxy:
            (plant,) = await galaxy.browse()
            served.calls.clear()
            served.gate.clear()
            waiting = [asyncio.ensure_future(plant.children()) for _ in leaving]
            if late:
                await served.settled(1)
            else:
                await asyncio.sleep(0)
            for task, leaves in zip(waiting, leaving, strict=True):
                if leaves:
                    await cancelled(task)
            served.gate.set()
            stayed = [t for t, leaves in zip(waiting, leaving, strict=True) if not leaves]
            answers = await asyncio.gather(*stayed)
            assert all(names(a) == ["TestArea", "TestEngine", "TestPlatform"] for a in answers)
            assert served.calls["browse"] == 1

    asyncio.run(run())


async def test_when_all_give_up_the_call_ends_and_the_next_who_asks_begins_anew(
    served: ObservedGalaxy, area: BrowseNode
) -> None:
    served.gate.clear()
    waiting = [asyncio.ensure_future(area.children()) for _ in range(3)]
    await served.settled(1)
    for task in waiting:
        await cancelled(task)
    await served.settled(0)
    served.gate.set()
    assert names(await area.children()) == MACHINES
    assert served.calls["browse"] == 2


async def test_giving_up_waits_for_the_end_of_the_call_however_that_ends() -> None:
    ended = False
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: complaints.append(context)
    )

    async def fetch(gobject_id: int) -> tuple[BrowseNode, ...]:
        nonlocal ended
        try:
            return await asyncio.Future()
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            ended = True
            raise MxGatewayUnavailableError("the connection was lost") from None

    node = BrowseNode(GalaxyObject(tag_name="Any"), True, fetch)
    waiting = asyncio.ensure_future(node.children())
    await asyncio.sleep(0.01)
    await cancelled(waiting)
    assert ended
    del node, waiting
    gc.collect()
    assert not complaints


async def test_whoever_asks_while_a_call_is_being_given_up_gets_a_call_of_its_own(
    served: ObservedGalaxy, area: BrowseNode
) -> None:
    served.gate.clear()
    first = asyncio.ensure_future(area.children())
    await served.settled(1)
    first.cancel()
    second = asyncio.ensure_future(area.children())
    third = asyncio.ensure_future(_after(1, area))
    fourth = asyncio.ensure_future(_after(2, area))
    await asyncio.wait([first])
    assert first.cancelled()
    served.gate.set()
    for answer in await asyncio.gather(second, third, fourth):
        assert names(answer) == MACHINES


async def _after(turns: int, node: BrowseNode) -> tuple[BrowseNode, ...]:
    for _ in range(turns):
        await asyncio.sleep(0)
    return await node.children()


async def test_a_failed_fetch_fails_all_who_wait_and_is_tried_again_by_the_next(
    served: ObservedGalaxy, area: BrowseNode
) -> None:
    def fail(number: int) -> None:
        raise GRPCError(Status.UNAVAILABLE, "reloading")

    served.before = fail
    answers = await asyncio.gather(*(area.children() for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [MxGatewayUnavailableError] * 3
    assert served.calls["browse"] == 1
    served.before = lambda number: None
    assert names(await area.children()) == MACHINES


async def test_a_refresh_shows_a_deploy_and_keeps_the_known_until_then(
    served: ObservedGalaxy, area: BrowseNode
) -> None:
    before = await area.children()
    await served.deploy(4)
    assert await area.children() is before
    served.gate.clear()
    refreshing = asyncio.ensure_future(area.refresh())
    await served.settled(1)
    assert await area.children() is before
    served.gate.set()
    after = await refreshing
    assert names(after) == [*MACHINES, "TestMachine_004"]
    assert await area.children() is after


async def test_a_refresh_that_fails_or_is_given_up_keeps_the_known(
    served: ObservedGalaxy, area: BrowseNode
) -> None:
    before = await area.children()
    served.gate.clear()
    refreshing = asyncio.ensure_future(area.refresh())
    await served.settled(1)
    await cancelled(refreshing)
    await served.settled(0)

    def fail(number: int) -> None:
        raise GRPCError(Status.UNAVAILABLE, "reloading")

    served.before = fail
    served.gate.set()
    with pytest.raises(MxGatewayUnavailableError):
        await area.refresh()
    assert await area.children() is before


async def test_an_older_fetch_that_ends_last_does_not_undo_a_refresh(
    served: ObservedGalaxy, area: BrowseNode
) -> None:
    served.gates = {1: asyncio.Event()}
    older = asyncio.ensure_future(area.children())
    await served.settled(1)
    younger = await area.refresh()
    assert await area.children() is younger
    served.gates[1].set()
    assert names(await older) == names(younger)
    assert await area.children() is younger
    assert served.calls["browse"] == 2


async def test_after_a_refresh_a_node_knows_whether_it_has_children(
    served: ObservedGalaxy, area: BrowseNode
) -> None:
    first, second, _ = await area.children()
    await served.deploy(0)  # the child object moves up, into the area
    assert (first.has_children, first.expanded) == (True, False)
    with pytest.raises(MxGatewayNotFoundError):
        await first.children()
    assert names(await area.refresh()) == ["TestChildObject"]
    await served.deploy(3)
    assert await first.refresh() != ()
    assert await second.refresh() == ()
    assert (first.has_children, second.has_children) == (True, False)


async def test_filters_hold_on_every_level_and_are_no_promise_of_children(
    galaxy: GalaxyRepositoryClient,
) -> None:
    (machine,) = await galaxy.browse(
        parent_tag_name="TestArea", alarm_bearing_only=True, tag_name_glob="*1"
    )
    assert (machine.has_children, machine.expanded) == (True, False)
    assert await machine.children() == ()  # its child bears no alarm
    assert not machine.has_children
    assert machine.expanded
