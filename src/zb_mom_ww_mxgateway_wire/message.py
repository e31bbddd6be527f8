"""``Message``, the base of every generated class: the only file that imports betterproto.

betterproto supplies the base class and the field metadata. Its hooks on every attribute access,
its codec, its JSON and its presence rules are switched off here and replaced: reads are plain
attribute reads, an unset message, optional or oneof field is None, and ``bytes()``, ``parse``,
``to_json`` and the rest go to the generated codec and to ``json.py``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sized
from dataclasses import Field, field as dataclass_field, make_dataclass, replace
from functools import cache
from inspect import get_annotations
from typing import IO, TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast, dataclass_transform

import betterproto

from . import json
from .codec import MAX_DEPTH, DecodeError, Decoder, Encoder, guarded, truncated
from .decoding import read_varint
from .encoding import write_bytes
from .fields import REGISTRY, FieldInfo, fields_of, root_package

__all__ = ["Message", "OneofMessage", "bind"]

_L = TypeVar("_L", bound=str)
_M = TypeVar("_M", bound="Message")

if TYPE_CHECKING:
    # Every method of betterproto's is replaced below, some with other signatures: type checkers,
    # and through them users, see ours alone.
    _Base = object
else:
    _Base = betterproto.Message


@cache
def _as_dataclass(message: type[Message]) -> type:
    """A dataclass with the message's fields, for what ``dataclasses`` asks of one."""
    annotations: dict[str, Any] = {}
    for base in reversed(message.__mro__):
        annotations |= get_annotations(base)
    return make_dataclass(
        message.__name__,
        [
            (name, annotations[name], dataclass_field(**_default(info), metadata=_metadata(info)))
            for name, info in fields_of(message).items()
        ],
        init=False,
        eq=False,
        repr=False,
        kw_only=True,
    )


def _default(info: FieldInfo) -> dict[str, Any]:
    if info.is_container:
        return {"default_factory": dict if info.key_type else list}
    return {"default": info.default}


def _metadata(info: FieldInfo) -> dict[str, Any]:
    return {
        "wire": info,
        "betterproto": betterproto.FieldMetadata(
            info.number,
            "map" if info.key_type else info.proto_type,
            map_types=(info.key_type, info.proto_type) if info.key_type else None,
            group=info.oneof,
            optional=info.presence and info.oneof is None and info.proto_type != "message",
        ),
    }


