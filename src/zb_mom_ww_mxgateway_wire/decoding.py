"""Reading: what generated decoders are made of. It compiles with them; ``decoding.pxd`` has types.

Nothing here knows a message. Readers take the whole buffer, so running past its end is an
``IndexError``, which ``codec.guarded`` turns into a ``DecodeError``; a message inside another
checks that it ended where it should.
"""

from __future__ import annotations

import struct
from typing import Any

from . import native
from .codec import DecodeError, too_deep, truncated

_MAX_UINT64 = 2**64 - 1
#: The second to the tenth byte of -1, which MXAccess says for a success.
_REST_OF_MINUS_ONE = b"\xff\xff\xff\xff\xff\xff\xff\xff\x01"


def read_varint(data: bytes, pos: int, first: int) -> tuple[int, int]:
    """Finish a varint whose first byte, already read, was ``first`` (> 127).

    Returns the unsigned 64-bit value and the position after it. Bits beyond the 64th, which only
    a tenth byte can bring, are dropped, as every protobuf implementation does.
    """
    byte = data[pos]
    if byte < 0x80:
        return first & 0x7F | byte << 7, pos + 1
    if byte == 0xFF and first == 0xFF and data.startswith(_REST_OF_MINUS_ONE, pos):
        return _MAX_UINT64, pos + 9
    value = first & 0x7F | (byte & 0x7F) << 7
    byte = data[pos + 1]
    if byte < 0x80:
        return value | byte << 14, pos + 2
    value |= (byte & 0x7F) << 14
    byte = data[pos + 2]
    if byte < 0x80:
        return value | byte << 21, pos + 3
    value |= (byte & 0x7F) << 21
    byte = data[pos + 3]
    if byte < 0x80:
        return value | byte << 28, pos + 4
    value |= (byte & 0x7F) << 28
    pos += 4
    shift = 35
    while shift < 63:
        byte = data[pos]
        pos += 1
        if byte < 0x80:
            return value | byte << shift, pos
        value |= (byte & 0x7F) << shift
        shift += 7
    byte = data[pos]
    if byte < 0x80:
        return value | (byte & 1) << 63, pos + 1
    raise DecodeError("a varint is longer than 10 bytes")


def read_tag(data: bytes, pos: int, first: int) -> tuple[int, int]:
    """Finish a tag of more than one byte; at most five bytes and 32 bits."""
    tag, end = read_varint(data, pos, first)
    if end - pos > 4 or tag >> 32:
        raise DecodeError("a field number is out of range")
    return tag, end


def read_size(data: bytes, pos: int, first: int) -> tuple[int, int]:
    """Finish a length of more than one byte; at most five bytes and 31 bits."""
    size, end = read_varint(data, pos, first)
    if end - pos > 4 or size > 0x7FFF_FFFF:
        raise DecodeError("a length is out of range")
    return size, end


def kept(unknown: list[bytes] | None, data: bytes, start: int, stop: int, tag: int) -> list[bytes]:
    """``unknown`` with one more field, as it came."""
    if tag < 8:
        raise DecodeError("a field number is out of range")
    field = data[start:stop]
    if unknown is None:
        return [field]
    unknown.append(field)
    return unknown


def skip(data: bytes, pos: int, tag: int, depth: int) -> int:
    """The position after a field whose tag was just read and nobody knows."""
    wire_type = tag & 7
    if wire_type == 0:
        first = data[pos]
        return read_varint(data, pos + 1, first)[1] if first > 0x7F else pos + 1
    if wire_type == 1:
        size = 8
    elif wire_type == 5:
        size = 4
    elif wire_type == 2:
        size = data[pos]
        pos += 1
        if size > 0x7F:
            size, pos = read_size(data, pos, size)
    elif wire_type == 3:
        return _skip_group(data, pos, tag >> 3, depth - 1)
    else:
        raise DecodeError("a group ends that was never begun, or a wire type is unknown")
    if size > len(data) - pos:
        raise truncated()
    return pos + size


def _skip_group(data: bytes, pos: int, number: int, depth: int) -> int:
    if depth < 0:
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
        pos = skip(data, pos, tag, depth)


def chosen(message: object, before: str | None, member: str, value: object) -> str:
    """Set the member of a oneof and unset the one that was set ``before``; returns ``member``."""
    if before is not None:
        native.put(message, before, None)
    native.put(message, member, value)
    return member


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


