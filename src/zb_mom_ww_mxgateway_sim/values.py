"""Values on their way into attributes: conversion without loss, and sparse arrays."""

from __future__ import annotations

from typing import Final, TypeAlias

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway.values import MxValueOutput, from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxArray,
    MxDataType,
    MxSparseArray,
    MxValue,
    TimestampArray,
)

#: One element, and all that an attribute can hold. Floats and times come with attributes of theirs.
Scalar: TypeAlias = bool | int | str
Value: TypeAlias = Scalar | list[Scalar]

#: The longest array that a sparse write may make. D: documents name no limit, memory does.
MAX_ARRAY_LENGTH: Final = 1_000_000

_DEFAULTS: Final[dict[MxDataType, bool | int | float | str]] = {
    MxDataType.BOOLEAN: False,
    MxDataType.INTEGER: 0,
    MxDataType.FLOAT: 0.0,
    MxDataType.DOUBLE: 0.0,
    MxDataType.STRING: "",
}

#: MXAccess's own numbers of data types.
NATIVE_TYPES: Final[dict[MxDataType, int]] = {
    MxDataType.BOOLEAN: 1,
    MxDataType.INTEGER: 2,
    MxDataType.FLOAT: 3,
    MxDataType.DOUBLE: 4,
    MxDataType.STRING: 5,
    MxDataType.TIME: 6,
}


#: What an attribute takes, in words.
_TAKEN: Final = {
    MxDataType.BOOLEAN: "true or false",
    MxDataType.INTEGER: "a whole number of 32 bits",
    MxDataType.STRING: "a text",
}


class WrongTypeError(Exception):
    """A value that an attribute cannot take without loss; the text does not show the value."""


def mx_value(value: Value, data_type: MxDataType) -> MxValue:
    """``value`` as MXAccess delivers it from an attribute of ``data_type``."""
    made = to_mx_value(value, data_type=data_type)
    made.raw_data_type = NATIVE_TYPES[data_type]
    if made.array_value is not None:
        made.array_value.raw_element_data_type = NATIVE_TYPES[data_type]
    return made


def gathered(values: list[MxValue]) -> MxArray:
    """Single values of one attribute as an array."""
    data_type = values[0].data_type
    scalars = [_convert(from_mx_value(value), data_type) for value in values]
    array = mx_value(scalars, data_type).array_value
    assert array is not None  # a list becomes an array
    return array


def times(values: list[Timestamp]) -> MxArray:
    """Points in time as an array, to the nanosecond."""
    return MxArray(
        element_data_type=MxDataType.TIME,
        variant_type="VT_DATE",
        dimensions=[len(values)],
        raw_element_data_type=NATIVE_TYPES[MxDataType.TIME],
        timestamp_values=TimestampArray(values=values),
    )


def convert(value: MxValue | None, data_type: MxDataType, *, array: bool) -> Value:
    """``value`` as an attribute of ``data_type`` holds it; ``array`` for a whole array.

    Raises:
        WrongTypeError: The types differ, or a number would lose something.
    """
    plain: MxValueOutput | list[object]
    if value is not None and value.sparse_array_value is not None:
        plain = _expand(value.sparse_array_value)
    else:
        try:
            plain = from_mx_value(value)
        except ValueError as error:  # a time that no calendar holds
            raise WrongTypeError(str(error)) from None
    if array != isinstance(plain, list):
        raise WrongTypeError(
            "the attribute is an array; write a list"
            if array
            else "the attribute is no array; write a single value"
        )
    if isinstance(plain, list):
        return [_convert(element, data_type) for element in plain]
    return _convert(plain, data_type)


def _convert(value: object, data_type: MxDataType) -> Scalar:
    """D: numbers become numbers; booleans and texts take nothing but their own kind."""
    if data_type is MxDataType.BOOLEAN and isinstance(value, bool):
        return value
    if data_type is MxDataType.STRING and isinstance(value, str):
        return value
    if data_type is MxDataType.INTEGER and not isinstance(value, bool):
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and -(2**31) <= value < 2**31:
            return value
    raise WrongTypeError(
        f"the attribute is of type {data_type.name} and takes {_TAKEN[data_type]}, not this value "
        f"of type {type(value).__name__}"
    )


def stored_time(value: MxValue | None) -> Timestamp:
    """The time that a write stores with its value.

    Raises:
        WrongTypeError: It is no value of type TIME, or none that a calendar holds.
    """
    time = value.timestamp_value if value is not None else None
    if time is None:
        raise WrongTypeError("the timestamp is no value of type TIME")
    try:
        time.to_datetime()
    except ValueError:
        raise WrongTypeError("the timestamp is outside years 1 to 9999") from None
    return time


def check_sparse(value: MxValue | None) -> None:
    """End the call with INVALID_ARGUMENT for a sparse array that describes no array."""
    sparse = value.sparse_array_value if value is not None else None
    if sparse is None:
        return
    if sparse.element_data_type not in _DEFAULTS:
        raise _malformed(f"element_data_type {sparse.element_data_type.name} has no default value")
    if sparse.total_length > MAX_ARRAY_LENGTH:
        raise _malformed(f"total_length {sparse.total_length} is above {MAX_ARRAY_LENGTH}")
    seen: set[int] = set()
    for element in sparse.elements:
        index = element.index
        if index >= sparse.total_length:
            raise _malformed(f"index {index} is not below total_length {sparse.total_length}")
        if index in seen:
            raise _malformed(f"index {index} is repeated")
        seen.add(index)
        kind = element.value.which_kind() if element.value is not None else None
        if kind in (None, "array_value", "sparse_array_value"):
            raise _malformed(f"the element at index {index} is no scalar value")


def _malformed(fault: str) -> GRPCError:
    return GRPCError(Status.INVALID_ARGUMENT, f"sparse array: {fault}")


def _expand(sparse: MxSparseArray) -> list[object]:
    """All elements; positions that are not named become the default, not their old value."""
    full: list[object] = [_DEFAULTS[sparse.element_data_type]] * sparse.total_length
    for element in sparse.elements:
        try:
            full[element.index] = from_mx_value(element.value)
        except ValueError as error:
            raise WrongTypeError(str(error)) from None
    return full
