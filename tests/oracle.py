"""google.protobuf as the oracle: strategies for its messages and for bytes, and how to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError as GoogleDecodeError, Message as GoogleMessage
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import strategies as st

from zb_mom_ww_mxgateway_wire.fields import FieldInfo, fields_of
from zb_mom_ww_mxgateway_wire.message import Message

from .contracts import Pair

Draw = Callable[[st.SearchStrategy[Any]], Any]

_MOST_FIELDS = 5
_DEPTH = 3
_SECOND = 1_000_000_000
_INT32 = st.integers(-(2**31), 2**31 - 1)
_INT64 = st.integers(-(2**63), 2**63 - 1)
_UINT32 = st.integers(0, 2**32 - 1)
_UINT64 = st.integers(0, 2**64 - 1)
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32, allow_nan=False),
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: st.text(max_size=12),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=12),
    FieldDescriptor.TYPE_ENUM: _INT32 | st.integers(-2, 12),
}
_NULL = "google.protobuf.NullValue"
_NULL_ONLY = st.just(0)
_PATHS = st.lists(
    st.from_regex(r"[a-z]{1,4}(_[a-z]{1,4}){0,2}(\.[a-z]{1,4})?", fullmatch=True), max_size=3
)


@st.composite
def google_messages(
    draw: Draw, google: type[GoogleMessage], *, in_json: bool = False
) -> GoogleMessage:
    """A message with arbitrary contents; with ``in_json`` only what ProtoJSON can say."""
    message = google()
    _fill(draw, message, _DEPTH, in_json)
    return message


def _fill(draw: Draw, message: GoogleMessage, depth: int, in_json: bool) -> None:
    descriptor = message.DESCRIPTOR
    special = _IN_JSON.get(descriptor.full_name) if in_json else None
    if special:
        special(draw, message, depth)
        return
    fields = [f for f in descriptor.fields if depth or _value_field(f).message_type is None]
    if fields:
        unique = st.lists(
            st.sampled_from(fields), max_size=_MOST_FIELDS, unique_by=lambda field: field.number
        )
        for field in draw(unique):
            _fill_field(draw, message, field, depth, in_json)


def _value_field(field: Any) -> Any:
    """The field itself, or that of a map's values."""
    return field.message_type.fields_by_name["value"] if _is_map(field) else field


def _key_field(field: Any) -> Any:
    return field.message_type.fields_by_name["key"]


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _fill_field(
    draw: Draw, message: GoogleMessage, field: FieldDescriptor, depth: int, in_json: bool
) -> None:
    value_field = _value_field(field)
    nested = value_field.message_type is not None
    values = _scalars(value_field, in_json)
    if in_json and field.is_repeated and values is _NULL_ONLY:
        return  # json_format prints null in an array and then refuses to read it
    if _is_map(field):
        target = getattr(message, field.name)
        key_field = _key_field(field)
        for key in draw(st.lists(_scalars(key_field, in_json), max_size=3)):
            if nested:
                _fill(draw, target[key], depth - 1, in_json)
            else:
                target[key] = draw(values)
    elif field.is_repeated:
        target = getattr(message, field.name)
        if nested:
            for _ in range(draw(st.integers(0, 2))):
                _fill(draw, target.add(), depth - 1, in_json)
        else:
            target.extend(draw(st.lists(values, max_size=4)))
    elif nested:
        target = getattr(message, field.name)
        target.SetInParent()
        _fill(draw, target, depth - 1, in_json)
    else:
        setattr(message, field.name, draw(values))


def _scalars(field: FieldDescriptor, in_json: bool) -> st.SearchStrategy[Any]:
    if in_json and field.enum_type is not None and field.enum_type.full_name == _NULL:
        return _NULL_ONLY
    return _SCALARS.get(field.type, st.nothing())


# --- well-known types as ProtoJSON can say them ---


def _timestamp(draw: Draw, message: Any, depth: int) -> None:
    message.seconds = draw(st.integers(-62_135_596_800, 253_402_300_799))
    message.nanos = draw(_NANOS)


def _duration(draw: Draw, message: Any, depth: int) -> None:
    total = draw(st.integers(0, 315_576_000_000 * _SECOND)) if draw(st.booleans()) else draw(_NANOS)
    sign = draw(st.sampled_from((1, -1)))
    message.seconds, message.nanos = sign * (total // _SECOND), sign * (total % _SECOND)


def _value(draw: Draw, message: Any, depth: int) -> None:
    kind = draw(st.integers(0, 5 if depth > 0 else 3))
    if kind == 0:
        message.null_value = 0
    elif kind == 1:
        message.number_value = draw(st.floats(allow_nan=False, allow_infinity=False))
    elif kind == 2:
        message.string_value = draw(_SCALARS[FieldDescriptor.TYPE_STRING])
    elif kind == 3:
        message.bool_value = draw(st.booleans())
    else:
        target = message.struct_value if kind == 4 else message.list_value
        target.SetInParent()
        _fill(draw, target, depth - 1, True)


def _field_mask(draw: Draw, message: Any, depth: int) -> None:
    message.paths.extend(draw(_PATHS))


def _any(draw: Draw, message: Any, depth: int) -> None:
    if depth <= 0 or not draw(st.booleans()):
        return
    duration = type(message)()
    if draw(st.booleans()):
        _any(draw, duration, depth - 1)
    message.Pack(duration)


_NANOS = st.integers(0, _SECOND - 1) | st.sampled_from((0, 1, 1_000, 1_000_000, 500_000_000))
_IN_JSON: dict[str, Callable[[Draw, Any, int], None]] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.Value": _value,
    "google.protobuf.FieldMask": _field_mask,
    "google.protobuf.Any": _any,
}


