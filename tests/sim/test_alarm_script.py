"""The script of alarms: what happens by itself, when, and in which order."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from tests.sim.plant import ACKNOWLEDGE, ALARM, CLEAR, MACHINES, OTHER, RAISE, REFERENCE, Works
from zb_mom_ww_mxgateway_sim.alarm_script import Script
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.galaxy.definition import AlarmStep

#: Whole seconds, so that all sums of them are exact.
seconds = st.integers(0, 6).map(float)


@given(
    times=st.lists(seconds, max_size=6).map(sorted),
    pause=st.none() | st.integers(1, 5),
    waits=st.lists(seconds, max_size=6),
)
async def test_each_step_comes_at_its_time_and_those_of_one_moment_in_order(
    times: list[float], pause: int | None, waits: list[float]
) -> None:
    clock = ManualClock()
    await clock.advance(100)
    period = None if pause is None or not times else times[-1] + pause
    played: list[tuple[float, int]] = []
    steps = [AlarmStep(at=at, alarm=str(number)) for number, at in enumerate(times)]
    script = Script(
        clock, steps, period, lambda step: played.append((clock.time(), int(step.alarm)))
    )
    for wait in waits:
        await clock.advance(wait)
    rounds = 1 if period is None else int(sum(waits) / period) + 1
    due = [
        (100 + again * (period or 0) + at, number)
        for again in range(rounds)
        for number, at in enumerate(times)
    ]
    # A step at 0 comes as soon as the clock is asked to go on at all.
    assert played == [moment for moment in due if waits and moment[0] <= clock.time()]
    script.stop()
    count = len(played)
    await clock.advance(50)
    assert len(played) == count


def scripted(*steps: AlarmStep, period: float | None = None) -> Works:
    works = Works(replace(MACHINES, alarm_script=steps, script_period=period), machines=2)
    works.alarms.start()
    return works


STEPS = (
    AlarmStep(at=5, alarm=ALARM, active=True),
    AlarmStep(at=5, alarm=OTHER, active=True),
    AlarmStep(at=8, alarm=ALARM, acknowledge="on my way", operator="joe"),
    AlarmStep(at=9, alarm=OTHER, active=False, acknowledge="seen"),
)


async def test_a_script_raises_acknowledges_and_clears() -> None:
    works = scripted(*STEPS)
    await works.clock.advance(4.9)
    assert works.news() == []
    await works.clock.advance(0.1)
    first, second = works.news()
    assert [first.source_object_reference, second.source_object_reference] == [
        "TestMachine_001",
        "TestMachine_002",
    ]
    assert first.transition_timestamp == works.clock.now()
    await works.clock.advance(3)
    (acked,) = works.news()
    assert (acked.transition_kind, acked.alarm_full_reference) == (ACKNOWLEDGE, REFERENCE)
    assert (acked.operator_user, acked.operator_comment) == ("joe", "on my way")
    await works.clock.advance(1)
    assert works.happened() == [CLEAR, ACKNOWLEDGE]
    await works.clock.advance(1_000)
    assert works.news() == []


async def test_a_script_with_a_period_begins_anew() -> None:
    works = scripted(*STEPS, period=20)
    await works.clock.advance(20)
    once = works.happened()
    assert once == [RAISE, RAISE, ACKNOWLEDGE, CLEAR, ACKNOWLEDGE]
    await works.clock.advance(20)
    assert works.happened() == [RAISE, CLEAR, ACKNOWLEDGE]  # the first was active still


async def test_a_step_whose_alarm_is_not_deployed_any_more_is_skipped_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    works = scripted(*STEPS)
    works.deploy(machines=1)
    with caplog.at_level(logging.WARNING, logger="zb_mom_ww_mxgateway_sim"):
        await works.clock.advance(10)
    assert [it.source_object_reference for it in works.news()] == ["TestMachine_001"] * 2
    assert [record.getMessage() for record in caplog.records] == [
        f'alarm.skipped tag={OTHER} reason="it is not deployed"'
    ] * 2


async def test_a_deploy_with_another_script_begins_that_one_and_the_same_script_goes_on() -> None:
    works = scripted(*STEPS)
    await works.clock.advance(4)
    works.deploy(replace(works.definition), machines=2)
    await works.clock.advance(1)
    assert works.happened() == [RAISE, RAISE]
    step = AlarmStep(at=2, alarm=ALARM, active=False)
    works.deploy(replace(works.definition, alarm_script=(step,)), machines=2)
    await works.clock.advance(2)
    assert works.happened() == [CLEAR]
    await works.clock.advance(100)
    assert works.happened() == []


async def test_a_gateway_that_shuts_down_plays_no_more() -> None:
    works = scripted(*STEPS)
    works.alarms.end(GRPCError(Status.UNAVAILABLE, "the gateway is shutting down"))
    works.deploy(machines=2)
    await works.clock.advance(100)
    assert works.happened() == []
