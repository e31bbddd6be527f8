"""Writing: what generated encoders are made of. It compiles with them; ``encoding.pxd`` has types.

Nothing here knows a message. Writers append to a ``bytearray``. What they accept is wider than what
type checkers let through: it is they who say no. They name the field in what they raise and never
quote its value, which may be a password or a secured value.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from . import native
from .codec import MAX_DEPTH, EncodeError

_K = TypeVar("_K")
_M = TypeVar("_M")


def wrong_type(field: str, expected: str, value: object) -> EncodeError:
    """The error for a value of another type than the field's."""
    return EncodeError(f"{field}: expected {expected}, got {type(value).__name__}")


def endless(field: str) -> EncodeError:
    """The error for messages nested deeper than ``MAX_DEPTH``, which no receiver would take."""
    return EncodeError(f"{field}: messages are nested deeper than {MAX_DEPTH} levels")


def begin(out: bytearray) -> int:
    """Leave room for the length of what follows, whose first position it returns."""
    out.append(0)
    return len(out)


def finish(out: bytearray, start: int) -> None:
    """Put the length of what was appended since ``start`` before it."""
    size = len(out) - start
    if size <= 0x7F:
        out[start - 1] = size
        return
    length = bytearray()
    write_varint(length, size)
    out[start - 1 : start] = length


def write_varint(out: bytearray, value: int) -> None:
    """Append an unsigned number."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _write_negative(out: bytearray, value: int) -> None:
    """Append a number below 0, which takes ten bytes."""
    write_varint(out, value & 0xFFFF_FFFF_FFFF_FFFF)


def _signed(value: object, low: int, high: int, kind: str, field: str) -> int:
    """``value`` as the number it is, if it is one from ``low`` to ``high``."""
    if not isinstance(value, int):
        raise wrong_type(field, kind, value)
    try:
        number = value
        if low <= number <= high:
            return number
    except OverflowError:  # compiled, a number has 64 bits
        pass
    raise EncodeError(f"{field}: the value is outside {kind} ({low} to {high})")


def _unsigned(value: object, high: int, kind: str, field: str) -> int:
    """``value`` as the number it is, if it is one from 0 to ``high``."""
    if not isinstance(value, int):
        raise wrong_type(field, kind, value)
    try:
        number = value
        if value >= 0 and number <= high:
            return number
    except OverflowError:
        pass
    raise EncodeError(f"{field}: the value is outside {kind} (0 to {high})")


def write_int32(out: bytearray, value: int, field: str) -> None:
    """Append an int32; a negative one takes ten bytes."""
    number = _signed(value, -(2**31), 2**31 - 1, "int32", field)
    if number >= 0:
        write_varint(out, number)
    else:
        _write_negative(out, number)


def write_int64(out: bytearray, value: int, field: str) -> None:
    """Append an int64."""
    number = _signed(value, -(2**63), 2**63 - 1, "int64", field)
    if number >= 0:
        write_varint(out, number)
    else:
        _write_negative(out, number)


def write_uint32(out: bytearray, value: int, field: str) -> None:
    """Append a uint32."""
    write_varint(out, _unsigned(value, 2**32 - 1, "uint32", field))


def write_uint64(out: bytearray, value: int, field: str) -> None:
    """Append a uint64."""
    write_varint(out, _unsigned(value, 2**64 - 1, "uint64", field))


def write_sint32(out: bytearray, value: int, field: str) -> None:
    """Append a sint32, zigzag-coded."""
    number = _signed(value, -(2**31), 2**31 - 1, "sint32", field)
    write_varint(out, number << 1 ^ number >> 63)


def write_sint64(out: bytearray, value: int, field: str) -> None:
    """Append a sint64, zigzag-coded."""
    number = _signed(value, -(2**63), 2**63 - 1, "sint64", field)
    write_varint(out, number << 1 ^ number >> 63)


def write_enum(out: bytearray, value: int, field: str) -> None:
    """Append an enum's number, known or not."""
    number = _signed(value, -(2**31), 2**31 - 1, "enum", field)
    if number >= 0:
        write_varint(out, number)
    else:
        _write_negative(out, number)


def write_bool(out: bytearray, value: bool, field: str) -> None:
    """Append a bool."""
    if value is True:
        out.append(1)
    elif value is False:
        out.append(0)
    else:
        raise wrong_type(field, "bool", value)


_FIXED32 = struct.Struct("<I")
_SFIXED32 = struct.Struct("<i")
_FIXED64 = struct.Struct("<Q")
_SFIXED64 = struct.Struct("<q")


def write_fixed32(out: bytearray, value: int, field: str) -> None:
    """Append a fixed32."""
    out += _FIXED32.pack(_unsigned(value, 2**32 - 1, "fixed32", field))


def write_fixed64(out: bytearray, value: int, field: str) -> None:
    """Append a fixed64."""
    out += _FIXED64.pack(_unsigned(value, 2**64 - 1, "fixed64", field))


def write_sfixed32(out: bytearray, value: int, field: str) -> None:
    """Append an sfixed32."""
    out += _SFIXED32.pack(_signed(value, -(2**31), 2**31 - 1, "sfixed32", field))


def write_sfixed64(out: bytearray, value: int, field: str) -> None:
    """Append an sfixed64."""
    out += _SFIXED64.pack(_signed(value, -(2**63), 2**63 - 1, "sfixed64", field))


def write_float(out: bytearray, value: float, field: str) -> None:
    """Append a float; a finite number beyond 32-bit range is refused, not made infinite."""
    try:
        native.write_float(out, value)
    except Exception:  # whatever an object that is no float says, and it may quote itself
        raise _no_float(value, "float (at most 3.4028235e+38)", field) from None


def write_double(out: bytearray, value: float, field: str) -> None:
    """Append a double."""
    try:
        native.write_double(out, value)
    except Exception:
        raise _no_float(value, "double", field) from None


def _no_float(value: object, kind: str, field: str) -> EncodeError:
    if isinstance(value, (int, float)):
        return EncodeError(f"{field}: the value is outside {kind}")
    return wrong_type(field, "float", value)


def write_string(out: bytearray, value: str, field: str) -> None:
    """Append a string with its length."""
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise wrong_type(field, "str", value)
    try:
        body = value.encode()
    except UnicodeEncodeError:
        raise EncodeError(
            f"{field}: the text holds a lone surrogate, which UTF-8 has not"
        ) from None
    write_varint(out, len(body))
    out += body


def write_bytes(out: bytearray, value: bytes, field: str) -> None:
    """Append bytes with their length."""
    if not isinstance(value, (bytes, bytearray)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise wrong_type(field, "bytes", value)
    write_varint(out, len(value))
    out += value


def sequence(values: Iterable[_M], field: str) -> Sequence[_M]:
    """``values`` if it is a list or tuple, as a repeated field must be."""
    if not isinstance(values, (list, tuple)):
        raise wrong_type(field, "list", values)
    return values


def mapping(values: Mapping[_K, _M], field: str) -> Mapping[_K, _M]:
    """``values`` if it is a dict, as a map field must be."""
    if not isinstance(values, dict):
        raise wrong_type(field, "dict", values)
    return values


def is_zero(value: float) -> bool:
    """Whether a float is the default that is not sent; -0.0 is not."""
    return value == 0.0 and math.copysign(1.0, value) > 0.0
