"""What is generated from: frozen rows that know the contract and nothing of Python's source.

The result of ``build.py`` and ``commands.py``; ``python -m codegen dump-ir`` prints it as JSON.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A message or an enum by the module of its package and its Python name."""

    module: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumValue:
    """One value of an enum; an alias has the number of an earlier one."""

    name: str
    proto_name: str
    number: int
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enum:
    """An enum; ``prefix`` is what all its proto names share and its Python names leave out."""

    name: str
    proto_name: str
    doc: str
    prefix: str
    values: tuple[EnumValue, ...]
    where: str

    @property
    def renames(self) -> dict[str, str]:
        """Python name to proto name where the prefix does not tell."""
        return {v.name: v.proto_name for v in self.values if self.prefix + v.name != v.proto_name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. ``type`` is the proto type; for a map that of the values, with ``map_key``.

    ``presence`` is true where unset differs from the default; ``oneof`` is never a synthetic one.
    """

    name: str
    proto_name: str
    json_name: str
    number: int
    doc: str
    type: str
    ref: Ref | None
    map_key: str | None
    repeated: bool
    packed: bool
    presence: bool
    optional: bool
    oneof: str | None
    redact: bool
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Oneof:
    """A oneof: the name of its typed accessor and its members' Python names."""

    name: str
    accessor: str
    doc: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message. ``stem`` names its codec functions; nested ones stand beside their parents."""

    name: str
    proto_name: str
    stem: str
    doc: str
    fields: tuple[Field, ...]
    oneofs: tuple[Oneof, ...]
    where: str

    def field(self, name: str) -> Field:
        """The field of that Python name."""
        return next(field for field in self.fields if field.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One rpc."""

    name: str
    constant: str
    path: str
    doc: str
    request: Ref
    reply: Ref
    client_streaming: bool
    server_streaming: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service and its rpcs."""

    name: str
    proto_name: str
    doc: str
    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """All files of one proto package: one Python sub-package."""

    proto_name: str
    module: str
    doc: str
    files: tuple[str, ...]
    enums: tuple[Enum, ...]
    messages: tuple[Message, ...]
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One parameter of a command's method; the default of an optional one is its type's.

    ``value`` is true where the method takes plain Python values for the contract's value message.
    """

    name: str
    field: Field
    doc: str
    required: bool
    keyword_only: bool
    value: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A kind with its request arm and, if it has one, its reply arm."""

    name: str
    constant: str
    doc: str
    kind: str
    member: str
    payload: Ref
    params: tuple[Param, ...]
    reply_member: str | None
    reply: Ref | None
    result: Field | None
    bulk_field: str | None

    @property
    def text(self) -> str:
        """What the contract says of it; its kind where it says nothing."""
        return self.doc or f"Command {self.kind}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Every command of the contract, and the messages that carry them."""

    module: str
    envelope: Ref
    reply: Ref
    kind_enum: Ref
    value_message: Ref
    protocol: int
    max_bulk_items: int
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Everything that is generated."""

    root: str
    packages: tuple[Package, ...]
    commands: Commands | None

    def to_json(self) -> str:
        """The schema as JSON, for people and for other tools."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    def package(self, module: str) -> Package:
        """The package generated as ``module``."""
        return next(package for package in self.packages if package.module == module)

    def message(self, ref: Ref) -> Message:
        """The message a reference names."""
        return next(m for m in self.package(ref.module).messages if m.name == ref.name)

    def enum(self, ref: Ref) -> Enum:
        """The enum a reference names."""
        return next(e for e in self.package(ref.module).enums if e.name == ref.name)
