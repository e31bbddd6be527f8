"""``mxgw-py info``: what a tag is, and what it has now."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cli.conftest import Run
from tests.cli.everyday import GATEWAY, connection
from tests.cli.golden import assert_golden
from tests.cli.metrics import open_sessions
from zb_mom_ww_mxgateway_sim.faults import BadQuality, DelayFirstValues
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

pytestmark = GATEWAY


@pytest.fixture
def simulator(mxgw_gateway: RunningGateway) -> dict[str, str]:
    """The gateway that ``mxgw`` talks to."""
    return connection(mxgw_gateway)


def test_json_is_pinned(mxgw: Run) -> None:
    assert_golden("info", mxgw("info", "Inner.Valve", "--json"))


def test_people_see_a_line_for_each_thing_that_is_known(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    lines = mxgw("info", "inner.LEVEL", "--output", "table").out.splitlines()
    shown = dict(line.split(": ", 1) for line in lines)
    del shown["timestamp"]
    assert shown == {
        "tag": "Inner.Level",
        "value": "42",
        "quality": "192 (good)",
        "object": "Inner",
        "containedName": "Small",
        "template": "$Tank",
        "area": "Farm",
        "attribute": "Level",
        "dataType": "Integer",
        "isArray": "false",
        "securityClassification": "FREE_ACCESS",
        "isAlarm": "false",
        "isHistorized": "true",
    }
    assert open_sessions(mxgw_gateway) == 0


@pytest.mark.parametrize(
    ("tag", "reference", "value"),
    [
        ("Tank.Limits", "Tank.Limits[]", [10.0, 90.0]),
        ("Tank.Limits[]", "Tank.Limits[]", [10.0, 90.0]),
        ("Tank.Limits[2]", "Tank.Limits[2]", 90.0),
    ],
)
def test_an_array_is_shown_whole_and_an_element_by_itself(
    mxgw: Run, tag: str, reference: str, value: object
) -> None:
    shown = mxgw("info", tag, "--json").json
    assert (shown["tag"], shown["value"]) == (reference, value)
    assert (shown["isArray"], shown["arrayDimension"]) == (True, 2)


def test_a_value_that_does_not_come_is_said_by_the_exit_code(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    with mxgw_gateway.fault(DelayFirstValues(seconds=600)):
        shown = mxgw("info", "Tank.Level", "--timeout", "1", "--json")
    assert shown.code == 6
    assert (shown.json["isGood"], shown.json["dataType"]) == (False, "Integer")


@pytest.mark.parametrize(
    ("tag", "reference"),
    [
        ("Tank.Small.Level", "Inner.Level"),
        ("tank.SMALL.small.limits", "Deep.Limits[]"),
        ("Inner.Small.Limits[2]", "Deep.Limits[2]"),
    ],
)
def test_names_of_contained_objects_may_lead_to_a_tag(mxgw: Run, tag: str, reference: str) -> None:
    shown = mxgw("info", tag, "--json")
    assert (shown.code, shown.json["tag"]) == (0, reference)


def test_a_value_that_is_not_good_says_so_and_is_no_failure(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    with mxgw_gateway.fault(BadQuality(tag_name="Tank", quality=8)):
        shown = mxgw("info", "Tank.Level", "--json")
    assert shown.code == 0
    assert shown.json["error"] == "quality 8 (not connected)"


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("Tank.Lebel", "did you mean Level?"),
        ("Tonk.Level", "no object Tonk"),
        ("Tank", "Object.Attribute"),
        ("Tank.Level[1]", "no array"),
        ("Tank.Smal.Level", "no attribute Smal.Level, and no object Smal in it"),
        ("Tank.Small.Lebel", "the object Inner has no attribute Lebel; did you mean Level?"),
        ("Farm.Tank.Level", "no object Tank in it"),
    ],
)
def test_a_tag_that_the_galaxy_has_not_is_an_error_that_helps(
    mxgw: Run, tag: str, text: str
) -> None:
    failed = mxgw("info", tag, "--output", "table")
    assert (failed.code, failed.out) == (1, "")
    assert text in failed.err


@given(st.text(min_size=1) | st.text("Tank.Level[]1- "))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_as_a_tag_ends_in_words(mxgw: Run, tag: str) -> None:
    shown = mxgw("info", "--json", "--", tag)
    assert shown.code in (0, 1, 2)
    assert shown.err == "" if shown.code == 0 else shown.error["error"]
