"""Python values to MxValue and back.

| Python               | data_type       | variant_type     | kind            |
|----------------------|-----------------|------------------|-----------------|
| None                 | NO_DATA         | VT_EMPTY         | none, is_null   |
| bool                 | BOOLEAN         | VT_BOOL          | bool_value      |
| int, 32 bits         | INTEGER         | VT_I4            | int32_value     |
| int, 64 bits         | INTEGER         | VT_I8            | int64_value     |
| float                | DOUBLE          | VT_R8            | double_value    |
| float as FLOAT       | FLOAT           | VT_R4            | float_value     |
| str                  | STRING          | VT_BSTR          | string_value    |
| aware datetime       | TIME            | VT_DATE          | timestamp_value |
| bytes                | UNKNOWN         | VT_RECORD        | raw_value       |
| list, tuple of these | the element's   | VT_ARRAY|VT_…    | array_value     |
| MxValue              | as it is        | as it is         | as it is        |

Numbers that are not finite have no form in MXAccess and are refused, also inside lists.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    BoolArray,
    DoubleArray,
    FloatArray,
    Int32Array,
    Int64Array,
    MxArray,
    MxDataType,
    MxValue,
    RawArray,
    StringArray,
    TimestampArray,
)

from .errors import MxGatewayValueError

#: One value of an attribute.
MxScalar: TypeAlias = bool | int | float | str | bytes | datetime
#: What methods take where the contract says MxValue.
MxValueInput: TypeAlias = MxScalar | Sequence[MxScalar] | MxValue | None
#: What reading gives: lists for arrays, aware UTC datetimes for times, None for no value.
MxValueOutput: TypeAlias = (
    MxScalar
    | list[bool]
    | list[int]
    | list[float]
    | list[str]
    | list[bytes]
    | list[datetime]
    | None
)


def to_mx_value(value: MxValueInput, *, data_type: MxDataType | None = None) -> MxValue:
    """``value`` as MXAccess takes it.

    Args:
        value: A value of the table above.
        data_type: The attribute's data type where the Python type does not tell it: FLOAT or
            DOUBLE for a float or a whole number, and the element type of an empty list.

    Raises:
        MxGatewayValueError: The value has no form in MXAccess (not finite, beyond 64 bits, a naive
            datetime, a mixed list), or not as ``data_type``. It is a ``ValueError`` too. Its text
            does not show the value.
    """
    if isinstance(value, MxValue):
        return value
    if value is None:
        return MxValue(data_type=MxDataType.NO_DATA, variant_type="VT_EMPTY", is_null=True)
    if isinstance(value, (list, tuple)):
        return _array(value, data_type)
    kind = _kind(value, data_type)
    return MxValue(
        data_type=kind.data_type,
        variant_type=kind.variant_type,
        **{kind.member: kind.convert(value)},
    )


def from_mx_value(mx: MxValue | None) -> MxValueOutput:
    """The Python value of ``mx``: None where there is none, lists for arrays, aware UTC datetimes.

    A timestamp is cut to the microsecond; ``mx.timestamp_value`` has the nanoseconds.

    Raises:
        MxGatewayValueError: A sparse array, which is for writing alone, or a time that no
            ``datetime`` holds (years 1 to 9999).
    """
    if mx is None:
        return None
    if not isinstance(mx, MxValue):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise MxGatewayValueError(f"from_mx_value takes an MxValue, not {_article(mx)}")
    if mx.is_null:
        return None
    kind = mx.which_kind()
    if kind is None:
        return None
    if kind == "sparse_array_value":
        raise MxGatewayValueError(
            "a sparse array is for writing alone; read the whole array instead"
        )
    if mx.timestamp_value is not None:
        return _moment(mx.timestamp_value)
    if mx.array_value is not None:
        return _from_array(mx.array_value)
    scalar: MxScalar = getattr(mx, kind)
    return scalar


def _from_array(array: MxArray) -> MxValueOutput:
    member = array.which_values()
    if array.timestamp_values is not None:
        return [_moment(item) for item in array.timestamp_values.values]
    if member is None:
        return []
    values: list[Any] = getattr(array, member).values
    return list(values)


def _moment(value: Timestamp) -> datetime:
    try:
        return value.to_datetime()
    except ValueError as error:
        raise MxGatewayValueError(f"a time of MXAccess has no datetime: {error}") from None


class _Kind:
    """How one Python type travels."""

    def __init__(
        self,
        member: str,
        data_type: MxDataType,
        variant_type: str,
        array: type[Any],
        convert: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self.member = member
        self.data_type = data_type
        self.variant_type = variant_type
        self.array = array
        self.convert = convert


_BOOL: Final = _Kind("bool_value", MxDataType.BOOLEAN, "VT_BOOL", BoolArray)
_I4: Final = _Kind("int32_value", MxDataType.INTEGER, "VT_I4", Int32Array, int)
_I8: Final = _Kind("int64_value", MxDataType.INTEGER, "VT_I8", Int64Array, int)
_R4: Final = _Kind("float_value", MxDataType.FLOAT, "VT_R4", FloatArray, float)
_R8: Final = _Kind("double_value", MxDataType.DOUBLE, "VT_R8", DoubleArray, float)
_BSTR: Final = _Kind("string_value", MxDataType.STRING, "VT_BSTR", StringArray)
_DATE: Final = _Kind(
    "timestamp_value", MxDataType.TIME, "VT_DATE", TimestampArray, Timestamp.from_datetime
)
_RECORD: Final = _Kind("raw_value", MxDataType.UNKNOWN, "VT_RECORD", RawArray)
_BY_DATA_TYPE: Final = {kind.data_type: kind for kind in (_BOOL, _I4, _R4, _R8, _BSTR, _DATE)}


def _kind(value: object, data_type: MxDataType | None) -> _Kind:
    kind = _natural_kind(value)
    if data_type is None or data_type == kind.data_type:
        return kind
    wanted = _BY_DATA_TYPE.get(data_type)
    if wanted in (_R4, _R8) and kind in (_I4, _I8, _R8):
        assert isinstance(value, (int, float))
        number = float(value)
        if number != value:
            raise MxGatewayValueError(f"a whole number loses digits as {data_type.name}")
        if wanted is _R4:
            _check_float(number)
        return wanted
    raise MxGatewayValueError(
        f"{_article(value)} cannot be sent as {data_type.name}; it would be {kind.data_type.name}"
    )


def _check_float(number: float) -> None:
    """As the wire does: what rounds to a 32-bit float fits."""
    try:
        struct.pack("<f", number)
    except OverflowError:
        raise MxGatewayValueError("a float is outside FLOAT (at most 3.4028235e+38)") from None


def _natural_kind(value: object) -> _Kind:
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, int):
        if -(2**31) <= value < 2**31:
            return _I4
        if -(2**63) <= value < 2**63:
            return _I8
        raise MxGatewayValueError("an int needs more than 64 bits, the most that MXAccess carries")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise MxGatewayValueError(
                "NaN and infinities have no form in MXAccess; leave such samples out"
            )
        return _R8
    if isinstance(value, str):
        return _BSTR
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise MxGatewayValueError(
                "a naive datetime names no point in time; give it a tzinfo, such as timezone.utc"
            )
        return _DATE
    if isinstance(value, bytes):
        return _RECORD
    raise MxGatewayValueError(
        f"{_article(value)} has no form in MXAccess; use bool, int, float, str, an aware datetime, "
        "bytes, None, a list of one of these, or an MxValue"
    )


def _array(values: Sequence[object], data_type: MxDataType | None) -> MxValue:
    if not values:
        known = _BY_DATA_TYPE.get(data_type) if data_type is not None else None
        if known is None:
            raise MxGatewayValueError(
                "an empty list does not tell its type; give its data_type, one of "
                + ", ".join(sorted(kind.name for kind in _BY_DATA_TYPE))
            )
        kind = known
    else:
        for value in values:
            if value is None or isinstance(value, (list, tuple)):
                found = "None" if value is None else "a list"
                raise MxGatewayValueError(
                    f"a list holds {found}; its elements must be single values"
                )
        kinds = {_kind(value, data_type) for value in values}
        if kinds == {_I4, _I8}:
            kinds = {_I8}
        if len(kinds) > 1:
            raise MxGatewayValueError(
                "a list mixes types ("
                + ", ".join(sorted(kind.data_type.name for kind in kinds))
                + "); make its elements one type"
            )
        kind = kinds.pop()
    body = kind.array(values=[kind.convert(value) for value in values])
    array = MxArray(
        element_data_type=kind.data_type,
        variant_type=kind.variant_type,
        dimensions=[len(values)],
        **{f"{kind.member}s": body},
    )
    return MxValue(
        data_type=kind.data_type, variant_type=f"VT_ARRAY|{kind.variant_type}", array_value=array
    )


def _article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"
