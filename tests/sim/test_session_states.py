"""The states of a session from its start to its end, and what is left of it then: nothing."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    CloseSessionRequest,
    MxCommandReply,
    MxEvent,
    ProtocolStatusCode,
    SessionState,
)
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.alarm_feed import News, Selection
from zb_mom_ww_mxgateway_sim.auth.access import EVERYTHING
from zb_mom_ww_mxgateway_sim.auth.keys import Caller
from zb_mom_ww_mxgateway_sim.auth.scopes import ALL_SCOPES
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.events import alarm_news
from zb_mom_ww_mxgateway_sim.limits import Limits
from zb_mom_ww_mxgateway_sim.operations.observer import Closing
from zb_mom_ww_mxgateway_sim.session import STARTING, TRANSITIONS, Session

from .conftest import SessionDriver, Site

CODE = "TestMachine_001.MachineCode"
CALLER = Caller(key_id="tests", scopes=ALL_SCOPES, access=EVERYTHING)
GONE = ProtocolStatusCode.WORKER_UNAVAILABLE


@pytest.fixture
async def gateway(site: Site) -> SimulatedGateway:
    """Its first values never come, so that reads take as long as a test likes."""
    return await site.gateway(clock=ManualClock(), plant=False, first_value_delay=1_000.0)


@pytest.fixture
async def session(site: Site, gateway: SimulatedGateway) -> SessionDriver:
    return await site.client(gateway).open()


def inside(gateway: SimulatedGateway, session: SessionDriver) -> Session:
    return gateway._sessions._open[session.id]


async def pending(
    gateway: SimulatedGateway, session: SessionDriver, count: int
) -> list[asyncio.Task[MxCommandReply]]:
    """Commands that run and wait: the first takes for ever."""
    server = await session.do("register")
    read = {"server_handle": server, "tag_addresses": [CODE], "timeout_ms": 2_000_000}
    tasks = [asyncio.create_task(session.invoke("read_bulk", **read)) for _ in range(count)]
    while gateway._sessions.commands_pending() < count:
        await asyncio.sleep(0.001)
    return tasks


def test_a_faulted_session_can_only_become_closed_and_a_closed_one_nothing() -> None:
    """FAULTED can only become CLOSED."""
    assert TRANSITIONS[SessionState.FAULTED] == {SessionState.CLOSED}
    assert TRANSITIONS[SessionState.CLOSED] == set()
    assert {
        state for state, following in TRANSITIONS.items() if SessionState.READY in following
    } == {SessionState.INITIALIZING_WORKER}
    assert TRANSITIONS.keys() == set(SessionState) - {SessionState.UNSPECIFIED}


async def test_a_transition_that_the_table_does_not_have_is_a_bug(gateway, session):
    one = inside(gateway, session)
    one.fault("a test")
    with pytest.raises(RuntimeError, match="READY from FAULTED"):
        one._become(SessionState.READY)


@pytest.fixture
async def slow_start(site: Site) -> SimulatedGateway:
    limits = Limits(worker_start_time=8.0, sessions=2)
    return await site.gateway(clock=ManualClock(), plant=False, limits=limits)


async def starting(gateway: SimulatedGateway, client: Any) -> asyncio.Task[SessionDriver]:
    opening = asyncio.create_task(client.open())
    before = sum(gateway._sessions.by_state().values())
    while sum(gateway._sessions.by_state().values()) == before:
        await asyncio.sleep(0.001)
    return opening


async def test_a_session_goes_through_its_states_and_the_answer_comes_when_it_is_ready(
    site, slow_start
):
    """CREATING, STARTING_WORKER, WAITING_FOR_PIPE, INITIALIZING_WORKER, READY."""
    opening = await starting(slow_start, site.client(slow_start))
    seen: list[SessionState] = []
    for _ in range(4):
        seen += slow_start._sessions.by_state()
        assert not opening.done()
        await slow_start._clock.advance(2)
    assert tuple(seen) == STARTING
    session = await opening
    assert await session.do("get_session_state") == SessionState.READY


async def test_sessions_that_start_count_as_sessions(site, slow_start, refused):
    client = site.client(slow_start)
    openings = [await starting(slow_start, client) for _ in range(2)]
    assert (await refused(client.open())).status is Status.RESOURCE_EXHAUSTED
    await slow_start._clock.advance(8)
    await asyncio.gather(*openings)


async def test_a_client_that_gives_up_while_the_worker_starts_leaves_no_session(site, slow_start):
    opening = await starting(slow_start, site.client(slow_start))
    await slow_start._clock.advance(3)
    opening.cancel()
    async with asyncio.timeout(5):
        while slow_start._sessions.by_state():
            await asyncio.sleep(0.001)
    assert slow_start._sessions._closed == {}
    assert slow_start._observer.metrics.sessions_opened.read() == {(): 0}
    assert slow_start._observer.metrics.sessions_closed.read() == {}


@pytest.mark.parametrize("end", ["crash", "shut"])
async def test_a_session_that_ends_while_it_starts_was_never_opened(site, slow_start, refused, end):
    opening = await starting(slow_start, site.client(slow_start))
    if end == "crash":
        (one,) = slow_start._sessions._open.values()
        one.crash("a test")
    else:
        await slow_start._sessions.shut()
    refusal = await refused(opening)
    assert refusal.status is Status.UNAVAILABLE
    assert "starting" in refusal.message
    assert slow_start._sessions.by_state() == {}


async def test_a_crash_of_the_worker_faults_the_session_and_ends_all_that_waits(
    gateway, session, refused
):
    tasks = await pending(gateway, session, 3)
    async with session.events() as events:
        while not gateway._sessions.event_streams():
            await asyncio.sleep(0.001)
        inside(gateway, session).crash("out of memory")
        ended = await refused(events.next())
    assert ended.status is Status.UNAVAILABLE
    assert "out of memory" in ended.message
    for reply in await asyncio.gather(*tasks):
        assert reply.protocol_status.code == GONE
        assert "FAULTED" in reply.protocol_status.message
    refusal = await refused(session.invoke("ping"))
    assert refusal.status is Status.FAILED_PRECONDITION
    assert "FAULTED" in refusal.message
    inside(gateway, session).crash("again, which changes nothing")
    assert (await session.close()).final_state == SessionState.CLOSED
    metrics = gateway._observer.metrics
    assert metrics.sessions_opened.read() == {(): 1}
    assert metrics.sessions_closed.read() == {("client",): 1}
    assert metrics.sessions_faulted.read() == {("worker_crashed",): 1}


async def test_a_fault_without_a_crash_ends_the_stream_with_aborted(gateway, session, refused):
    async with session.events() as events:
        while not gateway._sessions.event_streams():
            await asyncio.sleep(0.001)
        inside(gateway, session).fault("the plant said so")
        ended = await refused(events.next())
    assert ended.status is Status.ABORTED
    assert "the plant said so" in ended.message
    assert dict(gateway._sessions.by_state()) == {SessionState.FAULTED: 1}


async def test_a_forced_overflow_faults_the_session_as_a_slow_reader_does(
    gateway, session, refused
):
    async with session.events() as events:
        while not gateway._sessions.event_streams():
            await asyncio.sleep(0.001)
        inside(gateway, session).overflow()
        ended = await refused(events.next())
    assert ended.status is Status.RESOURCE_EXHAUSTED
    assert "EventQueueOverflow" in ended.message
    assert dict(gateway._sessions.by_state()) == {SessionState.FAULTED: 1}
    assert gateway._observer.metrics.overflows.read() == {(): 1}


async def test_shutting_the_worker_down_answers_first_and_then_closes_the_session(
    site, gateway, session, refused
):
    """ShutdownWorker: session goes CLOSED."""
    async with session.events() as events:
        while not gateway._sessions.event_streams():
            await asyncio.sleep(0.001)
        await session.do("shutdown_worker")
        assert await events.end() == []
    refusal = await refused(session.invoke("ping"))
    assert refusal.status is Status.FAILED_PRECONDITION
    assert "CLOSED" in refusal.message
    assert (await session.close()).final_state == SessionState.CLOSED
    assert gateway._observer.metrics.sessions_closed.read() == {("worker_shut_down",): 1}


async def test_commands_queued_behind_a_shutdown_are_not_carried_out(site):
    """Commands still queued answer WORKER_UNAVAILABLE."""
    gateway = await site.gateway(clock=ManualClock(), plant=False, first_value_delay=10.0)
    session = await site.client(gateway).open()
    server = await session.do("register")
    read = {"server_handle": server, "tag_addresses": [CODE], "timeout_ms": 20_000}
    calls = []
    for number, (command, fields) in enumerate(
        [("read_bulk", read), ("shutdown_worker", {}), ("ping", {}), ("register", {})], 1
    ):
        calls.append(asyncio.create_task(session.invoke(command, **fields)))
        while gateway._sessions.commands_pending() < number:
            await asyncio.sleep(0.001)
    await gateway._clock.advance(10)
    codes = [reply.protocol_status.code for reply in await asyncio.gather(*calls)]
    assert codes == [ProtocolStatusCode.OK, ProtocolStatusCode.OK, GONE, GONE]


async def test_closing_shows_as_closing_and_two_who_close_get_the_same_answer(
    gateway, session, refused
):
    """States: CLOSING, CLOSED."""
    await session.subscribed(*[CODE] * 5_000)
    first = asyncio.create_task(session.close())
    one = inside(gateway, session)
    while one.state is SessionState.READY:
        await asyncio.sleep(0)
    assert one.state is SessionState.CLOSING
    with pytest.raises(GRPCError, match="CLOSING") as caught:
        gateway._sessions.ready(session.id, one.owner)
    assert caught.value.status is Status.FAILED_PRECONDITION
    for reply in await asyncio.gather(first, session.close()):
        assert reply.final_state == SessionState.CLOSED


async def test_a_client_that_gives_up_closing_has_closed_nevertheless(gateway, session):
    await session.subscribed(*[CODE] * 5_000)
    one = inside(gateway, session)
    closing = asyncio.create_task(
        session.stub.close_session(CloseSessionRequest(session_id=session.id))
    )
    while one.state is SessionState.READY:
        await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    async with asyncio.timeout(5):
        while one.state is not SessionState.CLOSED:
            await asyncio.sleep(0.001)


@pytest.fixture
async def quiet() -> AsyncIterator[SimulatedGateway]:
    """A gateway without a socket."""
    gateway = SimulatedGateway(clock=ManualClock(), plant=False, machines=1)
    yield gateway
    await gateway.close()


async def opened(gateway: SimulatedGateway, registrations: int, items: int) -> Session:
    """A session with so many advised items in each of so many registrations."""
    session = await gateway._sessions.open(CALLER, "", None)
    for _ in range(registrations):
        registration = session.handles.register()
        for _ in range(items):
            session.advise(registration, session.add(registration, CODE))
    session._release()
    return session


async def test_closing_un_advises_removes_items_and_unregisters_in_that_order(quiet):
    """The first close un-advises, removes items and unregisters, in that order."""
    session = await opened(quiet, registrations=3, items=600)
    owners = list(session.handles)
    items = [item for owner in owners for item in owner.items.values()]
    seen: set[str] = set()
    closing = session.close(Closing.CLIENT)
    while not closing.done():
        await asyncio.sleep(0)
        advised = [item for item in items if item.advice is not None]
        kept = sum(len(owner.items) for owner in owners)
        seen.add("un-advising" if advised else "removing" if kept else "unregistered")
        assert not advised or kept == len(items)
        assert not kept or len(list(session.handles)) == 3
    assert seen == {"un-advising", "removing", "unregistered"}


async def test_closing_a_large_session_holds_up_no_other(quiet):
    large = await opened(quiet, registrations=1, items=10_000)
    turns = 0
    closing = large.close(Closing.CLIENT)
    while not closing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 50


def telling(session: Session) -> Callable[[News], None]:
    return lambda news: session.emit(alarm_news(news))


async def test_what_a_command_does_when_it_is_given_up_is_over_before_the_session_is_closed(quiet):
    session = await opened(quiet, registrations=1, items=1)
    ended_in: list[SessionState] = []

    async def command() -> MxCommandReply:
        try:
            return await asyncio.Future()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            ended_in.append(session.state)

    pending = session.submit(command)
    await asyncio.sleep(0)
    await quiet._sessions.close(session.id, CALLER.key_id)
    assert await pending.answer() is None
    assert ended_in == [SessionState.CLOSING]


async def test_what_was_to_happen_later_is_forgotten_when_it_has_happened(quiet):
    session = await opened(quiet, registrations=0, items=0)
    happened: list[int] = []
    for number in range(3):
        session.later(number, partial(happened.append, number))
    await quiet._clock.advance(1)
    assert happened == [0, 1]
    assert len(session._timers) == 1
    await quiet._sessions.close(session.id, CALLER.key_id)
    await quiet._clock.advance(1)
    assert happened == [0, 1]


async def test_only_so_many_closed_sessions_are_remembered_the_latest(site, refused):
    gateway = await site.gateway(plant=False, limits=Limits(remembered_sessions=2))
    client = site.client(gateway)
    sessions = [await client.open() for _ in range(3)]
    for one in sessions:
        await one.close()
    statuses = [(await refused(one.invoke("ping"))).status for one in sessions]
    assert statuses == [Status.NOT_FOUND, Status.FAILED_PRECONDITION, Status.FAILED_PRECONDITION]


async def test_a_gateway_that_shuts_down_opens_no_session(quiet, refused):
    await quiet._sessions.shut()
    refusal = await refused(quiet._sessions.open(CALLER, "", None))
    assert refusal.status is Status.UNAVAILABLE
    assert "shutting down" in refusal.message


@pytest.mark.parametrize("end", ["close", "crash", "overflow", "shut"])
async def test_a_session_that_has_ended_leaves_nothing_behind(quiet, end):
    before = asyncio.all_tasks()
    session = await opened(quiet, registrations=2, items=500)
    answer = MxCommandReply()

    async def command() -> MxCommandReply:
        await asyncio.sleep(3_600)
        return answer

    commands = [session.submit(command) for _ in range(3)]
    session.later(3_600, partial(session.emit, MxEvent()))
    session.follow_alarms(
        quiet._alarms.subscribe(Selection.of("", access=EVERYTHING), telling(session))
    )
    with session.stream(0) as subscriber:
        await subscriber.next()
    await asyncio.sleep(0)
    if end in ("crash", "overflow"):
        session.crash("a test") if end == "crash" else session.overflow()
    if end == "shut":
        await quiet._sessions.shut()
    else:
        await quiet._sessions.close(session.id, CALLER.key_id)
    assert [await one.answer() for one in commands] == [None] * 3
    assert asyncio.all_tasks() == before
    assert [timer for timer in quiet._clock._timers if timer.callback is not None] == []
    assert quiet._galaxy._watched == {}
    session_gone, log_gone = weakref.ref(session), weakref.ref(session.events)
    del session, subscriber, commands, command
    assert len(quiet._alarms._followers) == 0
    gc.collect()
    assert session_gone() is None
    assert log_gone() is None
    assert len(quiet._sessions._closed) == 1