def to_sint32(value: int) -> int:
    """A zigzag-coded 32-bit number."""
    value &= 0xFFFF_FFFF
    return (value >> 1) ^ -(value & 1)


def to_sint64(value: int) -> int:
    """A zigzag-coded 64-bit number."""
    return (value >> 1) ^ -(value & 1)


_FIXED32 = struct.Struct("<I")
_SFIXED32 = struct.Struct("<i")
_FIXED64 = struct.Struct("<Q")
_SFIXED64 = struct.Struct("<q")


def read_fixed32(data: bytes, pos: int) -> int:
    """Four bytes as an unsigned number."""
    return int(_FIXED32.unpack_from(data, pos)[0])


def read_sfixed32(data: bytes, pos: int) -> int:
    """Four bytes as a signed number."""
    return int(_SFIXED32.unpack_from(data, pos)[0])


def read_fixed64(data: bytes, pos: int) -> int:
    """Eight bytes as an unsigned number."""
    return int(_FIXED64.unpack_from(data, pos)[0])


def read_sfixed64(data: bytes, pos: int) -> int:
    """Eight bytes as a signed number."""
    return int(_SFIXED64.unpack_from(data, pos)[0])


# --- packed fields ---------------------------------------------------------------------------


def unpack_uint64(data: bytes, pos: int, stop: int) -> list[int]:
    """The varints of a packed field, as unsigned 64-bit numbers."""
    values: list[int] = []
    while pos < stop:
        value = data[pos]
        pos += 1
        if value > 0x7F:
            value, pos = read_varint(data, pos, value)
        values.append(value)
    if pos > stop:
        raise truncated()
    return values


def unpack_int32(data: bytes, pos: int, stop: int) -> list[int]:
    """The numbers of a packed int32 field."""
    values = unpack_uint64(data, pos, stop)
    return [value if value <= 0x7FFF_FFFF else to_int32(value) for value in values]


def unpack_int64(data: bytes, pos: int, stop: int) -> list[int]:
    """The numbers of a packed int64 field."""
    values = unpack_uint64(data, pos, stop)
    return [value if value <= 0x7FFF_FFFF else to_int64(value) for value in values]


def unpack_uint32(data: bytes, pos: int, stop: int) -> list[int]:
    """The numbers of a packed uint32 field."""
    return [value & 0xFFFF_FFFF for value in unpack_uint64(data, pos, stop)]


def unpack_sint32(data: bytes, pos: int, stop: int) -> list[int]:
    """The numbers of a packed sint32 field."""
    return [to_sint32(value) for value in unpack_uint64(data, pos, stop)]


def unpack_sint64(data: bytes, pos: int, stop: int) -> list[int]:
    """The numbers of a packed sint64 field."""
    return [to_sint64(value) for value in unpack_uint64(data, pos, stop)]


def unpack_bool(data: bytes, pos: int, stop: int) -> list[bool]:
    """The values of a packed bool field."""
    return [value != 0 for value in unpack_uint64(data, pos, stop)]


def unpack_fixed32(data: bytes, pos: int, stop: int) -> list[int]:
    """The numbers of a packed fixed32 field."""
    return _unpack("I", 4, data, pos, stop)


def unpack_sfixed32(data: bytes, pos: int, stop: int) -> list[int]:
    """The numbers of a packed sfixed32 field."""
    return _unpack("i", 4, data, pos, stop)


def unpack_float(data: bytes, pos: int, stop: int) -> list[float]:
    """The numbers of a packed float field."""
    return _unpack("f", 4, data, pos, stop)


def unpack_fixed64(data: bytes, pos: int, stop: int) -> list[int]:
    """The numbers of a packed fixed64 field."""
    return _unpack("Q", 8, data, pos, stop)


def unpack_sfixed64(data: bytes, pos: int, stop: int) -> list[int]:
    """The numbers of a packed sfixed64 field."""
    return _unpack("q", 8, data, pos, stop)


def unpack_double(data: bytes, pos: int, stop: int) -> list[float]:
    """The numbers of a packed double field."""
    return _unpack("d", 8, data, pos, stop)


def _unpack(code: str, size: int, data: bytes, pos: int, stop: int) -> list[Any]:
    count, rest = divmod(stop - pos, size)
    if rest:
        raise DecodeError(f"a packed field of {stop - pos} bytes is no multiple of {size}")
    return list(struct.unpack_from(f"<{count}{code}", data, pos))
