"""Codecs as templates want them: how each field is sent, and what each tag does when read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from . import ir
from .names import Names, snake
from .pytypes import FIXED32, FIXED64, LENGTH, SCALARS, VARINT, tag, varint, wire_type
from .views import Views


@dataclass(frozen=True, slots=True)
class Branch:
    """What decoding does with one tag. ``store`` are the statements that keep what was read."""

    wire_type: int
    tag: str
    store: str
    size: int


@dataclass(frozen=True, slots=True)
class Groups:
    """Branches by what reading has to do before them."""

    varints: tuple[Branch, ...]
    lengths: tuple[Branch, ...]
    fixed: tuple[Branch, ...]

    @property
    def locals(self) -> Sequence[str]:
        """The variables that reading needs and their types in C."""
        return (
            *("start=cython.Py_ssize_t", "tag=cython.ulonglong", "unknown=list"),
            *(("value=cython.ulonglong",) if self.varints else ()),
            *(("size=cython.Py_ssize_t", "stop=cython.Py_ssize_t") if self.lengths else ()),
            *(("wire_type=cython.int",) if self.varints or self.lengths else ()),
        )

    @classmethod
    def of(cls, branches: Iterable[Branch]) -> Groups:
        """``branches``, each group in their order."""
        found = tuple(branches)
        return cls(
            varints=tuple(b for b in found if b.wire_type == VARINT),
            lengths=tuple(b for b in found if b.wire_type == LENGTH),
            fixed=tuple(b for b in found if b.wire_type in (FIXED32, FIXED64)),
        )


@dataclass(frozen=True, slots=True)
class EncodeView:
    """How one field is sent. ``template`` names the shape."""

    template: str
    name: str
    label: str
    tag: str
    keyword: str = "if"
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
    groups: Groups
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
    maker: str
    fresh: tuple[str, ...]
    merge: tuple[str, ...]
    groups: Groups
    maps: tuple[MapView, ...]
    measures: bool
    locals: tuple[str, ...]


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
            lists = [
                _assign(message, field, "{}" if field.map_key else "[]")
                for field in message.fields
                if field.repeated or field.map_key
            ]
            groups = Groups.of(b for f in message.fields for b in self._branches(message, f))
            yield CodecView(
                name=message.name,
                proto_name=repr(message.proto_name),
                stem=message.stem,
                label=repr(message.name),
                encodes=tuple(self._encodes(message)),
                maker="new_leaf" if all(map(_is_leaf, message.fields)) else "new",
                fresh=(*lists, *(f"{o.accessor}: str | None = None" for o in message.oneofs)),
                merge=tuple(f"{o.accessor} = m.{o.accessor}()" for o in message.oneofs),
                groups=groups,
                maps=tuple(self._map(message, f) for f in message.fields if f.map_key),
                measures=any(f.packed or f.map_key or f.type == "message" for f in message.fields),
                locals=(*groups.locals, *(f"{o.accessor}=str" for o in message.oneofs)),
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

    def _encodes(self, message: ir.Message) -> Iterable[EncodeView]:
        """Fields in the order of their numbers; of members of a oneof only one is looked for."""
        before: str | None = None
        for field in sorted(message.fields, key=lambda field: field.number):
            view = self._encode(message, field)
            yield replace(view, keyword="elif") if field.oneof and field.oneof == before else view
            before = field.oneof

    def _encode(self, message: ir.Message, field: ir.Field) -> EncodeView:
        label = repr(f"{message.name}.{field.name}")
        wire = LENGTH if field.packed or field.map_key else wire_type(field)
        view = {
            "name": field.name,
            "label": label,
            "tag": _tag(field.number, wire),
            "write": self._writer(field),
            "encode": self._codec("encode", field.ref)
            if field.type == "message" and field.ref
            else "",
        }
        nested = field.type == "message"
        if field.map_key:
            return EncodeView(
                template="encode_map.j2",
                key_write=SCALARS[field.map_key].write,
                key_tag=_tag(1, SCALARS[field.map_key].wire_type),
                item_tag=_tag(2, wire_type(field)),
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
        target = f"m.{field.name}"
        if field.map_key:
            entry = self._entries[message.stem, field.name]
            yield _branch(
                field.number,
                LENGTH,
                f"key_{field.name}, item_{field.name} = {entry}(data, pos, stop, depth - 1)",
                f"{target}[key_{field.name}] = item_{field.name}",
            )
            return
        if field.repeated:
            yield self._single(field, f"{target}.append({self._value(field, 'None')})")
            if field.type not in ("string", "bytes", "message"):
                yield _branch(field.number, LENGTH, f"{target}.extend({self._packed(field)})")
            return
        value = self._value(field, target)
        if field.oneof:
            which = next(o.accessor for o in message.oneofs if o.name == field.oneof)
            yield self._single(field, f"{which} = chosen(m, {which}, {field.name!r}, {value})")
        else:
            yield self._single(field, _assign(message, field, value))

    def _single(self, field: ir.Field, store: str) -> Branch:
        size = SCALARS[field.type].size if field.type in SCALARS else 0
        return _branch(field.number, wire_type(field), store, size=size)

    def _value(self, field: ir.Field, into: str) -> str:
        """The expression for one value that was just read."""
        if field.type == "message" and field.ref:
            return f"{self._codec('decode', field.ref)}(data, pos, stop, depth - 1, {into})"
        if field.type == "enum" and field.ref:
            return f"{self._tables[field.ref]}[value]"
        return SCALARS[field.type].read

    def _packed(self, field: ir.Field) -> str:
        if field.type == "enum" and field.ref:
            table = self._tables[field.ref]
            return f"[{table}[number] for number in unpack_uint64(data, pos, stop)]"
        return f"unpack_{field.type}(data, pos, stop)"

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
            groups=Groups.of(
                (
                    self._single(key_field, f"key = {self._value(key_field, 'None')}"),
                    self._single(replace(field, number=2), f"item = {self._value(field, 'item')}"),
                )
            ),
        )


def _is_leaf(field: ir.Field) -> bool:
    """Whether the field holds nothing that could lead back to its message."""
    return not (field.repeated or field.map_key or field.type == "message")


def _branch(number: int, wire: int, *store: str, size: int = 0) -> Branch:
    return Branch(
        wire_type=wire,
        tag=f"0x{tag(number, wire):02X}",
        store=f"\n{' ' * 16}".join(store),
        size=size,
    )


def _assign(message: ir.Message, field: ir.Field, value: str) -> str:
    """The statement that sets a field, past the hook that looks after oneofs."""
    if message.oneofs:
        return f"native.put(m, {field.name!r}, {value})"
    return f"m.{field.name} = {value}"


def _tag(number: int, wire: int) -> str:
    """The statement that appends a tag."""
    sent = varint(tag(number, wire))
    if len(sent) == 1:
        return f"out.append(0x{sent[0]:02X})"
    # Hexadecimal throughout: letters in it would mean nothing to a reader.
    return 'out += b"' + "".join(f"\\x{byte:02x}" for byte in sent) + '"'


def _condition(field: ir.Field) -> str:
    target = f"its_{field.name} := m.{field.name}"
    if field.presence:
        return f"({target}) is not None"
    if field.type == "bool":
        return f"({target}) is not False"
    if field.type in ("float", "double"):
        return f"not is_zero({target})"
    default = "0" if field.type == "enum" else SCALARS[field.type].default
    return f"({target}) != {default}"
