"""Every stream of the SDK is of one kind: a wait may be given up, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from tests.sdk.fixed import client_of
from tests.sdk.scripted import ScriptedGateway, change, tasks_settled
from zb_mom_ww_mxgateway import (
    Event,
    GalaxyRepositoryClient,
    GatewayClient,
    MxGatewayResourceExhaustedError,
    MxGatewayTransportError,
    Session,
    Stream,
    StreamEventsRequest,
    streams,
)
from zb_mom_ww_mxgateway.streams import Reader


@pytest.fixture
def scripted() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def client(scripted: ScriptedGateway) -> AsyncIterator[GatewayClient]:
    async with client_of(scripted) as connected:
        yield connected


@pytest.fixture
async def session(client: GatewayClient) -> Session:
    return await client.open_session()


async def test_the_call_begins_with_the_first_wait_or_with_the_context(
    scripted: ScriptedGateway, session: Session
) -> None:
    stream = session.stream_events()
    await asyncio.sleep(0.01)
    assert not scripted.requests
    async with stream:
        await scripted.settled(1)
    await scripted.settled(0)


async def test_a_wait_that_is_given_up_loses_no_event_and_keeps_the_stream(
    scripted: ScriptedGateway, session: Session
) -> None:
    async with session.stream_events() as events:
        for sequence in range(1, 21):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await anext(events)
            scripted.send(change(sequence))
            assert (await anext(events)).worker_sequence == sequence
    assert len(scripted.requests) == 1


@given(pauses=st.lists(st.sampled_from([0.0, 0.0005, None]), min_size=1, max_size=30))
async def test_however_waits_are_given_up_every_event_comes_once_and_in_order(
    pauses: list[float | None],
) -> None:
    async def source() -> AsyncIterator[int]:
        for number, pause in enumerate(pauses):
            if pause is not None:
                await asyncio.sleep(pause)
            yield number

    stream: Stream[int] = Stream(lambda: Reader(source(), lambda number: number))  # type: ignore[arg-type]
    seen: list[int] = []
    while True:
        try:
            async with asyncio.timeout(0.0002):
                seen.append(await anext(stream))
        except TimeoutError:
            continue
        except StopAsyncIteration:
            break
    assert seen == list(range(len(pauses)))


@given(count=st.integers(0, 30), limits=st.lists(st.integers(1, 7), min_size=31, max_size=31))
async def test_items_may_be_taken_several_at_once(count: int, limits: list[int]) -> None:
    async def source() -> AsyncGenerator[int]:
        for number in range(count):
            yield number
            if number % 3 == 0:
                await asyncio.sleep(0)

    stream = streams.Stream(lambda: Reader(source(), lambda number: number))
    seen: list[int] = []
    for limit in limits:
        try:
            taken = await stream.take(limit)
        except StopAsyncIteration:
            break
        assert 1 <= len(taken) <= limit
        seen += taken
    assert seen == list(range(count))


async def test_leaving_the_loop_ends_the_call_at_once(
    scripted: ScriptedGateway, session: Session
) -> None:
    before = asyncio.all_tasks()
    scripted.send(change(1), change(2))
    async for _ in session.stream_events():
        break
    await scripted.settled(0)
    await tasks_settled(before)


async def test_aclose_ends_the_call_and_may_be_repeated(
    scripted: ScriptedGateway, session: Session
) -> None:
    before = asyncio.all_tasks()
    scripted.send(change(1))
    events = session.stream_events()
    await anext(events)
    await asyncio.gather(events.aclose(), events.aclose())
    await events.aclose()
    await scripted.settled(0)
    await tasks_settled(before)
    with pytest.raises(StopAsyncIteration):
        await anext(events)
    assert [event async for event in events] == []


async def test_a_stream_that_is_closed_before_it_began_never_begins(
    scripted: ScriptedGateway, session: Session
) -> None:
    events = session.stream_events()
    await events.aclose()
    async with events:
        assert [event async for event in events] == []
    assert not scripted.requests


async def test_closing_ends_a_wait_of_another_task(
    scripted: ScriptedGateway, session: Session
) -> None:
    events = session.stream_events()
    waiting = asyncio.ensure_future(anext(events, None))
    await scripted.settled(1)
    await events.aclose()
    assert await waiting is None


async def test_cancelling_the_task_that_iterates_ends_the_call(
    scripted: ScriptedGateway, session: Session
) -> None:
    before = asyncio.all_tasks()

    async def watch() -> None:
        async for _ in session.stream_events():
            pass

    watching = asyncio.create_task(watch())
    await scripted.settled(1)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    await scripted.settled(0)
    await tasks_settled(before)


async def test_a_stream_dropped_in_another_thread_is_freed_too(
    scripted: ScriptedGateway, session: Session
) -> None:
    before = asyncio.all_tasks()
    scripted.send(change(1))
    held = [session.stream_events()]
    await anext(held[0])
    dropping = threading.Thread(target=held.clear)
    dropping.start()
    while dropping.is_alive():
        await asyncio.sleep(0.001)
    await scripted.settled(0)
    await tasks_settled(before)


def test_a_stream_may_outlive_its_loop() -> None:
    held: list[Stream[Event]] = []

    async def leave_it() -> None:
        scripted = ScriptedGateway()
        scripted.send(change(1))
        async with client_of(scripted) as client:
            held.append((await client.open_session()).stream_events())
            await anext(held[0])

    asyncio.run(leave_it())
    held.clear()
    gc.collect()


async def test_what_ended_the_stream_is_raised_once_and_behind_the_last_event(
    scripted: ScriptedGateway, session: Session
) -> None:
    scripted.send(change(1), change(2), GRPCError(Status.RESOURCE_EXHAUSTED, "EventQueueOverflow"))
    events = session.stream_events()
    assert [(await anext(events)).worker_sequence for _ in range(2)] == [1, 2]
    with pytest.raises(MxGatewayResourceExhaustedError, match="EventQueueOverflow"):
        await anext(events)
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_closing_the_session_does_not_hide_what_ended_its_stream(
    scripted: ScriptedGateway, session: Session
) -> None:
    scripted.send(change(1), GRPCError(Status.RESOURCE_EXHAUSTED, "EventQueueOverflow"))
    events = session.stream_events()
    await anext(events)
    await scripted.settled(0)
    await session.close()
    with pytest.raises(MxGatewayResourceExhaustedError, match="EventQueueOverflow"):
        await anext(events)


async def test_a_stream_whose_gateway_ends_it_ends(
    scripted: ScriptedGateway, session: Session
) -> None:
    scripted.send(change(1), None)
    assert [event.worker_sequence async for event in session.stream_events()] == [1]


async def test_a_reader_that_falls_behind_holds_the_gateway_back(
    scripted: ScriptedGateway, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "QUEUE_LIMIT", 100)
    count = 6_000  # of a kilobyte each: more than the queue and HTTP/2's window take
    scripted.send(*(change(sequence, text="x" * 1_000) for sequence in range(1, count + 1)))
    async with session.stream_events() as events:
        assert (await anext(events)).worker_sequence == 1
        left = -1
        while left != scripted.script.qsize():
            left = scripted.script.qsize()
            await asyncio.sleep(0.2)
        assert left > 0
        seen = [(await anext(events)).worker_sequence for _ in range(count - 1)]
    assert seen == list(range(2, count + 1))


async def test_raw_streams_yield_the_contracts_events(
    scripted: ScriptedGateway, client: GatewayClient
) -> None:
    event = change(7)
    scripted.send(event)
    request = StreamEventsRequest(session_id="session-1", after_worker_sequence=6)
    async with client.stream_events_raw(request) as events:
        assert await anext(events) == event
    assert scripted.requests == [request]


def test_every_method_that_streams_hands_out_a_stream() -> None:
    others = [
        name
        for cls in (GatewayClient, Session, GalaxyRepositoryClient)
        for name, method in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and "Async" in str(inspect.signature(method).return_annotation)
    ]
    # This one asks page by page: between two pages there is no call to end.
    assert others == ["iter_hierarchy"]


async def test_sequences_beyond_63_bits_stay_positive_there_and_back(
    scripted: ScriptedGateway, session: Session
) -> None:
    scripted.send(change(2**64 - 2))
    async with session.stream_events() as events:
        last = (await anext(events)).worker_sequence
    assert last == 2**64 - 2
    async with session.stream_events(after_worker_sequence=last):
        await scripted.attached(2)
    assert scripted.requests[-1].after_worker_sequence == 2**64 - 2


async def test_a_session_has_one_stream_and_the_second_is_refused(
    scripted: ScriptedGateway, session: Session
) -> None:
    scripted.send(change(1))
    async with session.stream_events() as events:
        await anext(events)
        with pytest.raises(MxGatewayTransportError, match="EventSubscriberAlreadyActive"):
            await anext(session.stream_events())
        scripted.send(change(2))
        assert (await anext(events)).worker_sequence == 2


async def test_a_gateway_that_is_slow_to_see_the_end_of_a_stream_is_asked_again(
    scripted: ScriptedGateway, session: Session
) -> None:
    scripted.slow_to_notice = 0.2
    scripted.send(change(1))
    async with session.stream_events() as events:
        await anext(events)
    scripted.send(change(2))
    async with session.stream_events(after_worker_sequence=1) as events:
        assert (await anext(events)).worker_sequence == 2
    assert len(scripted.requests) > 2
    assert {request.after_worker_sequence for request in scripted.requests[1:]} == {1}
