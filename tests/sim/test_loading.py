"""Galaxies from TOML files: what they may have, as the document says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.galaxy import SecurityClassification
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType
from zb_mom_ww_mxgateway_sim.galaxy.loading_signals import ticks
from zb_mom_ww_mxgateway_sim.galaxy.loading_values import TYPE_NAMES
from zb_mom_ww_mxgateway_sim.galaxy.signals import Counter, Ramp, RandomWalk, Sine, Toggle

from .galaxy_files import by_name, load, refused, thing

DOCUMENT = Path(__file__).parents[2] / "docs" / "simulator-galaxy.md"


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
