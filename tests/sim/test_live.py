"""The galaxy at run time: where references lead, how signals move, what deploys and faults do."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.sim.galaxies import DEFAULT, live
from zb_mom_ww_mxgateway.galaxy import SecurityClassification
from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType, MxStatusCategory
from zb_mom_ww_mxgateway_sim import Limits, ManualClock
from zb_mom_ww_mxgateway_sim.auth.keys import Anybody
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    AttributeDefinition,
    AttributeSet,
    GalaxyDefinition,
    ObjectDefinition,
)
from zb_mom_ww_mxgateway_sim.galaxy.live import BREATH, Galaxy, Point, Reading
from zb_mom_ww_mxgateway_sim.galaxy.store import Store, StoredObject
from zb_mom_ww_mxgateway_sim.operations.observer import Observer
from zb_mom_ww_mxgateway_sim.reading import read_bulk
from zb_mom_ww_mxgateway_sim.session import Session
from zb_mom_ww_mxgateway_sim.users import Users

OPERATE = SecurityClassification.OPERATE
MACHINE = {
    "TestChangingInt": (MxDataType.INTEGER, OPERATE),
    "TestAlarm001": (MxDataType.BOOLEAN, OPERATE),
    "TestAlarm002": (MxDataType.BOOLEAN, OPERATE),
    "TestAlarm003": (MxDataType.BOOLEAN, OPERATE),
    "ProtectedValue": (MxDataType.BOOLEAN, SecurityClassification.SECURED_WRITE),
    "ProtectedValue1": (MxDataType.BOOLEAN, SecurityClassification.VERIFIED_WRITE),
    "TestHistoryValue": (MxDataType.INTEGER, OPERATE),
    "MachineCode": (MxDataType.STRING, OPERATE),
}
ARRAY = "TestChildObject.TestStringArray"


def redeploy(galaxy: Galaxy, machines: int, definition: GalaxyDefinition = DEFAULT) -> None:
    store = Store.build(definition, machines, before=galaxy.store)
    galaxy.deploy(store, Users(definition))


def value(galaxy: Galaxy, reference: str) -> Any:
    return from_mx_value(galaxy.read(galaxy.resolve(reference)).value)


class Watch:
    """Counts what it is told."""

    def __init__(self, galaxy: Galaxy, reference: str) -> None:
        self.galaxy = galaxy
        self.point = galaxy.resolve(reference)
        self.index = self.point.index
        self.seen: list[Reading] = []
        galaxy.watch(self.point, self)

    def changed(self) -> None:
        self.seen.append(self.galaxy.read(self.point))


@pytest.mark.parametrize("number", ["001", "002", "120"])
def test_every_machine_has_the_objects_attributes_that_the_upstream_tests_use(number):
    """The default galaxy has ``TestMachine_001`` … with ``TestChangingInt``, ``TestAlarm001`` to
    ``003``, ``ProtectedValue`` (SecuredWrite, bool), ``ProtectedValue1`` (VerifiedWrite, bool),
    ``TestHistoryValue`` (int), ``MachineCode`` (string).
    """
    galaxy = live(machines=120)
    for name, (data_type, security) in MACHINE.items():
        point = galaxy.resolve(f"TestMachine_{number}.{name}")
        definition = point.attribute.definition
        assert definition is not None
        assert (definition.data_type, definition.security) == (data_type, security)
        assert galaxy.read(point).value.data_type == data_type
    assert value(galaxy, f"TestMachine_{number}.MachineCode") == f"M{number}"


def test_there_are_as_many_machines_as_asked_for():
    galaxy = live(machines=3)
    assert galaxy.leads_somewhere(galaxy.resolve("TestMachine_003.MachineCode"))
    assert not galaxy.leads_somewhere(galaxy.resolve("TestMachine_004.MachineCode"))
    empty = live(machines=0)
    assert not empty.leads_somewhere(empty.resolve("TestMachine_001.MachineCode"))


def test_the_child_object_has_its_attributes():
    """TestChildObject with TestBool, TestInt, TestString, TestStringArray[10]."""
    names = ("TestBool", "TestInt", "TestString", "TestStringArray", "TestStringArray[10]")
    galaxy = live(machines=0)
    assert [value(galaxy, f"TestChildObject.{name}") for name in names] == [
        False,
        0,
        "",
        [f"Item {number}" for number in range(1, 11)],
        "Item 10",
    ]


@pytest.mark.parametrize(
    "reference",
    [
        *("", " ", ".", "[]", "[1]", "A.B[1][2]", "TestChildObject", "TestChildObject."),
        *(f"{ARRAY}[0]", f"{ARRAY}[01]", f"{ARRAY}[11]", f"{ARRAY}[x]", f"{ARRAY}[-1]"),
        *("TestChildObject.TestInt[]", "TestChildObject.TestInt[1]", f"{ARRAY}[1"),
    ],
)
def test_an_invalid_reference_has_configuration_error_detail_6_quality_4_and_no_value(reference):
    """Invalid reference: category CONFIGURATION_ERROR, detail 6, quality 4, no value; `[0]` is
    invalid. MXSTATUS detail codes: 6 invalid reference.
    """
    galaxy = live()
    point = galaxy.resolve(reference)
    reading = galaxy.read(point)
    assert not galaxy.leads_somewhere(point)
    assert (reading.value, reading.quality, reading.status.detail) == (None, 4, 6)
    assert reading.status.category == MxStatusCategory.CONFIGURATION_ERROR


def test_a_bare_name_of_a_known_array_gets_brackets_and_any_other_bare_array_reads_as_1003():
    """A bare array name reads as detail 1003, CONFIGURATION_ERROR; a bare name in AddItem of a
    known array attribute gets `[]` appended by the gateway. MXSTATUS detail codes: 1003 array
    access.
    """
    galaxy = live()
    assert galaxy.resolve(ARRAY).reference == f"{ARRAY}[]".casefold()
    bare = galaxy.resolve(ARRAY, is_known=False)
    reading = galaxy.read(bare)
    assert (reading.value, reading.quality, reading.status.detail) == (None, 4, 1003)
    assert reading.status.category == MxStatusCategory.CONFIGURATION_ERROR


@given(st.text(max_size=20))
def test_any_text_is_a_reference_that_leads_somewhere_or_nowhere(text):
    galaxy = live()
    for reference in (text, f"{ARRAY}[{text}]", f"TestMachine_001.{text}"):
        point = galaxy.resolve(reference)
        assert (galaxy.read(point).value is not None) == galaxy.leads_somewhere(point)


@given(st.sampled_from(["TestMachine_001.MachineCode", ARRAY, f"{ARRAY}[3]", "no.such[2]"]))
def test_references_are_the_same_in_any_case_and_with_blanks_around(reference):
    galaxy = live()
    forms = [reference, reference.upper(), f"  {reference.lower()} "]
    points = [galaxy.resolve(form) for form in forms]
    assert len({point.reference for point in points}) == 1
    assert len({id(point.attribute) for point in points}) == 1


async def test_the_kth_value_is_the_same_whether_the_values_before_were_looked_at_or_not():
    watched, unwatched = live(seed=3), live(seed=3)
    name = "TestMachine_001.TestChangingInt"
    watch = Watch(watched, name)
    for _ in range(25):
        await watched.advance()
        await unwatched.advance()
    assert value(watched, name) == value(unwatched, name)
    seen = [from_mx_value(reading.value) for reading in watch.seen]
    assert len(seen) == 25  # two values in a row always differ
    assert all(a != b for a, b in pairwise(seen))
    assert value(live(seed=4), name) != value(live(seed=3), name)


async def test_a_written_value_stands_until_the_signal_next_moves():
    galaxy, name = live(), "TestMachine_001.TestChangingInt"
    point, now = galaxy.resolve(name), Timestamp(seconds=1)
    before = value(galaxy, name)
    galaxy.write(point, before + 1, now)
    assert value(galaxy, name) == before + 1
    assert galaxy.read(point).timestamp == now
    await galaxy.advance()
    other = live()
    await other.advance()
    assert value(galaxy, name) == value(other, name)


async def test_what_nobody_refers_to_takes_no_memory_but_keeps_what_was_written():
    galaxy = live(machines=100)
    for n in range(1, 101):
        value(galaxy, f"TestMachine_{n:03d}.MachineCode")
    galaxy.write(galaxy.resolve("TestMachine_007.MachineCode"), "kept", galaxy.now)
    gc.collect()
    assert len(galaxy._attributes) == 1
    assert value(galaxy, "testmachine_007.machinecode") == "kept"


async def test_only_watched_attributes_move_and_all_of_them_once_a_tick():
    galaxy = live(machines=5_000)
    watches = [Watch(galaxy, f"TestMachine_{n:03d}.TestChangingInt") for n in range(1, 1_001)]
    await galaxy.advance()
    assert all(len(watch.seen) == 1 for watch in watches)
    galaxy.unwatch(watches[0].point, watches[0])
    await galaxy.advance()
    assert [len(watch.seen) for watch in watches[:3]] == [1, 2, 2]


async def test_many_changes_are_spread_over_the_time_between_two_ticks():
    galaxy = live(machines=4 * BREATH)
    clock = galaxy.clock
    assert isinstance(clock, ManualClock)
    numbers = range(1, 4 * BREATH + 1)
    watches = [Watch(galaxy, f"TestMachine_{n:03d}.TestChangingInt") for n in numbers]
    running = asyncio.create_task(galaxy.run())
    try:
        await clock.advance(0.4)
        first = sum(len(watch.seen) for watch in watches)
        assert first == BREATH
        await clock.advance(0.2)
        assert BREATH < sum(len(watch.seen) for watch in watches) < 4 * BREATH
        await clock.advance(0.199)
        assert all(len(watch.seen) == 1 for watch in watches)
        await clock.advance(4)
        assert galaxy.k == 11
    finally:
        running.cancel()
        await asyncio.wait([running])


def test_items_of_removed_objects_have_a_configuration_error_until_they_come_again():
    galaxy, name = live(machines=2), "TestMachine_002.MachineCode"
    watch, other = Watch(galaxy, name), Watch(galaxy, "TestMachine_001.MachineCode")
    galaxy.write(watch.point, "mine", galaxy.now)
    watch.seen.clear()
    redeploy(galaxy, 1)
    (gone,) = watch.seen
    assert (gone.value, gone.quality, gone.status.detail) == (None, 4, 6)
    redeploy(galaxy, 2)
    assert [from_mx_value(reading.value) for reading in watch.seen] == [None, "M002"]
    assert other.seen == []


def test_a_reference_that_led_nowhere_is_resolved_by_a_deploy():
    galaxy = live(machines=0)
    watch = Watch(galaxy, "TestMachine_001.MachineCode")
    redeploy(galaxy, 1)
    assert [from_mx_value(reading.value) for reading in watch.seen] == ["M001"]


@pytest.mark.parametrize(("new", "kept"), [("other", True), (7, False), (["list"], False)])
def test_what_stays_deployed_keeps_its_value_unless_its_type_is_another(new, kept):
    def galaxy_with(initial: Any) -> GalaxyDefinition:
        data_type = MxDataType.INTEGER if isinstance(initial, int) else MxDataType.STRING
        attribute = AttributeDefinition(name="A", data_type=data_type, value=initial)
        made = ObjectDefinition(tag_name="T", attributes=AttributeSet([attribute]))
        return GalaxyDefinition(entries=(made,))

    galaxy = live(definition=galaxy_with("first"))
    watch = Watch(galaxy, "T.A")
    galaxy.write(watch.point, "written", galaxy.now)
    watch.seen.clear()
    redeploy(galaxy, 0, galaxy_with(new))
    if kept:
        assert watch.seen == []
        assert value(galaxy, "T.A") == "written"
    else:
        assert len(watch.seen) == 1
        assert value(galaxy, "T.A") == new


@pytest.mark.parametrize("new", ["first", "other"])
def test_what_nobody_wrote_to_is_as_it_is_deployed_whether_somebody_watches_or_not(new):
    def galaxy_with(initial: str) -> GalaxyDefinition:
        attribute = AttributeDefinition(name="A", data_type=MxDataType.STRING, value=initial)
        made = ObjectDefinition(tag_name="T", attributes=AttributeSet([attribute]))
        return GalaxyDefinition(entries=(made,))

    galaxy = live(definition=galaxy_with("first"))
    watch = Watch(galaxy, "T.A")
    redeploy(galaxy, 0, galaxy_with(new))
    assert value(galaxy, "T.A") == new
    assert len(watch.seen) == (new != "first")


def test_what_is_wrong_with_objects_is_told_when_it_begins_and_when_it_ends():
    class Bad:
        def covers(self, owner: StoredObject) -> bool:
            return owner.tag_name == "TestMachine_002"

        def over(self, reading: Reading) -> Reading:
            return replace(reading, quality=0)

    galaxy = live(machines=2)
    hit = Watch(galaxy, "TestMachine_002.MachineCode")
    missed = Watch(galaxy, "TestMachine_001.MachineCode")
    with galaxy.overlaid(Bad()):
        assert [reading.quality for reading in hit.seen] == [0]
        assert galaxy.read(missed.point).quality == 192
    assert [reading.quality for reading in hit.seen] == [0, 192]
    assert missed.seen == []


@given(
    st.lists(st.text(max_size=3), min_size=1, max_size=6),
    st.integers(1, 8),
    st.text(max_size=3),
)
def test_one_element_changes_alone_and_tells_those_who_watch_it_or_the_whole(before, index, new):
    galaxy = live()
    whole: Point = galaxy.resolve(ARRAY)
    galaxy.write(whole, list(before), galaxy.now)
    watches = {n: Watch(galaxy, f"{ARRAY}[{n}]") for n in range(1, len(before) + 1)}
    all_of_it = Watch(galaxy, ARRAY)
    if index > len(before):
        assert not galaxy.leads_somewhere(galaxy.resolve(f"{ARRAY}[{index}]"))
        return
    galaxy.write(galaxy.resolve(f"{ARRAY}[{index}]"), new, galaxy.now)
    assert value(galaxy, ARRAY) == [*before[: index - 1], new, *before[index:]]
    assert [n for n, watch in watches.items() if watch.seen] == [index]
    assert len(all_of_it.seen) == 1


async def test_what_goes_over_many_items_lets_others_have_their_turn():
    galaxy = live(machines=2)
    items, tags = 4 * BREATH, 2 * BREATH
    session = Session(
        Anybody().authenticate({}), galaxy, Limits(), Observer(), timedelta(1), lambda _: None
    )
    registration = session.handles.register()
    for _ in range(items):
        session.add(registration, "TestMachine_001.MachineCode")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    try:
        await read_bulk(session, registration, ["TestMachine_002.MachineCode"] * tags, 0)
        # Once for each breath, while references are resolved and while they are read.
        assert turns >= 2 * (tags // BREATH) - 1
        turns = 0
        await session.handles.unregister(registration)
        assert turns >= items // BREATH - 1
        assert not registration.items
    finally:
        counting.cancel()
        await asyncio.wait([counting])
