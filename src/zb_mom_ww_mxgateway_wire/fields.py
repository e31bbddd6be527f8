"""The fields of messages: how a class says them, and what codec-less readers, JSON and CLI, ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from .enums import OpenEnum
    from .message import Message

#: Message classes by generated root package and full proto name (``google.protobuf.Any`` needs it).
REGISTRY: Final[dict[tuple[str, str], type[Message]]] = {}

#: The default of a parameter that is a list or a map, each of which is its message's own.
ABSENT: Final[Any] = ...

_SCALAR_DEFAULTS: Final[Mapping[str, object]] = {
    "string": "",
    "bytes": b"",
    "bool": False,
    "float": 0.0,
    "double": 0.0,
}


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

    @property
    def is_container(self) -> bool:
        """Whether it is a list or a map."""
        return self.repeated or self.key_type is not None

    @property
    def default(self) -> object:
        """What a field reads as that is unset; a list or a map is new for each message."""
        if self.presence:
            return None
        if self.proto_type == "enum":
            assert self.type_of is not None
            return cast("type[OpenEnum]", self.type_of())(0)
        return _SCALAR_DEFAULTS.get(self.proto_type, 0)


def field(
    number: int,
    proto_type: str,
    type_of: Callable[[], type[Message | OpenEnum]] | None = None,
    *,
    key: str | None = None,
    repeated: bool = False,
    optional: bool = False,
    oneof: str | None = None,
    name: str = "",
    json: str = "",
    redact: bool = False,
) -> Any:
    """One field in the body of a message's class: its number, its proto type and how it is used.

    ``key`` is the key type of a map. ``name`` is the proto name where Python's differs, and
    ``json`` the JSON name where it is not the usual one. ``redact`` keeps the value out of repr.
    """
    return FieldInfo(
        number=number,
        proto_type=proto_type,
        proto_name=name,
        json_name=json,
        type_of=type_of,
        key_type=key,
        repeated=repeated,
        presence=optional
        or oneof is not None
        or (proto_type == "message" and not (repeated or key)),
        oneof=oneof,
        redact=redact,
    )


_FIELDS: Final[dict[type[Message], dict[str, FieldInfo]]] = {}


def fields_of(message: type[Message]) -> dict[str, FieldInfo]:
    """Attribute name to field, in the order of the contract's declaration."""
    found = _FIELDS.get(message)
    if found is None:
        found = _FIELDS[message] = _read_fields(message)
    return found


def _read_fields(message: type[Message]) -> dict[str, FieldInfo]:
    infos: dict[str, FieldInfo] = {}
    for name, info in message.__declared__.items():
        proto_name = info.proto_name or name
        infos[name] = replace(
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
