"""Galaxies from TOML files: what they may have, and what is said of everything else."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.galaxy import ObjectCategory, SecurityClassification
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType
from zb_mom_ww_mxgateway_sim.galaxy.definition import DATA_TYPES
from zb_mom_ww_mxgateway_sim.galaxy.documents import written
from zb_mom_ww_mxgateway_sim.galaxy.loading import GalaxyFileError, default_galaxy, load_galaxy
from zb_mom_ww_mxgateway_sim.galaxy.loading_signals import ticks
from zb_mom_ww_mxgateway_sim.galaxy.loading_values import TYPE_NAMES
from zb_mom_ww_mxgateway_sim.galaxy.signals import Counter, Ramp, RandomWalk, Replay, Sine, Toggle
from zb_mom_ww_mxgateway_sim.galaxy.toml_lines import lines_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "simulator-galaxy.md"
PLANT = (resources.files("zb_mom_ww_mxgateway_sim.galaxy") / "plant.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("galaxies")


def load(folder, text, *, change_interval=1.0):
    file = folder / "site.toml"
    file.write_text(text, encoding="utf-8", newline="")
    return load_galaxy(file, change_interval=change_interval)


def refused(folder, text):
    """The error with which a file is refused."""
    with pytest.raises(GalaxyFileError) as caught:
        load(folder, text)
    assert str(caught.value).startswith(f"{folder / 'site.toml'}:{caught.value.line}: ")
    return caught.value


def thing(attributes, folder):
    """The attributes of an object that is described by so many lines of TOML."""
    text = '[[objects]]\ntag_name = "Thing_7"\ntemplate = "$UserDefined"\n[objects.attributes]\n'
    (made,) = load(folder, text + attributes).objects(0)
    return made.attributes


def by_name(galaxy, machines=0):
    return {made.tag_name: made for made in galaxy.objects(machines)}


# --- the default galaxy --------------------------------------------------------------------------


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


# --- the documented schema -----------------------------------------------------------------------


def test_the_examples_of_the_document_load(folder):
    text = DOCUMENT.read_text(encoding="utf-8")
    (recording,) = re.findall(r"```csv\n(.*?)```", text, re.S)
    (folder / "pressure.csv").write_text(recording, encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.S)
    galaxies = [load(folder, example) for example in examples]
    assert len(galaxies) > 4
    tanks = [made.browse_name for made in galaxies[0].objects(0)]
    assert tanks == ["Brewhouse", "Tank1", "Tank2", "Tank3", "HotWaterTank"]


def test_the_error_of_the_document_is_what_is_said(folder):
    (shown,) = re.findall(r"```text\n.*?:\d+: (.*?)\n```", DOCUMENT.read_text("utf-8"), re.S)
    level = 'Level = { type = "float", signal = { kind = "sinus" } }'
    error = refused(folder, f'[templates."$Tank".attributes]\n{level}')
    assert f"{error.key}: {error.reason}" == shown


VALUES = {
    MxDataType.BOOLEAN: st.booleans(),
    MxDataType.TIME: st.datetimes(timezones=st.timezones()),
    **dict.fromkeys(
        (MxDataType.INTEGER, MxDataType.QUALIFIED_ENUM), st.integers(-(2**31), 2**31 - 1)
    ),
    MxDataType.FLOAT: st.floats(width=32, allow_nan=False, allow_infinity=False),
    MxDataType.DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    MxDataType.ELAPSED_TIME: st.floats(allow_nan=False, allow_infinity=False),
    **dict.fromkeys(
        (
            MxDataType.STRING,
            MxDataType.REFERENCE,
            MxDataType.INTERNATIONALIZED_STRING,
            MxDataType.BIG_STRING,
        ),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
    ),
}


def toml(value):
    """A value as TOML spells it."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(value) if isinstance(value, int | float) else value.isoformat()


@given(st.data(), st.sampled_from(list(VALUES)))
def test_whatever_value_of_whatever_type_is_loaded_as_it_was_written(folder, data, data_type):
    value = data.draw(st.one_of(VALUES[data_type], st.lists(VALUES[data_type], max_size=3)))
    if data_type is MxDataType.TIME:
        every = value if isinstance(value, list) else [value]
        if any(time.utcoffset() is None or time.utcoffset().seconds % 60 for time in every):
            return  # TOML has no offsets with seconds
    attributes = thing(f'A = {{ type = "{TYPE_NAMES[data_type]}", value = {toml(value)} }}', folder)
    (attribute,) = attributes.attributes
    if data_type is MxDataType.TIME:
        value = (
            [Timestamp.from_datetime(time) for time in value]
            if isinstance(value, list)
            else Timestamp.from_datetime(value)
        )
    assert (attribute.data_type, attribute.value) == (data_type, value)
    assert attribute.is_array == isinstance(value, list)


