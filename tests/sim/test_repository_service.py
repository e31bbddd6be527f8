"""The Galaxy service over the wire: pages and their tokens, roots, deploys, and who may ask."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError
from grpclib.testing import ChannelFor
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenRequest,
    DiscoverHierarchyRequest,
    GetLastDeployTimeRequest,
    TestConnectionRequest as ConnectionRequest,
    WatchDeployEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import (
    GalaxyRepositoryMethods,
    GalaxyRepositoryStub,
)
from zb_mom_ww_mxgateway_contracts.google_protobuf import Int32Value
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.galaxy_service import MAX_PAGE_SIZE, PAGE_SIZE
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec, Method

from .conftest import ChannelTransport

METHODS = [m for m in vars(GalaxyRepositoryMethods).values() if isinstance(m, Method)]
AREA = "TestPlant/TestArea"


@pytest.fixture
async def gateway(site):
    return await site.gateway(machines=7)


@pytest.fixture
def galaxy(site, gateway):
    return GalaxyRepositoryStub(site.client(gateway).transport)


def names(objects):
    return [shown.tag_name for shown in objects]


# Pages


@given(
    machines=st.integers(0, 9),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    root=st.sampled_from([None, "TestPlant", "TestArea", "testmachine_001"]),
    depth=st.none() | st.integers(0, 3),
    glob=st.sampled_from(["", "TestMachine_*", "*1", "?estp*"]),
)
def test_pages_of_any_sizes_make_up_the_whole_answer(machines, sizes, root, depth, glob):
    fields = {
        "root_tag_name": None if root == "testmachine_001" and not machines else root,
        "max_depth": None if depth is None else Int32Value(value=depth),
        "tag_name_glob": glob,
    }

    async def run():
        gateway = SimulatedGateway(machines=machines)
        async with ChannelFor(gateway.handlers(), codec=MessageCodec()) as channel:
            galaxy = GalaxyRepositoryStub(ChannelTransport(channel, gateway.api_key))
            whole = await galaxy.discover_hierarchy(DiscoverHierarchyRequest(**fields))
            paged, token, turn = [], "", 0
            while token or not turn:
                size = sizes[turn % len(sizes)]
                page = await galaxy.discover_hierarchy(
                    DiscoverHierarchyRequest(**fields, page_size=size, page_token=token)
                )
                assert len(page.objects) <= size
                assert page.total_object_count == len(whole.objects)
                paged, token, turn = paged + page.objects, page.next_page_token, turn + 1
            return whole, paged

    whole, paged = asyncio.run(run())
    assert not whole.next_page_token
    assert paged == whole.objects


async def test_a_page_has_500_objects_unless_asked_and_5000_at_most(site, refused):
    gateway = await site.gateway(machines=MAX_PAGE_SIZE + 1)
    galaxy = GalaxyRepositoryStub(site.client(gateway).transport)
    for size, expected in ((0, PAGE_SIZE), (MAX_PAGE_SIZE + 9, MAX_PAGE_SIZE)):
        hierarchy = await galaxy.discover_hierarchy(
            DiscoverHierarchyRequest(page_size=size, include_attributes=False)
        )
        children = await galaxy.browse_children(
            BrowseChildrenRequest(
                parent_contained_path=AREA, page_size=size, include_attributes=False
            )
        )
        assert (len(hierarchy.objects), len(children.children)) == (expected, expected)
        assert (hierarchy.total_object_count, children.total_child_count) == (5006, 5001)
        assert len(children.child_has_children) == expected
    for call in (
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_size=-1)),
        galaxy.browse_children(BrowseChildrenRequest(page_size=-1)),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(max_depth=Int32Value(value=-1))),
    ):
        assert (await refused(call)).status is Status.INVALID_ARGUMENT


async def test_a_token_is_good_for_its_own_query_and_deploy_alone(gateway, galaxy, refused):
    first = await galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_size=2))
    token = first.next_page_token
    of_children = await galaxy.browse_children(
        BrowseChildrenRequest(parent_contained_path=AREA, page_size=2)
    )
    assert token
    assert of_children.next_page_token
    for call in (
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token=token + "0")),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token="3" + token[1:])),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token="é")),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token=token, historized_only=True)),
        galaxy.discover_hierarchy(
            DiscoverHierarchyRequest(page_token=token, root_tag_name="TestArea")
        ),
        galaxy.discover_hierarchy(
            DiscoverHierarchyRequest(page_token=token, max_depth=Int32Value(value=1))
        ),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token=of_children.next_page_token)),
        galaxy.browse_children(BrowseChildrenRequest(page_token=token)),
        galaxy.browse_children(BrowseChildrenRequest(page_token=of_children.next_page_token)),
    ):
        assert (await refused(call)).status is Status.INVALID_ARGUMENT
    again = DiscoverHierarchyRequest(page_token=token, include_attributes=True)
    rest = await galaxy.discover_hierarchy(again)
    assert len(first.objects) + len(rest.objects) == first.total_object_count
    # Another way to name the same parent asks the same, and so do filters in another order.
    same = BrowseChildrenRequest(parent_tag_name="testarea", page_token=of_children.next_page_token)
    assert len((await galaxy.browse_children(same)).children) == 5
    ids, texts = [10, 2, 18], ["$Test", "$user"]
    some = DiscoverHierarchyRequest(category_ids=ids, template_chain_contains=texts, page_size=2)
    turned = DiscoverHierarchyRequest(
        category_ids=[*ids[::-1], 2],
        template_chain_contains=["$USER", "$test"],
        page_token=(await galaxy.discover_hierarchy(some)).next_page_token,
    )
    assert len((await galaxy.discover_hierarchy(turned)).objects) == 6
    gateway.deploy()
    refusal = await refused(galaxy.discover_hierarchy(again))
    assert refusal.status is Status.INVALID_ARGUMENT
    assert "deployed since" in refusal.message


# What is asked for


async def test_an_unknown_root_or_parent_is_not_found(galaxy, refused):
    for fields in (
        {"gobject_id": 0},
        {"gobject_id": 999_999},
        {"tag_name": "Nobody"},
        {"tag_name": ""},
        {"contained_path": "TestPlant/Nobody"},
        {"contained_path": ""},
    ):
        roots = {f"root_{name}": value for name, value in fields.items()}
        parents = {f"parent_{name}": value for name, value in fields.items()}
        for call in (
            galaxy.discover_hierarchy(DiscoverHierarchyRequest(**roots)),
            galaxy.browse_children(BrowseChildrenRequest(**parents)),
        ):
            assert (await refused(call)).status is Status.NOT_FOUND


async def test_attributes_come_unless_they_are_declined(galaxy):
    for asked, expected in ((None, 20), (True, 20), (False, 0)):
        reply = await galaxy.discover_hierarchy(
            DiscoverHierarchyRequest(tag_name_glob="TestMachine_001", include_attributes=asked)
        )
        assert [len(shown.attributes) for shown in reply.objects] == [expected]
    # A filter on attributes does not need them to be sent.
    reply = await galaxy.discover_hierarchy(
        DiscoverHierarchyRequest(historized_only=True, include_attributes=False)
    )
    assert reply.total_object_count == 7


async def test_children_say_whether_they_have_children(galaxy):
    top = await galaxy.browse_children(BrowseChildrenRequest())
    assert names(top.children) == ["TestPlant"]
    assert top.child_has_children == [True]
    machines = await galaxy.browse_children(
        BrowseChildrenRequest(parent_contained_path=AREA, tag_name_glob="*_00?")
    )
    assert machines.child_has_children == [True, *[False] * 6]


# Deploys and keys


async def test_before_the_first_load_all_but_the_connection_test_is_unavailable(site, refused):
    gateway = await site.gateway(deployed=False)
    client = site.client(gateway)
    for method in METHODS:
        call = client.call(method, method.request())
        if method is GalaxyRepositoryMethods.TEST_CONNECTION:
            assert (await call).ok
        else:
            assert (await refused(call)).status is Status.UNAVAILABLE
    gateway.deploy()
    for method in METHODS:
        if method.cardinality is Cardinality.UNARY_UNARY:
            assert await client.call(method, method.request()) is not None
    async with aclosing(
        GalaxyRepositoryStub(client.transport).watch_deploy_events(WatchDeployEventsRequest())
    ) as events:
        assert (await anext(events)).sequence == 1


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.path.rpartition("/")[2])
async def test_every_call_needs_an_api_key(site, gateway, refused, method):
    for key in (None, "mxgw_nobody_secret"):
        refusal = await refused(site.client(gateway, api_key=key).call(method, method.request()))
        assert refusal.status is Status.UNAUTHENTICATED


async def test_watchers_are_told_the_present_and_each_new_deploy(gateway, galaxy):
    seen = (await galaxy.get_last_deploy_time(GetLastDeployTimeRequest())).time_of_last_deploy
    async with (
        asyncio.timeout(5),
        aclosing(galaxy.watch_deploy_events(WatchDeployEventsRequest())) as new,
        aclosing(
            galaxy.watch_deploy_events(WatchDeployEventsRequest(last_seen_deploy_time=seen))
        ) as informed,
    ):
        waiting = asyncio.ensure_future(anext(informed))
        current = await anext(new)
        assert current.time_of_last_deploy_present
        assert current.time_of_last_deploy == seen
        assert (current.sequence, current.object_count) == (1, 12)
        await galaxy.test_connection(ConnectionRequest())  # behind the other watcher's call
        assert not waiting.done()
        gateway.deploy(machines=8)
        event = await anext(new)
        assert event == await waiting
        assert (event.sequence, event.object_count) == (2, 13)
        assert event.attribute_count == current.attribute_count + 20
        assert event.time_of_last_deploy.to_nanoseconds() > seen.to_nanoseconds()
        assert len((await galaxy.discover_hierarchy(DiscoverHierarchyRequest())).objects) == 13


async def test_watching_ends_with_the_gateway(gateway, galaxy):
    async with aclosing(galaxy.watch_deploy_events(WatchDeployEventsRequest())) as events:
        await anext(events)
        closing = asyncio.ensure_future(gateway.close())
        with pytest.raises(GRPCError) as caught:
            await anext(events)
        assert caught.value.status is Status.UNAVAILABLE
        await closing


async def test_a_call_without_a_request_is_an_invalid_argument(site, gateway, refused):
    client = site.client(gateway)

    async def silent(method):
        async with client.channel.request(
            method.path,
            Cardinality.STREAM_STREAM,
            method.request,
            method.reply,
            metadata=client.transport.metadata,
        ) as stream:
            await stream.send_request()
            await stream.end()
            await stream.recv_message()

    for method in METHODS:
        assert (await refused(silent(method))).status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize("machines", [-1, -100])
async def test_a_deploy_has_no_negative_number_of_machines(machines):
    gateway = SimulatedGateway()
    with pytest.raises(ValueError, match="must not be negative"):
        gateway.deploy(machines=machines)


async def test_sessions_find_what_a_deploy_brought_and_keep_what_they_had(site):
    gateway = await site.gateway(machines=1)
    session = await site.client(gateway).open()
    server = await session.do("register", client_name="test")
    old = await session.do(
        "add_item", server_handle=server, item_definition="TestMachine_001.MachineCode"
    )
    gateway.deploy(machines=0)
    read = "TestMachine_001.MachineCode", "TestMachine_002.MachineCode"
    fields = {"server_handle": server, "tag_addresses": list(read), "timeout_ms": 1000}
    assert [r.quality for r in await session.do("read_bulk", **fields)] != [192, 192]
    gateway.deploy(machines=2)
    assert [r.quality for r in await session.do("read_bulk", **fields)] == [192, 192]
    async with session.events() as events:
        await session.do("advise", server_handle=server, item_handle=old)
        assert (await events.next()).quality == 192
