"""Alarms through the client: the feed, the query, the acknowledgement, and that they agree."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeAlias
from uuid import NAMESPACE_OID, uuid5

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway import (
    GatewayClient,
    MxGatewayArgumentError,
    Session,
)
from zb_mom_ww_mxgateway.errors import MxGatewayNotFoundError
from zb_mom_ww_mxgateway.events import AlarmTransition
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmRequest,
    ActiveAlarmSnapshot,
    AlarmConditionState,
    AlarmFeedMessage,
    AlarmTransitionKind,
    OnAlarmTransitionEvent,
)
from zb_mom_ww_mxgateway_sim import SimulatedGateway

GROUP = "Galaxy!TestArea."
ALARMS = (
    "TestMachine_001.TestAlarm001",
    "TestMachine_001.TestAlarm002",
    "TestMachine_002.TestAlarm001",
)
#: Raised behind all that a test does, so that readers know that they have seen it all.
LAST = "TestMachine_003.TestAlarm003"

#: What alarms are active, as somebody who follows them works it out.
Folded: TypeAlias = dict[str, ActiveAlarmSnapshot]


def fold(alarms: Folded, change: OnAlarmTransitionEvent) -> None:
    reference = change.alarm_full_reference
    kind = change.transition_kind
    if kind is AlarmTransitionKind.CLEAR:
        del alarms[reference]
    elif kind is not AlarmTransitionKind.ACKNOWLEDGE or reference in alarms:
        acked = kind is AlarmTransitionKind.ACKNOWLEDGE
        assert acked or reference not in alarms, "an active alarm is not raised again"
        alarms[reference] = ActiveAlarmSnapshot(
            alarm_full_reference=reference,
            source_object_reference=change.source_object_reference,
            alarm_type_name=change.alarm_type_name,
            state=AlarmConditionState.ACTIVE_ACKED if acked else AlarmConditionState.ACTIVE,
            severity=change.severity,
            original_raise_timestamp=change.original_raise_timestamp,
            last_transition_timestamp=change.transition_timestamp,
            operator_user=change.operator_user,
            operator_comment=change.operator_comment,
            category=change.category,
            description=change.description,
            current_value=change.current_value,
            limit_value=change.limit_value,
            degraded=change.degraded,
            source_provider=change.source_provider,
        )


async def read_feed(client: GatewayClient, prefix: str) -> Folded:
    """The active alarms by the feed, up to the last one; without it."""
    alarms: Folded = {}
    opened = False
    async for message in client.stream_alarms(prefix):
        if message.active_alarm is not None:
            assert not opened
            alarms[message.active_alarm.alarm_full_reference] = message.active_alarm
        elif message.snapshot_complete:
            opened = True
        elif message.transition is not None:
            assert opened
            if message.transition.alarm_full_reference.endswith(LAST):
                break
            fold(alarms, message.transition)
    return alarms


async def read_events(session: Session) -> Folded:
    """The active alarms by the events of a session, up to the last one; without it."""
    alarms: Folded = {}
    async for event in session.stream_events():
        if isinstance(event, AlarmTransition):
            if event.transition.alarm_full_reference.endswith(LAST):
                break
            fold(alarms, event.transition)
    return alarms


@dataclass(frozen=True)
class Condition:
    """An alarm's condition becomes true or false."""

    alarm: str
    value: bool


@dataclass(frozen=True)
class Acknowledge:
    """Somebody acknowledges an alarm, in one of the ways there are."""

    alarm: str
    way: str
    comment: str


Step: TypeAlias = Condition | Acknowledge | None
STEPS = st.lists(
    st.one_of(
        st.builds(Condition, st.sampled_from(ALARMS), st.booleans()),
        st.builds(
            Acknowledge,
            st.sampled_from(ALARMS),
            st.sampled_from(["call", "name", "guid", "AckMsg"]),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        ),
        st.none(),  # one more reader comes
    ),
    max_size=25,
)


