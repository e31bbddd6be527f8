"""Values go to MXAccess and come back as they were, and what MXAccess cannot carry is refused."""

from __future__ import annotations

import enum
import math
import struct
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.errors import MxGatewayValueError
from zb_mom_ww_mxgateway.values import MxValueInput, RawValue, from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType, MxValue

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from([timezone.utc, BERLIN, ZoneInfo("Pacific/Apia")])
MICROSECOND = timedelta(microseconds=1)

text = st.text(st.characters(exclude_categories=["Cs"]))
int64 = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
moments = st.datetimes(timezones=ZONES).filter(lambda moment: 1 < moment.year < 9999)
#: What seconds as a double hold to the microsecond.
spans = st.timedeltas(timedelta(days=-99_000), timedelta(days=99_000))
#: One of each type that travels.
EACH = [st.booleans(), int64, finite, text, st.binary(), moments, spans]

#: For each COM type, the kinds and data types that it goes with by itself.
KINDS = {
    "VT_BOOL": {("bool_value", MxDataType.BOOLEAN)},
    "VT_I4": {("int32_value", MxDataType.INTEGER)},
    "VT_I8": {("int64_value", MxDataType.INTEGER)},
    "VT_R4": {("float_value", MxDataType.FLOAT)},
    "VT_R8": {("double_value", MxDataType.DOUBLE), ("double_value", MxDataType.ELAPSED_TIME)},
    "VT_BSTR": {("string_value", MxDataType.STRING)},
    "VT_DATE": {("timestamp_value", MxDataType.TIME)},
    "VT_RECORD": {("raw_value", MxDataType.UNKNOWN)},
}

TEXTS = {
    MxDataType.STRING,
    MxDataType.REFERENCE,
    MxDataType.INTERNATIONALIZED_STRING,
    MxDataType.BIG_STRING,
    MxDataType.QUALIFIED_ENUM,
}
NUMBERS = {
    MxDataType.INTEGER,
    MxDataType.DATA_TYPE_ENUM,
    MxDataType.SECURITY_CLASSIFICATION_ENUM,
    MxDataType.DATA_QUALITY_TYPE,
    MxDataType.QUALIFIED_ENUM,
}
FLOATS = {MxDataType.FLOAT, MxDataType.DOUBLE}
OPAQUE = {MxDataType.UNKNOWN, MxDataType.STATUS_TYPE, MxDataType.QUALIFIED_STRUCT}
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
#: What goes as which data types and comes back as it was.
GOES_AS: list[tuple[Any, set[MxDataType]]] = [
    (True, {MxDataType.BOOLEAN}),
    (7, NUMBERS | FLOATS),
    (1.5, FLOATS),
    ("text", TEXTS),
    (b"\x01", OPAQUE),
    (NOON, {MxDataType.TIME}),
    (timedelta(seconds=1), {MxDataType.ELAPSED_TIME}),
]


def in_utc(value: object) -> object:
    """Times in UTC: across zones, Python finds times around a DST change never equal."""
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value


def over_the_wire(value: MxValueInput, data_type: MxDataType | None = None) -> MxValue:
    """What the gateway gets of a value."""
    return MxValue.FromString(bytes(to_mx_value(value, data_type=data_type)))


@given(st.one_of(*EACH))
def test_a_scalar_comes_back_as_it_went_over_the_wire(value: MxValueInput) -> None:
    mx = over_the_wire(value)
    back = from_mx_value(mx)
    assert back == in_utc(value)
    assert type(back) is (RawValue if isinstance(value, bytes) else type(value))
    assert (mx.which_kind(), mx.data_type) in KINDS[mx.variant_type]


@given(st.one_of(*(st.lists(element, min_size=1) for element in EACH)))
def test_a_list_comes_back_as_it_went(values: list[bool]) -> None:
    mx = over_the_wire(values)
    assert from_mx_value(mx) == [in_utc(value) for value in values]
    assert mx.array_value is not None
    assert mx.array_value.dimensions == [len(values)]
    assert mx.variant_type == f"VT_ARRAY|{mx.array_value.variant_type}"
    assert mx.array_value.element_data_type == mx.data_type
    kind = (mx.array_value.which_values() or "").removesuffix("s")
    assert (kind, mx.data_type) in KINDS[mx.array_value.variant_type]


