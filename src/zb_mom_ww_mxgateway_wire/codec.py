"""Varints, tags, bounds and skipping: what every generated codec is made of.

Nothing here knows a message. Writers append to a ``bytearray`` and name the field in what they
raise; they never quote its value, which may be a password or a secured value. Readers take the
whole buffer, so running past its end is an ``IndexError``, which ``guarded`` turns into a
``DecodeError``; a message inside another checks that it ended where it should.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

#: How deep messages may nest, the limit of every protobuf implementation.
MAX_DEPTH: Final = 100

#: An instance without ``__init__``: what the wire does not bring, the class's defaults hold.
new: Final = object.__new__

#: Where the third to the tenth byte of a varint go.
_LATER_SHIFTS: Final = (14, 21, 28, 35, 42, 49, 56, 63)
#: The largest finite 32-bit float.
FLOAT_MAX: Final = float.fromhex("0x1.fffffep+127")
_MAX_UINT64: Final = 2**64 - 1
_K = TypeVar("_K")
_M = TypeVar("_M")


class DecodeError(ValueError):
    """Bytes or JSON that are no valid message of the type asked for."""


class EncodeError(ValueError):
    """A field holds a value that its type cannot carry. The text names the field, not the value."""


# --- reading ---------------------------------------------------------------------------------


def truncated() -> DecodeError:
    """The error for a length that reaches past the end of its message."""
    return DecodeError("the message ends in the middle of a field")


def too_deep() -> DecodeError:
    """The error for messages nested deeper than ``MAX_DEPTH``."""
    return DecodeError(f"messages are nested deeper than {MAX_DEPTH} levels")


#: What is generated for each message: buffer, first position, end, depth, message to merge into.
Decoder = Callable[[bytes, int, int, int, _M | None], _M]


def guarded(name: str, decode: Decoder[_M], data: bytes, into: _M | None = None) -> _M:
    """Decode ``data`` as message ``name``; whatever is wrong with it becomes a ``DecodeError``."""
    try:
        return decode(data, 0, len(data), 0, into)
    except DecodeError as error:
        raise DecodeError(f"cannot decode {name}: {error}") from None
    except (IndexError, struct.error):
        raise DecodeError(f"cannot decode {name}: {truncated()}") from None
    except UnicodeDecodeError:
        raise DecodeError(f"cannot decode {name}: a string field is not valid UTF-8") from None


def read_varint(data: bytes, pos: int, first: int) -> tuple[int, int]:
    """Finish a varint whose first byte, already read, was ``first`` (> 127).

    Returns the unsigned 64-bit value and the position after it. Bits beyond the 64th, which only
    a tenth byte can bring, are dropped, as every protobuf implementation does.
    """
    byte = data[pos]
    if byte < 0x80:
        return first & 0x7F | byte << 7, pos + 1
    value = first & 0x7F | (byte & 0x7F) << 7
    for shift in _LATER_SHIFTS:
        pos += 1
        byte = data[pos]
        if byte < 0x80:
            return (value | byte << shift) & _MAX_UINT64, pos + 1
        value |= (byte & 0x7F) << shift
    raise DecodeError("a varint is longer than 10 bytes")


def read_tag(data: bytes, pos: int, first: int) -> tuple[int, int]:
    """Finish a tag of more than one byte; at most five bytes and 32 bits."""
    tag, end = read_varint(data, pos, first)
    if end - pos > 4 or tag >> 32:
        raise DecodeError("a field number is out of range")
    return tag, end


def read_size(data: bytes, pos: int, first: int) -> tuple[int, int]:
    """Finish a length of more than one byte; at most five bytes."""
    size, end = read_varint(data, pos, first)
    if end - pos > 4:
        raise DecodeError("a length is longer than 5 bytes")
    return size, end


def skip(data: bytes, pos: int, tag: int, depth: int) -> int:
    """The position after an unknown field whose tag was just read."""
    if tag < 8:
        raise DecodeError("a field number is out of range")
    return _skip_value(data, pos, tag, depth)


def _skip_value(data: bytes, pos: int, tag: int, depth: int) -> int:
    wire_type = tag & 7
    if wire_type == 0:
        first = data[pos]
        return read_varint(data, pos + 1, first)[1] if first > 0x7F else pos + 1
    if wire_type == 1:
        stop = pos + 8
    elif wire_type == 5:
        stop = pos + 4
    elif wire_type == 2:
        size = data[pos]
        pos += 1
        if size > 0x7F:
            size, pos = read_size(data, pos, size)
        stop = pos + size
    elif wire_type == 3:
        return _skip_group(data, pos, tag >> 3, depth + 1)
    else:
        raise DecodeError("a group ends that was never begun, or a wire type is unknown")
    if stop > len(data):
        raise truncated()
    return stop


def _skip_group(data: bytes, pos: int, number: int, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise too_deep()
    while True:
        tag = data[pos]
        pos += 1
        if tag > 0x7F:
            tag, pos = read_tag(data, pos, tag)
        if tag & 7 == 4:
            if tag >> 3 != number:
                raise DecodeError("a group ends with the number of another")
            return pos
        # As google.protobuf does: inside a group nobody looks at the number.
        pos = _skip_value(data, pos, tag, depth)


def varints(data: bytes) -> list[int]:
    """All varints of a packed field, as unsigned 64-bit numbers."""
    values: list[int] = []
    pos, end = 0, len(data)
    while pos < end:
        value = data[pos]
        pos += 1
        if value > 0x7F:
            value, pos = read_varint(data, pos, value)
        values.append(value)
    return values


def extended(before: bytes | bytearray, chunks: list[bytes]) -> bytes | bytearray:
    """``before`` and ``chunks`` in one; grown in place, so that a message merged again and again
    does not copy what it has each time."""
    if not before:
        return b"".join(chunks)
    grown = before if isinstance(before, bytearray) else bytearray(before)
    for chunk in chunks:
        grown += chunk
    return grown


def to_int32(value: int) -> int:
    """The low 32 bits of a varint as a signed number."""
    value &= 0xFFFF_FFFF
    return value - 0x1_0000_0000 if value > 0x7FFF_FFFF else value


def to_int64(value: int) -> int:
    """A 64-bit varint as a signed number."""
    return value - 0x1_0000_0000_0000_0000 if value > 0x7FFF_FFFF_FFFF_FFFF else value


def to_uint32(value: int) -> int:
    """The low 32 bits of a varint."""
    return value & 0xFFFF_FFFF


def to_uint64(value: int) -> int:
    """A 64-bit varint as it is."""
    return value


def to_sint32(value: int) -> int:
    """A zigzag-coded 32-bit number."""
    value &= 0xFFFF_FFFF
    return (value >> 1) ^ -(value & 1)


def to_sint64(value: int) -> int:
    """A zigzag-coded 64-bit number."""
    return (value >> 1) ^ -(value & 1)


def to_bool(value: int) -> bool:
    """Any varint but zero is true."""
    return value != 0


_FIXED32 = struct.Struct("<I")
_SFIXED32 = struct.Struct("<i")
_FLOAT = struct.Struct("<f")
_FIXED64 = struct.Struct("<Q")
_SFIXED64 = struct.Struct("<q")
_DOUBLE = struct.Struct("<d")


def read_fixed32(data: bytes, pos: int) -> int:
    """Four bytes as an unsigned number."""
    return int(_FIXED32.unpack_from(data, pos)[0])


def read_sfixed32(data: bytes, pos: int) -> int:
    """Four bytes as a signed number."""
    return int(_SFIXED32.unpack_from(data, pos)[0])


def read_float(data: bytes, pos: int) -> float:
    """Four bytes as a float."""
    return float(_FLOAT.unpack_from(data, pos)[0])


def read_fixed64(data: bytes, pos: int) -> int:
    """Eight bytes as an unsigned number."""
    return int(_FIXED64.unpack_from(data, pos)[0])


def read_sfixed64(data: bytes, pos: int) -> int:
    """Eight bytes as a signed number."""
    return int(_SFIXED64.unpack_from(data, pos)[0])


def read_double(data: bytes, pos: int) -> float:
    """Eight bytes as a double."""
    return float(_DOUBLE.unpack_from(data, pos)[0])


def _unpack(code: str, size: int, data: bytes) -> list[int | float]:
    count, rest = divmod(len(data), size)
    if rest:
        raise DecodeError(f"a packed field of {len(data)} bytes is no multiple of {size}")
    return list(struct.unpack(f"<{count}{code}", data))


def unpack_fixed32(data: bytes) -> list[int]:
    """The numbers of a packed fixed32 field."""
    return [int(v) for v in _unpack("I", 4, data)]


def unpack_sfixed32(data: bytes) -> list[int]:
    """The numbers of a packed sfixed32 field."""
    return [int(v) for v in _unpack("i", 4, data)]


def unpack_float(data: bytes) -> list[float]:
    """The numbers of a packed float field."""
    return [float(v) for v in _unpack("f", 4, data)]


def unpack_fixed64(data: bytes) -> list[int]:
    """The numbers of a packed fixed64 field."""
    return [int(v) for v in _unpack("Q", 8, data)]


def unpack_sfixed64(data: bytes) -> list[int]:
    """The numbers of a packed sfixed64 field."""
    return [int(v) for v in _unpack("q", 8, data)]


def unpack_double(data: bytes) -> list[float]:
    """The numbers of a packed double field."""
    return [float(v) for v in _unpack("d", 8, data)]


# --- writing ---------------------------------------------------------------------------------

#: What writers accept is wider than what type checkers let through: it is they who say no.
Writer = Callable[[bytearray, _M, str], None]


def wrong_type(field: str, expected: str, value: object) -> EncodeError:
    """The error for a value of another type than the field's."""
    return EncodeError(f"{field}: expected {expected}, got {type(value).__name__}")


