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
    """SubscribeAlarms / UnsubscribeAlarms switch OnAlarmTransition events on the session's
    stream.
    """
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


async def test_a_forced_mode_says_where_the_alarms_of_a_session_come_from_and_fixes_that(site):
    gateway = await site.gateway()
    client = site.client(gateway)
    session, forced = await client.open(), await client.open()
    server, (item,) = await session.subscribed(ALARM)
    await session.do("subscribe_alarms")
    await forced.do("subscribe_alarms", forced_mode=AlarmProviderMode.SUBTAG)
    async with session.events() as plain, forced.events() as fixed:
        await session.write(server, item, True)
        told = await plain.next_of(MxEventFamily.ON_ALARM_TRANSITION)
        theirs = await fixed.next()
        assert (
            theirs.on_alarm_transition.degraded,
            theirs.on_alarm_transition.source_provider,
        ) == (
            True,
            AlarmProviderMode.SUBTAG,
        )
        assert not told.on_alarm_transition.degraded
        assert told.on_alarm_transition.source_provider is AlarmProviderMode.ALARMMGR
        gateway.switch_alarm_provider(AlarmProviderMode.SUBTAG)
        changed = await plain.next_of(MxEventFamily.ON_ALARM_PROVIDER_MODE_CHANGED)
        assert changed.on_alarm_provider_mode_changed.mode is AlarmProviderMode.SUBTAG
        assert await fixed.quiet()
        await forced.do("subscribe_alarms", forced_mode=AlarmProviderMode.ALARMMGR)
        await session.write(server, item, False)
        cleared = (await fixed.next()).on_alarm_transition
        assert (cleared.degraded, cleared.source_provider) == (False, AlarmProviderMode.ALARMMGR)


@pytest.mark.parametrize("is_forced", [True, False])
async def test_a_watch_list_narrows_alarms_while_they_come_from_sub_attributes(site, is_forced):
    """The list counts for mode SUBTAG, forced or that of the gateway, and for no other."""
    gateway = await site.gateway()
    session = await site.client(gateway).open()
    server, items = await session.subscribed(ALARM, OTHER)
    usual = AlarmSubtagTarget(
        alarm_full_reference=REFERENCE.upper(),
        active_subtag="InAlarm",
        acked_subtag="acked",
        ack_comment_subtag="AckMsg",
    )
    mode = AlarmProviderMode.SUBTAG if is_forced else AlarmProviderMode.UNSPECIFIED
    failover = AlarmFailoverConfig(consecutive_failure_threshold=3, probe_interval_seconds=5)
    await session.do("subscribe_alarms", watch_list=[usual], forced_mode=mode, failover=failover)

    async def heard() -> set[str]:
        async with session.events() as events:
            for value in (True, False):
                for item in items:
                    await session.write(server, item, value)
            await session.do("ping")
            told = []
            while not await events.quiet():
                told.append(await events.next())
        transitions = [it.on_alarm_transition for it in told if it.on_alarm_transition]
        assert len(transitions) % 2 == 0
        return {it.source_object_reference for it in transitions}

    if not is_forced:
        assert await heard() == {"TestMachine_001", "TestMachine_002"}
        gateway.switch_alarm_provider(AlarmProviderMode.SUBTAG)
    assert await heard() == {"TestMachine_001"}


@pytest.mark.parametrize(
    ("fields", "code", "word"),
    [
        (
            {
                "watch_list": [
                    AlarmSubtagTarget(alarm_full_reference=REFERENCE, acked_subtag="Seen")
                ]
            },
            ProtocolStatusCode.INVALID_REQUEST,
            "acked_subtag 'Seen' in place of Acked",
        ),
        (
            {"forced_mode": AlarmProviderMode(7)},
            ProtocolStatusCode.INVALID_REQUEST,
            "forced_mode 7",
        ),
        (
            {"watch_list": [AlarmSubtagTarget(source_object_reference="TestMachine_001")]},
            ProtocolStatusCode.MXACCESS_FAILURE,
            "entry 1 of watch_list",
        ),
        (
            {"failover": AlarmFailoverConfig(stable_probes=-1)},
            ProtocolStatusCode.MXACCESS_FAILURE,
            "stable_probes",
        ),
    ],
)
async def test_sources_that_make_no_sense_here_are_refused(session, fields, code, word):
    reply = await session.invoke("subscribe_alarms", **fields)
    assert reply.protocol_status.code == code
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
    """QueryActiveAlarms and the two acknowledges answer as the session-less rpcs do."""
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
    """D: MXACCESS_FAILURE 0x80070057 here, where the call without a session ends with NOT_FOUND."""
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
    assert gateway._alarms.follower_count == 0
