"""Keys that are narrowed to tag subtrees, at a gateway: what is denied, how, and what is not seen.

TestMachine_001 has TestChildObject below it; TestMachine_002 stands beside it.
"""

from __future__ import annotations

from typing import Any

import pytest
from grpclib.const import Status

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import DiscoverHierarchyRequest
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import GalaxyRepositoryStub
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import AlarmConditionState, WriteBulkEntry

from .plant import acknowledge, active, following

INSIDE = ["TestMachine_001.MachineCode", "TestChildObject.TestInt"]
OUTSIDE = ["TestMachine_002.MachineCode", "No.Such"]
MIXED = [INSIDE[0], OUTSIDE[0], INSIDE[1], OUTSIDE[1]]
#: One alarm in the subtree of TestMachine_001 and one beside it.
PREFIX = "Galaxy!TestArea."
SEEN, UNSEEN = "TestMachine_001.TestAlarm001", "TestMachine_002.TestAlarm001"


@pytest.fixture
async def gateway(site):
    return await site.gateway(machines=2, plant=False)


def narrowed(site: Any, gateway: Any, **subtrees: list[str]) -> Any:
    return site.client(gateway, gateway.add_api_key(**subtrees))


def names(alarms: list[Any]) -> list[str]:
    """What the alarms are of."""
    return [alarm.alarm_full_reference.removeprefix(PREFIX) for alarm in alarms]


def denied(results: list[Any]) -> list[bool]:
    """Which entries of a bulk were denied; the others must have succeeded."""
    for result in results:
        assert result.was_successful != ("may not" in result.error_message), result
    return [not result.was_successful for result in results]


@pytest.mark.parametrize("command", ["add_item", "add_item2", "add_buffered_item"])
async def test_a_denied_single_command_is_permission_denied(site, gateway, refused, command):
    """Row: a denied single command is PERMISSION_DENIED. Adding needs read."""
    session = await narrowed(site, gateway, read=["TestMachine_001"]).open()
    server = await session.do("register", client_name="test")
    for tag in INSIDE:
        assert await session.do(command, server_handle=server, item_definition=tag)
    for tag in OUTSIDE:
        refusal = await refused(session.invoke(command, server_handle=server, item_definition=tag))
        assert refusal.status is Status.PERMISSION_DENIED
        assert repr(tag) in refusal.message  # spelled as it was asked for
        assert "TestMachine_001" in refusal.message


async def test_a_context_leads_no_key_out_of_its_subtree(site, gateway, refused):
    session = await narrowed(site, gateway, read=["TestMachine_001"]).open()
    server = await session.do("register", client_name="test")
    fields = {"server_handle": server, "item_definition": "MachineCode"}
    inside = await session.do("add_item2", **fields, item_context="TestMachine_001")
    assert inside
    outside = session.invoke("add_item2", **fields, item_context="TestMachine_002")
    refusal = await refused(outside)
    assert refusal.status is Status.PERMISSION_DENIED
    assert "'TestMachine_002.MachineCode'" in refusal.message


@pytest.mark.parametrize("command", ["add_item_bulk", "subscribe_bulk", "read_bulk"])
async def test_denied_entries_of_a_bulk_are_failed_entries_at_their_own_index(
    site, gateway, command
):
    """Row: denied entries of a bulk are failed entries at their own index."""
    session = await narrowed(site, gateway, read=["TestMachine_001"]).open()
    server = await session.do("register", client_name="test")
    results = await session.do(command, server_handle=server, tag_addresses=MIXED)
    assert [result.tag_address for result in results] == MIXED
    assert denied(results) == [False, True, False, True]
    assert not any(result.item_handle for result in results if not result.was_successful)


async def test_writing_needs_write_too(site, gateway, refused):
    """Row: a key may be narrowed to tag subtrees for browse, read, write. D: each by itself."""
    client = narrowed(site, gateway, read=["TestArea"], write=["TestChildObject"])
    session = await client.open()
    tags = ["TestMachine_001.TestHistoryValue", "TestChildObject.TestInt"]
    server, (above, inside) = await session.subscribed(*tags)
    refusal = await refused(session.write(server, above, 4711))
    assert refusal.status is Status.PERMISSION_DENIED
    assert f"may not write {tags[0]!r}: it is narrowed to TestChildObject" in refusal.message
    assert "4711" not in refusal.message
    assert (await session.write(server, inside, 7)).hresult == 0

    entries = [WriteBulkEntry(item_handle=item, value=to_mx_value(8)) for item in (above, inside)]
    results = await session.do("write_bulk", server_handle=server, entries=entries)
    assert denied(results) == [True, False]
    read = await session.do("read_bulk", server_handle=server, tag_addresses=tags)
    assert [result.value.int32_value for result in read] == [0, 8]


