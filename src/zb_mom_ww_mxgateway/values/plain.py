"""Python values, nested lists and arrays of numpy and pandas as flat lists of a few plain types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final, NamedTuple, TypeAlias, TypeGuard

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp

from ..errors import MxGatewayValueError
from . import foreign
from .foreign import ArrayLike, Single
from .raw import RawValue

#: One value of an attribute, as methods take it.
MxScalar: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | bytearray
    | memoryview
    | datetime
    | timedelta
    | Timestamp
    | ArrayLike
)

#: The types that a list is brought to, exactly these and no types derived from them.
PLAIN: Final = frozenset({bool, int, float, Single, str, bytes, RawValue, Timestamp, timedelta})
#: Types whose values are single values, asked for first because asking for ArrayLike takes long.
_SINGLE: Final = (bool, int, float, str, datetime, timedelta, Timestamp, bytes, bytearray)
#: COM's tools end at 60 dimensions: Visual Basic's limit.
MAX_DIMENSIONS: Final = 60


class Flat(NamedTuple):
    """Elements row by row, and what is known beside them."""

    values: list[object]
    """Each of a type of PLAIN."""

    dimensions: tuple[int, ...] | None
    """Lengths, the outermost first; None for one single value."""

    natural: type | None
    """The type that what comes from numpy or pandas has by itself, also without elements."""


def flatten(value: object) -> Flat:
    """``value`` as a flat list, whether it is one value, a nested list or an array.

    Raises:
        MxGatewayValueError: Something in it has no form in MXAccess, or lists differ in length.
    """
    if isinstance(value, _SINGLE):
        return Flat([plain(value)], None, None)
    if foreign.is_numpy(value) and value.shape == ():
        return Flat([plain(value)], None, None)
    if foreign.is_numpy(value):
        values = _plain_list(foreign.numpy_values(value))
        return Flat(values, value.shape, foreign.natural_type(value.dtype))
    if _is_sequence(value):
        return _rows(value)
    if isinstance(value, ArrayLike):
        return _listed(value)
    return Flat([plain(value)], None, None)


def plain(value: object) -> object:
    """One value as one of the types of PLAIN.

    Raises:
        MxGatewayValueError: It has no form in MXAccess.
    """
    if type(value) in PLAIN:
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str.__str__(value)  # of an enum that is a str too, str() gives its name
    if type(value) is datetime:  # and so not NaT, which is a datetime too
        return wire_time(value)
    if foreign.is_missing(value):
        raise foreign.refuse_missing()
    if isinstance(value, datetime):
        return wire_time(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, memoryview):
        return value.tobytes()
    if isinstance(value, timedelta):
        return foreign.python_span(value)
    if foreign.is_numpy(value) and value.shape == ():
        (made,) = foreign.numpy_values(value)
        if foreign.natural_type(value.dtype) is Single and isinstance(made, float):
            return Single(made)
        if type(made) is not type(value):
            return plain(made)
    if value is None:
        raise MxGatewayValueError("an array holds None; its elements must be single values")
    raise MxGatewayValueError(
        f"a value of type {type(value).__name__} has no form in MXAccess; use bool, int, float, "
        "str, an aware datetime, a timedelta, bytes, None, a list of one of these, or an MxValue"
    )


def wire_time(value: datetime) -> Timestamp:
    """A datetime, of pandas too, for the wire; a naive one is refused."""
    if value.utcoffset() is None:
        raise MxGatewayValueError(
            "a naive datetime names no point in time; give it a tzinfo, such as timezone.utc"
        )
    return foreign.wire_moment(value)


def _plain_list(values: Sequence[object]) -> list[object]:
    return list(values) if set(map(type, values)) <= PLAIN else [plain(item) for item in values]


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(
        value, (str, bytes, bytearray, memoryview)
    )


def _is_row(value: object) -> TypeGuard[Iterable[object]]:
    return _is_sequence(value) or (foreign.is_numpy(value) and value.shape != ())


def _rows(value: Sequence[object]) -> Flat:
    """A nested list as its elements in row-major order: the last dimension runs fastest."""
    level: list[object] = list(value)
    dimensions = [len(level)]
    outer: list[object] = [value]  # kept, as an id names an object only while it lives
    while not all(issubclass(of, _SINGLE) for of in set(map(type, level))):
        if not set(map(id, level)).isdisjoint(map(id, outer)):
            raise MxGatewayValueError("a list holds itself")
        rows = [list(item) for item in level if _is_row(item)]
        if not rows:
            break
        if len(rows) < len(level):
            raise MxGatewayValueError("a list mixes single values and lists; make it one of both")
        if len(set(map(len, rows))) > 1:
            raise MxGatewayValueError(
                "a nested list is ragged; all lists of one dimension need the same length"
            )
        dimensions.append(len(rows[0]))
        if len(dimensions) > MAX_DIMENSIONS:
            raise MxGatewayValueError(f"a list has more than {MAX_DIMENSIONS} dimensions")
        outer += level
        level = list(chain.from_iterable(rows))
    return Flat(_plain_list(level), tuple(dimensions), None)


def _listed(array: ArrayLike) -> Flat:
    """What is no plain array of numpy tells its elements itself: pandas, masked arrays."""
    foreign.check_dtype(array.dtype)
    listed = array.tolist()
    flat = _rows(listed) if _is_sequence(listed) else Flat([plain(listed)], None, None)
    natural = foreign.natural_type(array.dtype)
    if natural in (Timestamp, timedelta) and int in map(type, flat.values):
        # So numpy lists nanoseconds, for which Python has no type.
        raise MxGatewayValueError(
            "the times of this array come as numbers; make it a plain one with numpy.asarray"
        )
    return flat._replace(natural=natural)
