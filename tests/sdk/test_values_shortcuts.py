"""The short ways that common values take end where the general way ends, errors included."""

from __future__ import annotations

import copy
import enum
import math
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings, strategies as st

from zb_mom_ww_mxgateway.errors import MxGatewayValueError
from zb_mom_ww_mxgateway.values import MxScalarOutput, from_mx_value, to_mx_value
from zb_mom_ww_mxgateway.values.columns import column
from zb_mom_ww_mxgateway.values.plain import flatten
from zb_mom_ww_mxgateway.values.scalars import MAKERS
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType, MxValue

MORE = settings(max_examples=settings().max_examples * 4)
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


class Nowhere(tzinfo):
    """A zone that does not know its offset, so that its times are as good as naive."""

    def utcoffset(self, dt: datetime | None) -> None:
        return None

    def dst(self, dt: datetime | None) -> None:
        return None

    def tzname(self, dt: datetime | None) -> None:
        return None


class Mode(enum.IntEnum):
    MANUAL = 2


class Shade(enum.StrEnum):
    DARK = "dark"


class Ratio(float):
    pass


ZONES: list[tzinfo | None] = [
    None,
    Nowhere(),
    timezone.utc,
    ZoneInfo("Europe/Berlin"),
    timezone(timedelta(hours=23)),
    timezone(timedelta(hours=-23)),
]


def moment(naive: datetime, zone: tzinfo | None) -> datetime:
    """A time that may be naive, or beyond the calendar in UTC."""
    return naive.replace(tzinfo=zone)


edges = st.sampled_from([datetime.min, datetime.max])
#: Each plain type, what it does not hold in MXAccess included: lone surrogates, too many bits, NaN.
plain_values = st.one_of(
    st.booleans(),
    st.integers(-(2**66), 2**66),
    *(st.integers(edge - 2, edge + 2) for edge in (-(2**63), -(2**31), 2**31, 2**63)),
    st.floats(),
    st.text(st.characters(exclude_categories=[])),
    st.builds(moment, st.datetimes() | edges, st.sampled_from(ZONES)),
    st.sampled_from([Mode.MANUAL, MxDataType.TIME, Shade.DARK, Ratio(0.5), Ratio("nan")]),
)


def outcome(make: Callable[[], MxValue]) -> object:
    """What came of a value: its bytes and the very type inside, or the error's type and text."""
    try:
        made = make()
    except MxGatewayValueError as error:
        return type(error), str(error), error.__cause__, error.__suppress_context__
    member = made.which_kind()
    assert member is not None
    inside: object = getattr(made, member)
    return bytes(made), made, type(inside)


@MORE
@given(plain_values)
@example(-0.0)
@example(math.inf)
@example("\ud83d")
@example("ä\udfff")
def test_a_value_goes_the_short_way_as_it_goes_the_general_way(value: Any) -> None:
    def general() -> MxValue:
        flat = flatten(value)
        return column(flat.values, None, flat.natural).scalars()[0]

    assert outcome(lambda: to_mx_value(value)) == outcome(general)


def test_only_the_very_types_take_the_short_way() -> None:
    assert MAKERS.keys() == {bool, int, float, str, datetime}


@pytest.mark.parametrize("value", [True, 5, 2**40, 1.5, "text", NOON])
def test_a_message_that_was_made_the_short_way_is_a_message_as_any_other(value: Any) -> None:
    made = to_mx_value(value)
    member = made.which_kind()
    assert member is not None
    whole = MxValue(
        data_type=made.data_type,
        variant_type=made.variant_type,
        **{member: getattr(made, member)},
    )
    assert made == whole
    assert repr(made) == repr(whole)
    assert made.to_dict() == whole.to_dict()
    for twin in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert twin == whole
    assert to_mx_value(value) is not made
    made.raw_value = b""
    assert made.which_kind() == "raw_value"
    assert to_mx_value(value) == whole


SCALARS: dict[str, tuple[Any, MxScalarOutput]] = {
    "bool_value": (False, False),
    "int32_value": (0, 0),
    "int64_value": (7, 7),
    "float_value": (0.0, 0.0),
    "double_value": (1.5, 1.5),
    "string_value": ("", ""),
    "timestamp_value": (Timestamp.from_datetime(NOON), NOON),
}


@pytest.mark.parametrize("member", SCALARS)
@pytest.mark.parametrize(
    "data_type", [each for each in MxDataType if each is not MxDataType.ELAPSED_TIME]
)
def test_a_value_is_read_from_the_member_it_is_in_whatever_its_type_says(
    data_type: MxDataType, member: str
) -> None:
    sent, read = SCALARS[member]
    mx = MxValue.FromString(bytes(MxValue(data_type=data_type, **{member: sent})))
    back = from_mx_value(mx)
    assert (back, type(back)) == (read, type(read))
    mx.is_null = True
    assert from_mx_value(mx) is None
    assert from_mx_value(MxValue(data_type=data_type)) is None
