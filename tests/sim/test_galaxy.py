"""The galaxy itself: what is deployed and how signals move."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType
from zb_mom_ww_mxgateway_sim.galaxy import Galaxy, Security, Signal

MACHINE = {
    "TestChangingInt": (MxDataType.INTEGER, Security.OPERATE),
    "TestAlarm001": (MxDataType.BOOLEAN, Security.OPERATE),
    "TestAlarm002": (MxDataType.BOOLEAN, Security.OPERATE),
    "TestAlarm003": (MxDataType.BOOLEAN, Security.OPERATE),
    "ProtectedValue": (MxDataType.BOOLEAN, Security.SECURED_WRITE),
    "ProtectedValue1": (MxDataType.BOOLEAN, Security.VERIFIED_WRITE),
    "TestHistoryValue": (MxDataType.INTEGER, Security.OPERATE),
    "MachineCode": (MxDataType.STRING, Security.OPERATE),
}


def point(galaxy, reference):
    return galaxy.resolve(galaxy.normalize(reference))


@pytest.mark.parametrize("number", ["001", "002", "120"])
def test_every_machine_has_the_attributes_of_the_default_galaxy(number):
    galaxy = Galaxy(seed=0, machines=120)
    for name, (data_type, security) in MACHINE.items():
        attribute = point(galaxy, f"TestMachine_{number}.{name}").attribute
        assert (attribute.data_type, attribute.security) == (data_type, security)
        assert galaxy.read(point(galaxy, attribute.name)).value.data_type == data_type


def test_there_are_as_many_machines_as_asked_for():
    galaxy = Galaxy(seed=0, machines=3)
    assert point(galaxy, "TestMachine_003.MachineCode") is not None
    assert point(galaxy, "TestMachine_004.MachineCode") is None
    assert point(Galaxy(seed=0, machines=0), "TestMachine_001.MachineCode") is None


def test_the_child_object_has_its_attributes():
    galaxy = Galaxy(seed=0, machines=0)
    read = {
        name: from_mx_value(galaxy.read(point(galaxy, f"TestChildObject.{name}")).value)
        for name in ("TestBool", "TestInt", "TestString", "TestStringArray", "TestStringArray[10]")
    }
    assert read == {
        "TestBool": False,
        "TestInt": 0,
        "TestString": "",
        "TestStringArray": [f"Item {number}" for number in range(1, 11)],
        "TestStringArray[10]": "Item 10",
    }


@pytest.mark.parametrize(
    "reference", ["", " ", ".", "[]", "[1]", "A.B[1][2]", "TestChildObject", "TestChildObject."]
)
def test_references_that_lead_nowhere_read_as_invalid(reference):
    galaxy = Galaxy(seed=0, machines=1)
    assert point(galaxy, reference) is None
    reading = galaxy.read(None)
    assert (reading.value, reading.quality, reading.status.detail) == (None, 4, 6)


@given(st.text(max_size=20))
def test_any_text_is_a_reference_that_leads_somewhere_or_nowhere(text):
    galaxy = Galaxy(seed=0, machines=1)
    galaxy.read(point(galaxy, text))
    galaxy.read(point(galaxy, f"TestChildObject.TestStringArray[{text}]"))


@given(st.integers(), st.text(), st.integers(0, 10**6))
def test_a_signal_depends_on_seed_tag_and_k_alone_and_always_moves(seed, tag, k):
    signal = Signal.of(seed, tag)
    assert signal == Signal.of(seed, tag)
    assert signal.value(k) == Signal.of(seed, tag).value(k)
    assert signal.value(k) != signal.value(k + 1)
    assert 0 <= signal.value(k) < 2**31


async def test_the_kth_value_is_the_same_whether_the_values_before_were_looked_at_or_not():
    watched, unwatched = Galaxy(seed=3, machines=1), Galaxy(seed=3, machines=1)
    name = "TestMachine_001.TestChangingInt"
    for _ in range(25):
        watched.read(point(watched, name))
        await watched.advance()
        await unwatched.advance()
    assert watched.read(point(watched, name)).value == unwatched.read(point(unwatched, name)).value
    other = Galaxy(seed=4, machines=1)
    assert other.read(point(other, name)).value != unwatched.read(point(unwatched, name)).value


async def test_only_advised_tags_cost_anything():
    galaxy = Galaxy(seed=0, machines=5_000)
    for _ in range(1_000):  # a scan of 5,000 machines a thousand times would take seconds
        await galaxy.advance()
    assert galaxy.k == 1_000
    assert all(
        attribute.as_of == 0
        for attribute in (
            point(galaxy, f"TestMachine_{n:03d}.TestChangingInt").attribute for n in (1, 77)
        )
    )
