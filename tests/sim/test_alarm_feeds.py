"""Readers of the alarms' feed, without a gateway around them: bursts, what is left behind, and what
keys that are narrowed hear.
"""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from tests.sim.plant import ALARM, CLEAR, OTHER, RAISE, Works
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import AlarmFeedMessage
from zb_mom_ww_mxgateway_sim.alarm_feed import QUEUE_LIMIT, Feed
from zb_mom_ww_mxgateway_sim.auth.access import EVERYTHING, Access

#: What a feed begins with when no alarm is active: the provider, and the end of the snapshot.
OPENING = 2


def toggle(works: Works, times: int) -> None:
    """Raise and clear an alarm in turn."""
    for number in range(times):
        works.write(ALARM, number % 2 == 0)


async def taken(feed: Feed) -> list[AlarmFeedMessage]:
    """All that waits for a reader."""
    messages: list[AlarmFeedMessage] = []
    while True:
        try:
            async with asyncio.timeout(0):
                messages.append(await feed.next())
        except TimeoutError:
            return messages


async def test_a_reader_that_left_is_told_nothing_and_not_kept() -> None:
    works = Works()
    followers = works.alarms.follower_count

    def read_and_leave() -> weakref.ref[Feed]:
        with works.alarms.follow("", EVERYTHING) as feed:
            toggle(works, 1)
            assert works.alarms.follower_count == followers + 1
            return weakref.ref(feed)

    left = read_and_leave()
    gc.collect()
    assert left() is None
    assert works.alarms.follower_count == followers


async def test_a_burst_overflows_a_reader_that_is_busy_and_none_that_waits() -> None:
    works = Works()
    with works.alarms.follow("", EVERYTHING) as waits, works.alarms.follow("", EVERYTHING) as busy:
        for _ in range(OPENING):
            await waits.next()
        waiting = asyncio.ensure_future(waits.next())
        await asyncio.sleep(0)
        burst = OPENING + QUEUE_LIMIT + 1
        toggle(works, burst)
        assert (await waiting).transition is not None
        for _ in range(burst - 1):
            assert (await waits.next()).transition is not None
        with pytest.raises(GRPCError, match="AlarmQueueOverflow"):
            await busy.next()


async def test_a_narrowed_reader_hears_the_end_of_an_alarm_whose_object_is_gone() -> None:
    works = Works(machines=3)
    hidden = "TestMachine_003.TestAlarm001"
    works.write(ALARM, True)
    access = Access.of(read=["TestMachine_001", "TestMachine_002"])
    with works.alarms.follow("", access) as feed:
        for alarm in (OTHER, hidden):
            works.write(alarm, True)
        works.deploy(machines=0)
        messages = await taken(feed)
    assert [it.active_alarm.source_object_reference for it in messages if it.active_alarm] == [
        "TestMachine_001"
    ]
    told = [it.transition for it in messages if it.transition is not None]
    assert [(it.transition_kind, it.source_object_reference) for it in told] == [
        (RAISE, "TestMachine_002"),
        (CLEAR, "TestMachine_001"),
        (CLEAR, "TestMachine_002"),
    ]


@given(
    roots=st.lists(st.sampled_from(["TestMachine_001", "TestMachine_002", "TestArea", "Nowhere"])),
    before=st.lists(st.sampled_from([1, 2, 3]), unique=True),
    after=st.lists(st.sampled_from([1, 2, 3])),
)
def test_a_narrowed_reader_hears_what_any_other_hears_of_the_objects_that_it_may_read(
    roots: list[str], before: list[int], after: list[int]
) -> None:
    async def run() -> None:
        works = Works(machines=3)

        def toggle(machine: int) -> None:
            alarm = f"TestMachine_{machine:03}.TestAlarm002"
            works.write(alarm, works.read(alarm) is not True)

        for machine in before:
            toggle(machine)
        access = Access.of(read=roots)
        with (
            works.alarms.follow("", EVERYTHING) as all_of_it,
            works.alarms.follow("", access) as it,
        ):
            for machine in after:
                toggle(machine)
            heard, everything = await taken(it), await taken(all_of_it)
        readable = set(roots)
        if "TestArea" in roots:
            readable |= {f"TestMachine_{n:03}" for n in (1, 2, 3)}
        assert heard == [message for message in everything if source(message) in {None, *readable}]
        active = works.alarms.active("", EVERYTHING)
        assert works.alarms.active("", access) == [
            alarm for alarm in active if alarm.source_object_reference in readable
        ]

    asyncio.run(run())


def source(message: AlarmFeedMessage) -> str | None:
    """The object of an alarm; None for what is no alarm."""
    about = message.active_alarm or message.transition
    return None if about is None else about.source_object_reference