class Operators:
    """Two sessions and a client without one, all of which do something about alarms."""

    def __init__(self, client: GatewayClient, writer: Session, other: Session) -> None:
        self.client = client
        self.writer = writer
        self.other = other
        self.handles: dict[str, tuple[int, int]] = {}

    async def prepare(self) -> None:
        tags = [*ALARMS, *(f"{alarm}.AckMsg" for alarm in ALARMS), LAST]
        for session, name in ((self.writer, "writer"), (self.other, "other")):
            server = await session.register(name)
            for result in await session.subscribe_bulk(server, tags):
                self.handles[f"{name}:{result.tag_address}"] = (server, result.item_handle)

    async def write(self, alarm: str, value: bool) -> None:
        await self.writer.write(*self.handles[f"writer:{alarm}"], value)

    async def acknowledge(self, step: Acknowledge) -> None:
        if step.way == "call":
            await self.client.acknowledge_alarm(GROUP + step.alarm, step.comment, "call")
        elif step.way == "name":
            await self.other.acknowledge_alarm_by_name(
                step.alarm, comment=step.comment, operator_user="name"
            )
        elif step.way == "guid":
            guid = uuid5(NAMESPACE_OID, GROUP + step.alarm)
            await self.other.acknowledge_alarm(
                str(guid), comment=step.comment, operator_user="guid"
            )
        else:
            await self.other.write(*self.handles[f"other:{step.alarm}.AckMsg"], step.comment)


@given(STEPS)
def test_query_feed_and_session_events_tell_the_same_of_whatever_happens(steps: list[Step]) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            gateway = await stack.enter_async_context(SimulatedGateway(machines=3, plant=False))
            client = await stack.enter_async_context(await connected(gateway))
            writer = await stack.enter_async_context(await client.open_session())
            other = await stack.enter_async_context(await client.open_session())
            operators = Operators(client, writer, other)
            await operators.prepare()
            await other.subscribe_alarms("")
            group = await stack.enter_async_context(asyncio.TaskGroup())
            by_events = group.create_task(read_events(other))
            readers = [group.create_task(read_feed(client, ""))]
            expected: dict[str, AlarmConditionState] = {}
            for step in steps:
                if step is None:
                    readers.append(group.create_task(read_feed(client, GROUP)))
                elif isinstance(step, Acknowledge):
                    await operators.acknowledge(step)
                    if step.alarm in expected:
                        expected[step.alarm] = AlarmConditionState.ACTIVE_ACKED
                else:
                    await operators.write(step.alarm, step.value)
                    if step.value:
                        expected.setdefault(step.alarm, AlarmConditionState.ACTIVE)
                    else:
                        expected.pop(step.alarm, None)
            queried = {
                alarm.alarm_full_reference: alarm async for alarm in client.query_active_alarms()
            }
            in_session = await other.query_active_alarms()
            async with client.stream_alarms(GROUP + LAST) as sentinel:
                while (await anext(sentinel)).snapshot_complete is None:
                    pass  # by now the gateway has begun every feed that was asked for before
                await operators.write(LAST, True)
            assert {
                reference.removeprefix(GROUP): alarm.state for reference, alarm in queried.items()
            } == expected
            assert {alarm.alarm_full_reference: alarm for alarm in in_session} == queried
            assert await by_events == queried
            for reader in readers:
                assert await reader == queried

    asyncio.run(run())


async def connected(gateway: SimulatedGateway) -> GatewayClient:
    return await GatewayClient.connect(gateway.endpoint, api_key=gateway.api_key, plaintext=True)


@given(
    st.lists(st.sampled_from(ALARMS), unique=True),
    st.sampled_from(
        [
            "",
            "Galaxy!",
            f"{GROUP}TestMachine_001",
            f"{GROUP}testmachine_002.",
            GROUP + ALARMS[1],
            "Elsewhere",
        ]
    ),
)
def test_a_prefix_keeps_the_alarms_that_start_with_it_and_no_others(
    raised: list[str], prefix: str
) -> None:
    def kept(alarms: list[str]) -> set[str]:
        references = [GROUP + alarm for alarm in alarms]
        return {it for it in references if it.casefold().startswith(prefix.casefold())}

    async def run() -> None:
        async with (
            SimulatedGateway(machines=3, plant=False) as gateway,
            await connected(gateway) as client,
            await client.open_session() as session,
            client.stream_alarms(prefix) as feed,
        ):
            while (await anext(feed)).snapshot_complete is None:
                pass
            for alarm in raised:
                await session.write_and_wait(alarm, True)
            told = [(await anext(feed)).transition for _ in kept(raised)]
            assert {it.alarm_full_reference for it in told if it is not None} == kept(raised)
            queried = [alarm async for alarm in client.query_active_alarms(prefix)]
            assert {alarm.alarm_full_reference for alarm in queried} == kept(raised)
            again = [
                message.active_alarm
                async for message in until_complete(client, prefix)
                if message.active_alarm is not None
            ]
            assert again == queried

    asyncio.run(run())