def _integer(value: object, low: int, high: int, kind: str, field: str) -> int:
    if not isinstance(value, int):
        raise wrong_type(field, kind, value)
    if not low <= value <= high:
        raise EncodeError(f"{field}: the value is outside {kind} ({low} to {high})")
    return value


def _varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def write_int32(out: bytearray, value: int, field: str) -> None:
    """Append an int32; a negative one takes ten bytes."""
    value = _integer(value, -(2**31), 2**31 - 1, "int32", field)
    _varint(out, value & 0xFFFF_FFFF_FFFF_FFFF)


def write_int64(out: bytearray, value: int, field: str) -> None:
    """Append an int64."""
    value = _integer(value, -(2**63), 2**63 - 1, "int64", field)
    _varint(out, value & 0xFFFF_FFFF_FFFF_FFFF)


def write_uint32(out: bytearray, value: int, field: str) -> None:
    """Append a uint32."""
    _varint(out, _integer(value, 0, 2**32 - 1, "uint32", field))


def write_uint64(out: bytearray, value: int, field: str) -> None:
    """Append a uint64."""
    _varint(out, _integer(value, 0, 2**64 - 1, "uint64", field))


def write_sint32(out: bytearray, value: int, field: str) -> None:
    """Append a sint32, zigzag-coded."""
    value = _integer(value, -(2**31), 2**31 - 1, "sint32", field)
    _varint(out, (value << 1) ^ (value >> 31))


