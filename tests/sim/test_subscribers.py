"""One or several subscribers of a session's events: who gets what, and who is too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxEvent,
    MxEventFamily,
    SessionState,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.event_log import EventLog, Subscriber
from zb_mom_ww_mxgateway_sim.limits import Limits
from zb_mom_ww_mxgateway_sim.operations.observer import Observer

CODE = "TestMachine_001.MachineCode"


def event() -> MxEvent:
    return MxEvent(family=MxEventFamily.ON_DATA_CHANGE)


def log(clock: ManualClock | None = None, **limits: int) -> EventLog:
    return EventLog("session-x", clock or ManualClock(), Limits(**limits), Observer())


async def taken(subscriber: Subscriber, count: int) -> list[int]:
    async with asyncio.timeout(1):  # no test that fails waits for ever
        events = [await subscriber.next() for _ in range(count)]
    return [one.worker_sequence for one in events if one is not None]


class Reader:
    """A subscriber, and the sequence that has to come next by the model."""

    def __init__(self, subscriber: Subscriber, due: int) -> None:
        self.subscriber = subscriber
        self.due = due


class Model:
    """What a log must do, told in sequences alone."""

    def __init__(self, several: int, queue: int, ring: int, age: int) -> None:
        self.several, self.queue, self.ring, self.age = several, queue, ring, age
        self.clock = ManualClock()
        limits: dict[str, Any] = {
            "event_subscribers": several,
            "event_queue": queue,
            "ring_events": ring,
            "ring_age": age,
        }
        self.log = log(self.clock, **limits)
        self.raised_at: list[float] = []
        #: The first event that waits for somebody while nobody is attached.
        self.left = 1
        self.readers: list[Reader] = []
        self.has_ended = False

    @property
    def last(self) -> int:
        return len(self.raised_at)

    async def append(self, count: int) -> None:
        for _ in range(count):
            if self.has_ended:
                return
            self.raised_at.append(self.clock.time())
            goes_on = self.log.append(event())
            slow = [one for one in self.readers if self.last - one.due + 1 > self.queue]
            ends = self.last - self.left + 1 > self.queue if not self.readers else bool(slow)
            self.has_ended = ends and (self.several == 1 or not self.readers)
            assert goes_on is not self.has_ended
            for reader in slow:
                await self.overflowed(reader)

    async def overflowed(self, reader: Reader) -> None:
        with pytest.raises(GRPCError, match="EventQueueOverflow") as caught:
            await reader.subscriber.next()
        assert caught.value.status is Status.RESOURCE_EXHAUSTED
        reader.subscriber.__exit__(None, None, None)
        self.readers.remove(reader)
        if not self.readers:
            self.left = self.last + 1

    async def attach(self, after: int) -> None:
        after = min(after, self.last)
        if len(self.readers) == self.several:
            status = Status.ALREADY_EXISTS if self.several == 1 else Status.RESOURCE_EXHAUSTED
            with pytest.raises(GRPCError) as caught:
                self.log.subscribe(after)
            assert caught.value.status is status
            return
        subscriber = self.log.subscribe(after)
        due = self.last + 1 if self.readers else self.left
        if after:
            young = [
                number
                for number, at in enumerate(self.raised_at, 1)
                if number > self.last - self.ring and at >= self.clock.time() - self.age
            ]
            oldest = min([due, *young])
            due = max(after + 1, oldest)
            if after + 1 < oldest:
                first = await subscriber.next()
                assert first is not None
                assert first.replay_gap is not None
                assert first.replay_gap.requested_after_sequence == after
                assert first.replay_gap.oldest_available_sequence == oldest
        self.readers.append(Reader(subscriber, due))

    async def detach(self, number: int) -> None:
        if self.readers:
            reader = self.readers.pop(number % len(self.readers))
            reader.subscriber.__exit__(None, None, None)
            if not self.readers:
                self.left = reader.due

    async def take(self, number: int) -> None:
        if self.readers:
            reader = self.readers[number % len(self.readers)]
            for _ in range(min(number, self.last - reader.due + 1)):
                assert await taken(reader.subscriber, 1) == [reader.due]
                reader.due += 1

    async def drain(self, limit: int) -> None:
        drained = [one.worker_sequence for one in self.log.drain(limit)]
        first, count = self.left, self.last - self.left + 1
        if self.readers:
            first, count = self.readers[0].due, self.last - self.readers[0].due + 1
        if self.readers and self.several > 1:
            count = 0
        count = min(limit or count, count)
        assert drained == list(range(first, first + count))
        if not self.readers:
            self.left += count
        elif self.several == 1:
            self.readers[0].due += count

    async def let_pass(self, seconds: int) -> None:
        await self.clock.advance(seconds)

    async def finish(self) -> None:
        """Everybody gets the rest, and then the end."""
        if self.has_ended:
            return
        for reader in self.readers:
            await self.take_all(reader)
        self.log.end()
        for reader in self.readers:
            assert await reader.subscriber.next() is None

    async def take_all(self, reader: Reader) -> None:
        rest = self.last - reader.due + 1
        assert await taken(reader.subscriber, rest) == list(range(reader.due, self.last + 1))


STEPS = st.one_of(
    st.tuples(st.just(Model.append), st.integers(1, 6)),
    st.tuples(st.just(Model.attach), st.integers(0, 30)),
    st.tuples(st.just(Model.attach), st.just(0)),
    st.tuples(st.just(Model.detach), st.integers(0, 3)),
    st.tuples(st.just(Model.take), st.integers(0, 12)),
    st.tuples(st.just(Model.drain), st.integers(0, 4)),
    st.tuples(st.just(Model.let_pass), st.integers(1, 4)),
)


@given(
    several=st.integers(1, 4),
    queue=st.integers(3, 20),
    ring=st.integers(1, 10),
    age=st.integers(1, 8),
    steps=st.lists(STEPS, min_size=20, max_size=80),
)
def test_every_subscriber_sees_a_contiguous_run_and_none_loses_or_gets_twice(
    several: int,
    queue: int,
    ring: int,
    age: int,
    steps: list[tuple[Callable[[Model, int], Any], int]],
) -> None:
    async def run() -> None:
        model = Model(several, queue, ring, age)
        for act, number in steps:
            if model.has_ended:
                break
            await act(model, number)
        await model.finish()

    asyncio.run(run())


async def test_a_subscriber_that_waits_for_an_event_is_not_slow() -> None:
    one = log(event_queue=3)
    with one.subscribe(0) as subscriber:
        waiting = asyncio.create_task(taken(subscriber, 10))
        await asyncio.sleep(0)
        assert all(one.append(event()) for _ in range(10))
        assert await waiting == list(range(1, 11))
        assert [one.append(event()) for _ in range(4)] == [True, True, True, False]


async def test_a_reader_of_a_long_queue_lets_others_have_their_turn() -> None:
    one = log()
    for _ in range(2_000):
        one.append(event())
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    with one.subscribe(0) as subscriber:
        assert await taken(subscriber, 2_000) == list(range(1, 2_001))
    running.cancel()
    assert turns >= 5


@pytest.mark.parametrize("several", [1, 3])
async def test_events_that_overflow_with_nobody_attached_end_the_log_however_many_may_attach(
    several: int,
) -> None:
    one = log(event_queue=3, event_subscribers=several)
    assert [one.append(event()) for _ in range(4)] == [True, True, True, False]
    assert one.queued == 0
    assert one.drain(0) == []


async def test_a_log_that_has_ended_takes_no_more_and_stays_as_it_ended() -> None:
    one = log()
    with one.subscribe(0) as subscriber:
        one.append(event())
        one.end()
        assert one.append(event())
        one.end(GRPCError(Status.ABORTED, "too late"))
        assert await taken(subscriber, 2) == [1]
        assert await subscriber.next() is None


async def test_a_failure_comes_at_once_and_each_time() -> None:
    one = log(event_subscribers=2)
    with one.subscribe(0) as first, one.subscribe(0) as second:
        one.append(event())
        one.end(GRPCError(Status.ABORTED, "it is over"))
        for subscriber in (first, second, first):
            with pytest.raises(GRPCError, match="it is over"):
                await subscriber.next()


async def test_a_forced_overflow_ends_the_log_of_one_and_the_streams_of_several() -> None:
    single, several = log(), log(event_subscribers=2)
    with single.subscribe(0) as only, several.subscribe(0) as first, several.subscribe(0) as second:
        assert not single.overflow()
        assert several.overflow()
        for subscriber in (only, first, second):
            with pytest.raises(GRPCError, match="EventQueueOverflow"):
                await subscriber.next()
        assert several.streams == 0
    several.append(event())
    with several.subscribe(0) as third:
        assert await taken(third, 1) == [1]


async def test_the_log_tells_how_much_waits_and_for_how_many() -> None:
    one = log(event_subscribers=2)
    one.append(event())
    assert (one.queued, one.streams) == (1, 0)
    with one.subscribe(0), one.subscribe(0):
        one.append(event())
        assert (one.queued, one.streams) == (3, 2)
    assert one.streams == 0


async def test_several_subscribers_get_each_event_in_streams_of_their_own(site, refused):
    """Setting: several subscribers, each with every event and its own queue."""
    gateway = await site.gateway(limits=Limits(event_subscribers=2))
    session = await site.client(gateway).open()
    server, (item,) = await session.subscribed(CODE)
    async with session.events() as first:
        opening = await first.next()  # what was kept is for the first who comes
        async with session.events() as second:
            while gateway._sessions.event_streams() < 2:
                await asyncio.sleep(0.001)
            async with session.events() as third:
                refusal = await refused(third.next())
            assert refusal.status is Status.RESOURCE_EXHAUSTED
            assert "2 event streams" in refusal.message
            await session.write(server, item, "x")
            both = [await one.take(2) for one in (first, second)]
            assert both[0] == both[1]
            assert [one.worker_sequence for one in (opening, *both[0])] == [1, 2, 3]


async def test_where_several_may_subscribe_a_slow_one_ends_its_own_stream_alone(site):
    """Overflow: that stream ends with RESOURCE_EXHAUSTED and ``EventQueueOverflow`` in the text."""
    gateway = await site.gateway(limits=Limits(event_subscribers=2, event_queue=1_000))
    session = await site.client(gateway).open()
    slow = site.client(gateway, window=65_535)
    async with (
        session.events() as quick,
        slow.transport._open(MxAccessGatewayMethods.STREAM_EVENTS, None, None) as stream,
    ):
        await stream.send_message(StreamEventsRequest(session_id=session.id), end=True)
        await stream.recv_initial_metadata()
        raised = 0
        while gateway._sessions.event_streams() == 2:
            await session.subscribed(*[CODE] * 500)
            await quick.take(500)
            raised += 500
            assert raised < 10_000
        await session.subscribed(CODE)
        assert (await quick.next()).worker_sequence == raised + 1
        seen = [event.worker_sequence async for event in stream]
        with pytest.raises(GRPCError, match="EventQueueOverflow") as caught:
            await stream.recv_trailing_metadata()
    assert caught.value.status is Status.RESOURCE_EXHAUSTED
    assert seen == list(range(1, len(seen) + 1)) != []
    assert await session.do("get_session_state") == SessionState.READY
