"""The schema as templates want it: every hole a finished piece of Python source.

Here are messages and services; codecs and commands have files of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zb_mom_ww_mxgateway_wire.fields import json_name

from . import ir
from .docstrings import docstring
from .pytypes import SCALARS, WELL_KNOWN


@dataclass(frozen=True, slots=True)
class FieldView:
    """One line of a message class."""

    name: str
    annotation: str
    arguments: str
    doc: str


@dataclass(frozen=True, slots=True)
class OneofView:
    """The typed accessor of a oneof."""

    accessor: str
    members: str
    doc: str


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message class; ``parameters`` and ``init`` are what its ``__init__`` takes and does."""

    name: str
    bases: str
    doc: str
    fields: tuple[FieldView, ...]
    parameters: str
    init: tuple[str, ...]
    oneofs: tuple[OneofView, ...]


@dataclass(frozen=True, slots=True)
class MethodView:
    """An rpc: a row, a stub method and an abstract method."""

    name: str
    constant: str
    path: str
    doc: str
    request: str
    reply: str
    cardinality: str
    prefix: str
    parameter: str
    parameter_type: str
    returns: str
    call: str


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service."""

    name: str
    proto_name: str
    stub_doc: str
    transport: str
    methods: tuple[MethodView, ...]


class Views:
    """The views of one package. Names of other packages are reached through their modules."""

    def __init__(self, schema: ir.Schema, package: ir.Package) -> None:
        self._schema = schema
        self._package = package

    # --- messages ---

    def messages(self) -> Iterable[MessageView]:
        """Every message class of the package."""
        for message in self._package.messages:
            base = "OneofMessage" if message.oneofs else "Message"
            mixin = WELL_KNOWN.get(message.proto_name)
            yield MessageView(
                name=message.name,
                bases=f"{mixin}, {base}" if mixin else base,
                doc=docstring(message.doc or f"Message {message.proto_name}."),
                fields=tuple(self._field(field) for field in message.fields),
                parameters=self._parameters(message),
                init=tuple(_init(message)),
                oneofs=tuple(self._oneof(oneof) for oneof in message.oneofs),
            )

    def _field(self, field: ir.Field) -> FieldView:
        parts = [str(field.number), repr(field.type)]
        if field.ref:
            parts.append(f"lambda: {self.type_name(field.ref, enum=field.type == 'enum')}")
        options = {
            "key": field.map_key,
            "repeated": field.repeated,
            "optional": field.optional,
            "oneof": field.oneof,
            "name": field.proto_name if field.proto_name != field.name else "",
            "json": field.json_name if field.json_name != json_name(field.proto_name) else "",
            "redact": field.redact,
        }
        parts += [f"{key}={value!r}" for key, value in options.items() if value]
        return FieldView(
            name=field.name,
            annotation=self.annotation(field),
            arguments=", ".join(parts),
            doc=docstring(field.doc) if field.doc else "",
        )

    def _parameters(self, message: ir.Message) -> str:
        parameters = [
            f"{field.name}: {self.annotation(field)} = {self._unset(field)}"
            for field in message.fields
        ]
        return ", ".join([_receiver(message), "*", *parameters])

    def _unset(self, field: ir.Field) -> str:
        if field.repeated or field.map_key:
            return "ABSENT"
        if field.presence:
            return "None"
        if field.type == "enum":
            assert field.ref is not None
            values = self._schema.enum(field.ref).values
            zero = next(value.name for value in values if value.number == 0)
            return f"{self.type_name(field.ref, enum=True)}.{zero}"
        return SCALARS[field.type].default

    def _oneof(self, oneof: ir.Oneof) -> OneofView:
        doc = f"Which member of the oneof ``{oneof.name}`` is set, or None."
        return OneofView(
            accessor=oneof.accessor,
            members=", ".join(repr(member) for member in oneof.members),
            doc=docstring(f"{doc}\n\n{oneof.doc}" if oneof.doc else doc, indent=8),
        )

    def type_name(self, ref: ir.Ref, *, enum: bool = False) -> str:
        """A class as this package's modules name it."""
        if ref.module == self._package.module:
            return ref.name
        return f"{ref.module}_enums.{ref.name}" if enum else f"{ref.module}.{ref.name}"

    def element_type(self, field: ir.Field) -> str:
        """The Python type of one value of the field."""
        if field.ref:
            return self.type_name(field.ref, enum=field.type == "enum")
        return SCALARS[field.type].annotation

    def annotation(self, field: ir.Field) -> str:
        """The Python type of the whole field."""
        element = self.element_type(field)
        if field.map_key:
            return f"dict[{SCALARS[field.map_key].annotation}, {element}]"
        if field.repeated:
            return f"list[{element}]"
        return f"{element} | None" if field.presence else element

    # --- services ---

    def services(self) -> Iterable[ServiceView]:
        """Every service of the package."""
        for service in self._package.services:
            yield ServiceView(
                name=service.name,
                proto_name=service.proto_name,
                stub_doc=docstring(_stub_doc(service)),
                transport="StreamingTransport"
                if any(method.client_streaming for method in service.methods)
                else "Transport",
                methods=tuple(self._method(method) for method in service.methods),
            )

    def _method(self, method: ir.Method) -> MethodView:
        request, reply = self.type_name(method.request), self.type_name(method.reply)
        sends = "stream" if method.client_streaming else "unary"
        returns = "stream" if method.server_streaming else "unary"
        call = f"self._transport.{sends}_{returns}"
        return MethodView(
            name=method.name,
            constant=method.constant,
            path=method.path,
            doc=docstring(method.doc or f"Rpc {method.path}.", indent=8),
            request=request,
            reply=reply,
            cardinality=f"{sends}_{returns}".upper(),
            prefix="" if method.server_streaming else "async ",
            parameter="requests" if method.client_streaming else "request",
            parameter_type=f"AsyncIterator[{request}]" if method.client_streaming else request,
            returns=f"AsyncGenerator[{reply}, None]" if method.server_streaming else reply,
            call=call if method.server_streaming else f"await {call}",
        )


def _stub_doc(service: ir.Service) -> str:
    calls = (
        f"Calls {service.proto_name} through a transport; each method is one rpc. ``timeout`` is "
        "in seconds and covers the whole call; None leaves it to the transport."
    )
    return f"{service.doc}\n\n{calls}" if service.doc else calls


def _receiver(message: ir.Message) -> str:
    return "_self" if any(field.name == "self" for field in message.fields) else "self"


def _init(message: ir.Message) -> Iterable[str]:
    """Statements that keep an ``__init__``'s arguments in a new message.

    One with a oneof checks what is set, in Python, which a new one has no need of: it keeps them
    in its dict. So does one with a name in capitals, a constant to type checkers. Of a oneof's
    members the one declared last is kept.
    """
    receiver = _receiver(message)
    by_dict = bool(message.oneofs) or any(field.name.isupper() for field in message.fields)
    if by_dict:
        yield f"_fields = {receiver}.__dict__"
    for field in message.fields:
        if field.oneof:
            continue
        target = f'_fields["{field.name}"]' if by_dict else f"{receiver}.{field.name}"
        value = field.name
        if field.repeated or field.map_key:
            value = f"{'{}' if field.map_key else '[]'} if {value} is ABSENT else {value}"
        yield f"{target} = {value}"
    for oneof in message.oneofs:
        branch = "if"
        for name in reversed(oneof.members):
            yield f"{branch} {name} is not None:"
            yield f'    _fields["{name}"] = {name}'
            branch = "elif"