@pytest.mark.parametrize(
    ("text", "data_type", "value"),
    [
        ("true", MxDataType.BOOLEAN, True),
        ("7", MxDataType.INTEGER, 7),
        ("12.5", MxDataType.FLOAT, 12.5),
        ('"x"', MxDataType.STRING, "x"),
        ("[1, 2.5]", MxDataType.FLOAT, [1.0, 2.5]),
        ("{ type = 'double', length = 2 }", MxDataType.DOUBLE, [0.0, 0.0]),
        ("{ value = 'a', length = 3 }", MxDataType.STRING, ["a", "a", "a"]),
        ("{ value = [], type = 'time' }", MxDataType.TIME, []),
        ("{ type = 'elapsed-time', value = 90 }", MxDataType.ELAPSED_TIME, 90.0),
        ("{ alarm = {} }", MxDataType.BOOLEAN, False),
        ("{ pattern = 'No {n:02}' }", MxDataType.STRING, "No 07"),
        ("{ pattern = '{n}', type = 'reference' }", MxDataType.REFERENCE, "7"),
    ],
)
def test_the_short_and_the_long_form_of_an_attribute(folder, text, data_type, value):
    attribute = thing(f"A = {text}", folder).find("a")
    assert (attribute.data_type, attribute.value_of("Thing_7")) == (data_type, value)


def test_signals_count_in_ticks_of_the_gateway(folder):
    text = """
    [[objects]]
    tag_name = "Thing"
    template = "$UserDefined"
    [objects.attributes]
    Up = { type = "integer", signal = { kind = "ramp", min = -5, max = 5, period = 6, phase = 0 } }
    Sine = { type = "float", signal = { kind = "sine", min = 0, max = 5, period = 1.1, every = 1 } }
    Walk = { type = "double", signal = { kind = "random-walk", min = 0, max = 5, period = 0.05 } }
    Count = { type = "enum", signal = { kind = "counter", max = 3, every = 0.41 } }
    Hours = { type = "elapsed-time", signal = { kind = "counter", step = 0.5 } }
    On = { type = "boolean", signal = { kind = "toggle", period = 10, on = 2 } }
    Fast = { type = "boolean", signal = { kind = "toggle", period = 0.1 } }
    Still = { type = "boolean", signal = { kind = "static" } }
    """
    (made,) = load(folder, text, change_interval=0.1).objects(0)
    assert [attribute.signal for attribute in made.attributes.attributes] == [
        Ramp(low=-5, high=5, period=60, is_whole=True, phase=0),
        Sine(low=0, high=5, period=11, every=10),
        RandomWalk(low=0, high=5, period=1),
        Counter(high=3, every=5),
        Counter(step=0.5, is_whole=False),
        Toggle(period=100, on=20),
        Toggle(period=2, on=1),
        None,
    ]


@given(st.integers(1, 10**6), st.sampled_from([0.05, 0.1, 0.2, 0.4, 1.0, 2.5]))
def test_a_multiple_of_the_interval_is_as_many_ticks_and_a_little_more_is_one_more(count, interval):
    assert ticks(count * interval, interval) == count
    assert ticks((count + 0.01) * interval, interval) == count + 1


