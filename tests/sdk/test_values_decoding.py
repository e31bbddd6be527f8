"""Every MxValue decodes or says why not, and what the gateway did not convert is kept whole."""

from __future__ import annotations

import copy
import math
import pickle
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.contracts import real
from tests.oracle import any_bytes, encoded, google_messages
from zb_mom_ww_mxgateway.errors import MxGatewayValueError
from zb_mom_ww_mxgateway.values import RawValue, from_mx_array, from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    DoubleArray,
    Int64Array,
    MxArray,
    MxDataType,
    MxValue,
    RawArray,
    StringArray,
)
from zb_mom_ww_mxgateway_wire.codec import DecodeError

GOOGLE = real()["mxaccess_gateway.v1.MxValue"].google
MORE = settings(max_examples=settings().max_examples * 8)

int32 = st.integers(-(2**31), 2**31 - 1)
word = st.text(st.characters(exclude_categories=["Cs"]))
data_types = st.sampled_from(list(MxDataType)) | int32.map(MxDataType)
#: What the gateway says beside a value.
fields = st.fixed_dictionaries(
    {
        "data_type": data_types,
        "variant_type": word,
        "raw_data_type": int32,
        "raw_diagnostic": word,
    }
)


def is_output(value: object) -> bool:
    """Whether a value is of the types that reading promises."""
    if isinstance(value, list):
        return all(item is not None and is_output(item) for item in value)
    if isinstance(value, datetime):
        return value.utcoffset() == timedelta(0)
    return value is None or type(value) in (bool, int, float, str, timedelta, RawValue)


@MORE
@given(google_messages(GOOGLE).map(encoded) | any_bytes(GOOGLE))
def test_every_value_decodes_or_is_a_value_error_of_the_sdk(data: bytes) -> None:
    try:
        mx = MxValue.FromString(data)
    except DecodeError:
        return
    try:
        value = from_mx_value(mx)
    except MxGatewayValueError:
        return
    assert is_output(value)
    if value is None:
        assert mx.is_null or (mx.which_kind() is None and not mx.raw_diagnostic)


@given(st.binary(), fields)
def test_a_raw_value_keeps_its_fields_and_restores_them(data: bytes, said: dict[str, Any]) -> None:
    mx = MxValue(raw_value=data, **said)
    value = from_mx_value(mx)
    assert isinstance(value, RawValue)
    assert value == data
    assert hash(value) == hash(data)
    assert {name: getattr(value, name) for name in said} == said
    assert value.has_bytes
    assert to_mx_value(value) == mx
    assert to_mx_value(value, data_type=mx.data_type) == mx
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert (type(twin), twin, to_mx_value(twin)) == (RawValue, data, mx)


@given(st.lists(st.binary(), min_size=1), fields)
def test_the_elements_of_a_raw_array_keep_the_fields_of_their_array(
    data: list[bytes], said: dict[str, Any]
) -> None:
    array = MxArray(
        element_data_type=said["data_type"],
        variant_type=said["variant_type"],
        raw_element_data_type=said["raw_data_type"],
        raw_diagnostic=said["raw_diagnostic"],
        dimensions=[1, len(data)],
        raw_values=RawArray(values=data),
    )
    made: Any = from_mx_value(MxValue(array_value=array))
    assert made == [data]
    for value in made[0]:
        assert {name: getattr(value, name) for name in said} == said
    back = to_mx_value(made)
    assert back.array_value == array
    assert back.variant_type.startswith("VT_ARRAY")


@given(fields.filter(lambda said: said["raw_diagnostic"]))
def test_a_value_of_which_only_a_diagnostic_came_is_not_lost(said: dict[str, Any]) -> None:
    mx = MxValue(**said)
    value = from_mx_value(mx)
    assert isinstance(value, RawValue)
    assert (bytes(value), value.has_bytes, value.raw_diagnostic) == (
        b"",
        False,
        said["raw_diagnostic"],
    )
    assert to_mx_value(value) == mx
    assert from_mx_value(MxValue(**said, is_null=True)) is None


def test_an_array_of_which_only_a_diagnostic_came_is_not_lost() -> None:
    mx = MxValue(array_value=MxArray(raw_diagnostic="VT_DISPATCH has no elements"))
    value = from_mx_value(mx)
    assert isinstance(value, RawValue)
    assert value.raw_diagnostic == "VT_DISPATCH has no elements"
    assert to_mx_value(value) == mx


@pytest.mark.parametrize("wire", [b"\x9a\x06\x02hi", b"\x8a\x01\x05\x9a\x06\x02hi"])
def test_a_kind_that_is_newer_than_the_contract_is_not_lost(wire: bytes) -> None:
    """Field 99, in the value and in its array."""
    mx = MxValue.FromString(wire)
    value = from_mx_value(mx)
    assert isinstance(value, RawValue)
    assert not value.has_bytes
    assert bytes(to_mx_value(value)) == wire


