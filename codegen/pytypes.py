"""What each proto type is in Python: annotation, default and codec operations, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import ir

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar type.

    ``write`` is a function of ``wire/encoding.py``. ``read`` is the expression for what was read:
    of a varint it is in ``value``, of a length it is ``data[pos:stop]``, all else begins at
    ``pos`` and has ``size`` bytes. It asks a function only where one is rarely needed or must be.
    """

    annotation: str
    default: str
    wire_type: int
    write: str
    read: str
    size: int = 0


def _varint(name: str, read: str, annotation: str = "int", default: str = "0") -> Scalar:
    return Scalar(annotation, default, VARINT, f"write_{name}", read)


def _fixed(name: str, size: int) -> Scalar:
    wire_type = FIXED64 if size == 8 else FIXED32
    return Scalar("int", "0", wire_type, f"write_{name}", f"read_{name}(data, pos)", size)


SCALARS: Mapping[str, Scalar] = {
    "int32": _varint("int32", "value if value <= 0x7FFF_FFFF else to_int32(value)"),
    "int64": _varint("int64", "value if value <= 0x7FFF_FFFF else to_int64(value)"),
    "uint32": _varint("uint32", "value & 0xFFFF_FFFF"),
    "uint64": _varint("uint64", "value"),
    "sint32": _varint("sint32", "to_sint32(value)"),
    "sint64": _varint("sint64", "to_sint64(value)"),
    "bool": _varint("bool", "value != 0", annotation="bool", default="False"),
    "fixed32": _fixed("fixed32", 4),
    "fixed64": _fixed("fixed64", 8),
    "sfixed32": _fixed("sfixed32", 4),
    "sfixed64": _fixed("sfixed64", 8),
    "float": Scalar("float", "0.0", FIXED32, "write_float", "native.read_float(data, pos)", 4),
    "double": Scalar("float", "0.0", FIXED64, "write_double", "native.read_double(data, pos)", 8),
    "string": Scalar("str", '""', LENGTH, "write_string", "data[pos:stop].decode()"),
    "bytes": Scalar("bytes", 'b""', LENGTH, "write_bytes", "data[pos:stop]"),
}

#: Methods for the well-known types, by full name: the mixin in ``wire/wellknown.py``.
WELL_KNOWN: Mapping[str, str] = {
    "google.protobuf.Timestamp": "TimestampMethods",
    "google.protobuf.Duration": "DurationMethods",
    "google.protobuf.Struct": "StructMethods",
    "google.protobuf.Value": "ValueMethods",
    "google.protobuf.ListValue": "ListValueMethods",
    "google.protobuf.FieldMask": "FieldMaskMethods",
    "google.protobuf.Any": "AnyMethods",
    **{
        f"google.protobuf.{name}Value": "WrapperMethods"
        for name in (
            "Double",
            "Float",
            "Int64",
            "UInt64",
            "Int32",
            "UInt32",
            "Bool",
            "String",
            "Bytes",
        )
    },
}

#: Well-known types that methods take as a type of Python's: annotation and conversion.
NATIVE: Mapping[str, tuple[str, str]] = {
    "google.protobuf.Timestamp": ("datetime", "from_datetime"),
    "google.protobuf.Duration": ("timedelta", "from_timedelta"),
}


def wire_type(field: ir.Field) -> int:
    """The wire type of one element of the field; for a map, of one value."""
    if field.type == "message":
        return LENGTH
    return VARINT if field.type == "enum" else SCALARS[field.type].wire_type


def tag(number: int, wire: int) -> int:
    """A field's tag as a number."""
    return number << 3 | wire


def varint(value: int) -> bytes:
    """A tag as it stands on the wire."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
