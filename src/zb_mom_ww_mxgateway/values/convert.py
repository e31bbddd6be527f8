"""Python values to MxValue and back.

| Python                   | data_type    | variant_type | kind             |
|--------------------------|--------------|--------------|------------------|
| None                     | NO_DATA      | VT_EMPTY     | none, is_null    |
| bool                     | BOOLEAN      | VT_BOOL      | bool_value       |
| int, 32 bits             | INTEGER      | VT_I4        | int32_value      |
| int, 64 bits             | INTEGER      | VT_I8        | int64_value      |
| float                    | DOUBLE       | VT_R8        | double_value     |
| numpy's float16, float32 | FLOAT        | VT_R4        | float_value      |
| str                      | STRING       | VT_BSTR      | string_value     |
| aware datetime           | TIME         | VT_DATE      | timestamp_value  |
| timedelta                | ELAPSED_TIME | VT_R8        | double_value     |
| bytes                    | UNKNOWN      | VT_RECORD    | raw_value        |
| lists, arrays of these   | the element's| VT_ARRAY|VT_…| array_value      |
| SparseArray              | the element's| VT_ARRAY|VT_…| sparse_array_value|
| MxValue                  | as it is     | as it is     | as it is         |

Values of numpy and pandas go as Python's. What Python types stand for is in ``plain.py`` and
``foreign.py``, how they travel in ``columns.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxArray, MxDataType, MxValue

from ..errors import MxGatewayValueError
from .columns import column, span
from .plain import MAX_DIMENSIONS, MxScalar, flatten
from .raw import RawValue, array_of, elements_of
from .scalars import MAKERS
from .sparse import SparseArray

#: A list for each dimension; the innermost ones hold single values of one type.
MxSequence: TypeAlias = Sequence["MxScalar | MxSequence"]
#: What methods take where the contract says MxValue.
MxValueInput: TypeAlias = MxScalar | MxSequence | SparseArray | MxValue | None
#: One value of an attribute, as reading gives it.
MxScalarOutput: TypeAlias = bool | int | float | str | datetime | timedelta | RawValue
#: An array, as reading gives it: lists of single values of one type, nested for each dimension.
MxArrayOutput: TypeAlias = list["MxScalarOutput | MxArrayOutput"]
#: What reading gives; None for no value.
MxValueOutput: TypeAlias = MxScalarOutput | MxArrayOutput | None


def to_mx_value(value: MxValueInput, *, data_type: MxDataType | None = None) -> MxValue:
    """``value`` as MXAccess takes it.

    Numbers, texts and times are sent without loss or refused, except that floats sent as FLOAT
    are rounded to 32 bits. Times go with their nanoseconds; MXAccess itself keeps 100 ns.
    An MxValue goes as it is, whatever ``data_type`` says, and a RawValue with its own fields.

    Args:
        value: A value of the table above. Nested lists are dimensions, in row-major order.
        data_type: The attribute's data type where the Python type does not tell it: FLOAT or
            DOUBLE for a float or a whole number, ELAPSED_TIME for a number of seconds, a kind of
            text for a str, the type of a None, and the element type of an empty list.

    Raises:
        MxGatewayValueError: The value has no form in MXAccess (not finite, beyond 64 bits, a naive
            datetime, a mixed or ragged list), or not as ``data_type``. It is a ``ValueError`` too.
            Its text does not show the value.
    """
    if data_type is None and (make := MAKERS.get(type(value))) is not None:
        return make(value)
    if data_type is not None and not isinstance(data_type, MxDataType):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise MxGatewayValueError(
            f"data_type must be an MxDataType, such as MxDataType.FLOAT, not of type "
            f"{type(data_type).__name__}"
        )
    if isinstance(value, MxValue):
        return value
    if data_type == MxDataType.UNSPECIFIED:
        data_type = None
    if value is None:
        known = MxDataType.NO_DATA if data_type is None else data_type
        return MxValue(data_type=known, variant_type="VT_EMPTY", is_null=True)
    if isinstance(value, SparseArray):
        return value.to_mx(data_type)
    flat = flatten(value)
    if flat.values and isinstance(flat.values[0], RawValue):
        raw = [item for item in flat.values if isinstance(item, RawValue)]
        if len(raw) == len(flat.values) and data_type in (None, raw[0].data_type):
            return raw[0].to_mx() if flat.dimensions is None else array_of(raw, flat.dimensions)
    made = column(flat.values, data_type, flat.natural)
    return made.scalars()[0] if flat.dimensions is None else made.array(flat.dimensions)


def from_mx_value(mx: MxValue | None) -> MxValueOutput:
    """The Python value of ``mx``, and None where there is none.

    A TIME is an aware UTC datetime, cut to the microsecond; ``mx.timestamp_value`` has the
    nanoseconds. A number of type ELAPSED_TIME is a timedelta, rounded to the microsecond. Arrays
    are lists, nested where they have several dimensions; one without elements is ``[]``. What the
    gateway did not convert is a RawValue: opaque bytes, and a value of which only a diagnostic
    came, or of a kind that is newer than this contract.

    Raises:
        MxGatewayValueError: A sparse array, which is for writing alone; a time or a span that
            Python's types do not hold; dimensions that are not those of the elements.
    """
    if mx is None:
        return None
    if not isinstance(mx, MxValue):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise MxGatewayValueError(
            f"from_mx_value takes an MxValue, not a value of type {type(mx).__name__}"
        )
    if mx.is_null:
        return None
    # The usual first: to look through all members of the oneof takes three times as long.
    usual = _USUAL.get(mx.data_type)
    if usual is not None:
        found: bool | int | float | str | None = getattr(mx, usual)
        if found is not None:
            return found
    if mx.timestamp_value is not None:
        return moment(mx.timestamp_value)
    array = mx.array_value
    if array is not None:
        if array.which_values() is None and (array.raw_diagnostic or array.unknown_fields):
            return RawValue.from_mx(mx)
        return from_mx_array(array, mx.data_type)
    kind = mx.which_kind()
    if kind is None:
        return RawValue.from_mx(mx) if mx.raw_diagnostic or mx.unknown_fields else None
    if kind == "sparse_array_value":
        raise MxGatewayValueError(
            "a sparse array is for writing alone; read the whole array instead"
        )
    if mx.raw_value is not None:
        return RawValue.from_mx(mx)
    if mx.data_type == MxDataType.ELAPSED_TIME and kind in _NUMBERS:
        return span(getattr(mx, kind))
    scalar: bool | int | float | str = getattr(mx, kind)
    return scalar


def from_mx_array(array: MxArray, data_type: MxDataType = MxDataType.UNSPECIFIED) -> MxArrayOutput:
    """The elements of ``array``, such as one of a buffered data change, as ``from_mx_value``.

    Args:
        array: An array of the contract.
        data_type: The type of its elements where ``array`` does not say it.

    Raises:
        MxGatewayValueError: As ``from_mx_value``.
    """
    return _nested(_elements(array, array.element_data_type or data_type), array.dimensions)


#: The member that a single value of a type most often is in.
_USUAL: Final[Mapping[MxDataType, str]] = {
    MxDataType.BOOLEAN: "bool_value",
    MxDataType.INTEGER: "int32_value",
    MxDataType.FLOAT: "float_value",
    MxDataType.DOUBLE: "double_value",
    MxDataType.STRING: "string_value",
}

_NUMBERS: Final = frozenset({"int32_value", "int64_value", "float_value", "double_value"})


def _elements(array: MxArray, data_type: MxDataType) -> MxArrayOutput:
    member = array.which_values()
    if member is None:
        return []
    if array.raw_values is not None:
        return [*elements_of(array, array.raw_values)]
    if array.timestamp_values is not None:
        return [moment(item) for item in array.timestamp_values.values]
    values: Sequence[bool | int | float | str] = getattr(array, member).values
    if data_type == MxDataType.ELAPSED_TIME and member.removesuffix("s") in _NUMBERS:
        return [span(item) for item in values if not isinstance(item, str)]
    return list(values)


def _nested(values: MxArrayOutput, dimensions: Sequence[int]) -> MxArrayOutput:
    """``values``, row by row, as lists of ``dimensions``; without any, as they are."""
    if not dimensions:
        return values
    if len(dimensions) > MAX_DIMENSIONS or math.prod(dimensions) != len(values):
        raise MxGatewayValueError(
            f"an array of {len(values)} elements has dimensions of another number: "
            + " x ".join(map(str, dimensions[:8]))
        )
    if not values:
        return []
    for length in reversed(dimensions[1:]):
        values = [values[start : start + length] for start in range(0, len(values), length)]
    return values


def moment(value: Timestamp) -> datetime:
    """``value`` as an aware UTC datetime; ``MxGatewayValueError`` outside of years 1 to 9999."""
    try:
        return value.to_datetime()
    except ValueError as error:
        raise MxGatewayValueError(f"a time of MXAccess has no datetime: {error}") from None
