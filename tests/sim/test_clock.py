"""The one clock of a gateway, and the one that tests let run."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_sim.clock import Clock, ManualClock

BOTH = pytest.mark.parametrize("clock", [Clock, ManualClock], indirect=True)
SOON = 0.001


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


async def passing(clock: Clock, seconds: float) -> None:
    """Let time pass, whoever has to do it."""
    if isinstance(clock, ManualClock):
        await clock.advance(seconds)
    else:
        await asyncio.sleep(seconds)


@BOTH
async def test_a_call_comes_once_its_time_has_come_unless_it_was_canceled(clock: Clock) -> None:
    called: list[str] = []
    clock.call_later(SOON, lambda: called.append("kept"))
    clock.call_later(SOON, lambda: called.append("canceled")).cancel()
    over = asyncio.Event()
    timer = clock.call_later(2 * SOON, over.set)
    assert called == []
    await passing(clock, 2 * SOON)
    await over.wait()
    timer.cancel()  # harmless when it is over
    assert called == ["kept"]


@BOTH
async def test_time_does_not_run_backwards_even_if_the_time_of_day_is_set_back(
    clock: Clock,
) -> None:
    time, now = clock.time(), clock.now().to_nanoseconds()
    clock.step(-3_600)
    await passing(clock, SOON)
    assert clock.time() > time
    assert now - 3_600_000_000_000 < clock.now().to_nanoseconds() < now
    clock.step(3_600)
    assert clock.now().to_nanoseconds() > now


async def test_the_real_time_of_day_is_that_of_the_host() -> None:
    before = Timestamp.now().to_nanoseconds() - 1_000  # which is cut to microseconds
    assert before <= Clock().now().to_nanoseconds() <= Timestamp.now().to_nanoseconds() + 1_000


@BOTH
async def test_a_sleep_ends_after_its_time(clock: Clock) -> None:
    began = clock.time()
    sleeping = asyncio.create_task(clock.sleep(SOON))
    await passing(clock, SOON)
    await sleeping
    assert clock.time() - began >= SOON


@BOTH
@pytest.mark.parametrize("delay", [SOON, 0, -1])
async def test_a_timeout_ends_what_takes_too_long(clock: Clock, delay: float) -> None:
    async def wait() -> None:
        async with clock.timeout(delay):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    if delay > 0:
        await passing(clock, delay)
    with pytest.raises(TimeoutError):
        await waiting


@BOTH
async def test_a_timeout_is_forgotten_by_what_was_done_in_time(clock: Clock) -> None:
    async with clock.timeout(SOON):
        await asyncio.sleep(0)
    await passing(clock, 2 * SOON)


@BOTH
async def test_a_cancel_from_outside_is_no_timeout(clock: Clock) -> None:
    async def wait() -> None:
        async with clock.timeout(3_600):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_time_of_day_of_a_manual_clock_starts_at_a_known_moment() -> None:
    clock = ManualClock()
    assert clock.now().to_datetime().isoformat() == "2026-01-01T00:00:00+00:00"
    await clock.advance(90.5)
    assert clock.now().to_datetime().isoformat() == "2026-01-01T00:01:30.500000+00:00"
    assert clock.time() == 90.5


async def test_a_manual_clock_refuses_to_run_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        await ManualClock().advance(-0.1)


async def test_what_a_call_asks_for_happens_in_the_same_advance_at_its_own_time() -> None:
    clock = ManualClock()
    times: list[float] = []

    def tick() -> None:
        times.append(clock.time())
        clock.call_later(10, tick)

    clock.call_later(10, tick)
    await clock.advance(35)
    assert times == [10, 20, 30]


class Asked(NamedTuple):
    at: int
    delay: int
    is_canceled: bool


@given(st.lists(st.builds(Asked, st.integers(0, 3), st.integers(-2, 6), st.booleans()), min_size=8))
def test_a_manual_clock_calls_in_order_each_at_its_time(asked: list[Asked]) -> None:
    called: list[tuple[float, int]] = []

    async def run() -> None:
        clock = ManualClock()
        for second in range(4):
            for number, (at, delay, is_canceled) in enumerate(asked):
                if at == second:
                    timer = clock.call_later(
                        delay, lambda number=number: called.append((clock.time(), number))
                    )
                    if is_canceled:
                        timer.cancel()
            await clock.advance(1)
        await clock.advance(100)

    asyncio.run(run())
    due = {n: a.at + max(0, a.delay) for n, a in enumerate(asked) if not a.is_canceled}
    assert {number: time for time, number in called} == due
    assert len(called) == len(due)
    order = [(time, asked[number].at, number) for time, number in called]
    assert all(a < b for a, b in pairwise(order))
