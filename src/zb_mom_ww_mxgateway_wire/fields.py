"""What a message knows of its fields beyond Python's dataclass: the metadata JSON and CLI read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from .enums import OpenEnum
    from .message import Message

#: Message classes by generated root package and full proto name (``google.protobuf.Any`` needs it).
REGISTRY: Final[dict[tuple[str, str], type[Message]]] = {}

#: The key of a ``FieldInfo`` in a dataclass field's metadata.
KEY: Final = "wire"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldInfo:
    """One field of a message.

    ``proto_type`` is ``int32`` … ``bytes``, ``enum`` or ``message``; for a map it is the values'
    type and ``key_type`` that of the keys. ``type_of`` gives the class of an enum or
    a message. ``presence`` is true where unset reads as None.
    """

    number: int
    proto_type: str
    proto_name: str
    json_name: str
    type_of: Callable[[], type[Message | OpenEnum]] | None
    key_type: str | None
    repeated: bool
    presence: bool
    oneof: str | None
    redact: bool


_FIELDS: Final[dict[type[Message], dict[str, FieldInfo]]] = {}


def fields_of(message: type[Message]) -> dict[str, FieldInfo]:
    """Attribute name to field, in the order of the contract's declaration."""
    found = _FIELDS.get(message)
    if found is None:
        found = _FIELDS[message] = _read_fields(message)
    return found


def _read_fields(message: type[Message]) -> dict[str, FieldInfo]:
    infos: dict[str, FieldInfo] = {}
    for item in fields(cast("Any", message)):
        info: FieldInfo = item.metadata[KEY]
        proto_name = info.proto_name or item.name
        infos[item.name] = replace(
            info, proto_name=proto_name, json_name=info.json_name or json_name(proto_name)
        )
    return infos


def root_package(message: type[Message]) -> str:
    """The generated root package a message class belongs to."""
    return message.__module__.rpartition(".")[0].rpartition(".")[0]


def json_name(proto_name: str) -> str:
    """protoc's lowerCamelCase of a field name."""
    head, *rest = proto_name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
