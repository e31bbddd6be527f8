"""The schema as templates want it: every hole a finished piece of Python source."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from zb_mom_ww_mxgateway_wire.fields import json_name

from . import ir
from .names import Names, snake
from .pytypes import (
    FIXED32,
    FIXED64,
    LENGTH,
    NATIVE,
    SCALARS,
    VARINT,
    WELL_KNOWN,
    tag,
    varint,
    wire_type,
)

_WIDTH = 100
#: With more branches in one loop, pyright gives up inferring its variables: declare them.
_INFERABLE = 24

#: A quote at the end of a line that an odd number of backslashes stands in front of.
_ESCAPED_QUOTE = re.compile(r'(?<!\\)(\\\\)*\\"$')


def docstring(text: str, indent: int = 4) -> str:
    """``text`` between triple quotes, wrapped, for a body that is indented by ``indent``."""
    escaped = [_escaped(line) for line in _wrapped(text, _WIDTH - indent - 3)]
    # A quote beside the quotes around the text would be taken for one of them.
    if escaped[0].startswith('"'):
        escaped[0] = f"\\{escaped[0]}"
    if escaped[-1].endswith('"') and not _ESCAPED_QUOTE.search(escaped[-1]):
        escaped[-1] = f'{escaped[-1][:-1]}\\"'
    body = ("\n" + " " * indent).join(escaped)
    body = "\n".join(line.rstrip() for line in body.split("\n"))
    return f'"""{body}\n{" " * indent}"""' if len(escaped) > 1 else f'"""{body}"""'


def _escaped(line: str) -> str:
    plain = line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in plain)


def _wrapped(text: str, width: int) -> list[str]:
    """Paragraphs filled anew; one with indented lines or a list keeps its lines."""
    lines: list[str] = []
    for paragraph in text.strip("\n").split("\n\n"):
        kept = paragraph.splitlines()
        if all(line[:1].isalnum() for line in kept):
            kept = [" ".join(kept)]
        for line in kept:
            margin = line[: len(line) - len(line.lstrip())]
            lines += textwrap.wrap(
                line, width, subsequent_indent=margin, break_on_hyphens=False
            ) or [""]
        lines.append("")
    return lines[:-1]


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
    """A message class."""

    name: str
    bases: str
    doc: str
    fields: tuple[FieldView, ...]
    oneofs: tuple[OneofView, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """What decoding does with one tag: how the value is read, and the statements that keep it."""

    tag: str
    reader: str
    size: int
    store: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EncodeView:
    """How one field is sent. ``template`` names the shape."""

    template: str
    name: str
    label: str
    tag: str
    condition: str = ""
    write: str = ""
    encode: str = ""
    key_write: str = ""
    key_tag: str = ""
    item_tag: str = ""


@dataclass(frozen=True, slots=True)
class MapView:
    """The function that decodes one entry of a map."""

    function: str
    key_type: str
    key_default: str
    item_type: str
    item_default: str
    branches: tuple[Branch, ...]
    returns: str
    result: str


@dataclass(frozen=True, slots=True)
class CodecView:
    """The codec of one message."""

    name: str
    proto_name: str
    stem: str
    label: str
    encodes: tuple[EncodeView, ...]
    fresh: tuple[str, ...]
    merge: tuple[str, ...]
    by_dict: bool
    declared: tuple[str, ...]
    branches: tuple[Branch, ...]
    maps: tuple[MapView, ...]


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
    methods: tuple[MethodView, ...]


@dataclass(frozen=True, slots=True)
class ParamView:
    """A parameter in a signature, and the argument that passes it on."""

    declaration: str
    argument: str
    keyword_only: bool


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command: its method, its row in the table and its abstract handler."""

    name: str
    constant: str
    doc: str
    method_doc: str
    handler_doc: str
    kind: str
    member: str
    payload: str
    params: tuple[ParamView, ...]
    rows: tuple[str, ...]
    annotation: str
    unwrap: str
    reply: str
    reply_member: str
    result_field: str
    bulk_field: str


