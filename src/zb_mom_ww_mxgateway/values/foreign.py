"""Values of numpy and pandas, known by their attributes: neither package is imported.

numpy's ``datetime64`` has no zone and counts from 1970-01-01T00:00Z, so it is taken as UTC; pandas
has zones, so its naive times are refused as Python's are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final, Protocol, Self, TypeGuard, runtime_checkable

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp

from ..errors import MxGatewayValueError


@runtime_checkable
class ArrayLike(Protocol):
    """Arrays, Series, indexes and single values of numpy, pandas and what is like them."""

    @property
    def dtype(self) -> object:
        """The type of the elements."""
        ...

    def tolist(self) -> object:
        """The elements as lists of Python's own types."""
        ...


class Single(float):
    """A float that had 32 bits or fewer where it came from, and so travels as FLOAT.

    In an array that has such a type, the elements are plain floats, and ``natural_type`` says it.
    """


class DType(Protocol):
    """What a dtype tells of its elements."""

    @property
    def kind(self) -> str:
        """One letter: numpy's array interface protocol."""
        ...

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        ...

    @property
    def name(self) -> str:
        """The type in numpy's spelling, such as ``datetime64[ns]``."""
        ...


class NumpyLike(Protocol):
    """An array of numpy, or one of its single values, which is an array of no dimension."""

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the dimensions."""
        ...

    def reshape(self, shape: int, /) -> Self:
        """The elements in another shape; -1 for one dimension."""
        ...

    def astype(self, dtype: str, /) -> Self:
        """The elements in another type."""
        ...

    def tolist(self) -> list[object]:
        """The elements (of what has one dimension)."""
        ...

    def __iter__(self) -> Iterator[object]: ...


@runtime_checkable
class _PandasTimestamp(Protocol):
    def to_datetime64(self) -> NumpyLike: ...


@runtime_checkable
class _PandasTimedelta(Protocol):
    def to_timedelta64(self) -> NumpyLike: ...


#: Nanoseconds in one unit of datetime64 and timedelta64, as a fraction.
_UNITS: Final = {
    "W": (604_800 * 10**9, 1),
    "D": (86_400 * 10**9, 1),
    "h": (3_600 * 10**9, 1),
    "m": (60 * 10**9, 1),
    "s": (10**9, 1),
    "ms": (10**6, 1),
    "us": (10**3, 1),
    "ns": (1, 1),
    "ps": (1, 10**3),
    "fs": (1, 10**6),
    "as": (1, 10**9),
}
_MONTHS: Final = {"Y": 12, "M": 1}
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
#: numpy's number for "not a time".
_NAT: Final = -(2**63)
_MISSING: Final = "a missing value (NaT, NA) has no form in MXAccess; leave such samples out"


def is_numpy(value: object) -> TypeGuard[NumpyLike]:
    """Whether ``value`` is a plain array or a single value of numpy.

    Masked arrays and matrices are not plain: they go the way of everything with ``tolist``.
    """
    of = type(value)
    return of.__module__ == "numpy" and (
        of.__name__ == "ndarray" or getattr(value, "shape", None) == ()
    )


def is_missing(value: object) -> bool:
    """Whether ``value`` is pandas's NaT or NA."""
    of = type(value)
    return of.__name__ in ("NaTType", "NAType") and of.__module__.partition(".")[0] == "pandas"


def refuse_missing() -> MxGatewayValueError:
    """The error for what ``is_missing``."""
    return MxGatewayValueError(_MISSING)


def natural_type(dtype: object) -> type | None:
    """The type of ``plain.PLAIN`` that elements of ``dtype`` are; None where only they tell."""
    kind = getattr(dtype, "kind", None)
    if kind == "f" and getattr(dtype, "itemsize", 8) < 8:
        return Single
    return {
        "b": bool,
        "i": int,
        "u": int,
        "f": float,
        "U": str,
        "T": str,
        "S": bytes,
        "M": Timestamp,
        "m": timedelta,
    }.get(kind or "")


