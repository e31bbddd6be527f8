"""One event stream for all who need a session's events: nothing lost silently, nothing stuck."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from tests.sdk.fixed import client_of
from tests.sdk.scripted import ScriptedGateway, change
from zb_mom_ww_mxgateway import (
    DataChange,
    Event,
    EventGap,
    GatewayClient,
    MxEvent,
    MxGatewayResourceExhaustedError,
    MxGatewaySessionClosedError,
    MxGatewaySessionNotReadyError,
    MxGatewayUnavailableError,
    ReplayGap,
    Session,
    streams,
)
from zb_mom_ww_mxgateway.event_hub import EventHub


@pytest.fixture
def scripted() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def client(scripted: ScriptedGateway) -> AsyncIterator[GatewayClient]:
    async with client_of(scripted) as connected:
        yield connected


@pytest.fixture
async def session(client: GatewayClient) -> AsyncIterator[Session]:
    session = await client.open_session()
    yield session
    await session.close()


@pytest.fixture
def hub(session: Session) -> EventHub:
    return session._hub


def any_event(event: Event) -> bool:
    return True


async def sequences(stream: streams.Stream[Event], count: int) -> list[int]:
    async with asyncio.timeout(5):
        return [(await anext(stream)).worker_sequence for _ in range(count)]


async def test_a_watch_sees_what_a_stream_yields(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    async with session.stream_events() as events:
        with hub.watch(lambda event: event.item_handle == 2) as watch:
            scripted.send(change(1), change(2, item_handle=2), change(3))
            assert (await watch.next()).worker_sequence == 2
        assert await sequences(events, 3) == [1, 2, 3]
    assert len(scripted.requests) == 1


async def test_what_a_watch_read_waits_for_the_next_stream(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    scripted.send(change(1), change(2))
    with hub.watch(any_event) as watch:
        assert [(await watch.next()).worker_sequence for _ in range(2)] == [1, 2]
    assert scripted.running == 1  # or the gateway would close the session after a while
    scripted.send(change(3))
    async with session.stream_events() as events:
        assert await sequences(events, 3) == [1, 2, 3]
    assert len(scripted.requests) == 1


async def test_private_events_are_for_watches_alone(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    hub.private.add(7)
    scripted.send(change(1, server_handle=7), change(2))
    with hub.watch(any_event) as watch:
        assert (await watch.next()).server_handle == 7
    async with session.stream_events() as events:
        assert await sequences(events, 1) == [2]


@given(limit=st.integers(1, 5), count=st.integers(0, 12))
async def test_events_that_nobody_came_for_are_lost_with_a_word(limit: int, count: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "QUEUE_LIMIT", limit)
        async with client_of(scripted := ScriptedGateway()) as client:
            session = await client.open_session()
            scripted.send(*(change(sequence) for sequence in range(1, count + 2)))
            with session._hub.watch(lambda event: event.worker_sequence == count + 1) as watch:
                await watch.next()
            kept = list(range(1, count + 2))[-limit:]
            async with session.stream_events() as events:
                if len(kept) <= count:
                    gap = await anext(events)
                    assert isinstance(gap, EventGap)
                    assert gap.requested_after_sequence == 0
                    assert gap.oldest_available_sequence == kept[0]
                assert await sequences(events, len(kept)) == kept
                scripted.send(change(count + 2))
                assert await sequences(events, 1) == [count + 2]


async def test_a_stream_that_is_behind_does_not_hold_a_watch_up(
    scripted: ScriptedGateway, session: Session, hub: EventHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "QUEUE_LIMIT", 3)
    async with session.stream_events() as events:
        scripted.send(*(change(sequence) for sequence in range(1, 10)))
        await asyncio.sleep(0.05)
        with hub.watch(lambda event: event.worker_sequence == 9) as watch:
            async with asyncio.timeout(5):
                await watch.next()
        assert await sequences(events, 9) == list(range(1, 10))


async def test_a_watch_resumes_where_its_stream_was_left(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    async with session.stream_events() as events:
        scripted.send(change(1), change(2))
        assert await sequences(events, 1) == [1]
        with hub.watch(lambda event: event.worker_sequence == 5) as watch:
            waiting = asyncio.create_task(watch.next())
            await asyncio.sleep(0.01)
            await events.aclose()
            await scripted.settled(1)
            scripted.send(change(3), change(5))
            assert (await waiting).worker_sequence == 5
    assert [request.after_worker_sequence for request in scripted.requests] == [0, 2]


async def test_an_error_of_the_stream_reaches_the_watch_and_the_stream(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    async with session.stream_events() as events:
        with hub.watch(any_event) as watch:
            scripted.send(GRPCError(Status.RESOURCE_EXHAUSTED, "EventQueueOverflow"))
            with pytest.raises(MxGatewayResourceExhaustedError):
                await watch.next()
        with pytest.raises(MxGatewayResourceExhaustedError):
            await anext(events)


async def test_a_stream_still_gets_what_was_kept_before_the_stream_failed(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    with hub.watch(lambda event: event.worker_sequence == 9) as watch:
        scripted.send(change(1), GRPCError(Status.UNAVAILABLE, "restarting"))
        with pytest.raises(MxGatewayUnavailableError):
            await watch.next()
    events = session.stream_events()
    assert await sequences(events, 1) == [1]
    with pytest.raises(MxGatewayUnavailableError):
        await anext(events)


async def test_what_was_kept_survives_a_second_watch_after_a_failure(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    with hub.watch(lambda event: event.worker_sequence == 9) as watch:
        scripted.send(change(1), GRPCError(Status.UNAVAILABLE, "restarting"))
        with pytest.raises(MxGatewayUnavailableError):
            await watch.next()
    with hub.watch(any_event) as watch:
        scripted.send(change(2))
        await watch.next()
    async with session.stream_events() as events:
        assert await sequences(events, 2) == [1, 2]
    assert [request.after_worker_sequence for request in scripted.requests] == [0, 1]


async def test_that_events_were_lost_is_told_after_a_failure_too(
    scripted: ScriptedGateway, session: Session, hub: EventHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "QUEUE_LIMIT", 2)
    with hub.watch(lambda event: event.worker_sequence == 9) as watch:
        scripted.send(change(1), change(2), change(3), GRPCError(Status.UNAVAILABLE, "restarting"))
        with pytest.raises(MxGatewayUnavailableError):
            await watch.next()
    with hub.watch(any_event):
        await scripted.attached(2)
    async with session.stream_events() as events:
        gap = await anext(events)
        assert isinstance(gap, EventGap)
        assert gap.oldest_available_sequence == 2
        assert await sequences(events, 2) == [2, 3]


async def test_a_stream_that_the_gateway_ends_ends_the_watch(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    with hub.watch(any_event) as watch:
        scripted.send(None)
        with pytest.raises(MxGatewaySessionNotReadyError, match="closed at the gateway"):
            await watch.next()


async def test_a_stream_that_resumes_ends_the_one_that_watches_had_opened(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    with hub.watch(any_event) as watch:
        scripted.send(change(4))
        await watch.next()
    async with session.stream_events(after_worker_sequence=2) as events:
        while len(scripted.requests) < 2:
            await asyncio.sleep(0.001)
        scripted.send(change(3))
        assert await sequences(events, 1) == [3]
    assert [request.after_worker_sequence for request in scripted.requests] == [0, 2]


async def test_gaps_reach_watches_and_streams(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    gap = MxEvent(replay_gap=ReplayGap(requested_after_sequence=1, oldest_available_sequence=5))
    async with session.stream_events(after_worker_sequence=1) as events:
        with hub.watch(any_event) as watch:
            scripted.send(gap, change(5))
            assert isinstance(await watch.next(), EventGap)
            assert isinstance(await watch.next(), DataChange)
        assert isinstance(await anext(events), EventGap)


async def test_what_a_stream_resumes_to_is_no_news_to_a_watch(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    scripted.send(change(1), change(2))
    async with session.stream_events() as events:
        assert await sequences(events, 2) == [1, 2]
    with hub.watch(any_event) as watch:
        await scripted.attached(2)
        async with session.stream_events(after_worker_sequence=1) as events:
            await scripted.attached(3)
            scripted.send(change(2), change(3))
            assert await sequences(events, 2) == [2, 3]
            assert (await watch.next()).worker_sequence == 3


async def test_the_stream_after_one_that_was_dropped_takes_its_place(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    scripted.slow_to_notice = 0.1
    scripted.send(change(1))
    async for _ in session.stream_events():
        break
    async with session.stream_events(after_worker_sequence=1) as events:
        await scripted.attached(2)
        with hub.watch(any_event) as watch:
            scripted.send(change(2))
            assert (await watch.next()).worker_sequence == 2
        assert await sequences(events, 1) == [2]
    assert {request.after_worker_sequence for request in scripted.requests[1:]} == {1}


async def test_a_watch_after_a_stream_that_was_dropped_goes_on_behind_it(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    scripted.send(change(1))
    async for _ in session.stream_events():
        break
    with hub.watch(any_event) as watch:
        await scripted.attached(2)
        scripted.send(change(2))
        assert (await watch.next()).worker_sequence == 2
    assert {request.after_worker_sequence for request in scripted.requests[1:]} == {1}


async def test_a_stream_outlives_the_session_object_that_it_came_from(
    scripted: ScriptedGateway, client: GatewayClient
) -> None:
    async def opened() -> streams.Stream[Event]:
        session = await client.open_session()
        with session._hub.watch(any_event) as watch:
            scripted.send(change(1))
            await watch.next()
        return session.stream_events()

    events = await opened()
    assert await sequences(events, 1) == [1]
    scripted.send(change(2))
    assert await sequences(events, 1) == [2]


async def test_closing_the_session_ends_a_watch_that_waits(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    with hub.watch(any_event) as watch:
        waiting = asyncio.create_task(watch.next())
        await scripted.settled(1)
        await session.close()
        with pytest.raises(MxGatewaySessionClosedError, match="this session was closed"):
            await waiting
    await scripted.settled(0)
    assert len(scripted.requests) == 1


async def test_closing_the_session_ends_a_watch_whose_stream_goes_on(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    async with session.stream_events():
        with hub.watch(any_event) as watch:
            waiting = asyncio.create_task(watch.next())
            await scripted.settled(1)
            await session.close()
            with pytest.raises(MxGatewaySessionClosedError):
                await waiting


async def test_closing_the_session_ends_what_watches_had_opened(
    scripted: ScriptedGateway, session: Session, hub: EventHub
) -> None:
    with hub.watch(any_event):
        await scripted.settled(1)
    await session.close()
    await scripted.settled(0)
