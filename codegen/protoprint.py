"""Descriptors back to proto3 source that people can read and that compiles to the same again.

Comments are not in descriptors, so there are none. Options that protobuf does not define itself
are left out, with the extensions that define them: nothing on the wire depends on either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message

from zb_mom_ww_mxgateway_wire.fields import json_name

from .errors import CodegenError

_INDENT: Final = "  "
_TYPES: Final = {
    number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}
#: What cannot start a type's name, as it says how a statement goes on.
_WORDS: Final = frozenset(_TYPES.values()) | {
    *("enum", "extend", "extensions", "group", "map", "message", "oneof", "option", "optional"),
    *("repeated", "required", "reserved", "stream"),
}
_REFERENCES: Final = (FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM)
#: One beyond the last field number, and the last value of an enum: what ``max`` stands for.
_END_OF_FIELDS: Final = 2**29
_LAST_VALUE: Final = 2**31 - 1


def print_files(files: Iterable[FileDescriptorProto]) -> dict[str, str]:
    """The source of each file, by its name.

    Args:
        files: Files of proto3 together with all that they import. The standard ones under
            ``google/protobuf`` are not printed, as every protobuf compiler has them.

    Raises:
        CodegenError: A file is not proto3.
    """
    files = list(files)
    symbols = frozenset(name for file in files for name in _symbols(file))
    return {
        file.name: "\n".join(_Printer(file, symbols).lines()) + "\n"
        for file in files
        if not file.name.startswith("google/protobuf/")
    }


def _symbols(file: FileDescriptorProto) -> Iterator[str]:
    """Every full name that a file declares; its package and those around it too."""
    parts = file.package.split(".") if file.package else []
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
    yield from _declared(file.package, file.message_type, file.enum_type)
    for service in file.service:
        yield _joined(file.package, service.name)
        yield from (_joined(file.package, service.name, rpc.name) for rpc in service.method)


def _declared(
    scope: str, messages: Iterable[DescriptorProto], enums: Iterable[EnumDescriptorProto]
) -> Iterator[str]:
    for enum in enums:
        yield _joined(scope, enum.name)
        yield from (_joined(scope, value.name) for value in enum.value)
    for message in messages:
        inner = _joined(scope, message.name)
        yield inner
        yield from (_joined(inner, field.name) for field in message.field)
        yield from (_joined(inner, oneof.name) for oneof in message.oneof_decl)
        yield from _declared(inner, message.nested_type, message.enum_type)


def _joined(*names: str) -> str:
    return ".".join(name for name in names if name)


class _Printer:
    """The lines of one file. ``symbols`` are the full names that it may see, or more."""

    def __init__(self, file: FileDescriptorProto, symbols: frozenset[str]) -> None:
        if file.syntax != "proto3":
            raise CodegenError(
                f"{file.name} is {file.syntax or 'proto2'}, not proto3",
                hint="take this file from whoever runs the gateway, and translate it by hand",
            )
        self._file = file
        self._symbols = symbols

    def lines(self) -> Iterator[str]:
        """The whole file."""
        file = self._file
        yield 'syntax = "proto3";'
        if file.package:
            yield from ("", f"package {file.package};")
        if file.dependency:
            yield ""
        for index, name in enumerate(file.dependency):
            public = "public " if index in file.public_dependency else ""
            yield f"import {public}{_quoted(name)};"
        options = list(_statements(file.options))
        if options:
            yield from ("", *options)
        for service in file.service:
            yield from ("", *self._service(service))
        for enum in file.enum_type:
            yield from ("", *_enum(enum))
        for message in file.message_type:
            yield from ("", *self._message(message, file.package))

    def _service(self, service: ServiceDescriptorProto) -> Iterator[str]:
        scope = _joined(self._file.package, service.name)
        yield f"service {service.name} {{"
        yield from _indented(_statements(service.options))
        for rpc in service.method:
            request = self._reference(rpc.input_type, scope)
            reply = self._reference(rpc.output_type, scope)
            head = (
                f"{_INDENT}rpc {rpc.name}({'stream ' * rpc.client_streaming}{request}) "
                f"returns ({'stream ' * rpc.server_streaming}{reply})"
            )
            options = list(_statements(rpc.options))
            if options:
                yield from (f"{head} {{", *_indented(_indented(options)), f"{_INDENT}}}")
            else:
                yield f"{head};"
        yield "}"

    def _message(self, message: DescriptorProto, outer: str) -> Iterator[str]:
        scope = _joined(outer, message.name)
        body = list(_statements(message.options))
        body += _reserved(
            [(item.start, item.end - 1) for item in message.reserved_range],
            _END_OF_FIELDS - 1,
            message.reserved_name,
        )
        for enum in message.enum_type:
            body += [*_enum(enum), ""]
        body += self._members(message, scope)
        if body and not body[-1]:
            body.pop()
        yield from _block(f"message {message.name}", body)

    def _members(self, message: DescriptorProto, scope: str) -> Iterator[str]:
        """Fields and nested messages, each as early as keeps both in their order.

        A map field makes a nested message at its place, so the others have to come around it.
        """
        entries = {
            _joined(f".{scope}", nested.name): nested
            for nested in message.nested_type
            if nested.options.map_entry
        }
        nested = iter(message.nested_type)

        def up_to_next_map() -> Iterator[str]:
            for inner in nested:
                if inner.options.map_entry:
                    return
                yield from (*self._message(inner, scope), "")

        yield from up_to_next_map()
        open_oneof: str | None = None
        for field in message.field:
            oneof = None
            if field.HasField("oneof_index") and not field.proto3_optional:
                oneof = message.oneof_decl[field.oneof_index].name
            if open_oneof not in (None, oneof):
                yield "}"
            if oneof not in (None, open_oneof):
                yield f"oneof {oneof} {{"
                yield from _indented(_statements(message.oneof_decl[field.oneof_index].options))
            open_oneof = oneof
            entry = entries.get(field.type_name)
            line = self._field(field, scope, entry)
            yield f"{_INDENT}{line}" if oneof else line
            if entry:
                yield from up_to_next_map()
        if open_oneof:
            yield "}"

    def _field(self, field: FieldDescriptorProto, scope: str, entry: DescriptorProto | None) -> str:
        if entry:
            key, value = (self._type(part, scope) for part in entry.field)
            kind = f"map<{key}, {value}>"
        elif field.label == FieldDescriptorProto.LABEL_REPEATED:
            kind = f"repeated {self._type(field, scope)}"
        else:
            kind = f"{'optional ' * field.proto3_optional}{self._type(field, scope)}"
        options = list(_options(field.options))
        if field.json_name not in ("", json_name(field.name)):
            options.append(f"json_name = {_quoted(field.json_name)}")
        suffix = f" [{', '.join(options)}]" if options else ""
        return f"{kind} {field.name} = {field.number}{suffix};"

    def _type(self, field: FieldDescriptorProto, scope: str) -> str:
        if field.type in _REFERENCES:
            return self._reference(field.type_name, scope)
        return _TYPES[field.type]

    def _reference(self, target: str, scope: str) -> str:
        """The name by which ``scope`` reaches a type: the shortest in the package, else in full.

        protobuf looks for a name's first part from the innermost scope outwards and takes what it
        finds there first, whatever it is. Where that is something else, or a word of the language,
        a dot in front of the full name helps.
        """
        target = target.removeprefix(".")
        parts = scope.split(".")
        outwards = [".".join(parts[:count]) for count in range(len(parts), 0, -1)] + [""]
        for index, around in enumerate(outwards):
            if around and not target.startswith(f"{around}."):
                continue
            if around and len(around) < len(self._file.package):
                continue  # a part of the package's name alone would only puzzle
            short = target[len(around) + 1 :] if around else target
            first = short.partition(".")[0]
            hidden = any(_joined(name, first) in self._symbols for name in outwards[:index])
            if not hidden and first not in _WORDS:
                return short
        return f".{target}"


def _enum(enum: EnumDescriptorProto) -> Iterator[str]:
    body = list(_statements(enum.options))
    ranges = [(item.start, item.end) for item in enum.reserved_range]
    body += _reserved(ranges, _LAST_VALUE, enum.reserved_name)
    for value in enum.value:
        options = list(_options(value.options))
        suffix = f" [{', '.join(options)}]" if options else ""
        body.append(f"{value.name} = {value.number}{suffix};")
    yield from _block(f"enum {enum.name}", body)


def _reserved(ranges: list[tuple[int, int]], last: int, names: Iterable[str]) -> Iterator[str]:
    """The statements for reserved numbers, both ends included, and reserved names."""
    told = [
        f"{first}" if first == end else f"{first} to {'max' if end == last else end}"
        for first, end in ranges
    ]
    if told:
        yield f"reserved {', '.join(told)};"
    if names:
        yield f"reserved {', '.join(map(_quoted, names))};"


def _block(head: str, body: list[str]) -> Iterator[str]:
    if body:
        yield from (f"{head} {{", *_indented(body), "}")
    else:
        yield f"{head} {{}}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (line and _INDENT + line for line in lines)


def _statements(options: Message) -> Iterator[str]:
    return (f"option {option};" for option in _options(options))


def _options(options: Message) -> Iterator[str]:
    """``name = value`` for each option of protobuf's own that is set."""
    for field, value in options.ListFields():
        if field.is_extension or field.message_type is not None or field.name == "map_entry":
            continue  # map_entry is how a map is described, and written otherwise
        for item in [value] if isinstance(value, (int, float, str, bytes)) else value:
            yield f"{field.name} = {_constant(field, item)}"


def _constant(field: FieldDescriptor, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if field.enum_type is not None and isinstance(value, int):
        return str(field.enum_type.values_by_number[value].name)
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    escaped = re.sub(r'[\x00-\x1f\x7f"\\]', lambda found: f"\\{ord(found[0]):03o}", text)
    return f'"{escaped}"'
