"""Codecs as templates want them: how each field is sent, and what each tag does when read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import ir
from .names import Names, snake
from .pytypes import FIXED32, FIXED64, LENGTH, SCALARS, VARINT, tag, varint, wire_type
from .views import Views

#: With more branches in one loop, pyright gives up inferring its variables: declare them.
_INFERABLE = 24


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


class CodecViews(Views):
    """The codecs of one package."""

    def __init__(self, schema: ir.Schema, package: ir.Package) -> None:
        super().__init__(schema, package)
        names = Names("codec")
        self._tables = {ref: names.free(self._table(ref)) for ref in self._used_enums()}
        self._entries = {
            (message.stem, field.name): names.free(f"_decode_{message.stem}_{field.name}")
            for message in package.messages
            for field in message.fields
            if field.map_key
        }

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
            "tag": _tag_bytes(field.number, wire),
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
                key_tag=_tag_bytes(1, SCALARS[field.map_key].wire_type),
                item_tag=_tag_bytes(2, wire_type(field)),
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
                    f"key_{field.name}, new_{field.name} = {entry}(data, pos, stop, depth + 1)",
                    f"{target}[key_{field.name}] = new_{field.name}",
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
            item = f"new_{field.name}"
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


def _tag_bytes(number: int, wire: int) -> str:
    """A tag as a bytes literal in hex: letters in it would mean nothing to a reader."""
    return 'b"' + "".join(f"\\x{byte:02x}" for byte in varint(tag(number, wire))) + '"'


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