def test_templates_inherit_and_objects_change_what_they_name_and_nothing_else(folder):
    text = """
    [templates."$Tank"]
    based_on = "$Vessel"
    [templates."$Tank".attributes]
    LEVEL = { security = "tune" }
    Own = 1
    [templates."$Vessel"]
    category = 11
    [templates."$Vessel".attributes]
    Level.type = "float"
    Level.signal = { kind = "sine", min = 0, max = 9, period = 60 }
    Level.historized = true
    High = { alarm = { attribute = "level", above = 8, priority = 1 } }
    Code = { pattern = "T{n}" }

    [[objects]]
    tag_name = "Plain_1"
    template = "$tank"
    [[objects]]
    tag_name = "Other_1"
    template = "$Tank"
    [[objects]]
    tag_name = "Fixed_1"
    template = "$Tank"
    attributes = { Level = 5, Code = "none", New = "x" }
    """
    objects = by_name(load(folder, text))
    plain, fixed = objects["Plain_1"].attributes, objects["Fixed_1"].attributes
    assert objects["Other_1"].attributes is plain
    assert objects["Plain_1"].template_chain == ("$Tank", "$Vessel")
    assert objects["Plain_1"].category == 11
    level = plain.find("Level")
    assert (level.name, level.security, level.is_historized) == (
        "Level",
        SecurityClassification.TUNE,
        True,
    )
    assert level.signal == Sine(low=0, high=9, period=60)
    assert [a.name for a in plain.attributes if "." not in a.name] == [
        "Level",
        "High",
        "Code",
        "Own",
    ]
    stopped = fixed.find("Level")
    assert (stopped.value, stopped.signal) == (5.0, None)
    assert (stopped.security, stopped.is_historized) == (level.security, True)
    assert fixed.find("High").alarm == plain.find("High").alarm
    assert (plain.find("Code").value_of("Plain_1"), fixed.find("Code").value_of("Fixed_1")) == (
        "T1",
        "none",
    )
    assert fixed.find("New").value == "x"


def test_objects_come_after_what_they_stand_in_in_whatever_order_they_are_written(folder):
    text = """
    [[objects]]
    tag_name = "Pump_{n}"
    count = 2
    template = "$UserDefined"
    parent = "tank_{n:02}"
    contained_name = "Pump"
    host = "Engine"
    [[objects]]
    tag_name = "Tank_{n:02}"
    count = 3
    template = "$UserDefined"
    parent = "Farm"
    contained_name = "T{n}"
    [[objects]]
    tag_name = "Farm"
    template = "$Area"
    host = "Engine"
    [[objects]]
    tag_name = "Engine"
    template = "$AppEngine"
    parent = "Farm"
    """
    made = list(load(folder, text).objects(0))
    assert [(o.tag_name, o.parent, o.browse_name) for o in made] == [
        ("Farm", "", "Farm"),
        ("Tank_01", "Farm", "T1"),
        ("Tank_02", "Farm", "T2"),
        ("Tank_03", "Farm", "T3"),
        ("Pump_1", "tank_01", "Pump"),
        ("Pump_2", "tank_02", "Pump"),
        ("Engine", "Farm", "Engine"),
    ]


def test_what_stands_in_machines_may_be_as_many_machines(folder):
    text = """
    [[objects]]
    tag_name = "M{n}"
    count = "machines"
    template = "$UserDefined"
    [[objects]]
    tag_name = "Door{n}"
    count = "machines"
    template = "$UserDefined"
    parent = "m{n}"
    contained_name = "Door"
    """
    galaxy = load(folder, text)
    assert [len(list(galaxy.objects(machines))) for machines in (0, 1, 7)] == [0, 2, 14]


