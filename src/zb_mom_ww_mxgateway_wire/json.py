"""Canonical ProtoJSON for every message, from its field metadata.

The rules are those of https://protobuf.dev/programming-guides/json/: lowerCamelCase names, 64-bit
numbers as strings, enums by name, bytes in base64, defaults left out, and the special forms of the
well-known types, which those classes give themselves (``CustomJson``).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from .codec import FLOAT_MAX, MAX_DEPTH, DecodeError, EncodeError, too_deep
from .fields import FieldInfo, fields_of

if TYPE_CHECKING:
    from .enums import OpenEnum
    from .message import Message

_M = TypeVar("_M", bound="Message")

#: What JSON can say.
JsonValue = Any

_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "int32": (-(2**31), 2**31 - 1),
    "sint32": (-(2**31), 2**31 - 1),
    "sfixed32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "fixed32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "sint64": (-(2**63), 2**63 - 1),
    "sfixed64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
    "fixed64": (0, 2**64 - 1),
}
_SPECIAL_FLOATS: Final[Mapping[str, float]] = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WHOLE: Final = re.compile(r"-?[0-9]+")
_MAX_DIGITS: Final = 400


class CustomJson:
    """A message with a JSON form of its own: the well-known types."""

    @abstractmethod
    def to_custom_json(self) -> JsonValue:
        """The JSON value."""

    @classmethod
    @abstractmethod
    def from_custom_json(cls, value: JsonValue, depth: int) -> Self:
        """The message that ``value`` stands for; ``DecodeError`` if there is none."""


# --- to JSON ---------------------------------------------------------------------------------


def dumps(message: Message, *, indent: int | str | None, proto_names: bool, defaults: bool) -> str:
    """The message as ProtoJSON text."""
    value = to_json_root(message, proto_names=proto_names, defaults=defaults)
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)


def to_json_root(message: Message, *, proto_names: bool, defaults: bool) -> JsonValue:
    """The whole message as what ``json.dumps`` takes; ``EncodeError`` where it nests too deeply."""
    try:
        return to_json_value(message, proto_names=proto_names, defaults=defaults)
    except RecursionError:
        raise EncodeError(f"{message.__proto_name__}: messages are nested too deeply") from None


def to_json_value(
    message: Message, *, proto_names: bool = False, defaults: bool = False
) -> JsonValue:
    """The message as what ``json.dumps`` takes."""
    if isinstance(message, CustomJson):
        return message.to_custom_json()
    shown: dict[str, JsonValue] = {}
    for name, info in fields_of(type(message)).items():
        if not message.is_set(name) and (info.presence or not defaults):
            continue
        value = getattr(message, name)
        key = info.proto_name if proto_names else info.json_name
        if info.key_type:
            shown[key] = {
                _map_key(k): single_to_json(info, v, proto_names, defaults)
                for k, v in value.items()
            }
        elif info.repeated:
            shown[key] = [single_to_json(info, v, proto_names, defaults) for v in value]
        else:
            shown[key] = single_to_json(info, value, proto_names, defaults)
    return shown


def _map_key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def single_to_json(info: FieldInfo, value: Any, proto_names: bool, defaults: bool) -> JsonValue:
    """One value of a field."""
    if info.proto_type == "message":
        return to_json_value(value, proto_names=proto_names, defaults=defaults)
    if info.proto_type == "enum":
        return _enum_to_json(info, value)
    if info.proto_type.endswith("64"):
        return str(int(value))
    if info.proto_type == "bytes":
        return base64.b64encode(value).decode("ascii")
    if info.proto_type in ("float", "double"):
        return float_to_json(value, short=info.proto_type == "float")
    return value


def _enum_to_json(info: FieldInfo, value: int) -> JsonValue:
    assert info.type_of is not None
    enum = cast("type[OpenEnum]", info.type_of())
    if enum.__proto_full_name__ == "google.protobuf.NullValue":
        return None
    member = enum(value)
    return member.proto_name if member.is_known else int(member)


def float_to_json(value: float, *, short: bool = False) -> JsonValue:
    """A number, or the name of one that JSON has not; ``short`` gives a 32-bit float's digits."""
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if short:
        exact = struct.pack("<f", value)
        for digits in range(6, 9):
            rounded = float(f"{value:.{digits}g}")
            if abs(rounded) <= FLOAT_MAX and struct.pack("<f", rounded) == exact:
                return rounded
        rounded = float(f"{value:.9g}")
        return rounded if abs(rounded) <= FLOAT_MAX else value
    return value


