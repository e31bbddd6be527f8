"""Values go to MXAccess and come back as they were, and what MXAccess cannot carry is refused."""

from __future__ import annotations

import math
import struct
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zb_mom_ww_mxgateway import (
    MxDataType,
    MxGatewayValueError,
    MxValue,
    MxValueInput,
    Timestamp,
    from_mx_value,
    to_mx_value,
)

text = st.text(st.characters(exclude_categories=["Cs"]))
int64 = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
moments = st.datetimes(timezones=st.sampled_from([timezone.utc, ZoneInfo("Europe/Berlin")])).filter(
    lambda moment: 1 < moment.year < 9999
)
scalars = st.one_of(st.booleans(), int64, finite, text, st.binary(), moments)
lists = st.one_of(
    *(
        st.lists(element, min_size=1)
        for element in (st.booleans(), int64, finite, text, st.binary(), moments)
    )
)


def in_utc(value: object) -> object:
    """Times in UTC: across zones, Python finds times around a DST change never equal."""
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value


KIND_OF = {
    "VT_BOOL": ("bool_value", MxDataType.BOOLEAN),
    "VT_I4": ("int32_value", MxDataType.INTEGER),
    "VT_I8": ("int64_value", MxDataType.INTEGER),
    "VT_R4": ("float_value", MxDataType.FLOAT),
    "VT_R8": ("double_value", MxDataType.DOUBLE),
    "VT_BSTR": ("string_value", MxDataType.STRING),
    "VT_DATE": ("timestamp_value", MxDataType.TIME),
    "VT_RECORD": ("raw_value", MxDataType.UNKNOWN),
}


@given(scalars)
def test_a_scalar_comes_back_as_it_went_over_the_wire(value: MxValueInput) -> None:
    mx = MxValue.FromString(bytes(to_mx_value(value)))
    back = from_mx_value(mx)
    assert back == in_utc(value)
    assert type(back) is type(value)
    assert (mx.which_kind(), mx.data_type) == KIND_OF[mx.variant_type]


@given(lists)
def test_a_list_comes_back_as_it_went(values: list[object]) -> None:
    mx = MxValue.FromString(bytes(to_mx_value(values)))  # type: ignore[arg-type]
    assert from_mx_value(mx) == [in_utc(value) for value in values]
    assert mx.array_value is not None
    assert mx.array_value.dimensions == [len(values)]
    assert mx.variant_type == f"VT_ARRAY|{mx.array_value.variant_type}"
    assert mx.array_value.element_data_type == mx.data_type
    kind, _ = KIND_OF[mx.array_value.variant_type]
    assert mx.array_value.which_values() == f"{kind}s"


@given(st.integers())
def test_an_int_takes_32_bits_or_64_or_is_refused(value: int) -> None:
    if -(2**31) <= value < 2**31:
        assert to_mx_value(value).variant_type == "VT_I4"
    elif -(2**63) <= value < 2**63:
        assert to_mx_value(value).variant_type == "VT_I8"
    else:
        with pytest.raises(MxGatewayValueError, match="64 bits"):
            to_mx_value(value)


@pytest.mark.parametrize(
    ("value", "variant"),
    [(2**31 - 1, "VT_I4"), (2**31, "VT_I8"), (-(2**31), "VT_I4"), (-(2**31) - 1, "VT_I8")],
)
def test_the_borders_of_32_bits(value: int, variant: str) -> None:
    assert to_mx_value(value).variant_type == variant


@given(moments)
def test_a_time_comes_back_in_utc_and_is_the_same_moment(moment: datetime) -> None:
    back = from_mx_value(to_mx_value(moment))
    assert isinstance(back, datetime)
    assert back == in_utc(moment)
    assert back.utcoffset() == timedelta(0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, [1.0, math.nan]])