# --- bytes ---


def varint(value: int, extra: int = 0) -> bytes:
    """``value`` as a varint, made longer than it needs by ``extra`` bytes."""
    out = bytearray()
    while value > 0x7F or extra > 0:
        if value <= 0x7F:
            extra -= 1
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@st.composite
def wire_noise(draw: Draw, google: type[GoogleMessage], depth: int = 3) -> bytes:
    """Tags and payloads that may or may not fit: known numbers with any wire type, and worse."""
    numbers = [field.number for field in google.DESCRIPTOR.fields]
    known = st.sampled_from(numbers) if numbers else st.nothing()
    number = st.one_of(known, known, st.integers(0, 40), st.integers(0, 2**30))
    out = bytearray()
    for _ in range(draw(st.integers(0, 4))):
        wire_type = draw(st.integers(0, 7))
        field = draw(number)
        out += varint(field << 3 | wire_type, draw(st.sampled_from((0, 0, 0, 0, 1, 4))))
        if wire_type == 0:
            out += draw(_NOISY_VARINTS)
        elif wire_type == 1:
            out += draw(st.binary(min_size=8, max_size=8))
        elif wire_type == 2:
            body = draw(wire_noise(google, depth - 1)) if depth else draw(st.binary(max_size=6))
            out += varint(len(body), draw(st.sampled_from((0, 0, 0, 1, 4)))) + body
        elif wire_type == 3 and depth:
            out += draw(wire_noise(google, depth - 1)) + varint(field << 3 | 4)
        elif wire_type == 5:
            out += draw(st.binary(min_size=4, max_size=4))
    return bytes(out)


_NOISY_VARINTS = st.one_of(
    st.builds(varint, _UINT64, st.integers(0, 3)),
    st.builds(varint, st.integers(0, 300), st.integers(0, 10)),
    st.builds(lambda body, last: bytes(body) + bytes([last]),
              st.lists(st.integers(128, 255), min_size=8, max_size=11), st.integers(0, 127)),
)  # fmt: skip


@st.composite
def damaged(draw: Draw, google: type[GoogleMessage]) -> bytes:
    """A valid encoding that was cut, changed, repeated or joined with another."""
    data = bytearray(encoded(draw(google_messages(google))))
    if draw(st.booleans()):
        data += encoded(draw(google_messages(google)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 6)))
        data[start:stop] = draw(st.binary(max_size=4)) if draw(st.booleans()) else b""
    return bytes(data)


@st.composite
def with_unknown_fields(draw: Draw, google: type[GoogleMessage]) -> bytes:
    """A valid encoding between fields that the message does not know."""
    known = {field.number for field in google.DESCRIPTOR.fields}
    number = draw(st.integers(1, 2**29 - 1).filter(lambda number: number not in known))
    unknown = varint(number << 3) + varint(draw(_UINT64))
    other = varint(number << 3 | 2) + varint(3) + draw(st.binary(min_size=3, max_size=3))
    known_fields = encoded(draw(google_messages(google)))
    return unknown + known_fields + (other if draw(st.booleans()) else b"")


def any_bytes(google: type[GoogleMessage]) -> st.SearchStrategy[bytes]:
    """Bytes of all sorts, most of them close to the message."""
    return st.binary(max_size=24) | wire_noise(google) | damaged(google)


# --- comparing ---


def encoded(message: GoogleMessage) -> bytes:
    """The oracle's bytes, the same for equal messages. A field may have the method's name."""
    return bytes(type(message).SerializeToString(message, deterministic=True))


def same(one: GoogleMessage, other: GoogleMessage) -> bool:
    """Whether two messages hold the same, unknown fields included; any NaN is like any other."""
    return encoded(one) == encoded(other) or _text(one) == _text(other)


def has_odd_entry(message: GoogleMessage) -> bool:
    """Whether a map entry brought a field beyond key and value. The oracle then keeps the whole
    entry as an unknown field; we, as Java and C# do, keep the entry and drop the field."""
    fields = message.DESCRIPTOR.fields
    maps = {field.number for field in fields if _is_map(field)}
    unknown: Any = UnknownFieldSet(message)
    if any(item.field_number in maps and item.wire_type == 2 for item in unknown):
        return True
    return any(has_odd_entry(nested) for nested in _nested(message))


def _nested(message: GoogleMessage) -> Iterator[GoogleMessage]:
    for field, value in message.ListFields():
        if _value_field(field).message_type is None:
            continue
        if _is_map(field):
            yield from (value[key] for key in value)
        elif field.is_repeated:
            yield from value
        else:
            yield value


def _text(message: GoogleMessage) -> str:
    return text_format.MessageToString(message, print_unknown_fields=True)


def google_or_none(pair: Pair, data: bytes) -> Any:
    """What the oracle makes of ``data``; None where it refuses."""
    try:
        return pair.google.FromString(data)
    except GoogleDecodeError:
        return None


def rebuilt(ours: type[Message], google: GoogleMessage) -> Message:
    """Our message with the fields of the oracle's, set one by one as a user would."""
    made = ours()
    infos = {info.proto_name: (name, info) for name, info in fields_of(ours).items()}
    for field, value in google.ListFields():
        name, info = infos[field.name]
        if info.key_type:
            converted: Any = {key: _single(info, value[key]) for key in value}
        elif info.repeated:
            converted = [_single(info, item) for item in value]
        else:
            converted = _single(info, value)
        setattr(made, name, converted)
    return made


def _single(info: FieldInfo, value: Any) -> Any:
    if info.type_of is None:
        return value
    kind: Any = info.type_of()
    return rebuilt(kind, value) if info.proto_type == "message" else kind(value)
