"""Alarms come to life when their conditions move, so that large galaxies cost nothing."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.sim.plant import ALARM, RAISE, REFERENCE, Works
from zb_mom_ww_mxgateway_sim.alarms import guid_of
from zb_mom_ww_mxgateway_sim.galaxy.live import BREATH

LAST = "TestMachine_100000.TestAlarm003"


@pytest.fixture(scope="module")
def works() -> Works:
    made = Works(machines=100_000)
    made.alarms.start()
    return made


def test_starting_the_alarms_of_100000_machines_touches_none_of_them(works: Works) -> None:
    assert list(works.galaxy.store.driven_alarms()) == []
    assert works.alarms.living_count == 0
    assert len(works.galaxy._attributes) == 0


async def test_looking_at_an_alarm_and_acknowledging_it_brings_none_to_life(works: Works) -> None:
    """Acknowledging an alarm that was never raised succeeds (D)."""
    name = f"{ALARM}.InAlarm"
    assert works.read(name) is False
    works.write(f"{ALARM}.AckMsg", "nothing to acknowledge")
    works.write(f"{ALARM}.Priority", 3)
    last = f"Galaxy!TestArea.{LAST}"
    assert works.acknowledge(last.upper(), "nothing")
    found = await works.alarms.by_guid(guid_of(last))
    assert found == works.alarms.by_name(LAST, "", None) == works.alarms.by_reference(last)
    assert await works.alarms.by_guid(uuid4()) is None
    assert works.active() == []
    assert works.alarms.living_count == 0


async def test_looking_for_a_guid_among_many_alarms_lets_others_have_their_turn() -> None:
    works = Works(machines=4 * BREATH)
    for n in range(1, 4 * BREATH + 1):
        works.write(f"TestMachine_{n:03}.TestAlarm001", True)
    looking = asyncio.create_task(works.alarms.by_guid(uuid4()))
    turns = 0
    while not looking.done():
        turns += 1
        await asyncio.sleep(0)
    # Four breaths are those that live, and three times as many all that there are.
    assert turns > (1 + 3) * 4


def test_a_condition_that_moves_brings_its_alarm_to_life_with_the_priority_written_before() -> None:
    works = Works()
    works.write(f"{ALARM}.Priority", 3)
    works.write(ALARM.upper(), True)
    (raised,) = works.news()
    assert (raised.transition_kind, raised.severity) == (RAISE, 3)
    assert raised.alarm_full_reference == REFERENCE
    assert works.alarms.living_count == 1
