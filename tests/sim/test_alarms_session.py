"""Alarms in a session: its events, and the commands that do what the calls do."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import pytest

from tests.sim.plant import (
    ALARM,
    E_INVALIDARG,
    OTHER,
    REFERENCE,
    Plant,
    acknowledge,
    active,
    following,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AlarmConditionState,
    AlarmFailoverConfig,
    AlarmProviderMode,
    AlarmSubtagTarget,
    MxEventFamily,
    ProtocolStatusCode,
)


@pytest.fixture
async def plant(session: Any) -> Plant:
    return await Plant.of(session)


@pytest.fixture
def stub(session: Any) -> Any:
    return session.stub


async def test_a_session_gets_alarm_events_while_it_is_subscribed(plant, stub):
    session = plant.session
    async with session.events() as events:
        await events.take(5)
        await plant.write(ALARM, True)
        assert [it.family for it in await events.take(3)].count(
            MxEventFamily.ON_ALARM_TRANSITION
        ) == 0
        for _ in range(2):  # subscribing twice is one subscription
            await session.do("subscribe_alarms")
        async with following(stub) as feed:
            await acknowledge(stub, operator_user="joe")
            event = await events.next_of(MxEventFamily.ON_ALARM_TRANSITION)
            assert event.on_alarm_transition == await feed.transition()
            assert event.source_timestamp == event.on_alarm_transition.transition_timestamp
            assert event.which_body() == "on_alarm_transition"
        for _ in range(2):  # unsubscribing twice is harmless
            await session.do("unsubscribe_alarms")
        await plant.write(ALARM, False)
        assert [it.family for it in await events.take(2)] == [
            MxEventFamily.ON_WRITE_COMPLETE,
            MxEventFamily.ON_DATA_CHANGE,
        ]
        assert await events.quiet()


async def test_the_alarm_that_a_write_raises_follows_its_write_complete(plant):
    session = plant.session
    await session.do("subscribe_alarms")
    async with session.events() as events:
        await events.take(5)
        await plant.write(OTHER, True)
        families = [it.family for it in await events.take(3)]
    assert families[0] == MxEventFamily.ON_WRITE_COMPLETE
    assert set(families[1:]) == {MxEventFamily.ON_ALARM_TRANSITION, MxEventFamily.ON_DATA_CHANGE}


@pytest.mark.parametrize(
    ("expression", "heard"),
    [
        ("", True),
        (r"\Galaxy!TestArea", True),
        (r"\\HOST\galaxy!*", True),
        (r"\Galaxy!Elsewhere \Galaxy!TestArea.TestMachine_001*", True),
        (r"\Galaxy!Elsewhere", False),
        (r"\\HOST\Other!TestArea", False),
    ],
)
async def test_a_subscription_expression_selects_alarms(plant, expression, heard):
    session = plant.session
    await session.do("subscribe_alarms", subscription_expression=expression)
    async with session.events() as events:
        await events.take(5)
        await plant.write(ALARM, True)
        families = [it.family for it in await events.take(3 + heard)]
        assert (MxEventFamily.ON_ALARM_TRANSITION in families) is heard
        assert await events.quiet()


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"forced_mode": AlarmProviderMode.SUBTAG}, "forced_mode SUBTAG"),
        ({"watch_list": [AlarmSubtagTarget(alarm_full_reference=REFERENCE)]}, "watch_list"),
        ({"failover": AlarmFailoverConfig()}, "failover"),
    ],
)
async def test_a_source_of_its_own_for_a_session_is_not_simulated(session, fields, word):
    reply = await session.invoke("subscribe_alarms", **fields)
    assert reply.protocol_status.code == ProtocolStatusCode.INVALID_REQUEST
    assert "MX_COMMAND_KIND_SUBSCRIBE_ALARMS" in reply.protocol_status.message
    assert word in reply.protocol_status.message


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("acknowledge_alarm", {"alarm_guid": str(uuid5(NAMESPACE_OID, REFERENCE))}),
        ("acknowledge_alarm", {"alarm_guid": f"{{{uuid5(NAMESPACE_OID, REFERENCE)}}}".upper()}),
        ("acknowledge_alarm_by_name", {"alarm_name": ALARM}),
        (
            "acknowledge_alarm_by_name",
            {"alarm_name": ALARM, "provider_name": "galaxy", "group_name": "testarea"},
        ),
    ],
)
async def test_a_session_acknowledges_by_guid_and_by_name(plant, stub, command, fields):
    await plant.write(ALARM, True)
    reply = await plant.session.invoke(command, comment="ok", operator_user="ann", **fields)
    assert reply.acknowledge_alarm.native_status == 0
    assert reply.hresult == 0
    (alarm,) = await plant.session.do("query_active_alarms")
    assert alarm.state is AlarmConditionState.ACTIVE_ACKED
    assert (alarm.operator_user, alarm.operator_comment) == ("ann", "ok")
    assert await active(stub) == [alarm]


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("acknowledge_alarm", {"alarm_guid": ""}),
        ("acknowledge_alarm", {"alarm_guid": "not a guid"}),
        ("acknowledge_alarm", {"alarm_guid": str(uuid4())}),
        ("acknowledge_alarm_by_name", {}),
        ("acknowledge_alarm_by_name", {"alarm_name": REFERENCE}),
        ("acknowledge_alarm_by_name", {"alarm_name": ALARM, "provider_name": "Other"}),
        ("acknowledge_alarm_by_name", {"alarm_name": ALARM, "group_name": "Other"}),
    ],
)
async def test_an_alarm_that_a_command_does_not_find_is_a_failure_in_mxaccess(
    plant, command, fields
):
    await plant.write(ALARM, True)
    reply = await plant.session.invoke(command, **fields)
    assert reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE
    assert reply.hresult == E_INVALIDARG
    assert reply.which_payload() is None
    assert await plant.state() == [True, False, ""]


async def test_a_closed_session_hears_of_no_alarm(site):
    gateway = await site.gateway()
    client = site.client(gateway)
    closed, session = await client.open(), await client.open()
    await closed.do("subscribe_alarms")
    await closed.close()
    server, (item,) = await session.subscribed(ALARM)
    await session.write(server, item, True)
    assert not gateway._alarms._subscriptions