@given(st.one_of(*(st.lists(element, min_size=1) for element in EACH)))
def test_every_kind_of_sequence_goes_as_a_list_does(values: list[bool]) -> None:
    assert to_mx_value(tuple(values)) == to_mx_value(values)
    assert to_mx_value(range(len(values))) == to_mx_value(list(range(len(values))))


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
    [
        (2**31 - 1, "VT_I4"),
        (2**31, "VT_I8"),
        (-(2**31), "VT_I4"),
        (-(2**31) - 1, "VT_I8"),
        (2**63 - 1, "VT_I8"),
        (-(2**63), "VT_I8"),
        ([2**31 - 1, -(2**31)], "VT_ARRAY|VT_I4"),
        ([0, 2**31], "VT_ARRAY|VT_I8"),
    ],
)
def test_the_borders_of_32_and_64_bits(value: MxValueInput, variant: str) -> None:
    mx = over_the_wire(value)
    assert (mx.variant_type, from_mx_value(mx)) == (variant, value)


@given(moments)
def test_a_time_comes_back_in_utc_and_is_the_same_moment(moment: datetime) -> None:
    back = from_mx_value(to_mx_value(moment))
    assert isinstance(back, datetime)
    assert back == in_utc(moment)
    assert back.utcoffset() == timedelta(0)


def test_the_hour_that_comes_twice_when_summer_ends_is_two_hours() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    assert from_mx_value(over_the_wire(first)) == datetime(2026, 10, 25, 0, 30, tzinfo=timezone.utc)
    again = over_the_wire(first.replace(fold=1))
    assert from_mx_value(again) == datetime(2026, 10, 25, 1, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize("edge", [datetime.min, datetime.max])
def test_the_first_and_the_last_time_of_the_calendar_go_and_one_further_is_refused(
    edge: datetime,
) -> None:
    moment = edge.replace(tzinfo=timezone.utc)
    assert from_mx_value(over_the_wire(moment)) == moment
    further = timezone(timedelta(hours=1 if edge is datetime.min else -1))
    for value in (edge.replace(tzinfo=further), [edge.replace(tzinfo=further)]):
        with pytest.raises(MxGatewayValueError, match="years 1 to 9999"):
            to_mx_value(value)


@given(st.integers(-62_135_596_800 * 10**7, 253_402_300_800 * 10**7 - 1))
def test_ticks_of_100_ns_are_exact_on_the_wire_and_cut_to_microseconds_in_python(tick: int) -> None:
    mx = over_the_wire(Timestamp.from_nanoseconds(tick * 100))
    assert mx.timestamp_value is not None
    assert mx.timestamp_value.to_nanoseconds() == tick * 100
    back = from_mx_value(mx)
    assert isinstance(back, datetime)
    since = back - datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert since // MICROSECOND == tick // 10


@pytest.mark.parametrize(
    "bad", [Timestamp(seconds=2**40), Timestamp(nanos=-1), Timestamp(nanos=10**9)]
)
def test_a_timestamp_that_is_no_time_is_refused(bad: Timestamp) -> None:
    with pytest.raises(MxGatewayValueError, match="years 1 to 9999"):
        to_mx_value(bad)


@given(st.timedeltas())
def test_a_timedelta_is_exact_to_the_microsecond_or_refused(value: timedelta) -> None:
    if round(Fraction(value.total_seconds()) * 10**6) == value // MICROSECOND:
        mx = over_the_wire(value)
        assert mx.data_type == MxDataType.ELAPSED_TIME
        assert from_mx_value(mx) == value
    else:
        with pytest.raises(MxGatewayValueError, match="not exact to the microsecond"):
            to_mx_value(value)


@given(spans)
def test_a_timedelta_of_less_than_272_years_is_always_exact(value: timedelta) -> None:
    assert from_mx_value(over_the_wire([value, value])) == [value, value]


def test_the_longest_timedelta_is_refused() -> None:
    with pytest.raises(MxGatewayValueError, match="not exact"):
        to_mx_value(timedelta.max)
    assert from_mx_value(over_the_wire(timedelta.min)) == timedelta.min


@given(st.one_of(st.integers(-(10**13), 10**13), st.floats(-1e13, 1e13)))
def test_seconds_go_as_elapsed_time_and_come_back_as_a_timedelta(seconds: float) -> None:
    mx = over_the_wire(seconds, MxDataType.ELAPSED_TIME)
    assert (mx.variant_type, mx.double_value) == ("VT_R8", seconds)
    assert from_mx_value(mx) == timedelta(seconds=seconds)


@pytest.mark.parametrize("seconds", [1e15, -1e300, [0, 10**18]])
def test_seconds_that_no_timedelta_holds_are_refused(seconds: MxValueInput) -> None:
    with pytest.raises(MxGatewayValueError, match="timedelta"):
        to_mx_value(seconds, data_type=MxDataType.ELAPSED_TIME)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "data_type", [None, MxDataType.FLOAT, MxDataType.DOUBLE, MxDataType.ELAPSED_TIME]
)
def test_numbers_that_are_not_finite_are_refused_as_value_errors(
    bad: float, data_type: MxDataType | None
) -> None:
    for value in (bad, [1.0, bad], [[1.0], [bad]]):
        with pytest.raises(ValueError, match="NaN and infinities"):
            to_mx_value(value, data_type=data_type)