class _OfDataclass:
    """An attribute by which ``dataclasses`` knows its own, made when it is asked for.

    Making dataclasses of all messages took two thirds of the time to import them.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, message: Message | None, owner: Any) -> Any:
        return getattr(_as_dataclass(owner), self._name)


@dataclass_transform(eq_default=False, kw_only_default=True)
class Message(_Base):
    """A message of the contract: a dataclass whose ``__init__`` and codec were generated.

    Equality compares fields and unknown fields; ``repr`` shows what is set and hides what the
    contract marks as secret. Messages are mutable and so not hashable.
    """

    #: The full name in the contract, such as ``google.protobuf.Timestamp``.
    __proto_name__: ClassVar[str]
    _encode: ClassVar[Encoder[Any]]
    _decode: ClassVar[Decoder[Any]]

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    else:
        __dataclass_fields__ = _OfDataclass()
        __dataclass_params__ = _OfDataclass()
    #: Every field is given by its name.
    __match_args__ = ()

    #: Attribute to field, as the class and its bases say it.
    __declared__: ClassVar[Mapping[str, FieldInfo]] = {}

    #: pytest takes classes for tests by their names, and a message may be called TestSomething.
    __test__ = False

    #: Fields that this version of the contract does not know, as received; they are sent again.
    unknown_fields: bytes | bytearray = b""

    # betterproto's hooks on every read and write, off.
    __getattribute__ = object.__getattribute__
    __setattr__ = object.__setattr__
    __getstate__ = object.__getstate__
    __reduce__ = object.__reduce__

    def __init_subclass__(cls, **options: Any) -> None:
        """Take the fields that the class body says, and leave their defaults in their places."""
        super().__init_subclass__(**options)
        own = {name: info for name, info in vars(cls).items() if isinstance(info, FieldInfo)}
        cls.__declared__ = {**cls.__declared__, **own}
        for name, info in own.items():
            if info.is_container:
                delattr(cls, name)
            else:
                setattr(cls, name, info.default)

    @classmethod
    def __bind__(cls, proto_name: str, encode: Encoder[Any], decode: Decoder[Any]) -> None:
        """Tie the class to its name in the contract and to its codec; generated code does this."""
        cls.__proto_name__ = proto_name
        cls._encode = staticmethod(encode)
        cls._decode = staticmethod(decode)

    def __post_init__(self) -> None:
        """Nothing is left to do: defaults are the dataclass's own."""

    def __bool__(self) -> bool:
        """A message is something, even with every field unset."""
        return True

    def __len__(self) -> int:
        """The size on the wire, in bytes."""
        return len(bytes(self))

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.unknown_fields == getattr(other, "unknown_fields", b"") and all(
            getattr(self, name) == getattr(other, name) for name in fields_of(type(self))
        )

    def __repr__(self) -> str:
        shown = (
            f"{name}={'<redacted>' if info.redact else repr(getattr(self, name))}"
            for name, info in fields_of(type(self)).items()
            if self.is_set(name)
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    def __rich_repr__(self) -> Any:
        for name, info in fields_of(type(self)).items():
            if self.is_set(name):
                yield name, "<redacted>" if info.redact else getattr(self, name)

    def __replace__(self, **changes: Any) -> Self:
        return replace(self, **changes)

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.unknown_fields = bytes(self.unknown_fields)
        return twin

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    def __setstate__(self, state: dict[str, Any]) -> Self:
        self.__dict__.update(state)
        return self

    # --- binary ---

    def __bytes__(self) -> bytes:
        """The message on the wire; ``EncodeError`` names a field that cannot be sent."""
        out = bytearray()
        type(self)._encode(out, self, type(self).__name__, MAX_DEPTH)
        return bytes(out)

    def SerializeToString(self) -> bytes:
        """``bytes(self)``, under the name that google.protobuf uses."""
        return bytes(self)

    @classmethod
    def FromString(cls, data: bytes | bytearray | memoryview) -> Self:
        """A new message from ``data``; ``DecodeError`` for anything that is not one."""
        message: Self = guarded(cls.__proto_name__, cls._decode, _buffer(cls, data))
        return message

    def parse(self, data: bytes | bytearray | memoryview) -> Self:
        """Merge ``data`` into this message, as reading both from one stream would; returns it."""
        guarded(self.__proto_name__, type(self)._decode, _buffer(type(self), data), self)
        return self

    def dump(self, stream: IO[bytes], delimit: bool = False) -> None:
        """Write the message to ``stream``; ``delimit`` puts its size in front as a varint."""
        out = bytearray()
        if delimit:
            write_bytes(out, bytes(self), self.__proto_name__)
        else:
            out += bytes(self)
        stream.write(bytes(out))

    def load(self, stream: IO[bytes], size: int | None = None) -> Self:
        """Merge a message from ``stream``: ``size`` bytes, or all; -1 reads the size first."""
        if size == betterproto.SIZE_DELIMITED:
            size = _read_size(stream)
        data = stream.read() if size is None else stream.read(size)
        if size is not None and len(data) < size:
            raise DecodeError(f"cannot decode {self.__proto_name__}: {truncated()}")
        return self.parse(data)

    # --- JSON and Python dicts ---

    def to_dict(
        self, *, include_default_values: bool = False, proto_names: bool = False
    ) -> dict[str, Any]:
        """Canonical ProtoJSON as a dict; ``proto_names`` keeps the contract's field names."""
        bytes(self)  # refuses, by the field's name, what JSON could not carry either
        value = json.to_json_root(self, proto_names=proto_names, defaults=include_default_values)
        if not isinstance(value, dict):
            raise TypeError(f"{self.__proto_name__} is no object in JSON; use to_json")
        return cast("dict[str, Any]", value)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], *, ignore_unknown_fields: bool = False) -> Self:
        """A new message from ProtoJSON as a dict; ``DecodeError`` names the field that is wrong."""
        return json.from_json_value(cls, value, ignore_unknown=ignore_unknown_fields)

    def to_json(
        self,
        indent: int | str | None = None,
        *,
        include_default_values: bool = False,
        proto_names: bool = False,
    ) -> str:
        """Canonical ProtoJSON as text."""
        bytes(self)  # as in to_dict
        return json.dumps(
            self, indent=indent, proto_names=proto_names, defaults=include_default_values
        )

    @classmethod
    def from_json(cls, value: str | bytes, *, ignore_unknown_fields: bool = False) -> Self:
        """A new message from ProtoJSON text; ``DecodeError`` for anything else."""
        return json.loads(cls, value, ignore_unknown=ignore_unknown_fields)

    def to_pydict(self, *, include_default_values: bool = False) -> dict[str, Any]:
        """The set fields by their Python names; sub-messages as dicts, nothing turned into text."""
        return {
            name: _to_python(getattr(self, name))
            for name in fields_of(type(self))
            if include_default_values or self.is_set(name)
        }

    def from_pydict(self, value: Mapping[str, Any]) -> Self:
        """Set the fields that ``value`` names, as ``to_pydict`` gave them; returns this message."""
        infos = fields_of(type(self))
        for name, item in value.items():
            if name not in infos:
                raise DecodeError(f"{self.__proto_name__} has no field {name!r}")
            setattr(self, name, _from_python(infos[name], item))
        return self

    # --- presence ---

    def is_set(self, name: str) -> bool:
        """Whether the field is present or, for plain fields, other than the default."""
        value = getattr(self, name)
        info = fields_of(type(self))[name]
        if info.presence:
            return value is not None
        if info.is_container:
            return not isinstance(value, Sized) or len(value) > 0
        return bool(value != info.default) or str(value) == "-0.0"

    def _which_one_of(self, members: tuple[_L, ...]) -> _L | None:
        """The first of ``members`` that is set; the generated ``which_…`` methods call it."""
        for name in members:
            if getattr(self, name) is not None:
                return name
        return None