def write_sint64(out: bytearray, value: int, field: str) -> None:
    """Append a sint64, zigzag-coded."""
    value = _integer(value, -(2**63), 2**63 - 1, "sint64", field)
    _varint(out, (value << 1) ^ (value >> 63))


def write_enum(out: bytearray, value: int, field: str) -> None:
    """Append an enum's number, known or not."""
    value = _integer(value, -(2**31), 2**31 - 1, "enum", field)
    _varint(out, value & 0xFFFF_FFFF_FFFF_FFFF)


def write_bool(out: bytearray, value: bool, field: str) -> None:
    """Append a bool."""
    if value is True:
        out.append(1)
    elif value is False:
        out.append(0)
    else:
        raise wrong_type(field, "bool", value)


def write_fixed32(out: bytearray, value: int, field: str) -> None:
    """Append a fixed32."""
    out += _FIXED32.pack(_integer(value, 0, 2**32 - 1, "fixed32", field))


def write_fixed64(out: bytearray, value: int, field: str) -> None:
    """Append a fixed64."""
    out += _FIXED64.pack(_integer(value, 0, 2**64 - 1, "fixed64", field))


def write_sfixed32(out: bytearray, value: int, field: str) -> None:
    """Append an sfixed32."""
    out += _SFIXED32.pack(_integer(value, -(2**31), 2**31 - 1, "sfixed32", field))


def write_sfixed64(out: bytearray, value: int, field: str) -> None:
    """Append an sfixed64."""
    out += _SFIXED64.pack(_integer(value, -(2**63), 2**63 - 1, "sfixed64", field))


def write_float(out: bytearray, value: float, field: str) -> None:
    """Append a float; a finite number beyond 32-bit range is refused, not made infinite."""
    try:
        out += _FLOAT.pack(value)
    except (OverflowError, struct.error):
        raise _no_float(value, "float (at most 3.4028235e+38)", field) from None


def write_double(out: bytearray, value: float, field: str) -> None:
    """Append a double."""
    try:
        out += _DOUBLE.pack(value)
    except (OverflowError, struct.error):
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
    _varint(out, len(body))
    out += body


def write_bytes(out: bytearray, value: bytes, field: str) -> None:
    """Append bytes with their length."""
    if not isinstance(value, (bytes, bytearray)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise wrong_type(field, "bytes", value)
    _varint(out, len(value))
    out += value


def pack(values: Iterable[_M], write: Writer[_M], field: str) -> bytes:
    """The body of a packed field."""
    body = bytearray()
    for value in sequence(values, field):
        write(body, value, field)
    return bytes(body)


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


def write_body(out: bytearray, body: bytes | bytearray) -> None:
    """Append an encoded sub-message or packed field with its length."""
    _varint(out, len(body))
    out += body


def is_zero(value: float) -> bool:
    """Whether a float is the default that is not sent; -0.0 is not."""
    return value == 0.0 and math.copysign(1.0, value) > 0.0
