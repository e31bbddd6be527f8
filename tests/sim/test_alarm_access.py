"""Alarms and keys that are narrowed to subtrees: what these see, and what they acknowledge."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
from grpclib.const import Status

from tests.sim.plant import (
    ACKNOWLEDGE,
    ALARM,
    E_INVALIDARG,
    OTHER,
    REFERENCE,
    Plant,
    acknowledge,
    active,
    following,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import ProtocolStatusCode

REFERENCE_OF_OTHER = f"Galaxy!TestArea.{OTHER}"


async def test_a_narrowed_key_sees_and_acknowledges_the_alarms_of_its_subtrees(site, refused):
    gateway = await site.gateway()
    plant = await Plant.of(await site.client(gateway).open())
    for alarm in (ALARM, OTHER):
        await plant.write(alarm, True)
    narrowed = site.client(
        gateway, gateway.add_api_key(read=["TestMachine_001"], write=["TestMachine_001"])
    ).stub
    reader = site.client(gateway, gateway.add_api_key(write=["TestMachine_002"])).stub
    assert [it.alarm_full_reference for it in await active(narrowed)] == [REFERENCE]
    async with following(narrowed) as feed:
        assert [it.alarm_full_reference for it in feed.opening] == [REFERENCE]
        hidden = await refused(acknowledge(narrowed, REFERENCE_OF_OTHER))
        unknown = await refused(acknowledge(narrowed, "Galaxy!TestArea.No.Such"))
        assert hidden.status is unknown.status is Status.NOT_FOUND
        assert hidden.message == unknown.message.replace(
            "Galaxy!TestArea.No.Such", REFERENCE_OF_OTHER
        )
        denied = await refused(acknowledge(reader))
        assert denied.status is Status.PERMISSION_DENIED
        await plant.write(OTHER, False)
        await acknowledge(narrowed)
        assert await feed.kinds(1) == [ACKNOWLEDGE]


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("acknowledge_alarm", {"alarm_guid": str(uuid5(NAMESPACE_OID, REFERENCE))}),
        ("acknowledge_alarm_by_name", {"alarm_name": ALARM}),
    ],
)
async def test_a_narrowed_key_acknowledges_what_it_may_write_and_knows_nothing_of_the_rest(
    site, refused, command, fields
):
    gateway = await site.gateway()
    plant = await Plant.of(await site.client(gateway).open())
    await plant.write(ALARM, True)

    async def session_with(**access: list[str]) -> Any:
        return await site.client(gateway, gateway.add_api_key(**access)).open()

    blind = await session_with(read=["TestMachine_002"])
    reply = await blind.invoke(command, **fields)
    assert reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE
    assert reply.hresult == E_INVALIDARG
    assert await blind.do("query_active_alarms") == []

    reader = await session_with(write=["TestMachine_002"])
    refusal = await refused(reader.invoke(command, **fields))
    assert refusal.status is Status.PERMISSION_DENIED
    assert ALARM in refusal.message
    assert await plant.state() == [True, False, ""]

    writer = await session_with(read=["TestMachine_001"], write=["TestMachine_001"])
    await writer.do(command, comment="mine", **fields)
    assert await plant.state() == [True, True, "mine"]


async def test_the_events_of_a_narrowed_session_are_those_of_its_subtrees(site):
    gateway = await site.gateway()
    plant = await Plant.of(await site.client(gateway).open())
    narrowed = await site.client(gateway, gateway.add_api_key(read=["TestMachine_002"])).open()
    await narrowed.do("subscribe_alarms")
    async with narrowed.events() as events:
        for alarm in (ALARM, OTHER):
            await plant.write(alarm, True)
        told = (await events.next()).on_alarm_transition
        assert told.source_object_reference == "TestMachine_002"
        assert await events.quiet()