@pytest.mark.parametrize(
    ("bad", "hint"),
    [
        (datetime(2026, 1, 1), "tzinfo"),
        ([datetime(2026, 1, 1)], "tzinfo"),
        ([1, "a"], "mixes types \\(int, str\\)"),
        ([True, 1], "mixes types \\(bool, int\\)"),
        ([1, 1.5], "mixes types \\(float, int\\)"),
        ([1, None], "holds None"),
        ([], "data_type"),
        ({}, "dict has no form"),
        ({1, 2}, "set has no form"),
        ([{}], "dict has no form"),
        (object(), "object has no form"),
        (1j, "complex has no form"),
        (Decimal(1), "Decimal has no form"),
        (date(2026, 1, 1), "date has no form"),
        (iter([1]), "list_iterator has no form"),
        ([MxValue()], "MxValue has no form"),
        (2**63, "64 bits"),
        ([0, 2**64], "64 bits"),
        ("\ud83d", "surrogate"),
        (["\ud83d", "\ude00"], "surrogate"),
    ],
)
def test_what_mxaccess_cannot_carry_is_refused_with_a_hint(bad: object, hint: str) -> None:
    with pytest.raises(MxGatewayValueError, match=hint):
        to_mx_value(bad)  # type: ignore[arg-type]


@given(st.integers(2**63, 2**80), text.filter(lambda value: len(value) > 3))
def test_errors_do_not_show_the_value(number: int, word: str) -> None:
    for bad in (number, [word, number], [word, [word]]):
        with pytest.raises(MxGatewayValueError) as caught:
            to_mx_value(bad)  # type: ignore[arg-type]
        assert str(number) not in str(caught.value)
        assert repr(word) not in str(caught.value)
        assert caught.value.__cause__ is None


@given(finite32)
def test_a_float_that_fits_32_bits_is_exact_as_float(value: float) -> None:
    mx = over_the_wire(value, MxDataType.FLOAT)
    assert mx.variant_type == "VT_R4"
    assert from_mx_value(mx) == value


@given(st.floats(-3.4e38, 3.4e38))
def test_a_float_is_rounded_here_to_what_the_gateway_gets(value: float) -> None:
    mx = to_mx_value(value, data_type=MxDataType.FLOAT)
    assert mx.float_value == struct.unpack("<f", struct.pack("<f", value))[0]
    assert MxValue.FromString(bytes(mx)) == mx


def test_a_float_beyond_32_bits_is_refused_as_float() -> None:
    (largest,) = struct.unpack("<f", b"\xff\xff\x7f\x7f")
    for number in (largest, 3.4028235e38):
        assert to_mx_value(number, data_type=MxDataType.FLOAT).float_value == largest
    for number in (1e39, 3.4028236e38):
        with pytest.raises(MxGatewayValueError, match="FLOAT"):
            to_mx_value(number, data_type=MxDataType.FLOAT)


@pytest.mark.parametrize(("data_type", "bits"), [(MxDataType.DOUBLE, 53), (MxDataType.FLOAT, 24)])
@given(data=st.data())
def test_a_whole_number_goes_as_a_float_without_loss_or_not_at_all(
    data_type: MxDataType, bits: int, data: st.DataObject
) -> None:
    value = data.draw(st.integers(-(2**bits), 2**bits))
    assert from_mx_value(over_the_wire(value, data_type)) == value
    assert from_mx_value(over_the_wire([0.5, value], data_type)) == [0.5, value]
    for lossy in (2**bits + 1, [0.5, 2**bits + 1], 10**400):
        with pytest.raises(MxGatewayValueError, match="loses digits"):
            to_mx_value(lossy, data_type=data_type)


