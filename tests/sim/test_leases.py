"""How long a session lives: its lease, the streams that keep it alive, and the grace after them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    ProtocolStatusCode,
    SessionState,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.auth.access import EVERYTHING
from zb_mom_ww_mxgateway_sim.auth.keys import Caller
from zb_mom_ww_mxgateway_sim.auth.scopes import ALL_SCOPES
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.event_log import Subscriber
from zb_mom_ww_mxgateway_sim.limits import Limits
from zb_mom_ww_mxgateway_sim.session import Session

from .conftest import Events, SessionDriver, Site

CODE = "TestMachine_001.MachineCode"
CALLER = Caller(key_id="tests", scopes=ALL_SCOPES, access=EVERYTHING)


class Timed:
    """A gateway whose time is in the hands of the test, and one session of it."""

    def __init__(self, clock: ManualClock, gateway: SimulatedGateway, session: SessionDriver):
        self.clock, self.gateway, self.session = clock, gateway, session

    async def states(self) -> dict[SessionState, int]:
        """The sessions that are not closed."""
        return dict(self.gateway._sessions.by_state())

    async def streams(self, count: int) -> None:
        """Wait until the gateway has noticed that streams have come or gone."""
        async with asyncio.timeout(5):
            while self.gateway._sessions.event_streams() != count:
                await asyncio.sleep(0.001)

    async def dropped(self, events: Events) -> None:
        """Have a stream, and drop it."""
        async with events:
            await self.streams(1)
        await self.streams(0)


@pytest.fixture
async def timed(site: Site) -> Timed:
    clock = ManualClock()
    gateway = await site.gateway(clock=clock, plant=False)
    return Timed(clock, gateway, await site.client(gateway).open())


async def test_a_lease_of_1800_seconds_swept_every_30_seconds_ends_an_unused_session(
    timed, refused
):
    """Lease 1,800 s, swept every 30 s."""
    await timed.clock.advance(1_799)
    assert await timed.states() == {SessionState.READY: 1}
    await timed.clock.advance(1)
    assert await timed.states() == {}
    refusal = await refused(timed.session.invoke("ping"))
    assert refusal.status is Status.FAILED_PRECONDITION
    assert "CLOSED" in refusal.message
    stream = timed.session.stub.stream_events(StreamEventsRequest(session_id=timed.session.id))
    assert (await refused(anext(stream))).status is Status.FAILED_PRECONDITION
    assert (await timed.session.close()).final_state == SessionState.CLOSED


async def test_each_unary_call_renews_the_lease_until_the_next_sweep_after_it(timed):
    """Lease 1,800 s, renewed by each unary call, swept every 30 s."""
    await timed.clock.advance(1_790)
    await timed.session.do("ping")
    await timed.clock.advance(1_800)  # over since, but not swept
    assert await timed.states() == {SessionState.READY: 1}
    await timed.clock.advance(30)
    assert await timed.states() == {}


async def test_a_call_of_another_session_renews_no_lease(timed, site):
    other = await site.client(timed.gateway).open()
    for _ in range(4):
        await timed.clock.advance(900)
        await other.do("ping")
    assert list(timed.gateway._sessions._open) == [other.id]


async def test_an_attached_event_stream_keeps_a_session_alive(timed):
    """An attached event stream keeps a session alive."""
    async with timed.session.events() as events:
        await timed.streams(1)
        await timed.clock.advance(10_000)
        await timed.session.subscribed(CODE)
        assert (await events.next()).worker_sequence == 1


async def test_when_the_last_stream_drops_the_session_lives_for_30_seconds_more(timed):
    """When the last stream drops, the session lives for 30 s more (detach grace), then closes."""
    await timed.dropped(timed.session.events())
    await timed.clock.advance(29)
    await timed.session.do("ping")  # D: calls do not lengthen the grace
    assert await timed.states() == {SessionState.READY: 1}
    await timed.clock.advance(1)
    assert await timed.states() == {}


async def test_a_new_stream_within_the_grace_resumes(timed):
    """A new StreamEvents within the grace resumes."""
    await timed.session.subscribed(CODE, CODE, CODE)
    async with timed.session.events() as events:
        await events.take(2)
    await timed.streams(0)
    await timed.clock.advance(29)
    async with timed.session.events(after=1) as events:
        assert [one.worker_sequence for one in await events.take(2)] == [2, 3]
        await timed.clock.advance(3_600)
    await timed.streams(0)
    await timed.clock.advance(29)  # its grace is a whole one again
    assert await timed.states() == {SessionState.READY: 1}
    await timed.clock.advance(1)
    assert await timed.states() == {}


async def test_with_several_subscribers_the_grace_begins_with_the_last_that_drops(site):
    clock = ManualClock()
    gateway = await site.gateway(clock=clock, plant=False, limits=Limits(event_subscribers=2))
    timed = Timed(clock, gateway, await site.client(gateway).open())
    async with timed.session.events():
        await timed.streams(1)
        async with timed.session.events():
            await timed.streams(2)
        await timed.streams(1)
        await clock.advance(3_600)
        assert await timed.states() == {SessionState.READY: 1}
    await timed.streams(0)
    await clock.advance(30)
    assert await timed.states() == {}


async def test_the_lease_counts_from_when_the_session_is_ready(site):
    clock = ManualClock()
    limits = Limits(worker_start_time=8, lease=2, sweep=1)
    gateway = await site.gateway(clock=clock, plant=False, limits=limits)
    opening = asyncio.create_task(site.client(gateway).open())
    while not gateway._sessions.by_state():
        await asyncio.sleep(0.001)
    await clock.advance(9)
    await opening
    assert dict(gateway._sessions.by_state()) == {SessionState.READY: 1}
    await clock.advance(1)
    assert gateway._sessions.by_state() == {}


async def test_a_faulted_session_is_collected_by_its_lease_too(timed):
    await timed.clock.advance(1_000)
    timed.gateway._sessions._open[timed.session.id].fault("a test")
    await timed.clock.advance(1_799)  # D: counted from the fault
    assert await timed.states() == {SessionState.FAULTED: 1}
    await timed.clock.advance(30)
    assert await timed.states() == {}
    assert (await timed.session.close()).final_state == SessionState.CLOSED


async def test_a_session_that_faults_in_its_grace_has_its_lease_left(timed):
    await timed.dropped(timed.session.events())
    timed.gateway._sessions._open[timed.session.id].fault("a test")
    await timed.clock.advance(1_000)
    assert await timed.states() == {SessionState.FAULTED: 1}


async def test_a_command_takes_as_long_as_the_clock_says(timed):
    """Default command timeout 30 s."""
    timed.gateway._galaxy.first_value_delay = 60.0
    session = timed.session
    server = await session.do("register")
    read = session.invoke(
        "read_bulk", server_handle=server, tag_addresses=[CODE], timeout_ms=100_000
    )
    reading = asyncio.create_task(read)
    while not timed.gateway._sessions.commands_pending():
        await asyncio.sleep(0.001)
    await timed.clock.advance(29)
    assert not reading.done()
    await timed.clock.advance(1)
    reply = await reading
    assert reply.protocol_status.code == ProtocolStatusCode.TIMEOUT
    assert timed.gateway._sessions.commands_pending() == 1  # it runs to its end
    await timed.clock.advance(30)
    assert await session.do("get_session_state") == SessionState.READY


async def test_no_timer_is_left_when_the_gateway_has_closed(site):
    clock = ManualClock()
    async with SimulatedGateway(clock=clock, plant=False, machines=1) as gateway:
        session = await site.client(gateway).open()
        async with session.events():
            await session.subscribed(CODE)
        await session.do("ping")
    assert [timer for timer in clock._timers if timer.callback is not None] == []


class Model:
    """When one session must be gone, second by second. Independent of how the gateway does it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.now = self.used = 0
        self.streams = 0
        self.grace_until: float | None = None
        self.is_gone = False
        self.is_faulted = False

    def call(self) -> None:
        if not self.is_gone and not self.is_faulted:
            self.used = self.now

    def attach(self) -> None:
        self.streams += 1
        self.grace_until = None

    def detach(self) -> None:
        self.streams -= 1
        if not self.streams:
            self.grace_until = self.now + self.limits.detach_grace

    def fault(self) -> None:
        if not self.is_gone and not self.is_faulted:
            self.is_faulted, self.used = True, self.now
            self.streams, self.grace_until = 0, None

    def advance(self, seconds: int) -> None:
        if self.grace_until == self.now:  # there is none
            self.is_gone = True
        for _ in range(seconds):
            self.now += 1
            if self.grace_until is not None:
                self.is_gone |= self.now >= self.grace_until
            elif not self.streams and self.now % self.limits.sweep == 0:
                self.is_gone |= self.now - self.used >= self.limits.lease


