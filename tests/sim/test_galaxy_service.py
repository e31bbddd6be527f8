"""The Galaxy service over the wire: objects and attributes, roots, deploys, who may see what."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError
from hypothesis import given

from zb_mom_ww_mxgateway.galaxy import SecurityClassification, data_type_of
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
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    DATA_TYPES,
    AttributeDefinition,
    AttributeSet,
    GalaxyDefinition,
    ObjectDefinition,
)
from zb_mom_ww_mxgateway_wire.grpc import Method

from .conftest import Client
from .galaxies import MACHINE, SETS, forests, tree_order
from .galaxy_serving import names, serving

METHODS = [m for m in vars(GalaxyRepositoryMethods).values() if isinstance(m, Method)]
AREA = "TestPlant/TestArea"


@pytest.fixture
async def served():
    async with serving() as running:
        yield running


@pytest.fixture
def galaxy(served):
    return served.galaxy


# Objects and attributes


async def test_attributes_say_what_they_are(galaxy):
    """Row: attribute data types, native; security classification."""
    reply = await galaxy.discover_hierarchy(DiscoverHierarchyRequest(tag_name_glob="*1"))
    (machine,) = reply.objects
    reply = await galaxy.discover_hierarchy(DiscoverHierarchyRequest(tag_name_glob="*child*"))
    (child,) = reply.objects
    by_name = {a.attribute_name: a for a in [*machine.attributes, *child.attributes]}
    classes = {name: a.security_classification for name, a in by_name.items()}
    assert classes["ProtectedValue"] == SecurityClassification.SECURED_WRITE
    assert classes["ProtectedValue1"] == SecurityClassification.VERIFIED_WRITE
    assert classes["MachineCode"] == SecurityClassification.OPERATE
    assert classes["TestAlarm001.InAlarm"] == SecurityClassification.VIEW_ONLY
    assert {name for name, a in by_name.items() if a.is_historized} == {"TestHistoryValue"}
    alarms = {"TestAlarm001", "TestAlarm002", "TestAlarm003"}
    assert {name for name, a in by_name.items() if a.is_alarm} == alarms
    array = by_name["TestStringArray"]
    assert (array.is_array, array.array_dimension_present, array.array_dimension) == (
        True,
        True,
        10,
    )
    assert (array.mx_data_type, array.data_type_name) == (5, "String")
    assert array.full_tag_reference == "TestChildObject.TestStringArray[]"
    assert by_name["MachineCode"].full_tag_reference == "TestMachine_001.MachineCode"
    assert {a.mx_attribute_category for a in by_name.values()} == {10}


@pytest.mark.parametrize("data_type", DATA_TYPES)
async def test_every_type_is_told_by_its_native_number(data_type):
    attribute = AttributeDefinition(name="A", data_type=data_type, value="")
    entry = ObjectDefinition(tag_name="O", attributes=AttributeSet([attribute]))
    async with serving(GalaxyDefinition(entries=(entry,))) as served:
        reply = await served.galaxy.discover_hierarchy(DiscoverHierarchyRequest())
        (shown,) = reply.objects[0].attributes
    assert data_type_of(shown) == data_type
    assert (shown.is_array, shown.array_dimension, shown.array_dimension_present) == (
        False,
        0,
        False,
    )


@given(forests())
def test_objects_are_shown_as_they_are_defined(objects):
    async def run():
        async with serving(GalaxyDefinition(entries=tuple(objects))) as served:
            return await served.galaxy.discover_hierarchy(DiscoverHierarchyRequest())

    reply = asyncio.run(run())
    assert reply.total_object_count == len(objects)
    ids = {shown.tag_name: shown.gobject_id for shown in reply.objects} | {"": 0}
    for shown, definition in zip(reply.objects, tree_order(objects), strict=True):
        assert (shown.tag_name, shown.contained_name, shown.browse_name) == (
            definition.tag_name,
            definition.contained_name,
            definition.browse_name,
        )
        assert (shown.category_id, shown.is_area) == (definition.category, definition.is_area)
        assert shown.template_chain == list(definition.template_chain)
        assert shown.parent_gobject_id == ids[definition.parent]
        assert shown.hosted_by_gobject_id == ids[definition.host]
        for told, attribute in zip(shown.attributes, definition.attributes.attributes, strict=True):
            assert told.attribute_name == attribute.name
            assert told.full_tag_reference == f"{definition.tag_name}.{attribute.name}"
            assert data_type_of(told) == attribute.data_type
            assert told.security_classification == attribute.security
            assert told.is_historized == attribute.is_historized
            assert told.is_alarm == (attribute.alarm is not None)


async def test_references_are_right_however_long_tag_names_are():
    tags = [letter * length for letter in "xé" for length in (1, 2, 50, 64, 100, 127, 128, 20_000)]
    entries = tuple(ObjectDefinition(tag_name=tag, attributes=MACHINE) for tag in (*tags, "a", "b"))
    async with serving(GalaxyDefinition(entries=entries)) as served:
        reply = await served.galaxy.discover_hierarchy(DiscoverHierarchyRequest())
    assert set(names(reply.objects)) == {*tags, "a", "b"}
    for shown in reply.objects:
        assert [a.full_tag_reference for a in shown.attributes] == [
            f"{shown.tag_name}.{attribute.name}" for attribute in MACHINE.attributes
        ]
        assert shown.unknown_fields == b""


# What is asked for


async def test_an_unknown_root_or_parent_is_not_found(galaxy, refused):
    """Row: root (unknown: NOT_FOUND)."""
    for fields in (
        {"gobject_id": 0},
        {"gobject_id": 999_999},
        {"tag_name": "Nobody"},
        {"tag_name": ""},
        {"tag_name": "é" * 100_000},
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
    """Row: include_attributes (unset = true)."""
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


# Narrowed keys


async def test_a_narrowed_key_sees_its_subtree_and_what_leads_there(served, refused):
    """Row: a key may be narrowed to tag subtrees for browse. D: what leads to them is shown without
    attributes; what is outside is not found, in the same words as what is not there.
    """
    galaxy = served.narrowed("testmachine_001")
    reply = await galaxy.discover_hierarchy(DiscoverHierarchyRequest())
    assert names(reply.objects) == ["TestPlant", "TestArea", "TestMachine_001", "TestChildObject"]
    assert reply.total_object_count == 4
    assert [len(shown.attributes) for shown in reply.objects] == [0, 0, 20, 4]
    top = await galaxy.browse_children(BrowseChildrenRequest(parent_tag_name="TestPlant"))
    assert (names(top.children), top.child_has_children) == (["TestArea"], [True])
    machines = await galaxy.browse_children(BrowseChildrenRequest(parent_contained_path=AREA))
    assert (names(machines.children), machines.total_child_count) == (["TestMachine_001"], 1)
    words = []
    for tag in ("TestMachine_002", "TestEngine", "TestMachine_999"):
        for call in (
            galaxy.discover_hierarchy(DiscoverHierarchyRequest(root_tag_name=tag)),
            galaxy.browse_children(BrowseChildrenRequest(parent_tag_name=tag)),
        ):
            refusal = await refused(call)
            assert refusal.status is Status.NOT_FOUND
            words.append(refusal.message.replace(tag, "").partition(" has ")[0])
    assert len(set(words)) == 1


async def test_attributes_that_a_key_may_not_see_are_not_there_for_filters():
    """D: else a filter would tell of them."""
    outer = ObjectDefinition(tag_name="Outer", attributes=SETS[4])
    inner = ObjectDefinition(tag_name="Inner", attributes=SETS[4], parent="Outer")
    async with serving(GalaxyDefinition(entries=(outer, inner))) as served:
        galaxy = served.narrowed("Inner")
        for fields in ({"alarm_bearing_only": True}, {"historized_only": True}):
            reply = await galaxy.discover_hierarchy(DiscoverHierarchyRequest(**fields))
            assert (names(reply.objects), reply.total_object_count) == (["Inner"], 1)


# Deploys and keys


async def test_before_the_first_load_all_but_the_connection_test_is_unavailable(refused):
    """Row: before the first load: UNAVAILABLE. TestConnection answers rather than failing."""
    async with serving(loaded=False) as served:
        client = Client(served.channel, served.api_key)
        for method in METHODS:
            call = client.call(method, method.request())
            if method is GalaxyRepositoryMethods.TEST_CONNECTION:
                assert (await call).ok
            else:
                assert (await refused(call)).status is Status.UNAVAILABLE
        await served.deploys.deploy()
        for method in METHODS:
            if method.cardinality is Cardinality.UNARY_UNARY:
                assert await client.call(method, method.request()) is not None
        events = served.galaxy.watch_deploy_events(WatchDeployEventsRequest())
        async with aclosing(events):
            assert (await anext(events)).sequence == 1


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.path.rpartition("/")[2])
async def test_every_call_needs_an_api_key(served, refused, method):
    for key in (None, "mxgw_nobody_secret"):
        refusal = await refused(Client(served.channel, key).call(method, method.request()))
        assert refusal.status is Status.UNAUTHENTICATED


async def test_watchers_are_told_the_present_and_each_new_deploy(served, galaxy):
    """Row: WatchDeployEvents: the current state at once (unless last_seen_deploy_time equals it),
    then one event for each new deploy.
    """
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
        await served.deploys.deploy(machines=8)
        event = await anext(new)
        assert event == await waiting
        assert (event.sequence, event.object_count) == (2, 13)
        assert event.attribute_count == current.attribute_count + 20
        assert event.time_of_last_deploy.to_nanoseconds() > seen.to_nanoseconds()
        assert len((await galaxy.discover_hierarchy(DiscoverHierarchyRequest())).objects) == 13


async def test_watching_ends_with_the_gateway(site):
    gateway = await site.gateway()
    galaxy = GalaxyRepositoryStub(site.client(gateway).transport)
    async with aclosing(galaxy.watch_deploy_events(WatchDeployEventsRequest())) as events:
        await anext(events)
        closing = asyncio.ensure_future(gateway.close())
        with pytest.raises(GRPCError) as caught:
            await anext(events)
        assert caught.value.status is Status.UNAVAILABLE
        await closing


async def test_a_call_without_a_request_is_an_invalid_argument(served, refused):
    metadata = {"authorization": f"Bearer {served.api_key}"}

    async def silent(method):
        async with served.channel.request(
            method.path,
            Cardinality.STREAM_STREAM,
            method.request,
            method.reply,
            metadata=metadata,
        ) as stream:
            await stream.send_request()
            await stream.end()
            await stream.recv_message()

    for method in METHODS:
        assert (await refused(silent(method))).status is Status.INVALID_ARGUMENT
