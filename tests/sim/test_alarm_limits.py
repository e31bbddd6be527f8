"""Alarms that come and go by themselves: numbers beyond limits, and conditions with a signal."""

from __future__ import annotations

import math

from hypothesis import given, strategies as st

from tests.sim.plant import CLEAR, RAISE, RETRIGGER, BadQuality, Works
from zb_mom_ww_mxgateway.galaxy import ObjectCategory
from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    AlarmDefinition,
    AttributeDefinition,
    AttributeSet,
    GalaxyDefinition,
    ObjectDefinition,
    Threshold,
)
from zb_mom_ww_mxgateway_sim.galaxy.signals import Ramp, Signal, Toggle

AREA = ObjectDefinition(
    tag_name="Farm", category=ObjectCategory.AREA, attributes=AttributeSet(), parent=""
)
HIGH = "Works!Farm.Tank.High"
OTHER_AREA = ObjectDefinition(
    tag_name="Yard", category=ObjectCategory.AREA, attributes=AttributeSet(), parent=""
)


def tank(
    threshold: Threshold | None,
    *,
    level: Signal | None = None,
    condition: Signal | None = None,
    parent: str = "Farm",
    is_true: bool = False,
) -> GalaxyDefinition:
    """A tank with a level, and an alarm on it unless there is no threshold."""
    alarm = AlarmDefinition(
        priority=20, category="Process", description="Nearly full", threshold=threshold
    )
    attributes = AttributeSet(
        [
            AttributeDefinition(name="Level", data_type=MxDataType.DOUBLE, value=0.0, signal=level),
            AttributeDefinition(
                name="High",
                data_type=MxDataType.BOOLEAN,
                value=is_true,
                signal=condition,
                alarm=alarm,
            ),
        ]
    )
    placed = ObjectDefinition(tag_name="Tank", attributes=attributes, parent=parent)
    return GalaxyDefinition(name="Works", entries=(AREA, OTHER_AREA, placed))


#: The tank with a boolean that is no alarm.
NO_ALARM = GalaxyDefinition(
    name="Works",
    entries=(
        AREA,
        ObjectDefinition(
            tag_name="Tank",
            parent="Farm",
            attributes=AttributeSet(
                [AttributeDefinition(name="High", data_type=MxDataType.BOOLEAN, value=False)]
            ),
        ),
    ),
)
ABOVE = Threshold(attribute="level", above=90, deadband=2)


def started(definition: GalaxyDefinition) -> Works:
    works = Works(definition)
    works.alarms.start()
    return works


numbers = st.integers(-12, 12).map(float)


@given(
    limit=numbers,
    is_above=st.booleans(),
    deadband=st.integers(0, 5).map(float),
    steps=st.lists(st.one_of(numbers, st.booleans())),
)
def test_a_number_beyond_its_limit_raises_and_one_that_is_back_by_the_deadband_clears(
    limit: float, is_above: bool, deadband: float, steps: list[float | bool]
) -> None:
    """A number is written, or somebody writes to the condition, which stands until the next."""
    side = {"above": limit} if is_above else {"below": limit}
    works = started(tank(Threshold(attribute="Level", deadband=deadband, **side)))
    sign = 1 if is_above else -1
    beyond = sign * (0.0 - limit) > 0
    expected = [RAISE] if beyond else []
    for step in steps:
        before = beyond
        if isinstance(step, bool):
            works.write("Tank.High", step)
            beyond = step
        else:
            works.write("Tank.Level", step)
            distance = sign * (step - limit)
            beyond = distance > 0 or (before and distance > -deadband)
        if beyond is not before:
            expected.append(CLEAR if before else RETRIGGER if RAISE in expected else RAISE)
        assert works.read("Tank.High") is works.read("Tank.High.InAlarm") is beyond
        assert works.active() == [HIGH] * beyond
    assert works.happened() == expected


def test_a_transition_tells_the_number_and_the_limit_that_it_crossed() -> None:
    works = started(tank(ABOVE))
    for level in (91.5, 40.0):
        works.write("Tank.Level", level)
    raised, cleared = works.news()
    assert [from_mx_value(it.current_value) for it in (raised, cleared)] == [91.5, 40.0]
    assert [from_mx_value(it.limit_value) for it in (raised, cleared)] == [90, 90]
    assert (raised.severity, raised.category, raised.description) == (20, "Process", "Nearly full")
    assert raised.alarm_full_reference == HIGH
    works.write("Tank.High", True)  # by somebody else: no limit was crossed
    (again,) = works.news()
    assert (from_mx_value(again.current_value), again.limit_value) == (40.0, None)