def test_numbers_that_are_not_finite_are_refused_as_value_errors(bad: MxValueInput) -> None:
    with pytest.raises(ValueError, match="NaN and infinities"):
        to_mx_value(bad)


@pytest.mark.parametrize(
    ("bad", "hint"),
    [
        (datetime(2026, 1, 1), "tzinfo"),
        ([1, "a"], "mixes"),
        ([True, 1], "mixes"),
        ([1, None], "holds None"),
        ([], "data_type"),
        ({}, "has no form"),
        (object(), "has no form"),
        ([[1]], "holds a list"),
        (2**63, "64 bits"),
        ([0, 2**64], "64 bits"),
    ],
)
def test_what_mxaccess_cannot_carry_is_refused_with_a_hint(bad: object, hint: str) -> None:
    with pytest.raises(MxGatewayValueError, match=hint):
        to_mx_value(bad)  # type: ignore[arg-type]


@given(st.integers(2**63, 2**80))
def test_errors_do_not_show_the_value(value: int) -> None:
    with pytest.raises(MxGatewayValueError) as caught:
        to_mx_value(value)
    assert str(value) not in str(caught.value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_that_fits_32_bits_is_exact_as_float(value: float) -> None:
    mx = MxValue.FromString(bytes(to_mx_value(value, data_type=MxDataType.FLOAT)))
    assert mx.variant_type == "VT_R4"
    assert from_mx_value(mx) == value


def test_a_float_beyond_32_bits_is_refused_as_float() -> None:
    (largest,) = struct.unpack("<f", b"\xff\xff\x7f\x7f")
    for number in (largest, 3.4028235e38):
        assert to_mx_value(number, data_type=MxDataType.FLOAT).float_value == number
    with pytest.raises(MxGatewayValueError, match="FLOAT"):
        to_mx_value(1e39, data_type=MxDataType.FLOAT)


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_goes_as_double_when_asked(value: int) -> None:
    mx = to_mx_value(value, data_type=MxDataType.DOUBLE)
    assert mx.double_value == value


def test_a_whole_number_that_a_double_cannot_hold_is_refused() -> None:
    with pytest.raises(MxGatewayValueError, match="loses digits"):
        to_mx_value(2**53 + 1, data_type=MxDataType.DOUBLE)


def test_a_type_that_does_not_fit_says_expected_and_given() -> None:
    with pytest.raises(MxGatewayValueError, match="cannot be sent as BOOLEAN; it would be STRING"):
        to_mx_value("on", data_type=MxDataType.BOOLEAN)


def test_none_is_null_and_null_is_none() -> None:
    mx = to_mx_value(None)
    assert (mx.is_null, mx.variant_type) == (True, "VT_EMPTY")
    assert from_mx_value(mx) is None
    assert from_mx_value(None) is None
    assert from_mx_value(MxValue()) is None


def test_an_mx_value_goes_as_it_is() -> None:
    mx = MxValue(int32_value=1)
    assert to_mx_value(mx) is mx


def test_an_empty_list_takes_its_type_from_the_caller() -> None:
    mx = to_mx_value([], data_type=MxDataType.STRING)
    assert from_mx_value(mx) == []
    assert mx.variant_type == "VT_ARRAY|VT_BSTR"


@pytest.mark.parametrize("number", [MxDataType.INTEGER, MxDataType(-5)])
def test_an_int_of_a_derived_class_goes_as_the_int_it_is(number: MxDataType) -> None:
    mx = to_mx_value(number)
    assert (mx.variant_type, mx.int32_value) == ("VT_I4", int(number))
    assert type(mx.int32_value) is int


@pytest.mark.parametrize("seconds", [2**62, -(2**62)])
def test_a_time_that_no_datetime_holds_is_a_value_error_of_the_sdk(seconds: int) -> None:
    far = MxValue(timestamp_value=Timestamp(seconds=seconds))
    with pytest.raises(MxGatewayValueError, match="years 1 to 9999"):
        from_mx_value(far)