def test_a_raw_value_does_not_change_with_the_message_it_came_from() -> None:
    mx = MxValue(raw_value=b"\x01", raw_diagnostic="as it came")
    value = from_mx_value(mx)
    assert isinstance(value, RawValue)
    mx.raw_diagnostic = "changed"
    to_mx_value(value).raw_diagnostic = "changed"
    assert value.raw_diagnostic == "as it came"


def test_a_raw_value_says_what_is_known_of_it() -> None:
    value = RawValue(b"\x01", data_type=MxDataType.QUALIFIED_STRUCT, raw_data_type=14)
    assert repr(value) == (
        "RawValue(b'\\x01', data_type=QUALIFIED_STRUCT, variant_type='VT_RECORD', raw_data_type=14)"
    )
    unset = RawValue.from_mx(MxValue(raw_diagnostic="VT_UNKNOWN"))
    assert repr(unset) == (
        "RawValue(b'', data_type=UNSPECIFIED, raw_diagnostic='VT_UNKNOWN', has_bytes=False)"
    )


@given(st.binary())
def test_a_raw_value_made_by_hand_goes_as_bytes_do(data: bytes) -> None:
    assert to_mx_value(RawValue(bytearray(data))) == to_mx_value(data)
    assert to_mx_value([RawValue(data), RawValue(data)]) == to_mx_value([data, data])


@pytest.mark.parametrize(
    ("bad", "data_type", "hint"),
    [
        ([RawValue(b"a"), b"b"], None, "its own fields"),
        ([RawValue(b"a"), RawValue(b"b", raw_data_type=1)], None, "differ in their fields"),
        ([RawValue.from_mx(MxValue(raw_diagnostic="x"))], None, "without bytes"),
        (RawValue(b"a"), MxDataType.STATUS_TYPE, "its own fields"),
    ],
)
def test_raw_values_whose_fields_would_be_lost_are_refused(
    bad: Any, data_type: MxDataType | None, hint: str
) -> None:
    with pytest.raises(MxGatewayValueError, match=hint):
        to_mx_value(bad, data_type=data_type)


@pytest.mark.parametrize(
    "number",
    [{"int32_value": 90}, {"int64_value": 90}, {"float_value": 90.0}, {"double_value": 90.0}],
    ids=str,
)
def test_elapsed_time_is_a_timedelta_whatever_number_it_comes_as(number: dict[str, Any]) -> None:
    mx = MxValue(data_type=MxDataType.ELAPSED_TIME, **number)
    assert from_mx_value(mx) == timedelta(seconds=90)


@pytest.mark.parametrize("where", ["array", "value"])
def test_an_array_of_elapsed_times_is_one_of_timedeltas(where: str) -> None:
    elapsed = MxDataType.ELAPSED_TIME
    array = MxArray(int64_values=Int64Array(values=[1, -2]))
    array.element_data_type = elapsed if where == "array" else MxDataType.UNSPECIFIED
    mx = MxValue(data_type=elapsed, array_value=array)
    assert from_mx_value(mx) == [timedelta(seconds=1), timedelta(seconds=-2)]
    assert from_mx_array(array, elapsed) == from_mx_value(mx)


def test_elapsed_time_that_is_no_number_stays_what_it_is() -> None:
    assert from_mx_value(MxValue(data_type=MxDataType.ELAPSED_TIME, string_value="1s")) == "1s"
    texts = MxArray(string_values=StringArray(values=["1s"]))
    assert from_mx_value(MxValue(data_type=MxDataType.ELAPSED_TIME, array_value=texts)) == ["1s"]


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, 1e15, -1e300])
def test_elapsed_time_that_no_timedelta_holds_is_a_value_error(seconds: float) -> None:
    array = MxArray(
        element_data_type=MxDataType.ELAPSED_TIME, double_values=DoubleArray(values=[seconds])
    )
    for mx in (
        MxValue(data_type=MxDataType.ELAPSED_TIME, double_value=seconds),
        MxValue(array_value=array),
    ):
        with pytest.raises(MxGatewayValueError, match="elapsed time"):
            from_mx_value(mx)


@pytest.mark.parametrize("seconds", [2**62, -(2**62)])
def test_a_time_that_no_datetime_holds_is_a_value_error_of_the_sdk(seconds: int) -> None:
    far = MxValue(timestamp_value=Timestamp(seconds=seconds))
    with pytest.raises(MxGatewayValueError, match="years 1 to 9999"):
        from_mx_value(far)


def test_only_an_mx_value_is_decoded() -> None:
    with pytest.raises(MxGatewayValueError, match="not a value of type int"):
        from_mx_value(1)  # type: ignore[arg-type]
