"""The event stream: order, one subscriber, resuming, gaps, overflow, draining."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxEventFamily,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.limits import Limits

CODE = "TestMachine_001.MachineCode"
CHANGING = [f"TestMachine_{number:03d}.TestChangingInt" for number in range(1, 11)]


def sequences(events):
    return [event.worker_sequence for event in events]


async def nobody_attached(gateway: SimulatedGateway):
    """Wait until the gateway has noticed that the stream was dropped."""
    async with asyncio.timeout(5):
        while gateway._sessions.event_streams():
            await asyncio.sleep(0.001)


async def written(session, server, item, count):
    """Write ``count`` times, which raises two events each."""
    for number in range(count):
        await session.write(server, item, str(number))


async def test_changing_values_arrive_in_order_without_a_hole(site):
    """``worker_sequence`` starts at 1 in each session, is contiguous and in the order raised."""
    session = await site.session(change_interval=0.01)
    _, items = await session.subscribed(*CHANGING)
    async with session.events() as events:
        seen = await events.take(100)
    assert sequences(seen) == list(range(1, 101))
    for item in items:
        mine = [event for event in seen if event.item_handle == item]
        assert len(mine) == 10
        assert all(from_mx_value(a.value) != from_mx_value(b.value) for a, b in pairwise(mine))
        times = [event.source_timestamp.to_nanoseconds() for event in mine]
        assert times == sorted(times)


async def test_a_changing_tag_changes_more_than_once_a_second_by_default(site):
    """``TestChangingInt`` changes more than once a second."""
    session = await site.session(change_interval=0.4)
    await session.subscribed(CHANGING[0])
    async with session.events() as events:
        await events.next()
        async with asyncio.timeout(1):
            await events.take(2)


async def test_the_same_seed_gives_the_same_values_in_the_same_order(site):
    async def values(seed):
        session = await site.session(seed=seed, change_interval=0.01)
        await session.subscribed(*CHANGING)
        async with session.events() as events:
            return [from_mx_value(event.value) for event in await events.take(50)]

    once, again, other = await values(7), await values(7), await values(8)
    # A session may open between two changes; from its first value on both runs are one sequence.
    ramps = [set(zip(run[::10], run[10::10], strict=False)) for run in (once, again, other)]
    assert ramps[0] & ramps[1]
    assert not ramps[0] & ramps[2]


async def test_events_raised_before_anyone_attaches_are_kept(session):
    """Events raised before anyone attaches are kept."""
    server, (item,) = await session.subscribed(CODE)
    await written(session, server, item, 3)
    async with session.events() as events:
        assert sequences(await events.take(7)) == list(range(1, 8))


async def test_a_second_subscriber_is_refused_until_the_first_leaves(session, refused):
    """One subscriber a session by default; a second StreamEvents is refused: ALREADY_EXISTS with
    ``EventSubscriberAlreadyActive`` in the text.
    """
    server, (item,) = await session.subscribed(CODE)
    async with session.events() as events:
        await events.next()
        async with session.events() as second:
            refusal = await refused(second.next())
        assert refusal.status is Status.ALREADY_EXISTS
        assert "EventSubscriberAlreadyActive" in refusal.message
        await session.write(server, item, "x")
        await events.take(2)  # the first is not disturbed
    await asyncio.sleep(0.02)
    async with session.events() as third:
        await session.write(server, item, "y")
        assert sequences(await third.take(2)) == [4, 5]


async def test_a_stream_resumes_after_a_sequence_without_gap_or_duplicate(session):
    """``after_worker_sequence`` 0 = fresh, no replay. N > 0: the ring's events above N, then live
    ones, without gap or duplicate.
    """
    server, (item,) = await session.subscribed(CODE)
    await written(session, server, item, 10)
    async with session.events() as events:
        await events.take(21)
    await asyncio.sleep(0.02)
    async with session.events(after=15) as events:
        await written(session, server, item, 1)
        assert sequences(await events.take(8)) == list(range(16, 24))
    await asyncio.sleep(0.02)
    await written(session, server, item, 1)
    async with session.events(after=23) as events:  # nothing to replay
        assert sequences(await events.take(2)) == [24, 25]
    await asyncio.sleep(0.02)
    async with session.events() as events:  # fresh: no replay
        assert await events.quiet()
        await written(session, server, item, 1)
        assert sequences(await events.take(2)) == [26, 27]


async def test_a_resume_before_the_ring_starts_with_a_replay_gap(session):
    """Resume: a ring of 1,024 events. If N+1 was already evicted: first one marker event (family
    UNSPECIFIED, no body, ``replay_gap`` with ``requested_after_sequence``,
    ``oldest_available_sequence``), then the kept tail.
    """
    server, (item,) = await session.subscribed(CODE)
    await written(session, server, item, 600)
    async with session.events() as events:
        await events.take(1_201)
    await asyncio.sleep(0.02)
    oldest = 1_201 - 1_024 + 1
    async with session.events(after=oldest - 1) as events:
        assert sequences(await events.take(2)) == [oldest, oldest + 1]
    await asyncio.sleep(0.02)
    async with session.events(after=oldest - 2) as events:
        gap, *kept = await events.take(1_025)
        assert await events.quiet()
    assert gap.family == MxEventFamily.UNSPECIFIED
    assert gap.which_body() is None
    assert gap.session_id == session.id
    assert gap.replay_gap.requested_after_sequence == oldest - 2
    assert gap.replay_gap.oldest_available_sequence == oldest
    assert sequences(kept) == list(range(oldest, 1_202))
    assert all(event.replay_gap is None for event in kept)


async def test_events_still_queued_are_no_gap_even_where_the_ring_is_shorter(session):
    server, (item,) = await session.subscribed(CODE)
    await written(session, server, item, 600)
    async with session.events(after=10) as events:
        assert sequences(await events.take(1_191)) == list(range(11, 1_202))


async def test_the_ring_forgets_after_300_seconds(site):
    """Resume: the ring is kept 300 s."""
    clock = ManualClock()
    gateway = await site.gateway(clock=clock, limits=Limits(detach_grace=1_000))
    session = await site.client(gateway).open()
    await session.subscribed(CODE, CODE)
    await clock.advance(1)
    await session.subscribed(CODE)
    async with session.events() as events:
        await events.take(3)
    await nobody_attached(gateway)
    await clock.advance(299)
    async with session.events(after=1) as events:
        assert sequences(await events.take(2)) == [2, 3]
    await nobody_attached(gateway)
    await clock.advance(1)
    async with session.events(after=1) as events:
        gap, kept = await events.take(2)
    assert gap.replay_gap.requested_after_sequence == 1
    assert gap.replay_gap.oldest_available_sequence == kept.worker_sequence == 3


async def test_events_carry_the_time_of_the_gateway(site):
    clock = ManualClock()
    session = await site.client(await site.gateway(clock=clock)).open()
    await clock.advance(5)
    await session.subscribed(CODE)
    async with session.events() as events:
        event = await events.next()
    assert event.worker_timestamp == event.gateway_receive_timestamp == clock.now()


async def test_drained_events_are_the_oldest_and_leave_the_queue(session):
    """DrainEvents(``max_events``, 0 = all) takes queued events, oldest first. The default of the
    first-value delay is 0: there are events at once.
    """
    server, (item,) = await session.subscribed(CODE)
    await written(session, server, item, 3)
    assert sequences(await session.do("drain_events", max_events=2)) == [1, 2]
    assert sequences(await session.do("drain_events")) == [3, 4, 5, 6, 7]
    assert await session.do("drain_events") == []
    await written(session, server, item, 1)
    async with session.events() as events:
        assert sequences(await events.take(2)) == [8, 9]


async def test_a_drain_never_gives_a_replay_gap(session):
    """DrainEvents: never a replay-gap marker."""
    server, (item,) = await session.subscribed(CODE)
    await written(session, server, item, 600)
    async with session.events() as events:
        await events.take(1_201)
    await asyncio.sleep(0.02)
    async with session.events(after=1) as events:
        assert (await events.next()).replay_gap is not None
    await asyncio.sleep(0.02)
    assert all(e.replay_gap is None and e.worker_sequence for e in await session.do("drain_events"))


async def test_a_reader_slower_than_10000_events_overflows_and_faults_its_session(site, refused):
    """Overflow (a reader slower than 10,000 events): that stream ends with RESOURCE_EXHAUSTED and
    ``EventQueueOverflow`` in the text; never drop-oldest. In single-subscriber mode the session
    faults.
    """
    gateway = await site.gateway()
    session = await site.client(gateway).open()
    slow = site.client(gateway, window=65_535)
    method = MxAccessGatewayMethods.STREAM_EVENTS
    async with slow.transport._open(method, None, None) as stream:
        await stream.send_message(StreamEventsRequest(session_id=session.id), end=True)
        await stream.recv_initial_metadata()
        for _ in range(2):
            await session.subscribed(*[CODE] * 7_000)
        refusal = await refused(session.invoke("ping"))
        assert refusal.status is Status.FAILED_PRECONDITION
        assert "FAULTED" in refusal.message
        seen = [event async for event in stream]
        with pytest.raises(GRPCError) as caught:
            await stream.recv_trailing_metadata()
    assert caught.value.status is Status.RESOURCE_EXHAUSTED
    assert "EventQueueOverflow" in caught.value.message
    assert sequences(seen) == list(range(1, len(seen) + 1))  # nothing dropped before the end


async def test_a_reader_that_keeps_up_survives_a_burst_above_the_queue_limit(session):
    async with session.events() as events:
        for _ in range(2):
            await session.subscribed(*[CODE] * 8_000)
        assert sequences(await events.take(16_000)) == list(range(1, 16_001))


async def test_first_values_come_after_the_delay_and_not_after_un_advising(site):
    """The first-value delay is a setting."""
    session = await site.session(first_value_delay=0.1)
    server, (kept, dropped) = await session.subscribed(CODE, CODE)
    await session.do("un_advise", server_handle=server, item_handle=dropped)
    async with session.events() as events:
        assert await events.quiet(0.03)
        assert (await events.next()).item_handle == kept
        assert await events.quiet(0.1)