class OneofMessage(Message):
    """A message with a oneof: setting one of its members to a value unsets the others."""

    _siblings: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @classmethod
    def __bind__(cls, proto_name: str, encode: Encoder[Any], decode: Decoder[Any]) -> None:
        """As for every message; oneof members learn which others they exclude."""
        super().__bind__(proto_name, encode, decode)
        infos = fields_of(cls)
        cls._siblings = {
            name: tuple(n for n, i in infos.items() if i.oneof == info.oneof and n != name)
            for name, info in infos.items()
            if info.oneof
        }

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if value is not None:
            for sibling in self._siblings.get(name, ()):
                object.__setattr__(self, sibling, None)


def bind(
    message: type[_M],
    proto_name: str,
    encode: Encoder[_M],
    decode: Decoder[_M],
) -> None:
    """Tie a generated class to its name in the contract and to its generated codec."""
    message.__bind__(proto_name, encode, decode)
    REGISTRY[root_package(message), proto_name] = message


def _buffer(message: type[Message], data: bytes | bytearray | memoryview) -> bytes:
    if not isinstance(data, (bytes, bytearray, memoryview)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise DecodeError(
            f"cannot decode {message.__proto_name__}: expected bytes, got {type(data).__name__}"
        )
    return data if type(data) is bytes else bytes(memoryview(data))


def _read_size(stream: IO[bytes]) -> int:
    head = bytearray()
    while not head or head[-1] > 0x7F:
        byte = stream.read(1)
        if not byte or len(head) > 9:
            raise DecodeError("the size in front of a message is cut off or too long")
        head += byte
    return read_varint(bytes(head), 1, head[0])[0] if len(head) > 1 else head[0]


def _to_python(value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_pydict()
    if isinstance(value, list):
        return [_to_python(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _to_python(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def _from_python(info: FieldInfo, value: Any) -> Any:
    if info.proto_type != "message" or info.type_of is None or value is None:
        return value
    if isinstance(value, list):
        return [_from_python(info, item) for item in cast("list[Any]", value)]
    if info.key_type:
        single = replace(info, key_type=None)
        return {key: _from_python(single, item) for key, item in value.items()}
    if isinstance(value, Message):
        return value
    return cast("type[Message]", info.type_of())().from_pydict(value)