def test_users_and_the_alarm_script_are_as_written_and_in_order(folder):
    text = """
    secured = true
    name = "Brewery"
    script_period = 10
    alarm_script = [
        { at = 9, alarm = "Thing.bad", active = false },
        { at = 0.5, alarm = "Thing.Bad", active = true },
        { at = 3, alarm = "Thing.Bad", acknowledge = "", operator = "me" },
    ]
    [[users]]
    name = 'PLANT\\me'
    password = "swordfish"
    user_id = 3
    guid = "{3F2504E0-4F89-41D3-9A0C-0305E82C3301}"
    [[users]]
    name = "you"
    password = "swordfish"
    user_id = 2
    [[objects]]
    tag_name = "Thing"
    template = "$UserDefined"
    attributes = { Bad = { alarm = {} } }
    """
    galaxy = load(folder, text)
    assert (galaxy.name, galaxy.is_secured, galaxy.script_period) == ("Brewery", True, 10)
    assert [(step.at, step.active, step.acknowledge) for step in galaxy.alarm_script] == [
        (0.5, True, None),
        (3, None, ""),
        (9, False, None),
    ]
    assert [(user.name, user.user_id, user.guid) for user in galaxy.users] == [
        ("PLANT\\me", 3, "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
        ("you", 2, ""),
    ]
    assert "swordfish" not in repr(galaxy)


# --- recordings ----------------------------------------------------------------------------------


def recorded(folder, content, data_type="float", change_interval=1.0):
    (folder / "log.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    signal = '{ kind = "replay", file = "log.csv" }'
    text = '[[objects]]\ntag_name = "T"\ntemplate = "$UserDefined"\n[objects.attributes]\n'
    text += f'A = {{ type = "{data_type}", signal = {signal} }}'
    (made,) = load(folder, text, change_interval=change_interval).objects(0)
    return made.attributes.attributes[0].signal


def test_a_recording_is_replayed_at_its_times(folder):
    signal = recorded(folder, "\ufeffquality,time,value\r\n,0,1\r\n\r\n24,1.1,2.5\r\n192,2,3\r\n")
    assert signal == Replay(ticks=(0, 2), values=(1.0, 3.0), qualities=())
    signal = recorded(folder, "quality,time,value\n,0,1\n24,1.1,2.5\n", change_interval=0.1)
    assert signal == Replay(ticks=(0, 11), values=(1.0, 2.5), qualities=(192, 24))


@pytest.mark.parametrize(
    ("data_type", "cells", "values"),
    [
        ("boolean", ["true", "FALSE", "1", "0"], [True, False, True, False]),
        ("integer", ["1", "-2147483648", "+7"], [1, -(2**31), 7]),
        ("double", ["1e300", "-0.5"], [1e300, -0.5]),
        ("string", ['"a ""b"",\nc"', "", " x "], ['a "b",\nc', "", " x "]),
    ],
)
def test_cells_of_a_recording_are_read_by_the_type_of_the_attribute(
    folder, data_type, cells, values
):
    rows = "".join(f"{time},{cell}\n" for time, cell in enumerate(cells))
    assert recorded(folder, f"time,value\n{rows}", data_type).values == tuple(values)


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        ("", None, "", "no rows"),
        ("time,value\n", None, "", "no rows"),
        (b"time,value\n0,\xff\n", None, "", "UTF-8"),
        ("time,valeu\n0,1\n", 1, "valeu", "did you mean 'value'"),
        ("time,time\n0,1\n", 1, "", "twice"),
        ("time,quality\n0,1\n", 1, "value", "missing"),
        ("time,value\n0,1,2\n", 2, "", "3 cells, but there are 2 columns"),
        ("time,value\n5,1\n", 2, "time", "must be 0 in the first row"),
        ("time,value\n0,1\n\n2,1\n2,1\n", 5, "time", "must rise"),
        ("time,value\n0,1\nnan,1\n", 3, "time", "number of seconds"),
        ("time,value\n0,1_000\n", 2, "value", "finite number of 32 bits"),
        ("time,value\n0,1e39\n", 2, "value", "finite number of 32 bits"),
        ("time,value,quality\n0,1,192\n1,1,256\n", 3, "quality", "from 0 to 255"),
        ('time,value\n0,"a\nb"\n1,2\n', 2, "value", "finite number"),
        ('time,value\n0,"a\nb"\n1,"c\n', 4, "", "is not CSV"),
        ('time,value\n0,1\n1,"c" x\n', 3, "", "is not CSV"),
    ],
)
def test_what_is_wrong_with_a_recording_is_said_with_file_line_and_column(
    folder, content, line, column, words
):
    with pytest.raises(GalaxyFileError, match=re.escape(words)) as caught:
        recorded(folder, content)
    assert (caught.value.file, caught.value.line) == (str(folder / "log.csv"), line)
    assert caught.value.key == column


# --- what is wrong -------------------------------------------------------------------------------

