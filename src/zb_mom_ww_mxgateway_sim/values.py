"""Values on their way into attributes: conversion without loss, and sparse arrays."""

from __future__ import annotations

import math
import struct
from datetime import timedelta
from typing import Final, cast

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway.values import from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxArray,
    MxDataType,
    MxSparseArray,
    MxValue,
    TimestampArray,
)

from .galaxy.definition import DATA_TYPES, Scalar, Value

#: The longest array that a sparse write may make. D: documents name no limit, memory does.
MAX_ARRAY_LENGTH: Final = 1_000_000

_TEXTS: Final = frozenset(
    {
        MxDataType.STRING,
        MxDataType.REFERENCE,
        MxDataType.INTERNATIONALIZED_STRING,
        MxDataType.BIG_STRING,
    }
)
_WHOLE_NUMBERS: Final = frozenset({MxDataType.INTEGER, MxDataType.QUALIFIED_ENUM})
_FLOATS: Final = frozenset({MxDataType.FLOAT, MxDataType.DOUBLE, MxDataType.ELAPSED_TIME})

#: What a sparse array has at positions that it does not name.
_DEFAULTS: Final[dict[MxDataType, Scalar]] = {
    MxDataType.BOOLEAN: False,
    MxDataType.TIME: Timestamp(),
    **dict.fromkeys(_WHOLE_NUMBERS, 0),
    **dict.fromkeys(_FLOATS, 0.0),
    **dict.fromkeys(_TEXTS, ""),
}

#: What an attribute takes, in words.
_TAKEN: Final = {
    MxDataType.BOOLEAN: "true or false",
    MxDataType.FLOAT: "a finite number of 32 bits",
    MxDataType.DOUBLE: "a finite number",
    MxDataType.TIME: "a time",
    MxDataType.ELAPSED_TIME: "a time span or a number of seconds",
    **dict.fromkeys(_WHOLE_NUMBERS, "a whole number of 32 bits"),
    **dict.fromkeys(_TEXTS, "a text"),
}


class WrongTypeError(Exception):
    """A value that an attribute cannot take without loss; the text does not show the value."""


def mx_value(value: Value, data_type: MxDataType) -> MxValue:
    """``value`` as MXAccess delivers it from an attribute of ``data_type``."""
    made = to_mx_value(value, data_type=data_type)
    made.raw_data_type = DATA_TYPES[data_type][0]
    if made.array_value is not None:
        made.array_value.raw_element_data_type = DATA_TYPES[data_type][0]
    return made


def gathered(values: list[MxValue]) -> MxArray:
    """Single values of one attribute as an array."""
    data_type = values[0].data_type
    scalars = [_convert(_plain(value), data_type) for value in values]
    array = mx_value(scalars, data_type).array_value
    assert array is not None  # a list becomes an array
    return array


def times(values: list[Timestamp]) -> MxArray:
    """Points in time as an array, to the nanosecond."""
    return MxArray(
        element_data_type=MxDataType.TIME,
        variant_type="VT_DATE",
        dimensions=[len(values)],
        raw_element_data_type=DATA_TYPES[MxDataType.TIME][0],
        timestamp_values=TimestampArray(values=values),
    )


def convert(value: MxValue | None, data_type: MxDataType, *, array: bool) -> Value:
    """``value`` as an attribute of ``data_type`` holds it; ``array`` for a whole array.

    Raises:
        WrongTypeError: The types differ, or a number would lose something.
    """
    if value is not None and value.sparse_array_value is not None:
        plain: object = _expand(value.sparse_array_value)
    else:
        plain = _plain(value)
    if array != isinstance(plain, list):
        raise WrongTypeError(
            "the attribute is an array; write a list"
            if array
            else "the attribute is no array; write a single value"
        )
    if isinstance(plain, list):
        elements = cast(list[object], plain)
        return [_convert(element, data_type) for element in elements]
    return _convert(plain, data_type)


def _plain(value: MxValue | None) -> object:
    """The value in Python, times to the nanosecond."""
    if value is not None and value.timestamp_value is not None:
        return value.timestamp_value
    array = value.array_value if value is not None else None
    if array is not None and array.timestamp_values is not None:
        return list(array.timestamp_values.values)
    try:
        return from_mx_value(value)
    except ValueError as error:  # such as dimensions that are not those of the elements
        raise WrongTypeError(str(error)) from None


def _convert(value: object, data_type: MxDataType) -> Scalar:
    """D: numbers become numbers where nothing is lost, but that FLOAT rounds to 32 bits; booleans,
    times and texts take nothing but their own kind.
    """
    made: Scalar | None = None
    if isinstance(value, bool):
        made = value if data_type is MxDataType.BOOLEAN else None
    elif isinstance(value, str):
        made = value if data_type in _TEXTS else None
    elif isinstance(value, Timestamp):
        made = value if data_type is MxDataType.TIME and _is_in_calendar(value) else None
    elif isinstance(value, timedelta):
        made = value.total_seconds() if data_type is MxDataType.ELAPSED_TIME else None
    elif isinstance(value, int | float):
        made = _number(value, data_type)
    if made is None:
        raise WrongTypeError(
            f"the attribute is of type {data_type.name} and takes {_TAKEN[data_type]}, not this "
            f"value of type {type(value).__name__}"
        )
    return made


def _number(value: int | float, data_type: MxDataType) -> int | float | None:
    """``value`` as a number of that type; None if it is none, or something would be lost."""
    if data_type in _WHOLE_NUMBERS:
        whole = int(value) if math.isfinite(value) else None
        return whole if whole == value and -(2**31) <= value < 2**31 else None
    if data_type not in _FLOATS:
        return None
    try:
        made = float(value)
        if data_type is MxDataType.FLOAT:
            (made,) = struct.unpack("<f", struct.pack("<f", made))
    except OverflowError:
        return None
    if data_type is MxDataType.ELAPSED_TIME and not _is_span(made):
        return None
    kept = made == value or (data_type is MxDataType.FLOAT and isinstance(value, float))
    return made if kept and math.isfinite(made) else None


def _is_span(seconds: float) -> bool:
    """D: time spans end where those of clients do, at 2.7 million years."""
    try:
        timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return False
    return True


def _is_in_calendar(time: Timestamp) -> bool:
    try:
        time.to_datetime()
    except ValueError:
        return False
    return True


def stored_time(value: MxValue | None) -> Timestamp:
    """The time that a write stores with its value.

    Raises:
        WrongTypeError: It is no value of type TIME, or none that a calendar holds.
    """
    time = value.timestamp_value if value is not None else None
    if time is None:
        raise WrongTypeError("the timestamp is no value of type TIME")
    if not _is_in_calendar(time):
        raise WrongTypeError("the timestamp is outside years 1 to 9999")
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
        full[element.index] = _plain(element.value)
    return full
