"""Plain values as one column of the wire: of one kind, checked, with the types that go with it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
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

from ..errors import MxGatewayValueError
from .foreign import Single
from .raw import RawValue

_Elements: TypeAlias = (
    BoolArray
    | DoubleArray
    | FloatArray
    | Int32Array
    | Int64Array
    | RawArray
    | StringArray
    | TimestampArray
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to travel: the member of MxValue's oneof (an array's has an s) and the COM type."""

    member: str
    variant_type: str
    elements: Callable[..., _Elements]


_BOOL: Final = Kind("bool_value", "VT_BOOL", BoolArray)
_I4: Final = Kind("int32_value", "VT_I4", Int32Array)
_I8: Final = Kind("int64_value", "VT_I8", Int64Array)
_R4: Final = Kind("float_value", "VT_R4", FloatArray)
_R8: Final = Kind("double_value", "VT_R8", DoubleArray)
_BSTR: Final = Kind("string_value", "VT_BSTR", StringArray)
_DATE: Final = Kind("timestamp_value", "VT_DATE", TimestampArray)
_RECORD: Final = Kind("raw_value", "VT_RECORD", RawArray)


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one kind, as the wire takes them."""

    kind: Kind
    data_type: MxDataType
    values: Sequence[object]

    def scalars(self) -> list[MxValue]:
        """Each value by itself."""
        data_type, kind = self.data_type, self.kind
        return [scalar(data_type, kind.variant_type, kind.member, value) for value in self.values]

    def array(self, dimensions: Sequence[int]) -> MxValue:
        """All values as one array."""
        array = MxArray(
            element_data_type=self.data_type,
            variant_type=self.kind.variant_type,
            dimensions=list(dimensions),
        )
        setattr(array, f"{self.kind.member}s", self.kind.elements(values=self.values))
        return MxValue(
            data_type=self.data_type,
            variant_type=f"VT_ARRAY|{self.kind.variant_type}",
            array_value=array,
        )


def scalar(data_type: MxDataType, variant_type: str, member: str, value: object) -> MxValue:
    """The message of one value, which is in ``member`` of the oneof."""
    # As decoders make it: MxValue() keeps all fifteen fields, which takes twice as long.
    made = object.__new__(MxValue)
    fields = made.__dict__
    fields["data_type"] = data_type
    fields["variant_type"] = variant_type
    fields[member] = value
    return made


def column(
    values: list[object], data_type: MxDataType | None, natural: type | None = None
) -> Column:
    """``values``, each of a type of ``plain.PLAIN``, as one column.

    Args:
        values: What to send.
        data_type: The type to send them as; None for the one that goes with their own.
        natural: The type of the values where there are none to tell it, and Single where floats
            do not tell it.

    Raises:
        MxGatewayValueError: They are of several types, do not go as ``data_type``, or one is out
            of its range.
    """
    types = set(map(type, values))
    if RawValue in types:
        raise MxGatewayValueError(
            "a RawValue goes with its own fields, by itself or in an array of its like; "
            "for anything else send bytes(value)"
        )
    if natural is not None and (not types or (natural is Single and types == {float})):
        types = {natural}
    if data_type is None:
        data_type = _only_data_type(types)
    accepts = _ACCEPTS.get(data_type)
    if accepts is None:
        raise MxGatewayValueError(
            f"a value cannot be sent as {data_type.name}; as one of {_DATA_TYPES} it can"
        )
    for found in types - accepts.keys():
        raise MxGatewayValueError(
            f"a value of type {_name(found)} cannot be sent as {data_type.name}; "
            f"it would be {_NATURAL[found].name}"
        )
    converts = {accepts[found] for found in types} or {next(iter(accepts.values()))}
    if len(converts) > 1:
        raise _mixed(types)
    kind, made = converts.pop()(values, data_type)
    return Column(kind, data_type, made)


def _only_data_type(types: set[type]) -> MxDataType:
    if not types:
        raise MxGatewayValueError(
            f"an empty list does not tell its type; give its data_type, one of {_DATA_TYPES}"
        )
    if len(types) > 1:
        raise _mixed(types)
    return _NATURAL[next(iter(types))]


def _mixed(types: set[type]) -> MxGatewayValueError:
    names = ", ".join(sorted(_name(found) for found in types))
    return MxGatewayValueError(f"a list mixes types ({names}); make its elements one type")


def _name(found: type) -> str:
    return {Single: "float32", Timestamp: "datetime"}.get(found, found.__name__)


# Below, a list holds values of the types that its table names: the check above saw to it, in a
# way that no type checker follows.
_Convert: TypeAlias = Callable[[list[Any], MxDataType], tuple[Kind, list[Any]]]


def _bools(values: list[bool], _: MxDataType) -> tuple[Kind, list[bool]]:
    return _BOOL, values


def _ints(values: list[int], _: MxDataType) -> tuple[Kind, list[int]]:
    """32 bits where all of them fit, so that a list goes as its largest element does."""
    low, high = min(values, default=0), max(values, default=0)
    if low >= -(2**31) and high < 2**31:
        return _I4, values
    if low >= -(2**63) and high < 2**63:
        return _I8, values
    raise too_wide()


def too_wide() -> MxGatewayValueError:
    """The error for an int that no type of MXAccess holds."""
    return MxGatewayValueError("an int needs more than 64 bits, the most that MXAccess carries")


def _doubles(values: list[int | float], data_type: MxDataType) -> tuple[Kind, list[int | float]]:
    try:
        made = list(map(float, values))
    except OverflowError:
        raise _loses_digits(data_type) from None
    if not all(map(math.isfinite, made)):
        raise not_finite()
    if made != values:
        raise _loses_digits(data_type)
    return _R8, made


def not_finite() -> MxGatewayValueError:
    """The error for NaN and the infinities."""
    return MxGatewayValueError(
        "NaN and infinities have no form in MXAccess; leave such samples out"
    )


def _singles(values: list[int | float], data_type: MxDataType) -> tuple[Kind, list[int | float]]:
    """Floats rounded to the nearest of 32 bits; whole numbers exactly or not at all."""
    _, doubles = _doubles(values, data_type)
    layout = f"<{len(doubles)}f"
    try:
        made = list(struct.unpack(layout, struct.pack(layout, *doubles)))
    except OverflowError:
        raise MxGatewayValueError("a float is outside FLOAT (at most 3.4028235e+38)") from None
    if int in set(map(type, values)) and any(
        type(value) is int and value != sent for value, sent in zip(values, made, strict=True)
    ):
        raise _loses_digits(data_type)
    return _R4, made


def _loses_digits(data_type: MxDataType) -> MxGatewayValueError:
    return MxGatewayValueError(f"a whole number loses digits as {data_type.name}")


def _texts(values: list[str], _: MxDataType) -> tuple[Kind, list[str]]:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        raise no_text() from None
    return _BSTR, values


def no_text() -> MxGatewayValueError:
    """The error for a str that UTF-8 does not have."""
    return MxGatewayValueError(
        "a str holds half of a surrogate pair, which is no text; decode its source again"
    )


_FIRST: Final = int(datetime.min.replace(tzinfo=timezone.utc).timestamp())
_LAST: Final = int(datetime.max.replace(microsecond=0, tzinfo=timezone.utc).timestamp())


def _times(values: list[Timestamp], _: MxDataType) -> tuple[Kind, list[Timestamp]]:
    for value in values:
        check_time(value)
    return _DATE, values


def check_time(value: Timestamp) -> None:
    """Refuse a time that the contract's Timestamp does not hold."""
    if not (_FIRST <= value.seconds <= _LAST and 0 <= value.nanos < 10**9):
        raise MxGatewayValueError("a time is outside years 1 to 9999 of UTC")


