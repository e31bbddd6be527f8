"""Faults of calls and sessions, as clients see them, and what all kinds have in common."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from grpclib.const import Status

from tests.sim.conftest import SessionDriver, Site
from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    TestConnectionRequest,
)
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import (
    GalaxyRepositoryMethods as GalaxyRpc,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AlarmFeedMessage,
    MxEventFamily,
    OpenSessionRequest,
    ProtocolStatusCode,
    SessionState,
    StreamAlarmsRequest,
)
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.faults import (
    BadQuality,
    CrashWorker,
    DelayReplies,
    FaultError,
    FaultSession,
    FreezeStreams,
    OverflowQueue,
    Redeploy,
    RefuseCalls,
    SlowWrites,
    StepClock,
    Strike,
)

Refused = Callable[[Awaitable[Any]], Awaitable[SimpleNamespace]]

CODE = "TestMachine_001.MachineCode"
HISTORY = "TestMachine_001.TestHistoryValue"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def gateway(site: Site, clock: ManualClock) -> SimulatedGateway:
    return await site.gateway(clock=clock)


@pytest.fixture
async def session(site: Site, gateway: SimulatedGateway) -> SessionDriver:
    return await site.client(gateway).open()


async def is_held_up(waiting: asyncio.Task[Any]) -> bool:
    """Whether it does not end, though there was time for it."""
    await asyncio.wait([waiting], timeout=0.05)
    return not waiting.done()


async def attached(gateway: SimulatedGateway, streams: int = 1) -> None:
    """Wait until so many event streams are attached."""
    async with asyncio.timeout(5):
        while gateway._sessions.event_streams() != streams:
            await asyncio.sleep(0.001)


# --- calls -----------------------------------------------------------------------------------


async def test_refused_calls_end_with_a_status_and_running_ones_go_on(
    gateway: SimulatedGateway, session: SessionDriver, refused: Refused
) -> None:
    await session.subscribed(CODE)
    async with session.events() as events:
        await events.next()
        with gateway.fault(RefuseCalls(status=Status.RESOURCE_EXHAUSTED, message="too much")):
            error = await refused(session.invoke("ping"))
            assert (error.status, error.message) == (Status.RESOURCE_EXHAUSTED, "too much")
            await gateway.strike(Redeploy(machines=0))
            assert (await events.next()).quality == 4


async def test_strangers_are_refused_as_everybody_is(
    site: Site, gateway: SimulatedGateway, refused: Refused
) -> None:
    with gateway.fault(RefuseCalls()):
        error = await refused(site.client(gateway, api_key=None).open())
        assert error.status is Status.UNAVAILABLE


async def test_a_refusal_of_one_rpc_leaves_the_others(
    site: Site, gateway: SimulatedGateway, session: SessionDriver, refused: Refused
) -> None:
    with gateway.fault(RefuseCalls(rpc="OpenSession")):
        assert (await refused(site.client(gateway).open())).status is Status.UNAVAILABLE
        await session.do("ping")


async def test_a_late_reply_is_one_to_a_command_that_was_carried_out_at_once(
    site: Site, gateway: SimulatedGateway, session: SessionDriver, clock: ManualClock
) -> None:
    server, (item,) = await session.subscribed(HISTORY)
    other = await site.client(gateway).open()
    await other.subscribed(HISTORY)
    async with session.events() as own, other.events() as others:
        await own.take(1)
        await others.take(1)
        with gateway.fault(DelayReplies(seconds=8, rpc="Invoke")):
            writing = asyncio.create_task(session.write(server, item, 5))
            assert from_mx_value((await others.next()).value) == 5
            assert await is_held_up(writing)
            assert await own.quiet()
            await clock.advance(7.9)
            assert await is_held_up(writing)
            await clock.advance(0.1)
            assert (await writing).protocol_status.code is ProtocolStatusCode.OK
        written, changed = await own.take(2)
        assert written.family is MxEventFamily.ON_WRITE_COMPLETE
        assert from_mx_value(changed.value) == 5


async def test_a_late_reply_does_not_let_its_events_overtake_it(
    gateway: SimulatedGateway, session: SessionDriver
) -> None:
    server = await session.do("register", client_name="x")
    item = await session.do("add_item", server_handle=server, item_definition=CODE)
    async with session.events() as events:
        with gateway.fault(DelayReplies(seconds=3600)):
            handles = {"server_handle": server, "item_handle": item}
            advising = asyncio.create_task(session.do("advise", **handles))
            assert await is_held_up(advising)
            assert await events.quiet()
        await advising  # what still waits when the fault ends is sent then
        assert (await events.next()).worker_sequence == 1


async def test_a_reply_that_is_later_than_a_command_may_take_is_timeout(
    gateway: SimulatedGateway, session: SessionDriver, clock: ManualClock
) -> None:
    with gateway.fault(DelayReplies(seconds=60)):
        pinging = asyncio.create_task(session.invoke("ping"))
        assert await is_held_up(pinging)
        await clock.advance(30)
        assert (await pinging).protocol_status.code is ProtocolStatusCode.TIMEOUT


async def test_replies_without_a_session_are_late_too(
    site: Site, gateway: SimulatedGateway, clock: ManualClock
) -> None:
    client = site.client(gateway)
    with gateway.fault(DelayReplies(seconds=2, rpc="TestConnection")):
        await client.open()
        asking = asyncio.create_task(
            client.call(GalaxyRpc.TEST_CONNECTION, TestConnectionRequest())
        )
        assert await is_held_up(asking)
        await clock.advance(2)
        assert (await asking).ok


async def test_a_frozen_stream_is_alive_and_sends_all_of_it_later(
    gateway: SimulatedGateway, session: SessionDriver
) -> None:
    async with session.events() as events:
        with gateway.fault(FreezeStreams()):
            await session.subscribed(CODE, HISTORY)
            await session.do("ping")
            assert await events.quiet()
            with gateway.fault(FreezeStreams(rpc="StreamEvents")):
                pass
            assert await events.quiet()
        assert [event.worker_sequence for event in await events.take(2)] == [1, 2]


async def test_a_stream_that_begins_while_it_is_frozen_is_attached(
    gateway: SimulatedGateway, session: SessionDriver
) -> None:
    stack = AsyncExitStack()
    await session.subscribed(CODE)
    with gateway.fault(FreezeStreams()):
        frozen = await stack.enter_async_context(session.events())
        await attached(gateway)
        assert await frozen.quiet()
    async with stack:
        assert (await frozen.next()).worker_sequence == 1


async def test_streams_of_another_rpc_are_not_frozen(site: Site, gateway: SimulatedGateway) -> None:
    stub = site.client(gateway).stub
    with gateway.fault(FreezeStreams(rpc="StreamEvents")):
        async for message in stub.stream_alarms(StreamAlarmsRequest()):
            assert isinstance(message, AlarmFeedMessage)
            break


async def test_a_gateway_closes_whatever_holds_its_calls_up(
    site: Site, gateway: SimulatedGateway, session: SessionDriver, refused: Refused
) -> None:
    await session.subscribed(CODE)
    client = site.client(gateway)
    with gateway.fault(FreezeStreams()), gateway.fault(DelayReplies(seconds=3600)):
        async with session.events() as events:
            await attached(gateway)
            opening = asyncio.create_task(client.open())
            assert await is_held_up(opening)
            await gateway.close()
            # Both are told, rather than cut off when the patience with them is over.
            await opening
            assert (await events.next()).worker_sequence == 1
            assert (await refused(events.next())).status is Status.UNAVAILABLE


# --- sessions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (CrashWorker, Status.UNAVAILABLE),
        (FaultSession, Status.ABORTED),
        (OverflowQueue, Status.RESOURCE_EXHAUSTED),
    ],
)
async def test_a_session_is_struck_by_the_number_it_was_opened_as(
    site: Site, gateway: SimulatedGateway, refused: Refused, kind: Any, status: Status
) -> None:
    client = site.client(gateway)
    first, second, third = [await client.open() for _ in range(3)]
    async with first.events() as spared, second.events() as struck:
        await attached(gateway, 2)
        await first.close()
        await gateway.strike(kind(session=2))
        assert await spared.end() == []
        assert (await refused(struck.next())).status is status
    assert (await refused(second.invoke("ping"))).status is Status.FAILED_PRECONDITION
    await third.do("ping")
    states = {session.number: session.state for session in gateway._sessions.opened()}
    assert states == {2: SessionState.FAULTED, 3: SessionState.READY}

    for number in (1, 4):
        with pytest.raises(FaultError, match=f"session {number} is not open"):
            await gateway.strike(kind(session=number))
    await gateway.strike(kind())
    assert (await refused(third.invoke("ping"))).status is Status.FAILED_PRECONDITION


async def test_the_worker_of_a_running_command_is_gone(
    gateway: SimulatedGateway, session: SessionDriver
) -> None:
    with gateway.fault(DelayReplies(seconds=5)):
        pinging = asyncio.create_task(session.invoke("ping"))
        assert await is_held_up(pinging)
        await gateway.strike(CrashWorker())
        status = (await pinging).protocol_status
        assert status.code is ProtocolStatusCode.WORKER_UNAVAILABLE


async def test_an_overflow_where_several_may_read_ends_the_streams_alone(
    site: Site, refused: Refused
) -> None:
    from zb_mom_ww_mxgateway_sim.limits import Limits

    gateway = await site.gateway(limits=Limits(event_subscribers=2))
    session = await site.client(gateway).open()
    async with session.events() as events:
        await session.subscribed(CODE)
        await events.next()
        await gateway.strike(OverflowQueue(session=1))
        error = await refused(events.next())
        assert error.status is Status.RESOURCE_EXHAUSTED
        assert "EventQueueOverflow" in error.message
    await session.do("ping")


# --- what all have in common -----------------------------------------------------------------


async def test_beginnings_and_ends_are_logged_and_counted(
    gateway: SimulatedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        with gateway.fault(SlowWrites(seconds=1)):
            assert gateway._snapshot().faults_active == 1
            await gateway.strike(Redeploy())
        assert gateway._snapshot().faults_active == 0
    logged = [text for text in caplog.messages if text.startswith("fault.")]
    assert logged == [
        "fault.began fault=slow-writes",
        "fault.began fault=redeploy",
        "fault.ended fault=slow-writes",
    ]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: DelayReplies(seconds=0), "delay-replies: seconds must be positive, but is 0"),
        (lambda: SlowWrites(seconds=float("nan")), "slow-writes: seconds must be positive"),
        (lambda: DelayReplies(seconds=1, rpc="invoke"), "rpc 'invoke' is no rpc .*mean 'Invoke'"),
        (lambda: DelayReplies(seconds=1, rpc="StreamEvents"), "no rpc with a single reply"),
        (lambda: FreezeStreams(rpc="Invoke"), "no rpc with a stream; there are StreamEvents"),
        (lambda: RefuseCalls(status=Status.OK), "refuse-calls: status must not be OK"),
        (lambda: CrashWorker(session=0), "crash-worker: session must be 1 or more, not 0"),
        (lambda: BadQuality(tag_name="x", quality=192), "from 0 to 191, but is 192"),
        (lambda: Redeploy(machines=-1), "redeploy: machines must not be negative: -1"),
        (lambda: StepClock(seconds=float("inf")), "step-clock: seconds must be finite, not inf"),
    ],
)
def test_a_fault_says_which_argument_is_wrong(make: Callable[[], Strike], text: str) -> None:
    with pytest.raises(FaultError, match=text):
        make()


async def test_what_needs_a_connection_needs_a_gateway_that_listens() -> None:
    from zb_mom_ww_mxgateway_sim.faults import DropConnections

    with pytest.raises(FaultError, match="drop-connections: the gateway does not listen yet"):
        await SimulatedGateway().strike(DropConnections())


async def test_a_session_may_be_opened_while_its_reply_is_late(
    site: Site, gateway: SimulatedGateway, clock: ManualClock
) -> None:
    client = site.client(gateway)
    with gateway.fault(DelayReplies(seconds=1, rpc="OpenSession")):
        opening = asyncio.create_task(client.stub.open_session(OpenSessionRequest()))
        assert await is_held_up(opening)
        assert len(gateway._sessions.opened()) == 1
        await clock.advance(1)
        assert (await opening).session_id