class Pair:
    """A session beside its model."""

    def __init__(self, gateway: SimulatedGateway, session: Session, limits: Limits) -> None:
        self.gateway, self.session, self.model = gateway, session, Model(limits)
        self.attached: list[AbstractContextManager[Subscriber]] = []

    @property
    def takes_calls(self) -> bool:
        return not self.model.is_gone and not self.model.is_faulted

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Whether what is inside must be refused, and is."""
        if self.takes_calls:
            yield
            return
        with pytest.raises(GRPCError) as caught:
            yield
        assert caught.value.status is Status.FAILED_PRECONDITION
        assert ("CLOSED" if self.model.is_gone else "FAULTED") in (caught.value.message or "")

    async def call(self, _: int) -> None:
        with self.checked():
            self.gateway._sessions.ready(self.session.id, CALLER.key_id).renew()
        self.model.call()

    async def attach(self, _: int) -> None:
        if len(self.attached) < 2:
            with self.checked():
                session = self.gateway._sessions.ready(self.session.id, CALLER.key_id)
                stream = session.stream(0)
                stream.__enter__()
                self.attached.append(stream)
                self.model.attach()

    async def detach(self, number: int) -> None:
        if self.attached:
            stream = self.attached.pop(number % len(self.attached))
            stream.__exit__(None, None, None)
            if self.takes_calls:
                self.model.detach()

    async def fault(self, _: int) -> None:
        self.session.fault("a test")
        self.model.fault()


ACTS = st.sampled_from([Pair.call, Pair.attach, Pair.attach, Pair.detach, Pair.detach, Pair.fault])
Act = Callable[[Pair, int], Awaitable[None]]


@given(
    limits=st.builds(
        Limits,
        lease=st.integers(1, 40),
        sweep=st.integers(1, 15),
        detach_grace=st.integers(0, 20),
        event_subscribers=st.just(2),
    ),
    schedule=st.lists(
        st.tuples(
            st.integers(0, 1), ACTS, st.integers(0, 3), st.integers(0, 25) | st.integers(0, 2)
        ),
        min_size=10,
        max_size=40,
    ),
)
def test_whatever_is_done_a_session_is_gone_when_the_rules_say_so(
    limits: Limits, schedule: list[tuple[int, Any, int, int]]
) -> None:
    async def run() -> None:
        clock = ManualClock()
        gateway = SimulatedGateway(plant=False, machines=1, clock=clock, limits=limits)
        gateway._sessions.start()
        pairs = [
            Pair(gateway, await gateway._sessions.open(CALLER, "", None), limits) for _ in range(2)
        ]
        for which, act, number, seconds in schedule:
            await act(pairs[which], number)
            await clock.advance(seconds)
            for pair in pairs:
                pair.model.advance(seconds)
                assert pair.model.is_gone is (pair.session.state is SessionState.CLOSED)
        await gateway.close()

    asyncio.run(run())