# --- from JSON -------------------------------------------------------------------------------


def loads(message: type[_M], text: str | bytes, *, ignore_unknown: bool) -> _M:
    """The message that ProtoJSON text stands for."""
    try:
        value = json.loads(
            text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_int=_int
        )
    except DecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"cannot decode {message.__proto_name__}: not JSON ({error})") from None
    return from_json_value(message, value, ignore_unknown=ignore_unknown)


def _unique_keys(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise DecodeError("a JSON object has the same key twice")
    return mapping


def _refuse_constant(name: str) -> float:
    raise DecodeError(f"{name} must be a string in JSON")


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise DecodeError("a number has too many digits")
    return int(digits)


def from_json_value(
    message: type[_M], value: JsonValue, *, ignore_unknown: bool = False, depth: int = 0
) -> _M:
    """The message that a value from ``json.loads`` stands for; ``DecodeError`` names the field."""
    if depth > MAX_DEPTH:
        raise too_deep()
    if issubclass(message, CustomJson):
        return message.from_custom_json(value, depth)
    if not isinstance(value, Mapping):
        raise DecodeError(f"{message.__proto_name__}: expected an object, got {_kind(value)}")
    made = message()
    names = _names(message)
    taken: dict[str, str] = {}
    for key, item in cast("Mapping[str, JsonValue]", value).items():
        found = names.get(key)
        if found is None:
            if ignore_unknown:
                continue
            raise DecodeError(f"{message.__proto_name__} has no field {key!r}")
        name, info = found
        where = f"{message.__proto_name__}.{info.proto_name}"
        parsed = _field_from_json(info, item, where, ignore_unknown, depth)
        if parsed is None:
            continue
        slot = info.oneof or name
        if slot in taken:
            raise DecodeError(f"{where}: {taken[slot]} was given already")
        taken[slot] = key
        setattr(made, name, parsed)
    return made


def _names(message: type[Message]) -> dict[str, tuple[str, FieldInfo]]:
    """Fields by what JSON may call them; a JSON name counts before a proto name."""
    infos = fields_of(message)
    names = {info.proto_name: (name, info) for name, info in infos.items()}
    return names | {info.json_name: (name, info) for name, info in infos.items()}


def _field_from_json(
    info: FieldInfo, value: JsonValue, where: str, ignore_unknown: bool, depth: int
) -> Any:
    """The field's Python value; None where JSON's null means unset."""
    if info.key_type:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise DecodeError(f"{where}: expected an object, got {_kind(value)}")
        return {
            _map_key_from_json(info.key_type, key, where): _element_from_json(
                info, item, where, ignore_unknown, depth + 1
            )
            for key, item in cast("Mapping[str, JsonValue]", value).items()
        }
    if info.repeated:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            raise DecodeError(f"{where}: expected an array, got {_kind(value)}")
        items = cast("Sequence[JsonValue]", value)
        return [_element_from_json(info, item, where, ignore_unknown, depth) for item in items]
    if value is None and not _takes_null(info):
        return None
    return single_from_json(info, value, where, ignore_unknown, depth)


def _takes_null(info: FieldInfo) -> bool:
    if info.type_of is None:
        return False
    if info.proto_type == "enum":
        enum = cast("type[OpenEnum]", info.type_of())
        return enum.__proto_full_name__ == "google.protobuf.NullValue"
    return cast("type[Message]", info.type_of()).__proto_name__ == "google.protobuf.Value"


def _element_from_json(
    info: FieldInfo, value: JsonValue, where: str, ignore_unknown: bool, depth: int
) -> Any:
    if value is None and not _takes_null(info):
        raise DecodeError(f"{where}: null is no element")
    return single_from_json(info, value, where, ignore_unknown, depth)


def _map_key_from_json(key_type: str, key: str, where: str) -> Any:
    if key_type == "string":
        return text_from_json(key, where)
    if key_type == "bool":
        if key not in ("true", "false"):
            raise DecodeError(f"{where}: a key must be true or false")
        return key == "true"
    return _integer(key_type, key, where)


def single_from_json(
    info: FieldInfo, value: JsonValue, where: str, ignore_unknown: bool, depth: int
) -> Any:
    """The Python value of one JSON value; ``where`` names the field in errors."""
    if info.proto_type == "message":
        assert info.type_of is not None
        message = cast("type[Message]", info.type_of())
        return from_json_value(message, value, ignore_unknown=ignore_unknown, depth=depth + 1)
    if info.proto_type == "enum":
        assert info.type_of is not None
        return _enum_from_json(cast("type[OpenEnum]", info.type_of()), value, where)
    if info.proto_type in _RANGES:
        return _integer(info.proto_type, value, where)
    if info.proto_type in ("float", "double"):
        return _float(info.proto_type, value, where)
    if info.proto_type == "bool":
        if not isinstance(value, bool):
            raise DecodeError(f"{where}: expected true or false, got {_kind(value)}")
        return value
    if not isinstance(value, str):
        raise DecodeError(f"{where}: expected a string, got {_kind(value)}")
    if info.proto_type == "bytes":
        return _bytes(value, where)
    return text_from_json(value, where)


def text_from_json(value: str, where: str) -> str:
    """``value``, unless JSON's escapes spelled what no string field can hold."""
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise DecodeError(f"{where}: the text holds a lone surrogate, which UTF-8 has not")
    return value


def _enum_from_json(enum: type[OpenEnum], value: JsonValue, where: str) -> OpenEnum:
    if enum.__proto_full_name__ == "google.protobuf.NullValue" and value is None:
        return enum(0)
    if isinstance(value, str):
        try:
            return enum.from_proto_name(value)
        except KeyError:
            if not _WHOLE.fullmatch(value):
                raise DecodeError(f"{where}: {enum.__name__} has no value {value!r}") from None
    return enum(_integer("int32", value, where))


def _integer(kind: str, value: JsonValue, where: str) -> int:
    low, high = _RANGES[kind]
    number: int | float
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise DecodeError(f"{where}: expected {kind}, got {_kind(value)}")
    if isinstance(value, str):
        if len(value) > _MAX_DIGITS or not _NUMBER.fullmatch(value):
            raise DecodeError(f"{where}: expected {kind}, got a string that is no number")
        number = int(value) if value.lstrip("-").isdigit() else float(value)
    else:
        number = value
    if isinstance(number, float):
        if not number.is_integer():
            raise DecodeError(f"{where}: expected {kind}, got a fraction")
        number = int(number)
    if not low <= number <= high:
        raise DecodeError(f"{where}: the number is outside {kind} ({low} to {high})")
    return number


def _float(kind: str, value: JsonValue, where: str) -> float:
    if isinstance(value, str):
        if value in _SPECIAL_FLOATS:
            return _SPECIAL_FLOATS[value]
        if len(value) > _MAX_DIGITS or not _NUMBER.fullmatch(value):
            raise DecodeError(f"{where}: expected {kind}, got a string that is no number")
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DecodeError(f"{where}: expected {kind}, got {_kind(value)}")
    try:
        number = float(value)
        if math.isinf(number):
            raise OverflowError
        return (
            number if kind == "double" else float(struct.unpack("<f", struct.pack("<f", number))[0])
        )
    except OverflowError:
        raise DecodeError(f"{where}: the number is outside {kind}") from None


def _bytes(value: str, where: str) -> bytes:
    text = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError(f"{where}: the string is not base64") from None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names: Mapping[type, str] = {
        bool: "a boolean",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(value), "a number")