HEAD = '[[objects]]\ntag_name = "T"\ntemplate = "$UserDefined"\n'
WITH = f"{HEAD}[objects.attributes]\n"
USER = '[[users]]\nname = "a"\npassword = "hunter2!"\nuser_id = 1\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("nmae = 'x'", 1, "nmae", "did you mean 'name'"),
        ("\nname = ''", 2, "name", "letters, digits"),
        ("name = 1", 1, "name", "must be a text, not a whole number"),
        ("secured = true", 1, "secured", "needs users"),
        ("secured = 2026-01-01", 1, "secured", "must be true or false, not a date or a time"),
        ("users = [1]", 1, "users[1]", "must be a table"),
        ("objects = {}", 1, "objects", "must be an array, not a table"),
        ("script_period = 5", 1, "script_period", "after the last step"),
        # users
        (f"{USER}[[users]]\npassword = 'x'\nuser_id = 2", 5, "users[2]", "'name' is missing"),
        (USER + USER.replace('"a"', '"A"'), 6, "users[2].name", "another user"),
        (USER + USER.replace('"a"', '"b"'), 8, "users[2].user_id", "another user"),
        (f"{USER}guid = 'x'", 5, "users[1].guid", "must be a GUID"),
        (USER.replace("= 1", "= 0"), 4, "users[1].user_id", "from 1 to"),
        (USER.replace('"hunter2!"', '""'), 3, "users[1].password", "must not be empty"),
        (USER.replace('"hunter2!"', "2"), 3, "users[1].password", "must be a text"),
        # templates
        ("[templates.Tank]", 1, "templates.Tank", "no name of a template"),
        ("[templates]\n'$A' = 1", 2, 'templates."$A"', "must be a table"),
        ("[templates.'$A']\n[templates.'$a']", 2, 'templates."$a"', "same as '$A'"),
        (
            "[templates.'$A']\nbased_on = '$UserDefind'",
            2,
            'templates."$A".based_on',
            "did you mean '$UserDefined'",
        ),
        (
            "[templates.'$A']\nbased_on = '$B'\n[templates.'$B']\nbased_on = '$A'",
            2,
            'templates."$A".based_on',
            "based on itself",
        ),
        (
            "[templates.'$A']\ncategory = 'aera'",
            2,
            'templates."$A".category',
            "'aera' is not one of platform, engine, user-defined, area; did you mean 'area'?",
        ),
        ("[templates.'$A']\ncategory = -1", 2, 'templates."$A".category', "from 0"),
        # attributes
        (f"{WITH}'1a' = 1", 5, "objects[1].attributes.1a", "no name of an attribute"),
        (f"{WITH}A = 1\na = 2", 6, "objects[1].attributes.a", "same as 'A'"),
        (f"{WITH}Setup.Max = 1", 5, "objects[1].attributes.Setup", "stands in quotes"),
        (f"{WITH}A = {{}}", 5, "objects[1].attributes.A", "needs a value, or a type"),
        (f"{WITH}A = 2147483648", 5, "objects[1].attributes.A", "whole number of 32 bits"),
        (f"{WITH}A = nan", 5, "objects[1].attributes.A", "finite"),
        (f"{WITH}A = 2026-01-01", 5, "objects[1].attributes.A", "date and time with an offset"),
        (
            f"{WITH}A = 2026-01-01T00:00:00",
            5,
            "objects[1].attributes.A",
            "date and time with an offset",
        ),
        (f"{WITH}A = []", 5, "objects[1].attributes.A", "empty array"),
        (f"{WITH}A = [\n1,\n'x']", 5, "objects[1].attributes.A", "different types"),
        (
            f"{WITH}A = {{ type = 'float', value = [\n1,\n'x'] }}",
            7,
            "objects[1].attributes.A.value[2]",
            "finite number",
        ),
        (
            f"{WITH}A = {{ type = 'int' }}",
            5,
            "objects[1].attributes.A.type",
            "did you mean 'integer'",
        ),
        (
            f"{WITH}A = {{ type = 'integer', value = 1.5 }}",
            5,
            "objects[1].attributes.A.value",
            "whole number",
        ),
        (
            f"{WITH}A = {{ value = [1], length = 2 }}",
            5,
            "objects[1].attributes.A.length",
            "is 2, but the value has 1 elements",
        ),
        (f"{WITH}A = {{ value = 1, length = -1 }}", 5, "objects[1].attributes.A.length", "from 0"),
        (f"{WITH}A = {{ pattern = 'x' }}", 5, "objects[1].attributes.A.pattern", "must have {n}"),
        (
            f"{WITH}A = {{ pattern = '{{n}}{{m}}' }}",
            5,
            "objects[1].attributes.A.pattern",
            "no other braces",
        ),
        (
            f"{WITH}A = {{ pattern = '{{n}}', value = 'x' }}",
            5,
            "objects[1].attributes.A.pattern",
            "in place of",
        ),
        (f"{WITH}A = {{ pattern = '{{n}}' }}", 2, "objects[1].tag_name", "number at its end"),
        (
            f"{WITH}A = {{ value = 1, security = 'secure' }}",
            5,
            "objects[1].attributes.A.security",
            "did you mean 'secured-write'",
        ),
        (
            "[templates.'$A'.attributes]\nA = 1\n[[objects]]\ntag_name = 'T'\ntemplate = '$A'\n"
            "attributes = { A = { type = 'float' } }",
            6,
            "objects[1].attributes.A.type",
            "must stay integer",
        ),
        (
            "[templates.'$A'.attributes]\nA = 1\n[[objects]]\ntag_name = 'T'\ntemplate = '$A'\n"
            "attributes = { A = [1] }",
            6,
            "objects[1].attributes.A",
            "must stay a single value",
        ),
        *[
            (
                f"{WITH}A = {{ type = '{data_type}', value = {value} }}",
                5,
                "objects[1].attributes.A.value",
                words,
            )
            for data_type, value, words in (
                ("boolean", "1", "must be true or false"),
                ("integer", "true", "whole number of 32 bits"),
                ("enum", "'x'", "whole number of 32 bits"),
                ("float", "true", "finite number of 32 bits"),
                ("float", "1e39", "finite number of 32 bits"),
                ("double", "1" * 400, "finite number"),
                ("elapsed-time", "'1h'", "finite number of seconds"),
                ("time", "0", "date and time with an offset"),
                ("string", "1", "must be a text"),
                ("big-string", "{}", "must be a text"),
            )
        ],
        # signals
        (
            f"{WITH}A = {{ type = 'float', signal = {{}} }}",
            5,
            "objects[1].attributes.A.signal",
            "'kind' is missing",
        ),
        (
            f"{WITH}A = {{ type = 'float', signal = {{ kind = 'toggle' }} }}",
            5,
            "objects[1].attributes.A.signal.kind",
            "'toggle' makes no values of type float; take one of static, ramp, sine",
        ),
        (
            f"{WITH}A = {{ type = 'float', signal = {{ kind = 'ramp', min = 2, max = 1 }} }}",
            5,
            "objects[1].attributes.A.signal.min",
            "must be below max",
        ),
        (
            f"{WITH}A = {{ type = 'integer', signal = {{ kind = 'ramp', min = 0.5 }} }}",
            5,
            "objects[1].attributes.A.signal.min",
            "must be a whole number, not a number",
        ),
        (
            f"{WITH}A = {{ type = 'float', signal = {{ kind = 'ramp', min = -1e39 }} }}",
            5,
            "objects[1].attributes.A.signal.min",
            "must be at least",
        ),
        (
            f"{WITH}A = {{ value = 1, signal = {{ kind = 'sine', min = 0, max = 1, "
            "period = 0 } }",
            5,
            "objects[1].attributes.A.signal.period",
            "must be above 0",
        ),
        *[
            (
                f"{WITH}A = {{ value = 1.0, signal = {{ kind = 'ramp', min = {number} }} }}",
                5,
                "objects[1].attributes.A.signal.min",
                "must be finite",
            )
            for number in ("nan", "-inf", "1" * 400)
        ],
        (
            f"{WITH}A = {{ value = 1.0, signal = {{ kind = 'counter', step = 1e-300 }} }}",
            5,
            "objects[1].attributes.A.signal.step",
            "too small",
        ),
        (
            f"{WITH}A = {{ value = true, signal = {{ kind = 'toggle', period = 2, on = 2 }} }}",
            5,
            "objects[1].attributes.A.signal.on",
            "must be below 2",
        ),
        (
            f"{WITH}A = {{ value = [1], signal = {{ kind = 'changing' }} }}",
            5,
            "objects[1].attributes.A.signal",
            "an array cannot have one",
        ),
        (
            f"{WITH}A = {{ value = 1, signal = {{ kind = 'replay', file = 'no.csv' }} }}",
            5,
            "objects[1].attributes.A.signal.file",
            "cannot read",
        ),
        # alarms
        (f"{WITH}A = {{ value = 1, alarm = {{}} }}", 5, "objects[1].attributes.A.alarm", "boolean"),
        (
            f"{WITH}A = {{ alarm = {{ priority = 1000 }} }}",
            5,
            "objects[1].attributes.A.alarm.priority",
            "from 1 to 999",
        ),
        (
            f"{WITH}A = {{ alarm = {{ attribute = 'B', above = 1, below = 2 }} }}",
            5,
            "objects[1].attributes.A.alarm",
            "either above or below",
        ),
        (
            f"{WITH}Level = 1.0\nA = {{ alarm = {{ attribute = 'Levl', above = 1 }} }}",
            6,
            "objects[1].attributes.A.alarm.attribute",
            "'Levl' is no attribute of this object; did you mean 'Level'?",
        ),
        (
            f"{WITH}B = 'x'\nA = {{ alarm = {{ attribute = 'B', above = 1 }} }}",
            6,
            "objects[1].attributes.A.alarm.attribute",
            "no single number",
        ),
        (
            f"{WITH}B = [1]\nA = {{ alarm = {{ attribute = 'B', above = 1 }} }}",
            6,
            "objects[1].attributes.A.alarm.attribute",
            "no single number",
        ),
        (
            f"{WITH}A = {{ alarm = {{ attribute = 'A', above = 1 }} }}",
            5,
            "objects[1].attributes.A.alarm.attribute",
            "no single number",
        ),
        (
            f"{WITH}B = 1\nA = {{ alarm = {{ attribute = 'B', above = 1 }}, "
            "signal = { kind = 'toggle', period = 9 } }",
            6,
            "objects[1].attributes.A.signal",
            "cannot have a signal too",
        ),
        (
            f"{WITH}B = 1\nA = {{ value = true, alarm = {{ attribute = 'B', above = 1 }} }}",
            6,
            "objects[1].attributes.A.value",
            "which makes it true; leave it out",
        ),
        (
            f"{WITH}'a.acked' = true\nA = {{ alarm = {{}} }}",
            5,
            'objects[1].attributes."a.acked"',
            "the alarm 'A' needs for itself",
        ),
        # objects
        (HEAD.replace("$U", "$u").replace("ed", "", 1), 3, "objects[1].template", "did you mean"),
        (HEAD.replace('"T"', '"T.x"'), 2, "objects[1].tag_name", "a dot separates"),
        (HEAD.replace('"T"', '"12"'), 2, "objects[1].tag_name", "at least one of them a letter"),
        (HEAD + HEAD.replace('"T"', '"t"'), 5, "objects[2].tag_name", "unique, in any case"),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            "[[objects]]\ntag_name = 'M{n:03}'\ncount = 'machines'\ntemplate = '$Area'\n",
            2,
            "objects[1].tag_name",
            "'M100' is the name of another object too",
        ),
        (f"{HEAD}parent = 'S'", 4, "objects[1].parent", "there is no object 'S'"),
        (f"{HEAD}host = 'S'", 4, "objects[1].host", "there is no object 'S'"),
        (f"{HEAD}parent = 'T'", 4, "objects[1].parent", "stands in itself"),
        (f"{HEAD}host = 'T'", 4, "objects[1].host", "hosted by itself"),
        (f"{HEAD}contained_name = 'x'", 4, "objects[1].contained_name", "needs a parent"),
        (f"{HEAD}count = 3", 2, "objects[1].tag_name", "must have {n}"),
        (f"{HEAD}count = 'all'", 4, "objects[1].count", '"machines"'),
        (f"{HEAD}count = 0", 4, "objects[1].count", "from 1"),
        (f"{HEAD}else_parent = 'T'", 4, "objects[1].else_parent", "needs a parent"),
        (
            HEAD
            + "".join(
                f"[[objects]]\ntag_name = 'C{n}'\ntemplate = '$Area'\nparent = 'T'\n"
                "contained_name = 'x'\n"
                for n in (1, 2)
            ),
            13,
            "objects[3].contained_name",
            "both called 'x' in T",
        ),
        (
            f"{HEAD}[[objects]]\ntag_name = 'U'\ntemplate = '$Area'\nparent = 'T'\n"
            "else_parent = 'T'",
            8,
            "objects[2].else_parent",
            "the parent is there",
        ),
        (
            f"{HEAD.replace('T', 'T{n}', 1)}count = 2\nparent = 'S'\nelse_parent = 'S'",
            6,
            "objects[1].else_parent",
            "is for single objects",
        ),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            f"{HEAD}parent = 'M5'\nelse_parent = 'M4'",
            9,
            "objects[2].else_parent",
            "must always be there",
        ),
        (
            HEAD
            + "".join(
                f"[[objects]]\ntag_name = 'T{n}'\ntemplate = '$Area'\nparent = 'T{n - 1 or ''}'\n"
                for n in range(1, 70)
            ),
            259,
            "objects[65].parent",
            "T64 stands more than 64 levels deep",
        ),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            f"{HEAD}parent = 'M5'",
            8,
            "objects[2].parent",
            "else_parent",
        ),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            "[[objects]]\ntag_name = 'm4711'\ntemplate = '$Area'",
            6,
            "objects[2].tag_name",
            "another object too",
        ),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            f"{HEAD}host = 'M1'",
            8,
            "objects[2].host",
            "may be too few",
        ),
        # the alarm script
        (
            f"{WITH}A = {{ alarm = {{}} }}\n[[alarm_script]]\nat = 1\nalarm = 'T.A'",
            6,
            "alarm_script[1]",
            "does nothing",
        ),
        (
            f"{WITH}A = true\n[[alarm_script]]\nat = 1\nalarm = 'T.A'\nactive = true",
            8,
            "alarm_script[1].alarm",
            "is no alarm",
        ),
        (
            f"{WITH}A = true\n[[alarm_script]]\nat = 1\nalarm = 'S.A'\nactive = true",
            8,
            "alarm_script[1].alarm",
            "no object 'S'",
        ),
        (
            f"{WITH}B = 1\nA = {{ alarm = {{ attribute = 'B', above = 1 }} }}\n"
            "[[alarm_script]]\nat = 1\nalarm = 'T.A'\nactive = true",
            10,
            "alarm_script[1].active",
            "follows something else",
        ),
        (
            f"{WITH}A = {{ alarm = {{}} }}\n[[alarm_script]]\nat = 1\nalarm = 'T.A'\n"
            "active = true\noperator = 'me'",
            10,
            "alarm_script[1].operator",
            "acknowledges nothing",
        ),
        (
            f"{WITH}A = {{ alarm = {{}} }}\n[[alarm_script]]\nat = -1\nalarm = 'T.A'\n"
            "active = true",
            7,
            "alarm_script[1].at",
            "at least 0",
        ),
        # no TOML
        ("a = 1\nb = = 2", 2, "", "is not TOML"),
        ("a = 1\nb = '''", 2, "", "(at the end of the file)"),
        ("a = 1\na = 2", 2, "", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(folder, text, line, key, words):
    error = refused(folder, text)
    assert words in error.reason
    assert (error.line, error.key) == (line, key)


@pytest.mark.parametrize("text", ["x = " + "[" * 5_000, f"x = {'1' * 5_000}"])
def test_a_file_that_is_too_much_is_refused(folder, text):
    with pytest.raises(GalaxyFileError, match=re.escape(str(folder / "site.toml"))):
        load(folder, text)


def test_a_file_that_is_not_utf8_is_refused(folder):
    (folder / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(GalaxyFileError, match="save it as UTF-8"):
        load_galaxy(folder / "latin.toml", change_interval=1)


def test_lines_count_the_same_with_the_ends_and_the_mark_that_windows_writes(folder):
    error = refused(folder, "\ufeffname = 'x'\r\n\r\n[[objects]]\r\ntag = 1\r\n")
    assert (error.line, error.key) == (4, "objects[1].tag")


def test_a_file_that_is_not_there_is_an_oserror(folder):
    with pytest.raises(FileNotFoundError):
        load_galaxy(folder / "no.toml", change_interval=1)


SCHEMA_KEYS = [
    (path, line)
    for path, line in lines_of(PLANT).items()
    if isinstance(path[-1], str) and re.fullmatch("[a-z_]+", path[-1]) and len(path) > 1
]


@given(st.sampled_from(SCHEMA_KEYS))
def test_a_key_that_is_misspelled_anywhere_is_found_on_its_line(folder, place):
    path, line = place
    lines = PLANT.split("\n")
    lines[line - 1] = re.sub(rf"(?<!\w){path[-1]}(?=\W)", f"{path[-1]}x", lines[line - 1])
    error = refused(folder, "\n".join(lines))
    assert error.line == line or "missing" in error.reason
    assert path[-1] in error.reason or path[-1] in error.key


@given(st.data())
def test_no_error_shows_a_password(folder, data):
    password = data.draw(st.text("abcdefghij", min_size=9, max_size=12))
    text = f'{USER.replace("hunter2!", password)}guid = "x"\n{PLANT}'
    start = data.draw(st.integers(0, 90))
    damaged = text[:start] + text[start + data.draw(st.integers(0, 30)) :]
    shown = ""
    try:
        load(folder, damaged)
    except GalaxyFileError as error:
        shown = f"{error} {error!r} {error.args}"
    assert password not in shown


def test_paths_are_written_as_in_the_file():
    assert written(()) == ""
    assert written(("templates", "$Tank", "attributes", "A.B", "value", 0)) == (
        'templates."$Tank".attributes."A.B".value[1]'
    )
