"""Listings page by page: asked for lazily, never of two deploys, never without an end."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from tests.sdk.galaxies import ObservedGalaxy, ScriptedGalaxy, client_of
from zb_mom_ww_mxgateway.errors import (
    MxGatewayArgumentError,
    MxGatewayGalaxyChangedError,
    MxGatewayMalformedReplyError,
    MxGatewayProtocolError,
    MxGatewayUnavailableError,
    MxGatewayValueError,
)
from zb_mom_ww_mxgateway.galaxy import GalaxyRepositoryClient, deploy_time
from zb_mom_ww_mxgateway.galaxy.listing import RESTARTS
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenReply,
    BrowseChildrenRequest,
    DeployEvent,
    DiscoverHierarchyReply,
    DiscoverHierarchyRequest,
    GalaxyObject,
    GetLastDeployTimeReply,
    WatchDeployEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp


@pytest.fixture
def served() -> ObservedGalaxy:
    return ObservedGalaxy(machines=5)


@pytest.fixture
async def galaxy(served: ObservedGalaxy) -> AsyncIterator[GalaxyRepositoryClient]:
    async with client_of(served) as client:
        yield client


@pytest.fixture
def scripted() -> ScriptedGalaxy:
    return ScriptedGalaxy()


@pytest.fixture
async def client(scripted: ScriptedGalaxy) -> AsyncIterator[GalaxyRepositoryClient]:
    async with client_of(scripted) as connected:
        yield connected


# Lazily


async def test_a_page_is_asked_for_once_the_one_before_was_taken(
    served: ObservedGalaxy, galaxy: GalaxyRepositoryClient
) -> None:
    objects = galaxy.iter_hierarchy(page_size=4)
    assert served.calls["discover"] == 0
    for taken in range(1, 11):
        await anext(objects)
        assert served.calls["discover"] == (taken + 3) // 4
    with pytest.raises(StopAsyncIteration):
        await anext(objects)
    assert served.calls["discover"] == 3


async def test_a_page_that_was_taken_is_let_go_before_the_next_is_asked_for(
    served: ObservedGalaxy, galaxy: GalaxyRepositoryClient
) -> None:
    taken: list[weakref.ref[GalaxyObject]] = []
    held: list[int] = []

    def look(number: int) -> None:
        gc.collect()
        held.append(sum(known() is not None for known in taken))

    served.before = look
    async for each in galaxy.iter_hierarchy(page_size=3):
        taken.append(weakref.ref(each))
    assert len(taken) == 10
    assert held == [0, 1, 1, 1]  # the one is the last that this loop took


async def test_leaving_the_loop_asks_for_nothing_more_and_leaves_no_call_behind(
    served: ObservedGalaxy, galaxy: GalaxyRepositoryClient
) -> None:
    async for _ in galaxy.iter_hierarchy(page_size=2):
        break
    async with aclosing(galaxy.iter_hierarchy(page_size=2)) as objects:
        await anext(objects)
    assert (served.calls["discover"], served.running) == (2, 0)


async def test_a_cancel_reaches_the_call(
    served: ObservedGalaxy, galaxy: GalaxyRepositoryClient
) -> None:
    served.gate.clear()
    listing = asyncio.ensure_future(galaxy.discover_hierarchy())
    await served.settled(1)
    listing.cancel()
    await asyncio.wait([listing])
    assert listing.cancelled()
    await served.settled(0)


# Deploys in the middle


@given(page_size=st.integers(1, 4), at=st.integers(2, 6), machines=st.integers(0, 8))
def test_a_list_is_of_one_deploy_even_if_another_comes_between_pages(
    page_size: int, at: int, machines: int
) -> None:
    async def run() -> None:
        served = ObservedGalaxy(machines=5)
        served.before = lambda number: served.deploy(machines) if number == at else None
        async with client_of(served) as galaxy:
            listed = await galaxy.discover_hierarchy(page_size=page_size)
            asked = served.calls["discover"]
            served.before = lambda number: None
            if asked >= at:  # or the list was whole before
                assert listed == await galaxy.discover_hierarchy()
            assert len({found.gobject_id for found in listed}) == len(listed)

    asyncio.run(run())


@given(page_size=st.integers(1, 2), at=st.integers(2, 3), machines=st.integers(3, 8))
def test_children_are_of_one_deploy_even_if_another_comes_between_pages(
    page_size: int, at: int, machines: int
) -> None:
    async def run() -> None:
        served = ObservedGalaxy(machines=5)
        served.before = lambda number: served.deploy(machines) if number == at else None
        async with client_of(served) as galaxy:
            nodes = await galaxy.browse(parent_tag_name="TestArea", page_size=page_size)
            assert served.calls["browse"] == at - 1 + -(-machines // page_size) + 1
            assert [node.object.tag_name for node in nodes] == [
                f"TestMachine_{number:03}" for number in range(1, machines + 1)
            ]

    asyncio.run(run())


async def test_an_iteration_that_is_under_way_does_not_start_over_by_itself(
    served: ObservedGalaxy, galaxy: GalaxyRepositoryClient
) -> None:
    objects = galaxy.iter_hierarchy(page_size=3)
    for _ in range(3):
        await anext(objects)
    await served.deploys.deploy()
    with pytest.raises(MxGatewayGalaxyChangedError, match="list it anew") as caught:
        await anext(objects)
    assert isinstance(caught.value.__cause__, MxGatewayArgumentError)
    assert len([found async for found in galaxy.iter_hierarchy(page_size=3)]) == 10


async def test_deploys_without_an_end_are_an_error_and_not_a_loop(
    served: ObservedGalaxy, galaxy: GalaxyRepositoryClient
) -> None:
    served.before = lambda number: served.deploys.deploy()
    for call in (
        galaxy.discover_hierarchy(page_size=1),
        galaxy.browse(parent_tag_name="TestArea", page_size=1),
    ):
        with pytest.raises(MxGatewayGalaxyChangedError):
            await call
    assert served.calls == {"discover": 2 * (RESTARTS + 1), "browse": 2 * (RESTARTS + 1)}


async def test_a_refusal_of_the_first_page_is_the_arguments_fault(
    served: ObservedGalaxy, galaxy: GalaxyRepositoryClient
) -> None:
    def refuse(number: int) -> None:
        raise GRPCError(Status.INVALID_ARGUMENT, "no such category")

    served.before = refuse
    with pytest.raises(MxGatewayArgumentError, match="no such category"):
        await galaxy.discover_hierarchy(category_ids=[77])
    assert served.calls["discover"] == 1


async def test_other_failures_between_pages_are_not_taken_for_deploys(
    served: ObservedGalaxy, galaxy: GalaxyRepositoryClient
) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise GRPCError(Status.UNAVAILABLE, "reloading")

    served.before = fail
    with pytest.raises(MxGatewayUnavailableError, match="reloading"):
        await galaxy.discover_hierarchy(page_size=2)
    assert served.calls["discover"] == 2


# Gateways that break the contract


def found(number: int) -> GalaxyObject:
    return GalaxyObject(gobject_id=number, tag_name=f"Object_{number}")


@given(cycle=st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=5))
def test_page_tokens_that_repeat_end_in_an_error(cycle: list[str]) -> None:
    async def run() -> None:
        scripted = ScriptedGalaxy()

        def hierarchy(request: DiscoverHierarchyRequest) -> DiscoverHierarchyReply:
            token = cycle[(len(scripted.requests) - 1) % len(cycle)]
            return DiscoverHierarchyReply(objects=[found(1)], next_page_token=token)

        scripted.hierarchy = hierarchy
        async with client_of(scripted) as client:
            with pytest.raises(MxGatewayProtocolError, match="repeats a page token"):
                await client.discover_hierarchy()
            assert len(scripted.requests) <= len(cycle) + 1
            tokens = [request.page_token for request in scripted.requests]
            assert tokens == ["", *cycle][: len(tokens)]

    asyncio.run(run())


async def test_new_page_tokens_without_an_end_are_an_error(
    scripted: ScriptedGalaxy, client: GalaxyRepositoryClient
) -> None:
    for objects, total, said in (([], 0, "without objects"), ([found(1)], 5, "counts 5")):

        def hierarchy(
            request: DiscoverHierarchyRequest,
            objects: list[GalaxyObject] = objects,
            total: int = total,
        ) -> DiscoverHierarchyReply:
            return DiscoverHierarchyReply(
                objects=objects,
                total_object_count=total,
                next_page_token=str(len(scripted.requests)),
            )

        def children(
            request: BrowseChildrenRequest,
            objects: list[GalaxyObject] = objects,
            total: int = total,
        ) -> BrowseChildrenReply:
            return BrowseChildrenReply(
                children=objects,
                total_child_count=total,
                child_has_children=[False] * len(objects),
                next_page_token=str(len(scripted.requests)),
            )

        scripted.hierarchy, scripted.children = hierarchy, children
        for call in (client.discover_hierarchy(), client.browse()):
            with pytest.raises(MxGatewayProtocolError, match=said):
                await call


async def test_a_gateway_that_does_not_count_and_ends_with_an_empty_page_is_understood(
    scripted: ScriptedGalaxy, client: GalaxyRepositoryClient
) -> None:
    pages: list[tuple[list[GalaxyObject], str]] = [
        ([found(1), found(2)], "more"),
        ([], "yet more"),
        ([found(3)], "last"),
        ([], ""),
    ]

    def hierarchy(request: DiscoverHierarchyRequest) -> DiscoverHierarchyReply:
        objects, token = pages[len(scripted.requests) - 1]
        return DiscoverHierarchyReply(objects=objects, next_page_token=token)

    scripted.hierarchy = hierarchy
    assert [o.gobject_id for o in await client.discover_hierarchy()] == [1, 2, 3]


async def test_pages_without_objects_between_others_are_not_counted_together(
    scripted: ScriptedGalaxy, client: GalaxyRepositoryClient
) -> None:
    def hierarchy(request: DiscoverHierarchyRequest) -> DiscoverHierarchyReply:
        number = len(scripted.requests)
        objects = [found(number)] if number % 2 else []
        return DiscoverHierarchyReply(
            objects=objects, next_page_token=str(number) if number < 300 else ""
        )

    scripted.hierarchy = hierarchy
    assert len(await client.discover_hierarchy()) == 150


async def test_what_is_not_asked_for_is_not_sent(
    scripted: ScriptedGalaxy, client: GalaxyRepositoryClient
) -> None:
    await client.discover_hierarchy()
    await client.browse()
    await client.discover_hierarchy(max_depth=0, include_attributes=False)
    assert [bytes(request) for request in scripted.requests[:2]] == [b"", b""]
    asked = scripted.requests[2]
    assert isinstance(asked, DiscoverHierarchyRequest)
    assert asked.max_depth is not None
    assert (asked.max_depth.value, asked.include_attributes) == (0, False)


async def test_children_without_a_word_about_theirs_are_malformed(
    scripted: ScriptedGalaxy, client: GalaxyRepositoryClient
) -> None:
    reply = BrowseChildrenReply(children=[found(1), found(2)], child_has_children=[True])
    scripted.children = lambda request: reply
    with pytest.raises(MxGatewayMalformedReplyError, match="2 children and says of 1"):
        await client.browse()


async def test_a_repository_that_is_out_of_reach_is_false_and_not_an_error(
    scripted: ScriptedGalaxy, client: GalaxyRepositoryClient
) -> None:
    assert await client.test_connection() is False
    scripted.ok = True
    assert await client.test_connection() is True


async def test_a_galaxy_that_was_never_deployed_has_no_time(
    scripted: ScriptedGalaxy, client: GalaxyRepositoryClient
) -> None:
    assert await client.get_last_deploy_time() is None
    scripted.time = GetLastDeployTimeReply(time_of_last_deploy=Timestamp(seconds=1))
    assert await client.get_last_deploy_time() is None


@pytest.mark.parametrize("time", [None, Timestamp(seconds=2**40), Timestamp(nanos=-1)])
async def test_a_time_that_is_there_and_is_none_is_malformed(
    scripted: ScriptedGalaxy, client: GalaxyRepositoryClient, time: Timestamp | None
) -> None:
    scripted.time = GetLastDeployTimeReply(present=True, time_of_last_deploy=time)
    with pytest.raises(MxGatewayMalformedReplyError, match="GetLastDeployTime at"):
        await client.get_last_deploy_time()


async def test_an_event_without_a_time_has_an_empty_one_and_says_so(
    scripted: ScriptedGalaxy, client: GalaxyRepositoryClient
) -> None:
    known = Timestamp(seconds=86_400, nanos=100)
    scripted.events = [
        DeployEvent(sequence=1),
        DeployEvent(sequence=2, time_of_last_deploy=known, time_of_last_deploy_present=True),
    ]
    async with client.watch_deploy_events() as events:
        unknown, then = [event async for event in events]
    assert unknown.time_of_last_deploy == Timestamp()
    assert unknown.time_of_last_deploy is not None
    assert unknown.time_of_last_deploy.ToDatetime().year == 1970
    assert deploy_time(unknown) is None
    assert then.time_of_last_deploy == known
    assert deploy_time(then) == known.to_datetime()
    async with client.watch_deploy_events_raw(WatchDeployEventsRequest()) as raw:
        assert [event.time_of_last_deploy for event in [e async for e in raw]] == [None, known]
    assert [request.last_seen_deploy_time for request in scripted.watched] == [None, None]


def test_a_deploy_time_that_no_calendar_holds_is_an_error_of_the_value() -> None:
    time = Timestamp(seconds=2**40)
    event = DeployEvent(time_of_last_deploy=time, time_of_last_deploy_present=True)
    with pytest.raises(MxGatewayValueError, match="no datetime"):
        deploy_time(event)


async def test_leaving_a_watch_ends_its_call(
    served: ObservedGalaxy, galaxy: GalaxyRepositoryClient
) -> None:
    async for event in galaxy.watch_deploy_events():
        assert event.sequence == 1
        break
    await served.settled(0)
    async with galaxy.watch_deploy_events() as events:
        await anext(events)
        await served.settled(1)
    await served.settled(0)