def test_a_number_without_good_quality_decides_nothing() -> None:
    works = started(tank(ABOVE))
    with works.galaxy.overlaid(BadQuality()):
        works.write("Tank.Level", 99.0)
        assert works.active() == []
    assert works.active() == [HIGH]


@given(threshold=st.booleans(), ticks=st.integers(1, 40))
async def test_alarms_follow_signals(threshold: bool, ticks: int) -> None:
    ramp, on = Ramp(low=0, high=10, period=11, phase=0.0), Toggle(period=11, on=3, phase=0.0)
    if threshold:
        works = started(tank(Threshold(attribute="Level", above=7), level=ramp))
        expected = [k % 11 > 7 for k in range(ticks + 1)]
    else:
        works = started(tank(None, condition=on))
        expected = [k % 11 < 3 for k in range(ticks + 1)]
    seen = [works.active() == [HIGH]]
    for _ in range(ticks):
        await works.galaxy.advance()
        seen.append(works.active() == [HIGH])
    assert seen == expected


def test_what_is_true_from_the_start_is_active_once_the_gateway_has_started() -> None:
    for definition in (
        tank(None, condition=Toggle(period=2, on=1, phase=0.0)),
        tank(Threshold(attribute="Level", below=1)),
        tank(None, is_true=True),
    ):
        works = Works(definition)
        assert works.active() == []
        works.alarms.start()
        assert works.happened() == [RAISE]


def test_a_redeploy_starts_what_is_new_and_leaves_what_stays_as_it_is() -> None:
    works = started(tank(None))
    works.write("Tank.Level", 95.0)
    works.deploy(tank(ABOVE))
    assert works.happened() == [RAISE]
    assert works.acknowledge(HIGH)
    works.write("Tank.High", False)  # somebody overrules the number
    works.news()
    works.deploy(tank(ABOVE))
    assert works.happened() == []
    works.write("Tank.Level", 96.0)
    assert works.happened() == [RAISE]
    works.deploy(tank(Threshold(attribute="Level", above=97)))
    assert works.happened() == [CLEAR]
    works.write("Tank.Level", 96.5)  # that of the old limit is forgotten
    assert works.happened() == []
    works.deploy(tank(None))
    works.write("Tank.Level", 99.0)
    assert works.happened() == []


def test_an_alarm_in_another_area_is_another_alarm() -> None:
    works = started(tank(ABOVE))
    works.write("Tank.Level", 95.0)
    works.deploy(tank(ABOVE, parent="Yard"))
    moved = HIGH.replace("Farm", "Yard")
    assert [(it.transition_kind, it.alarm_full_reference) for it in works.news()] == [
        (RAISE, HIGH),
        (CLEAR, HIGH),
        (RAISE, moved),
    ]
    assert works.active() == [moved]
    assert not works.acknowledge(HIGH)
    assert works.acknowledge(moved)


def test_an_attribute_may_stop_being_an_alarm_and_become_one_again() -> None:
    plain = tank(None)
    works = started(plain)
    works.write("Tank.High", True)
    works.deploy(NO_ALARM)
    assert works.happened() == [RAISE, CLEAR]
    works.write("Tank.High", False)
    works.write("Tank.High", True)
    assert works.happened() == []
    assert not works.acknowledge(HIGH)
    works.deploy(plain)
    assert works.happened() == [RAISE]


def test_an_attribute_that_somebody_wrote_to_may_become_an_alarm() -> None:
    works = started(NO_ALARM)
    works.write("Tank.High", True)
    works.deploy(tank(None))
    works.write("Tank.High", False)
    works.write("Tank.High", True)
    assert works.happened() == [RAISE, CLEAR, RETRIGGER]


def test_an_attribute_that_somebody_wrote_to_may_come_to_follow_a_number() -> None:
    works = started(NO_ALARM)
    works.write("Tank.High", True)
    works.deploy(tank(ABOVE))  # and the level is 0
    works.write("Tank.Level", 95.0)
    assert works.happened() == [RAISE, CLEAR, RETRIGGER]


def test_numbers_that_are_none_raise_nothing() -> None:
    works = started(tank(ABOVE))
    works.write("Tank.Level", math.nan)
    assert works.happened() == []