async def until_complete(client: GatewayClient, prefix: str) -> AsyncIterator[AlarmFeedMessage]:
    async with client.stream_alarms(prefix) as feed:
        async for message in feed:
            yield message
            if message.snapshot_complete:
                return


async def test_the_feed_opens_with_the_provider_and_ends_its_snapshot_once(
    client: GatewayClient,
) -> None:
    payloads = [message.which_payload() async for message in until_complete(client, GROUP)]
    assert payloads == ["provider_status", "snapshot_complete"]


async def test_giving_up_a_wait_keeps_the_feed_and_loses_nothing(
    client: GatewayClient, session: Session
) -> None:
    async with client.stream_alarms(GROUP) as feed:
        while (await anext(feed)).snapshot_complete is None:
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(feed)
        await session.write_and_wait(ALARMS[0], True)
        transition = (await anext(feed)).transition
        assert transition is not None
        assert transition.transition_kind is AlarmTransitionKind.RAISE


@pytest.mark.parametrize("way", ["aclose", "break", "cancel"])
async def test_a_reader_that_ends_is_gone_at_the_gateway_too(
    client: GatewayClient, session: Session, way: str
) -> None:
    before = asyncio.all_tasks()
    began = asyncio.Event()

    async def leave() -> None:
        async for _ in client.stream_alarms():
            began.set()
            break

    async def stay() -> None:
        async with client.stream_alarms() as feed:
            async for _ in feed:
                began.set()

    if way == "aclose":
        feed = client.stream_alarms()
        await anext(feed)
        serving = asyncio.all_tasks() - before
        await feed.aclose()
    else:
        reading = asyncio.create_task(leave() if way == "break" else stay())
        await began.wait()
        serving = asyncio.all_tasks() - before - {reading}
        if way == "cancel":
            reading.cancel()
        await asyncio.wait([reading])
    assert serving  # the reader's task, and the gateway's: both run in this process
    await session.ping()  # behind the end of the feed, on the same connection
    _, running = await asyncio.wait(serving, timeout=5)
    assert not running


async def test_a_feed_that_nobody_reads_asks_the_gateway_for_nothing(
    client: GatewayClient,
) -> None:
    before = asyncio.all_tasks()
    client.stream_alarms()
    client.query_active_alarms()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_an_acknowledgement_is_seen_in_the_feed_with_its_comment_and_operator(
    client: GatewayClient, session: Session
) -> None:
    await session.write_and_wait(ALARMS[0], True)
    async with client.stream_alarms(GROUP) as feed:
        while (await anext(feed)).snapshot_complete is None:
            pass
        reply = await client.acknowledge_alarm(
            GROUP + ALARMS[0], "on my way", "joe", correlation_id="c-1"
        )
        transition = (await anext(feed)).transition
    assert reply.correlation_id == "c-1"
    assert transition is not None
    assert transition.transition_kind is AlarmTransitionKind.ACKNOWLEDGE
    assert (transition.operator_comment, transition.operator_user) == ("on my way", "joe")
    readings = await session.read_many([f"{ALARMS[0]}.Acked", f"{ALARMS[0]}.AckMsg"])
    assert [reading.value for reading in readings] == [True, "on my way"]


async def test_an_unknown_alarm_is_not_found_and_no_matter_of_a_session(
    client: GatewayClient,
) -> None:
    with pytest.raises(MxGatewayNotFoundError, match=r"No\.Such") as caught:
        await client.acknowledge_alarm("Galaxy!TestArea.No.Such")
    assert not caught.value.transient
    with pytest.raises(MxGatewayArgumentError, match="alarm_full_reference"):
        await client.acknowledge_alarm("")
    with pytest.raises(MxGatewayNotFoundError):
        await client.acknowledge_alarm_raw(AcknowledgeAlarmRequest(alarm_full_reference="No.Such"))