@pytest.mark.parametrize(
    ("value", "data_type", "goes"),
    [
        (value, data_type, data_type in data_types)
        for value, data_types in GOES_AS
        for data_type in list(MxDataType)[1:]
        # Seconds as ELAPSED_TIME come back as something else: they have a test of their own.
        if data_type is not MxDataType.ELAPSED_TIME or type(value) not in (int, float)
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_value_goes_as_the_data_types_that_fit_it_and_as_no_other(
    value: Any, data_type: MxDataType, goes: bool
) -> None:
    for sent in (value, [value, value], [[value], [value]]):
        if goes:
            mx = over_the_wire(sent, data_type)
            assert mx.data_type == data_type
            assert from_mx_value(mx) == sent
        else:
            with pytest.raises(MxGatewayValueError, match=f"cannot be sent as {data_type.name}"):
                to_mx_value(sent, data_type=data_type)


@pytest.mark.parametrize("data_type", list(MxDataType)[1:])
def test_a_null_keeps_its_data_type(data_type: MxDataType) -> None:
    mx = over_the_wire(None, data_type)
    assert (mx.data_type, mx.is_null, mx.variant_type) == (data_type, True, "VT_EMPTY")
    assert from_mx_value(mx) is None


def test_a_type_that_does_not_fit_says_expected_and_given() -> None:
    with pytest.raises(MxGatewayValueError, match="cannot be sent as BOOLEAN; it would be STRING"):
        to_mx_value("on", data_type=MxDataType.BOOLEAN)


@given(st.one_of(*EACH))
def test_an_unspecified_data_type_is_none_asked_for(value: MxValueInput) -> None:
    assert to_mx_value(value, data_type=MxDataType.UNSPECIFIED) == to_mx_value(value)


def test_a_list_of_an_enum_holds_numbers_or_names_not_both() -> None:
    with pytest.raises(MxGatewayValueError, match="mixes types \\(int, str\\)"):
        to_mx_value([1, "Auto"], data_type=MxDataType.QUALIFIED_ENUM)


def test_a_data_type_that_the_contract_does_not_name_is_refused() -> None:
    with pytest.raises(MxGatewayValueError, match="UNKNOWN_99"):
        to_mx_value(1, data_type=MxDataType(99))


def test_none_is_null_and_null_is_none() -> None:
    mx = to_mx_value(None)
    assert (mx.data_type, mx.is_null, mx.variant_type) == (MxDataType.NO_DATA, True, "VT_EMPTY")
    assert from_mx_value(mx) is None
    assert from_mx_value(None) is None
    assert from_mx_value(MxValue()) is None


def test_an_mx_value_goes_as_it_is() -> None:
    mx = MxValue(int32_value=1)
    assert to_mx_value(mx, data_type=MxDataType.STRING) is mx


class Mode(enum.IntEnum):
    MANUAL = 2


class Shade(enum.StrEnum):
    DARK = "dark"


class Color(str, enum.Enum):  # noqa: UP042  what StrEnum was before 3.11
    RED = "red"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (MxDataType.INTEGER, 4),
        (MxDataType(-5), -5),
        (Mode.MANUAL, 2),
        (Color.RED, "red"),
        (Shade.DARK, "dark"),
        (type("Span", (timedelta,), {})(seconds=1), timedelta(seconds=1)),
        (type("Number", (float,), {})(1.5), 1.5),
    ],
)
def test_a_value_of_a_derived_class_goes_as_the_value_it_is(
    value: MxValueInput, plain: MxValueInput
) -> None:
    assert to_mx_value(value) == to_mx_value(plain)
    for made in (from_mx_value(to_mx_value(value)), from_mx_value(to_mx_value([value]))):  # type: ignore[list-item]
        inner = made[0] if isinstance(made, list) else made
        assert (inner, type(inner)) == (plain, type(plain))


@given(st.binary())
def test_bytes_of_every_form_are_the_same_bytes(data: bytes) -> None:
    for form in (bytearray(data), memoryview(data)):
        assert to_mx_value(form) == to_mx_value(data)
        assert to_mx_value([form, data]) == to_mx_value([data, data])


@pytest.mark.parametrize("data_type", [99, "INTEGER", 4.0])
def test_a_data_type_is_one_of_the_contracts(data_type: Any) -> None:
    for value in (None, 5, [5], MxValue()):
        with pytest.raises(MxGatewayValueError, match="must be an MxDataType"):
            to_mx_value(value, data_type=data_type)