async def raised(site: Any, gateway: Any) -> Any:
    """A session of a key that may everything, which has raised both alarms."""
    session = await site.client(gateway).open()
    server, items = await session.subscribed(SEEN, UNSEEN)
    for item in items:
        assert (await session.write(server, item, True)).hresult == 0
    return session, server, items


async def test_alarms_are_seen_where_their_source_may_be_read(site, gateway):
    """D"""
    session, server, items = await raised(site, gateway)
    client = narrowed(site, gateway, read=["TestMachine_001"])
    assert names(await active(client.stub)) == [SEEN]
    async with following(client.stub) as feed:
        assert names(feed.opening) == [SEEN]
        for item in reversed(items):
            await session.write(server, item, False)
        assert names([await feed.transition()]) == [SEEN]
    await raised(site, gateway)
    own = await client.open()
    assert names(await own.do("query_active_alarms")) == [SEEN]


async def test_acknowledging_needs_write_and_an_alarm_that_is_not_seen_is_not_there(
    site, gateway, refused
):
    """D"""
    await raised(site, gateway)
    client = narrowed(site, gateway, read=["TestArea"], write=["TestMachine_001"])
    assert (await acknowledge(client.stub, PREFIX + SEEN)).hresult == 0
    denial = await refused(acknowledge(client.stub, PREFIX + UNSEEN))
    assert denial.status is Status.PERMISSION_DENIED
    session = await client.open()
    by_name = session.invoke("acknowledge_alarm_by_name", alarm_name=UNSEEN)
    assert (await refused(by_name)).status is Status.PERMISSION_DENIED
    blind = narrowed(site, gateway, read=["TestMachine_001"])
    assert (await refused(acknowledge(blind.stub, PREFIX + UNSEEN))).status is Status.NOT_FOUND
    states = {
        alarm.alarm_full_reference: alarm.state for alarm in await active(site.client(gateway).stub)
    }
    assert states == {
        PREFIX + SEEN: AlarmConditionState.ACTIVE_ACKED,
        PREFIX + UNSEEN: AlarmConditionState.ACTIVE,
    }


async def test_a_key_sees_the_metadata_of_its_subtrees_and_of_the_way_there(site, gateway):
    """Row: a key may be narrowed to tag subtrees for browse."""
    client = narrowed(site, gateway, browse=["TestMachine_001"])
    galaxy = GalaxyRepositoryStub(client.transport)
    reply = await galaxy.discover_hierarchy(DiscoverHierarchyRequest())
    names = {found.tag_name for found in reply.objects}
    assert {"TestMachine_001", "TestChildObject"} <= names
    assert "TestMachine_002" not in names
    assert reply.total_object_count == len(reply.objects)


async def test_narrowing_one_act_leaves_the_others_alone(site, gateway):
    client = narrowed(site, gateway, browse=[], write=[])
    session = await client.open()
    server = await session.do("register", client_name="test")
    results = await session.do("read_bulk", server_handle=server, tag_addresses=[*INSIDE, *OUTSIDE])
    assert [result.was_successful for result in results][:3] == [True, True, True]


async def test_a_refusal_does_not_tell_whether_there_is_such_an_array(site, gateway, refused):
    session = await narrowed(site, gateway, read=["TestMachine_002"]).open()
    server = await session.do("register")
    texts = set()
    for name in ("TestStringArray", "NoSuchArray"):
        tag = f"TestChildObject.{name}"
        refusal = await refused(
            session.invoke("add_item", server_handle=server, item_definition=tag)
        )
        texts.add(refusal.message.replace(name, "…"))
    assert len(texts) == 1


async def test_a_key_that_is_narrowed_meanwhile_is_so_from_the_next_command_on(
    site, gateway, refused
):
    """D: each command goes by what its key may read and write at that time; advices that run go
    on.
    """
    key = gateway.add_api_key()
    session = await site.client(gateway, key).open()
    server, (advised,) = await session.subscribed(OUTSIDE[0])
    added = await session.do("add_item", server_handle=server, item_definition=OUTSIDE[0])
    gateway.revoke_api_key(key)
    gateway.add_api_key(key, read=["TestMachine_001"], write=["TestMachine_001"])
    for command in (
        session.invoke("add_item", server_handle=server, item_definition=OUTSIDE[0]),
        session.invoke("advise", server_handle=server, item_handle=added),
        session.write(server, advised, "x"),
    ):
        assert (await refused(command)).status is Status.PERMISSION_DENIED
    results = await session.do("advise_item_bulk", server_handle=server, item_handles=[added])
    assert denied(results) == [True]
    assert denied(await session.do("read_bulk", server_handle=server, tag_addresses=MIXED)) == [
        False,
        True,
        False,
        True,
    ]
    writer = await site.client(gateway).open()
    other, (item,) = await writer.subscribed(OUTSIDE[0])
    async with session.events() as events:
        await events.next()
        await writer.write(other, item, "news")
        assert (await events.next()).item_handle == advised
