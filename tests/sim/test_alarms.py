"""Alarms: what raises and clears them, and the feed and the calls that need no session."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.testing import ChannelFor

from tests.sim.plant import (
    ACKNOWLEDGE,
    ALARM,
    CLEAR,
    OTHER,
    RAISE,
    REFERENCE,
    RETRIGGER,
    Plant,
    acknowledge,
    active,
    following,
)
from zb_mom_ww_mxgateway.values import from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AlarmConditionState,
    AlarmProviderMode,
    MxEventFamily,
    MxStatusCategory,
    ProtocolStatusCode,
    StreamAlarmsRequest,
    WriteBulkEntry,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods
from zb_mom_ww_mxgateway_sim import ManualClock, SimulatedGateway
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec


@pytest.fixture
async def plant(session: Any) -> Plant:
    return await Plant.of(session)


@pytest.fixture
def stub(session: Any) -> Any:
    return session.stub


async def test_at_first_no_alarm_is_active_and_none_waits_for_acknowledgement(plant, stub):
    """D: every alarm starts inactive and acknowledged. ``provider_status`` at the start."""
    assert await active(stub) == []
    assert await plant.state() == [False, True, ""]
    assert await plant.read(f"{ALARM}.Priority") == [500]
    async with following(stub) as feed:
        assert feed.opening == []
        assert feed.provider.mode == AlarmProviderMode.ALARMMGR
        assert not feed.provider.degraded


async def test_a_condition_that_becomes_true_raises_and_one_that_becomes_false_clears(plant, stub):
    """Severity on the native scale (e.g. 500); a cleared alarm leaves the snapshot."""
    async with following(stub) as feed:
        await plant.write(ALARM, True)
        raised = await feed.transition()
        assert raised.alarm_full_reference == REFERENCE
        assert raised.source_object_reference == "TestMachine_001"
        assert raised.transition_kind is RAISE
        assert raised.severity == 500
        assert raised.original_raise_timestamp == raised.transition_timestamp
        assert from_mx_value(raised.current_value) is True
        assert raised.source_provider is AlarmProviderMode.ALARMMGR
        assert raised.description
        assert await plant.state() == [True, False, ""]
        await plant.write(ALARM, False)
        cleared = await feed.transition()
        assert cleared.transition_kind is CLEAR
        assert cleared.original_raise_timestamp == raised.transition_timestamp
        assert from_mx_value(cleared.current_value) is False
        assert await plant.state() == [False, False, ""]
    assert await active(stub) == []


async def test_an_active_alarm_is_in_the_snapshot_as_its_last_transition_left_it(plant, stub):
    """Every active alarm once, then ``snapshot_complete``; QueryActiveAlarms: the snapshot, then
    the stream ends; condition states ACTIVE, ACTIVE_ACKED.
    """
    await plant.write(f"{ALARM}.Priority", 17)
    async with following(stub) as feed:
        await plant.write(ALARM, True)
        await plant.write(f"{ALARM}.Priority", 900)
        raised = await feed.transition()
    (alarm,) = await active(stub)
    assert alarm.state is AlarmConditionState.ACTIVE
    assert alarm.severity == raised.severity == 17
    assert alarm.last_transition_timestamp == raised.transition_timestamp
    await acknowledge(stub, comment="seen", operator_user="joe")
    async with following(stub) as feed:
        (alarm,) = feed.opening
    assert alarm.state is AlarmConditionState.ACTIVE_ACKED
    assert (alarm.severity, alarm.operator_user, alarm.operator_comment) == (900, "joe", "seen")
    assert alarm.original_raise_timestamp == raised.transition_timestamp


async def test_writing_the_value_that_a_condition_has_changes_nothing(plant, stub):
    async with following(stub) as feed:
        for value in (False, True, True, False, False, True):
            await plant.write(ALARM, value)
        await acknowledge(stub)
        assert await feed.kinds(4) == [RAISE, CLEAR, RETRIGGER, ACKNOWLEDGE]


async def test_an_alarm_that_comes_back_unacknowledged_retriggers_and_keeps_its_first_time(
    plant, stub
):
    """Transitions: RAISE, CLEAR, RETRIGGER."""
    async with following(stub) as feed:
        for value in (True, False, True):
            await plant.write(ALARM, value)
        raised, _, again = [await feed.transition() for _ in range(3)]
        assert again.transition_kind is RETRIGGER
        assert again.original_raise_timestamp == raised.transition_timestamp
        await acknowledge(stub)
        for value in (False, True):
            await plant.write(ALARM, value)
        *_, anew = [await feed.transition() for _ in range(3)]
        assert anew.transition_kind is RAISE
        assert anew.original_raise_timestamp == anew.transition_timestamp
        assert anew.operator_user == anew.operator_comment == ""


async def test_an_acknowledgement_echoes_its_correlation_id_and_shows_in_the_sub_attributes(
    plant, stub
):
    """AcknowledgeAlarm: by full reference, comment, operator; hresult 0 on success; the reply's
    ``status`` stays unset.
    """
    await plant.write(ALARM, True)
    async with following(stub) as feed:
        reply = await acknowledge(
            stub, comment="on it", operator_user="joe", client_correlation_id="c-7"
        )
        told = await feed.transition()
    assert reply.correlation_id == "c-7"
    assert reply.protocol_status.code == ProtocolStatusCode.OK
    assert reply.hresult == 0
    assert reply.status is None
    assert (told.transition_kind, told.operator_user) == (ACKNOWLEDGE, "joe")
    assert told.operator_comment == "on it"
    assert await plant.state() == [True, True, "on it"]


async def test_writing_ack_msg_acknowledges(plant, stub):
    """``.AckMsg`` (string; writing it acknowledges)."""
    await plant.write(ALARM, True)
    async with following(stub) as feed:
        await plant.write(f"{ALARM}.AckMsg", "by write")
        told = await feed.transition()
        assert (told.transition_kind, told.operator_comment) == (ACKNOWLEDGE, "by write")
        assert told.operator_user == ""
        await plant.write(f"{ALARM}.AckMsg", "again")
        await plant.write(ALARM, False)
        cleared = await feed.transition()
        assert (cleared.transition_kind, cleared.operator_comment) == (CLEAR, "by write")
    assert await plant.state() == [False, True, "again"]


async def test_an_ack_msg_that_is_written_changes_once(plant):
    message = f"{ALARM}.AckMsg"
    await plant.write(ALARM, True)
    async with plant.session.events() as events:
        await events.take(8)  # the first values, and what raising has changed
        await plant.write(message, "seen")
        changed = [event.item_handle for event in await events.take(3)]
        assert changed.count(plant.handles[message]) == 2  # the write's completion, and the value
        assert changed.count(plant.handles[f"{ALARM}.Acked"]) == 1
        assert await events.quiet()


async def test_a_cleared_alarm_can_still_be_acknowledged_once(plant, stub):
    for value in (True, False):
        await plant.write(ALARM, value)
    async with following(stub) as feed:
        for comment in ("first", "second"):
            assert (await acknowledge(stub, comment=comment)).hresult == 0
        await plant.write(ALARM, True)
        told = [await feed.transition() for _ in range(2)]
    assert [it.transition_kind for it in told] == [ACKNOWLEDGE, RAISE]
    assert told[0].operator_comment == "first"


async def test_references_are_found_in_any_case_and_unknown_ones_are_not_found(
    plant, stub, refused
):
    """AcknowledgeAlarm: unknown alarm: NOT_FOUND."""
    await plant.write(ALARM, True)
    assert (await acknowledge(stub, REFERENCE.upper())).hresult == 0
    for unknown in (ALARM, REFERENCE[:-1], f"{REFERENCE}.InAlarm", "Galaxy!TestArea.No.Such"):
        refusal = await refused(acknowledge(stub, unknown))
        assert refusal.status is Status.NOT_FOUND
        assert repr(unknown) in refusal.message
    refusal = await refused(acknowledge(stub, ""))
    assert refusal.status is Status.INVALID_ARGUMENT
    assert "alarm_full_reference" in refusal.message


@pytest.mark.parametrize("name", ["InAlarm", "Acked"])
async def test_what_tells_the_state_cannot_be_written(session, name):
    server, (item,) = await session.subscribed(f"{ALARM}.{name}")
    async with session.events() as events:
        await events.take(1)
        for command in ("write", "write_secured"):
            user = await session.do("authenticate_user", server_handle=server)
            users = {"current_user_id": user, "verifier_user_id": user}
            reply = await session.invoke(
                command,
                server_handle=server,
                item_handle=item,
                value=to_mx_value(True),
                **(users if command == "write_secured" else {}),
            )
            assert reply.hresult == 0
            done = await events.next()
            assert done.family == MxEventFamily.ON_WRITE_COMPLETE
            assert done.statuses[0].category == MxStatusCategory.SECURITY_ERROR
        assert await events.quiet()


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", {ALARM, OTHER}),
        ("Galaxy!TestArea.TestMachine_001", {ALARM}),
        ("galaxy!testarea.testmachine_002", {OTHER}),
        (f"Galaxy!TestArea.{OTHER}", {OTHER}),
        (f"Galaxy!TestArea.{OTHER}.", set()),
        ("TestMachine_001", set()),
    ],
)
async def test_a_prefix_narrows_snapshot_feed_and_query_alike(plant, stub, prefix, expected):
    """``alarm_filter_prefix`` narrows by reference."""

    def names(alarms: list[Any]) -> set[str]:
        return {alarm.alarm_full_reference.removeprefix("Galaxy!TestArea.") for alarm in alarms}

    async with following(stub, prefix) as early:
        for tag in (ALARM, OTHER):
            await plant.write(tag, True)
        told = [await early.transition() for _ in expected]
        assert names(told) == expected
    assert names(await active(stub, prefix)) == expected
    assert names(await plant.session.do("query_active_alarms", alarm_filter_prefix=prefix)) == (
        expected
    )
    async with following(stub, prefix) as late:
        assert names(late.opening) == expected


async def test_a_change_of_the_provider_is_told_once_to_all_who_follow(site):
    """``provider_status`` at the start and on change."""
    gateway = await site.gateway()
    session = await site.client(gateway).open()
    server, (item,) = await session.subscribed(ALARM)
    await session.do("subscribe_alarms", subscription_expression="Other!")
    async with following(session.stub, "nothing") as feed, session.events() as events:
        for _ in range(2):
            gateway.switch_alarm_provider(AlarmProviderMode.SUBTAG, "the alarm manager hangs")
        status = (await feed.next()).provider_status
        assert (status.mode, status.degraded) == (AlarmProviderMode.SUBTAG, True)
        assert status.reason == "the alarm manager hangs"
        event = await events.next_of(MxEventFamily.ON_ALARM_PROVIDER_MODE_CHANGED)
        assert event.on_alarm_provider_mode_changed.mode is AlarmProviderMode.SUBTAG
        assert event.on_alarm_provider_mode_changed.since == status.since
        gateway.switch_alarm_provider(AlarmProviderMode.ALARMMGR)
        status = (await feed.next()).provider_status
        assert (status.mode, status.degraded) == (AlarmProviderMode.ALARMMGR, False)
    gateway.switch_alarm_provider(AlarmProviderMode.SUBTAG)
    async with following(session.stub) as feed:
        assert feed.provider.degraded
        await session.write(server, item, True)
        told = await feed.transition()
        assert (told.degraded, told.source_provider) == (True, AlarmProviderMode.SUBTAG)
        assert (await active(session.stub))[0].degraded


async def test_alarms_come_and_go_with_their_machines(site):
    gateway = await site.gateway(machines=2)
    session = await site.client(gateway).open()
    server, (kept, gone) = await session.subscribed(ALARM, OTHER)
    for item in (kept, gone):
        await session.write(server, item, True)
    async with following(session.stub) as feed:
        await gateway.deploy(machines=1)
        told = await feed.transition()
        assert (told.transition_kind, told.source_object_reference) == (CLEAR, "TestMachine_002")
        assert [it.alarm_full_reference for it in await active(session.stub)] == [REFERENCE]
        await session.write(server, gone, True)  # an attribute that nobody deploys raises nothing
        await gateway.deploy(machines=3)
        _, (item,) = await session.subscribed("TestMachine_003.TestAlarm002")
        server, (again,) = await session.subscribed(OTHER)
        await session.write(server, again, True)
        told = await feed.transition()
        assert (told.transition_kind, told.source_object_reference) == (RAISE, "TestMachine_002")


async def test_alarms_of_the_plant_come_by_themselves(site):
    """Driven by a script, and by numbers beyond their limits."""
    clock = ManualClock()
    gateway = await site.gateway(clock=clock, change_interval=1.0)
    stub = site.client(gateway).stub
    async with following(stub, "Galaxy!Packaging.") as jam:
        await clock.advance(15)
        raised = await jam.transition()
        assert raised.alarm_full_reference == "Galaxy!Packaging.Conveyor_02.Jam"
        assert raised.transition_kind is RAISE
    async with following(stub, "Galaxy!TankFarm.") as levels:
        await clock.advance(120)  # a whole period of the levels
        told = await levels.transition()
        assert told.limit_value is not None
        level, limit = from_mx_value(told.current_value), from_mx_value(told.limit_value)
        is_low, is_raised = told.alarm_full_reference.endswith("Low"), told.transition_kind is RAISE
        assert (level < limit) is (is_low is is_raised)


async def test_every_reader_gets_everything(plant, site, stub):
    """StreamAlarms needs no session, and any number of clients follow it. Transitions: RAISE,
    ACKNOWLEDGE, CLEAR, RETRIGGER.
    """
    async with following(stub) as one, following(stub) as two:
        for value in (True, False, True):
            await plant.write(ALARM, value)
        await acknowledge(stub)
        assert await one.kinds(4) == await two.kinds(4) == [RAISE, CLEAR, RETRIGGER, ACKNOWLEDGE]


async def test_a_reader_that_leaves_is_forgotten(plant, stub):
    before = asyncio.all_tasks()
    async with following(stub), following(stub):
        serving = asyncio.all_tasks() - before
        assert len(serving) >= 2
    await plant.session.invoke("ping")  # behind the cancel, on the same connection
    _, running = await asyncio.wait(serving, timeout=5)
    assert not running


async def test_a_reader_slower_than_10000_transitions_overflows_and_others_go_on(site):
    gateway = await site.gateway()
    session = await site.client(gateway).open()
    server, (item,) = await session.subscribed(ALARM)
    slow = site.client(gateway, window=65_535)
    method = MxAccessGatewayMethods.STREAM_ALARMS
    async with slow.transport._open(method, None, None) as stream, following(session.stub) as quick:
        await stream.send_message(StreamAlarmsRequest(), end=True)
        await stream.recv_initial_metadata()
        on, off = to_mx_value(True), to_mx_value(False)
        entries = [
            WriteBulkEntry(item_handle=item, value=value)
            for _ in range(2_000)
            for value in (on, off)
        ]
        for _ in range(3):
            await session.do("drain_events")
            await session.do("write_bulk", server_handle=server, entries=entries)
        assert len(await quick.kinds(12_000)) == 12_000
        seen = [message async for message in stream]
        with pytest.raises(GRPCError) as caught:
            await stream.recv_trailing_metadata()
    assert caught.value.status is Status.RESOURCE_EXHAUSTED
    assert "AlarmQueueOverflow" in (caught.value.message or "")
    kinds = [message.transition.transition_kind for message in seen[2:]]
    assert kinds == [RAISE if n == 0 else (CLEAR, RETRIGGER)[n % 2 == 0] for n in range(len(kinds))]


async def test_closing_the_gateway_ends_every_feed(site):
    gateway = await site.gateway()
    stub = site.client(gateway).stub
    async with following(stub) as feed:
        async with asyncio.timeout(5):
            await gateway.close()
        with pytest.raises(GRPCError) as caught:
            await feed.next()
    assert caught.value.status is Status.UNAVAILABLE


async def test_a_gateway_that_has_closed_takes_no_more_readers():
    gateway = SimulatedGateway()
    await gateway.close()
    method = MxAccessGatewayMethods.STREAM_ALARMS
    async with (
        ChannelFor(gateway.handlers(), codec=MessageCodec()) as channel,
        channel.request(
            method.path,
            method.cardinality,
            method.request,
            method.reply,
            metadata={"authorization": f"Bearer {gateway.api_key}"},
        ) as stream,
    ):
        await stream.send_message(StreamAlarmsRequest(), end=True)
        with pytest.raises(GRPCError) as caught:
            await stream.recv_message()
    assert caught.value.status is Status.UNAVAILABLE