def _spans(values: list[timedelta], _: MxDataType) -> tuple[Kind, list[float]]:
    made = [value.total_seconds() for value in values]
    if not all(_is_exact(value, sent) for value, sent in zip(values, made, strict=True)):
        raise MxGatewayValueError(
            "a timedelta of more than 272 years is not exact to the microsecond as seconds; "
            "round it to seconds"
        )
    return _R8, made


def _is_exact(value: timedelta, seconds: float) -> bool:
    try:
        return timedelta(seconds=seconds) == value
    except OverflowError:
        return False


def _seconds(values: list[int | float], data_type: MxDataType) -> tuple[Kind, list[int | float]]:
    kind, made = _doubles(values, data_type)
    for extreme in (min(made, default=0), max(made, default=0)):
        span(extreme)
    return kind, made


def span(seconds: float) -> timedelta:
    """A number of seconds, rounded to the nearest microsecond.

    Raises:
        MxGatewayValueError: It is not finite, or beyond the 2.7 million years of ``timedelta``.
    """
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise MxGatewayValueError(
            "an elapsed time is no finite number of seconds that a timedelta holds"
        ) from None


def _bytes(values: list[bytes], _: MxDataType) -> tuple[Kind, list[bytes]]:
    return _RECORD, values


_TEXT: Final[Mapping[type, _Convert]] = {str: _texts}
_WHOLE: Final[Mapping[type, _Convert]] = {int: _ints}
_OPAQUE: Final[Mapping[type, _Convert]] = {bytes: _bytes}

#: What goes as each data type. An empty list goes as the first.
_ACCEPTS: Final[Mapping[MxDataType, Mapping[type, _Convert]]] = {
    MxDataType.BOOLEAN: {bool: _bools},
    MxDataType.INTEGER: _WHOLE,
    MxDataType.FLOAT: {Single: _singles, float: _singles, int: _singles},
    MxDataType.DOUBLE: {float: _doubles, Single: _doubles, int: _doubles},
    MxDataType.STRING: _TEXT,
    MxDataType.TIME: {Timestamp: _times},
    MxDataType.ELAPSED_TIME: {
        timedelta: _spans,
        float: _seconds,
        Single: _seconds,
        int: _seconds,
    },
    MxDataType.REFERENCE: _TEXT,
    MxDataType.INTERNATIONALIZED_STRING: _TEXT,
    MxDataType.BIG_STRING: _TEXT,
    MxDataType.DATA_TYPE_ENUM: _WHOLE,
    MxDataType.SECURITY_CLASSIFICATION_ENUM: _WHOLE,
    MxDataType.DATA_QUALITY_TYPE: _WHOLE,
    MxDataType.QUALIFIED_ENUM: {int: _ints, str: _texts},
    MxDataType.UNKNOWN: _OPAQUE,
    MxDataType.STATUS_TYPE: _OPAQUE,
    MxDataType.QUALIFIED_STRUCT: _OPAQUE,
}
_DATA_TYPES: Final = ", ".join(sorted(data_type.name for data_type in _ACCEPTS))

#: What each plain type goes as when nothing else is asked for.
_NATURAL: Final[Mapping[type, MxDataType]] = {
    bool: MxDataType.BOOLEAN,
    int: MxDataType.INTEGER,
    Single: MxDataType.FLOAT,
    float: MxDataType.DOUBLE,
    str: MxDataType.STRING,
    Timestamp: MxDataType.TIME,
    timedelta: MxDataType.ELAPSED_TIME,
    bytes: MxDataType.UNKNOWN,
}
