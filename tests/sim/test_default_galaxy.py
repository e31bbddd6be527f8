"""The default galaxy: what the upstream tests use, and the plant beside it."""

from __future__ import annotations

import pytest

from zb_mom_ww_mxgateway.galaxy import ObjectCategory, SecurityClassification
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType
from zb_mom_ww_mxgateway_sim.galaxy.definition import DATA_TYPES
from zb_mom_ww_mxgateway_sim.galaxy.loading import default_galaxy

from .galaxy_files import by_name


@pytest.mark.parametrize("machines", [1, 2, 120])
def test_the_default_galaxy_has_the_objects_that_the_upstream_tests_use(machines):
    objects = by_name(default_galaxy(0.4, plant=False), machines)
    names = [f"TestMachine_{number:03}" for number in range(1, machines + 1)]
    assert list(objects) == [
        "TestPlant",
        "TestPlatform",
        "TestEngine",
        "TestArea",
        *names,
        "TestChildObject",
    ]
    assert [(o.parent, o.host, o.category, o.template_chain) for o in objects.values()] == [
        ("", "TestEngine", ObjectCategory.AREA, ("$Area",)),
        ("TestPlant", "", ObjectCategory.PLATFORM, ("$WinPlatform",)),
        ("TestPlant", "TestPlatform", ObjectCategory.ENGINE, ("$AppEngine",)),
        ("TestPlant", "TestEngine", ObjectCategory.AREA, ("$Area",)),
        *[
            ("TestArea", "TestArea", ObjectCategory.USER_DEFINED, ("$TestMachine", "$UserDefined"))
            for _ in names
        ],
        (
            "TestMachine_001",
            "TestArea",
            ObjectCategory.USER_DEFINED,
            ("$TestChildObject", "$UserDefined"),
        ),
    ]
    assert objects["TestChildObject"].contained_name == "ChildObject"


def test_without_machines_the_child_object_stands_in_the_area_under_its_own_name():
    child = by_name(default_galaxy(0.4, plant=False))["TestChildObject"]
    assert (child.parent, child.browse_name) == ("TestArea", "TestChildObject")


def test_machines_have_the_attributes_of_the_default_galaxy_and_share_them():
    objects = by_name(default_galaxy(0.4, plant=False), 2)
    first, second = objects["TestMachine_001"], objects["TestMachine_002"]
    assert first.attributes is second.attributes
    own = [a for a in first.attributes.attributes if a.name.count(".") == 0]
    boolean, integer = MxDataType.BOOLEAN, MxDataType.INTEGER
    operate = SecurityClassification.OPERATE
    assert [(a.name, a.data_type, a.security, a.alarm is not None) for a in own] == [
        ("TestChangingInt", integer, operate, False),
        ("TestAlarm001", boolean, operate, True),
        ("TestAlarm002", boolean, operate, True),
        ("TestAlarm003", boolean, operate, True),
        ("ProtectedValue", boolean, SecurityClassification.SECURED_WRITE, False),
        ("ProtectedValue1", boolean, SecurityClassification.VERIFIED_WRITE, False),
        ("TestHistoryValue", integer, operate, False),
        ("MachineCode", MxDataType.STRING, operate, False),
    ]
    assert [a.name for a in own if a.is_historized] == ["TestHistoryValue"]
    assert [a.name for a in own if a.signal is not None] == ["TestChangingInt"]
    code = first.attributes.find("machinecode")
    assert [code.value_of(name) for name in ("TestMachine_001", "TestMachine_99999", "None")] == [
        "M001",
        "M99999",
        "M000",
    ]


def test_no_alarm_of_the_machines_moves_by_itself_and_some_of_the_plant_do():
    galaxy = default_galaxy(0.4)
    driven = {o.tag_name for o in galaxy.objects(3) if o.attributes.has_driven_alarm}
    scripted = {step.alarm.partition(".")[0] for step in galaxy.alarm_script}
    assert driven | scripted
    assert not any(name.startswith("Test") for name in driven | scripted)


def test_the_child_object_has_its_attributes():
    child = by_name(default_galaxy(0.4))["TestChildObject"]
    assert [(a.name, a.value) for a in child.attributes.attributes] == [
        ("TestBool", False),
        ("TestInt", 0),
        ("TestString", ""),
        ("TestStringArray", [f"Item {number}" for number in range(1, 11)]),
    ]


def test_the_plant_has_every_type_of_attribute_and_a_root_of_its_own():
    with_plant, without = (by_name(default_galaxy(0.4, plant=plant), 5) for plant in (True, False))
    plant = {name: made for name, made in with_plant.items() if name not in without}
    assert [name for name, made in plant.items() if not made.parent] == ["Plant"]
    attributes = [a for made in plant.values() for a in made.attributes.attributes]
    assert {a.data_type for a in attributes} == set(DATA_TYPES)
    assert {a.security for a in attributes} >= {
        SecurityClassification.SECURED_WRITE,
        SecurityClassification.VERIFIED_WRITE,
        SecurityClassification.TUNE,
        SecurityClassification.VIEW_ONLY,
    }
    assert any(a.is_historized for a in attributes)
    assert any(made.contained_name for made in plant.values())


def test_an_alarm_of_the_plant_comes_and_goes_in_two_minutes():
    tank = by_name(default_galaxy(0.4))["Tank_01"]
    level, alarm = tank.attributes.find("Level"), tank.attributes.find("LevelHigh").alarm
    values = [level.signal.value(k, 99) for k in range(300)]
    assert max(values) > alarm.threshold.above
    assert min(values) < alarm.threshold.above - alarm.threshold.deadband


def test_a_hundred_thousand_machines_are_one_entry_until_somebody_asks_for_them():
    galaxy = default_galaxy(0.4)
    assert len(galaxy.entries) < 50
    objects = galaxy.objects(100_000)
    assert next(objects).tag_name == "TestPlant"
    assert sum(1 for _ in objects) > 100_000