def numpy_values(array: NumpyLike) -> Sequence[object]:
    """All elements of ``array``, row by row, in Python's types; object arrays as they are."""
    dtype, flat = array.dtype, array.reshape(-1)
    if dtype.kind == "M":
        return _moments(flat.astype("int64").tolist(), dtype.name)
    if dtype.kind == "m":
        return _spans(flat.astype("int64").tolist(), dtype.name)
    check_dtype(dtype)
    return flat.tolist()


def check_dtype(dtype: object) -> None:
    """Refuse structured, complex and extended types: their elements look like lists, or lose."""
    kind = getattr(dtype, "kind", "")
    if kind in ("V", "c") or (kind == "f" and getattr(dtype, "itemsize", 8) > 8):
        raise MxGatewayValueError(
            f"numpy's {getattr(dtype, 'name', kind)} has no form in MXAccess; convert it, for "
            "example to float64"
        )


def wire_moment(value: datetime) -> Timestamp:
    """An aware datetime for the wire, a pandas Timestamp to the nanosecond."""
    if type(value) is datetime or not isinstance(value, _PandasTimestamp):
        return Timestamp.from_datetime(value)
    (made,) = numpy_values(value.to_datetime64())
    assert isinstance(made, Timestamp)
    return made


def python_span(value: timedelta) -> timedelta:
    """Any timedelta, a pandas Timedelta among them, as Python's own."""
    if not isinstance(value, _PandasTimedelta):
        return timedelta(value.days, value.seconds, value.microseconds)
    (made,) = numpy_values(value.to_timedelta64())
    assert isinstance(made, timedelta)
    return made


def _moments(counts: Sequence[object], dtype: str) -> list[Timestamp]:
    numbers = _numbers(counts)
    count, unit = _unit(dtype)
    if unit in _MONTHS:
        nanoseconds = [_month(number * count * _MONTHS[unit]) for number in numbers]
    else:
        nanoseconds = _nanoseconds(numbers, count, unit)
    return [Timestamp.from_nanoseconds(number) for number in nanoseconds]


def _spans(counts: Sequence[object], dtype: str) -> list[timedelta]:
    numbers = _numbers(counts)
    count, unit = _unit(dtype)
    if unit in _MONTHS:
        raise MxGatewayValueError("a span of months or years has no fixed length; give it in days")
    nanoseconds = _nanoseconds(numbers, count, unit)
    if any(number % 1_000 for number in nanoseconds):
        raise MxGatewayValueError(
            "a span of time is finer than a microsecond; round it to microseconds first"
        )
    try:
        return [timedelta(microseconds=number // 1_000) for number in nanoseconds]
    except OverflowError:
        raise MxGatewayValueError("a span of time is beyond that of timedelta") from None


def _unit(dtype: str) -> tuple[int, str]:
    """``datetime64[25s]`` is (25, "s")."""
    match = re.search(r"\[(\d*)(\w+)\]", dtype)
    if match is None:
        raise MxGatewayValueError("a datetime64 or timedelta64 without a unit has no meaning")
    return int(match[1] or 1), match[2]


def _numbers(counts: Sequence[object]) -> list[int]:
    """``counts``, which are ints, without one that stands for no time."""
    numbers = [number for number in counts if isinstance(number, int)]
    if _NAT in numbers:
        raise refuse_missing()
    return numbers


def _nanoseconds(numbers: Sequence[int], count: int, unit: str) -> list[int]:
    over, under = _UNITS[unit]
    over *= count
    if any(number * over % under for number in numbers):
        raise MxGatewayValueError(
            "a time of numpy is finer than a nanosecond, the finest that the gateway takes"
        )
    return [number * over // under for number in numbers]


def _month(months: int) -> int:
    """Nanoseconds at the start of a month, counted from January 1970."""
    year, month = divmod(months, 12)
    try:
        days = date(1970 + year, month + 1, 1).toordinal() - _EPOCH_DAY
    except (ValueError, OverflowError):
        raise MxGatewayValueError("a time is outside years 1 to 9999") from None
    return days * 86_400 * 10**9