class Views:
    """The views of one package. Names of other packages are reached through their modules."""

    def __init__(self, schema: ir.Schema, package: ir.Package) -> None:
        self._schema = schema
        self._package = package
        names = Names("codec")
        self._tables = {ref: names.free(self._table(ref)) for ref in self._used_enums()}
        self._entries = {
            (message.stem, field.name): names.free(f"_decode_{message.stem}_{field.name}")
            for message in package.messages
            for field in message.fields
            if field.map_key
        }

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

    # --- codecs ---

    def codecs(self) -> Iterable[CodecView]:
        """The codec of every message of the package."""
        for message in self._package.messages:
            by_dict = bool(message.oneofs)
            lists = [
                self._assign(by_dict, field, "{}" if field.map_key else "[]")
                for field in message.fields
                if field.repeated or field.map_key
            ]
            branches = tuple(b for f in message.fields for b in self._branches(message, f))
            yield CodecView(
                name=message.name,
                proto_name=repr(message.proto_name),
                stem=message.stem,
                label=repr(message.name),
                encodes=tuple(
                    self._encode(message, field)
                    for field in sorted(message.fields, key=lambda field: field.number)
                ),
                fresh=(*lists, *(f"{o.accessor}: str | None = None" for o in message.oneofs)),
                merge=tuple(f"{o.accessor} = m.{o.accessor}()" for o in message.oneofs),
                by_dict=by_dict,
                declared=("start", "tag", "size", "stop") if len(branches) > _INFERABLE else (),
                branches=branches,
                maps=tuple(self._map(message, f) for f in message.fields if f.map_key),
            )

    def enum_tables(self) -> Iterable[tuple[str, str]]:
        """Name and enum of every number-to-member table that the codecs use."""
        for ref, table in self._tables.items():
            yield table, self.type_name(ref, enum=True)

    def _used_enums(self) -> list[ir.Ref]:
        used = {
            f.ref for m in self._package.messages for f in m.fields if f.ref and f.type == "enum"
        }
        return sorted(used, key=lambda ref: (ref.module, ref.name))

    def _table(self, ref: ir.Ref) -> str:
        prefix = "" if ref.module == self._package.module else f"{ref.module}_"
        return f"_{prefix}{snake(ref.name)}".upper()

    def _codec(self, verb: str, ref: ir.Ref) -> str:
        function = f"{verb}_{self._schema.message(ref).stem}"
        return function if ref.module == self._package.module else f"{ref.module}_codec.{function}"

    def _encode(self, message: ir.Message, field: ir.Field) -> EncodeView:
        label = repr(f"{message.name}.{field.name}")
        wire = LENGTH if field.packed or field.map_key else wire_type(field)
        view = {
            "name": field.name,
            "label": label,
            "tag": repr(varint(tag(field.number, wire))),
            "write": self._writer(field),
            "encode": self._codec("encode", field.ref)
            if field.type == "message" and field.ref
            else "",
        }
        nested = field.type == "message"
        if field.map_key:
            return EncodeView(
                template="encode_message_map.j2" if nested else "encode_map.j2",
                key_write=SCALARS[field.map_key].write,
                key_tag=repr(varint(tag(1, SCALARS[field.map_key].wire_type))),
                item_tag=repr(varint(tag(2, wire_type(field)))),
                **view,
            )
        if field.repeated:
            shape = "messages" if nested else "packed" if field.packed else "repeated"
            return EncodeView(template=f"encode_{shape}.j2", **view)
        if nested:
            return EncodeView(template="encode_message.j2", **view)
        return EncodeView(template="encode_scalar.j2", condition=_condition(field), **view)

    def _writer(self, field: ir.Field) -> str:
        if field.type == "message":
            return ""
        return "write_enum" if field.type == "enum" else SCALARS[field.type].write

    def _branches(self, message: ir.Message, field: ir.Field) -> Iterable[Branch]:
        by_dict = bool(message.oneofs)
        target = f"m.{field.name}"
        if field.map_key:
            entry = self._entries[message.stem, field.name]
            yield self._branch(
                field.number,
                LENGTH,
                (
                    f"{field.name}_key, {field.name}_item = {entry}(data, pos, stop, depth + 1)",
                    f"{target}[{field.name}_key] = {field.name}_item",
                ),
            )
            return
        if field.repeated:
            single = self._branch(
                field.number,
                wire_type(field),
                (f"{target}.append({self._value(field, 'None')})",),
                size=self._size(field),
            )
            if field.type in ("string", "bytes", "message"):
                yield single
                return
            packed = self._branch(
                field.number, LENGTH, (f"{target}.extend({self._packed(field)})",)
            )
            yield from (packed, single) if field.packed else (single, packed)
            return
        store: tuple[str, ...]
        value = self._value(field, target)
        if field.oneof:
            which = next(o.accessor for o in message.oneofs if o.name == field.oneof)
            name = repr(field.name)
            item = f"{field.name}_item"
            before = (f"{item} = {value}",) if field.type == "message" else ()
            store = (
                *before,
                f"if {which} is not None:\n                fields[{which}] = None",
                f"fields[{name}] = {item if before else value}",
                f"{which} = {name}",
            )
        else:
            store = (self._assign(by_dict, field, value),)
        yield self._branch(field.number, wire_type(field), store, size=self._size(field))

    def _assign(self, by_dict: bool, field: ir.Field, value: str) -> str:
        return f"fields[{field.name!r}] = {value}" if by_dict else f"m.{field.name} = {value}"

    def _branch(self, number: int, wire: int, store: tuple[str, ...], size: int = 0) -> Branch:
        readers = {
            VARINT: "decode_varint.j2",
            LENGTH: "decode_length.j2",
            FIXED32: "decode_fixed.j2",
            FIXED64: "decode_fixed.j2",
        }
        return Branch(
            tag=f"0x{tag(number, wire):02X}", reader=readers[wire], size=size, store=store
        )

    def _size(self, field: ir.Field) -> int:
        return SCALARS[field.type].size if field.type in SCALARS else 0

    def _value(self, field: ir.Field, into: str) -> str:
        """The expression for one value that was just read."""
        if field.type == "message" and field.ref:
            return f"{self._codec('decode', field.ref)}(data, pos, stop, depth + 1, {into})"
        if field.type == "enum" and field.ref:
            return f"{self._tables[field.ref]}[{SCALARS['int32'].inline}]"
        scalar = SCALARS[field.type]
        if scalar.wire_type == VARINT:
            return scalar.inline
        if field.type == "string":
            return "data[pos:stop].decode()"
        return "data[pos:stop]" if field.type == "bytes" else f"{scalar.read}(data, pos)"

    def _packed(self, field: ir.Field) -> str:
        body = "data[pos:stop]"
        if field.type == "enum" and field.ref:
            return f"{self._tables[field.ref]}[to_int32(value)] for value in varints({body})"
        scalar = SCALARS[field.type]
        if scalar.unpack:
            return f"{scalar.unpack}({body})"
        return (
            f"varints({body})" if field.type == "uint64" else f"map({scalar.read}, varints({body}))"
        )

    def _map(self, message: ir.Message, field: ir.Field) -> MapView:
        assert field.map_key is not None
        key = SCALARS[field.map_key]
        nested = field.type == "message"
        element = self.element_type(field)
        key_field = ir.Field(
            name="key", proto_name="key", json_name="key", number=1, doc="", type=field.map_key,
            ref=None, map_key=None, repeated=False, packed=False, presence=False, optional=False,
            oneof=None, redact=False, where=field.where,
        )  # fmt: skip
        if nested and field.ref:
            default = "None"
            result = f"item or {self._codec('decode', field.ref)}(b'', 0, 0, depth, None)"
        elif field.ref:
            default, result = f"{self._tables[field.ref]}[0]", "item"
        else:
            default, result = SCALARS[field.type].default, "item"
        return MapView(
            function=self._entries[message.stem, field.name],
            key_type=key.annotation,
            key_default=key.default,
            item_type=f"{element} | None" if nested else element,
            item_default=default,
            returns=f"tuple[{key.annotation}, {element}]",
            result=f"key, {result}",
            branches=(
                self._branch(
                    1,
                    key.wire_type,
                    (f"key = {self._value(key_field, 'None')}",),
                    size=key.size,
                ),
                self._branch(
                    2,
                    wire_type(field),
                    (f"item = {self._value(field, 'item')}",),
                    size=self._size(field),
                ),
            ),
        )

    # --- services ---

    def services(self) -> Iterable[ServiceView]:
        """Every service of the package."""
        for service in self._package.services:
            yield ServiceView(
                name=service.name,
                proto_name=service.proto_name,
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

    # --- commands ---

    def commands(self, commands: ir.Commands) -> Iterable[CommandView]:
        """Every command, for the session, the table and the handlers."""
        for command in commands.commands:
            reply = self.type_name(command.reply) if command.reply else "None"
            result = command.result
            doc = command.doc or f"Command {command.kind}."
            yield CommandView(
                name=command.name,
                constant=command.constant,
                doc=repr(" ".join(doc.split())),
                method_doc=docstring(_method_doc(doc, command), indent=8),
                handler_doc=docstring(doc, indent=8),
                kind=command.kind,
                member=repr(command.member),
                payload=self.type_name(command.payload),
                params=tuple(self._param(param) for param in command.params),
                rows=tuple(_row(param) for param in command.params),
                annotation=self.annotation(result) if result else reply,
                unwrap=f".{result.name}" if result else "",
                reply=reply if command.reply else "type(None)",
                reply_member=repr(command.reply_member),
                result_field=repr(result.name if result else None),
                bulk_field=repr(command.bulk_field),
            )

    def _param(self, param: ir.Param) -> ParamView:
        field = param.field
        element = self.element_type(field)
        proto_name = (
            self._schema.message(field.ref).proto_name
            if field.type == "message" and field.ref
            else ""
        )
        argument = param.name
        if param.value:
            annotation, argument = "V", f"self._value({param.name})"
        elif field.repeated:
            annotation, argument = f"Iterable[{element}]", f"listed({param.name})"
        elif proto_name in NATIVE:
            native, convert = NATIVE[proto_name]
            annotation = native if param.required else f"{native} | None"
            made = f"{element}.{convert}({param.name})"
            argument = made if param.required else f"{made} if {param.name} is not None else None"
        else:
            annotation = self.annotation(field)
            if param.required and field.presence:
                annotation = element
        default = "" if param.required else f" = {self._default(param)}"
        return ParamView(
            declaration=f"{param.name}: {annotation}{default}",
            argument=f"{field.name}={argument}",
            keyword_only=param.keyword_only,
        )

    def _default(self, param: ir.Param) -> str:
        field = param.field
        if field.repeated:
            return "()"
        if field.presence or field.map_key:
            return "None"
        if field.type == "enum" and field.ref:
            enum = next(
                e for e in self._schema.package(field.ref.module).enums if e.name == field.ref.name
            )
            zero = next(value for value in enum.values if value.number == 0)
            return f"{self.type_name(field.ref, enum=True)}.{zero.name}"
        return SCALARS[field.type].default


def _condition(field: ir.Field) -> str:
    target = f"m.{field.name}"
    if field.presence:
        return f"{target} is not None"
    if field.type == "bool":
        return f"{target} is not False"
    if field.type in ("float", "double"):
        return f"not is_zero({target})"
    default = "0" if field.type == "enum" else SCALARS[field.type].default
    return f"{target} != {default}"


def _row(param: ir.Param) -> str:
    parts = [
        f"name={param.name!r}",
        f"field={param.field.name!r}",
        f"doc={' '.join(param.doc.split())!r}",
    ]
    parts += [
        f"{key}=True"
        for key, on in (
            ("required", param.required),
            ("keyword_only", param.keyword_only),
            ("value", param.value),
        )
        if on
    ]
    return f"Param({', '.join(parts)})"


def _method_doc(doc: str, command: ir.Command) -> str:
    lines = [doc, "", "Args:"]
    lines += [_hanging(f"{param.name}: {param.doc}") for param in command.params]
    lines.append(_hanging("correlation_id: Names this call in logs; made up when empty."))
    if command.result is not None and command.result.doc:
        lines += ["", "Returns:", _hanging(command.result.doc)]
    return "\n".join(lines)


def _hanging(text: str) -> str:
    return "\n".join(
        textwrap.wrap(
            " ".join(text.split()),
            _WIDTH - 12,
            initial_indent="    ",
            subsequent_indent="        ",
            break_long_words=False,
        )
    )
