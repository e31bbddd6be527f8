"""Descriptors to the schema in two passes: names first, so that every reference resolves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from . import ir
from .conventions import Conventions
from .descriptors import Contract, ElementPath, Source
from .errors import CodegenError
from .names import (
    BUILTINS,
    ENUM_ATTRIBUTES,
    MESSAGE_ATTRIBUTES,
    Names,
    class_name,
    enum_prefix,
    module_name,
    python_name,
    snake,
)

_TYPES = {
    number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}


@dataclass(frozen=True, slots=True)
class _Element:
    """A message or an enum where it stands: its descriptor, its names and its place."""

    descriptor: DescriptorProto | EnumDescriptorProto
    scope: tuple[str, ...]
    proto_name: str
    source: Source
    path: ElementPath

    @property
    def where(self) -> str:
        return self.source.where(self.path)


def build(contract: Contract, conventions: Conventions) -> ir.Schema:
    """The schema of every proto3 file in the contract, without its commands."""
    files = [file for file in contract.files if file.syntax == "proto3"]
    schema = _Builder(contract, conventions, files).schema()
    _check_conventions(schema, conventions)
    return schema


def _check_conventions(schema: ir.Schema, conventions: Conventions) -> None:
    """A name that the contract has not is a slip; under ``redact`` it would be a leak."""
    messages = [message for package in schema.packages for message in package.messages]
    enums = [enum for package in schema.packages for enum in package.enums]
    fields = {f"{m.proto_name}.{field.proto_name}" for m in messages for field in m.fields}
    values = {_full(_scope(e.proto_name), value.proto_name) for e in enums for value in e.values}
    elements = {message.proto_name for message in messages} | {enum.proto_name for enum in enums}
    for table, names, known in (
        ("redact", conventions.redact, fields),
        ("rename", conventions.rename, fields | values | elements),
    ):
        for name in sorted(names):
            if name not in known:
                raise CodegenError(
                    f"{table}: the contract has no {name!r}",
                    where=conventions.file,
                    hint="write the full name, with its package and message",
                )


class _Builder:
    def __init__(
        self, contract: Contract, conventions: Conventions, files: Sequence[FileDescriptorProto]
    ) -> None:
        self._contract = contract
        self._conventions = conventions
        self._packages: dict[str, list[FileDescriptorProto]] = {}
        self._elements: dict[str, list[_Element]] = {}
        self._refs: dict[str, ir.Ref] = {}
        for file in files:
            self._packages.setdefault(file.package, []).append(file)
        self._name_everything()

    def schema(self) -> ir.Schema:
        packages = [self._package(name) for name in sorted(self._packages)]
        return ir.Schema(root=self._conventions.root, packages=tuple(packages), commands=None)

    # --- first pass: names ---

    def _name_everything(self) -> None:
        modules = Names("the generated package")
        for package, files in sorted(self._packages.items()):
            module = modules.take(module_name(package), package, files[0].name)
            classes = Names(f"package {package!r}")
            elements = [element for file in files for element in self._walk(file)]
            self._elements[package] = elements
            for element in elements:
                wanted = self._conventions.rename.get(element.proto_name) or class_name(
                    element.scope
                )
                name = classes.take(wanted, element.proto_name, element.where)
                self._refs[f".{element.proto_name}"] = ir.Ref(module=module, name=name)
            for file in files:
                self._take_service_names(file, classes)

    def _take_service_names(self, file: FileDescriptorProto, classes: Names) -> None:
        """A service's classes stand in a module that also has its messages."""
        where = self._contract.sources[file.name].where
        for index, service in enumerate(file.service):
            for kind in ("Methods", "Stub", "Base"):
                classes.take(f"{service.name}{kind}", service.name, where((6, index)))

    def _walk(self, file: FileDescriptorProto) -> Iterator[_Element]:
        source = self._contract.sources[file.name]
        for index, message in enumerate(file.message_type):
            yield from self._walk_message(message, (), file.package, source, (4, index))
        for index, enum in enumerate(file.enum_type):
            yield _Element(enum, (enum.name,), _full(file.package, enum.name), source, (5, index))

    def _walk_message(
        self,
        message: DescriptorProto,
        outer: tuple[str, ...],
        prefix: str,
        source: Source,
        path: ElementPath,
    ) -> Iterator[_Element]:
        scope = (*outer, message.name)
        full = _full(prefix, message.name)
        yield _Element(message, scope, full, source, path)
        for index, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from self._walk_message(nested, scope, full, source, (*path, 3, index))
        for index, enum in enumerate(message.enum_type):
            yield _Element(
                enum, (*scope, enum.name), _full(full, enum.name), source, (*path, 4, index)
            )

    # --- second pass: contents ---

    def _package(self, package: str) -> ir.Package:
        files = self._packages[package]
        elements = self._elements[package]
        stems = Names("codec functions")
        visible = {self._refs[f".{e.proto_name}"].name for e in elements} | set(self._modules())
        return ir.Package(
            proto_name=package,
            module=module_name(package),
            doc=_file_doc(self._contract, files),
            files=tuple(file.name for file in files),
            enums=tuple(
                self._enum(e, e.descriptor)
                for e in elements
                if isinstance(e.descriptor, EnumDescriptorProto)
            ),
            messages=tuple(
                self._message(e, e.descriptor, stems, visible)
                for e in elements
                if isinstance(e.descriptor, DescriptorProto)
            ),
            services=tuple(
                self._service(file, service, index)
                for file in files
                for index, service in enumerate(file.service)
            ),
        )

    def _modules(self) -> Iterator[str]:
        for package in self._packages:
            yield module_name(package)
            yield f"{module_name(package)}_enums"

    def _enum(self, element: _Element, enum: EnumDescriptorProto) -> ir.Enum:
        prefix = enum_prefix(enum.name, [value.name for value in enum.value])
        names = Names(f"enum {element.proto_name!r}")
        values: list[ir.EnumValue] = []
        for index, value in enumerate(enum.value):
            path = (*element.path, 2, index)
            full = _full(_scope(element.proto_name), value.name)
            wanted = self._conventions.rename.get(full)
            name = wanted or python_name(value.name.removeprefix(prefix), ENUM_ATTRIBUTES)
            values.append(
                ir.EnumValue(
                    name=names.take(name, value.name, element.source.where(path)),
                    proto_name=value.name,
                    number=value.number,
                    doc=_doc(element.source, path, deprecated=value.options.deprecated),
                )
            )
        return ir.Enum(
            name=self._refs[f".{element.proto_name}"].name,
            proto_name=element.proto_name,
            doc=_doc(element.source, element.path, deprecated=enum.options.deprecated),
            prefix=prefix,
            values=tuple(values),
            where=element.where,
        )

    def _message(
        self, element: _Element, message: DescriptorProto, stems: Names, visible: set[str]
    ) -> ir.Message:
        name = self._refs[f".{element.proto_name}"].name
        names = Names(f"message {element.proto_name!r}")
        reserved = BUILTINS | MESSAGE_ATTRIBUTES | visible
        fields = tuple(
            self._field(element, message, index, names, reserved)
            for index in range(len(message.field))
        )
        return ir.Message(
            name=name,
            proto_name=element.proto_name,
            stem=stems.free(snake(name)),
            doc=_doc(element.source, element.path, deprecated=message.options.deprecated),
            fields=fields,
            oneofs=tuple(self._oneofs(element, message, fields, names)),
            where=element.where,
        )

    def _oneofs(
        self, element: _Element, message: DescriptorProto, fields: Sequence[ir.Field], names: Names
    ) -> Iterator[ir.Oneof]:
        for index, oneof in enumerate(message.oneof_decl):
            members = tuple(field.name for field in fields if field.oneof == oneof.name)
            if members:
                yield ir.Oneof(
                    name=oneof.name,
                    accessor=names.free(f"which_{oneof.name.strip('_')}"),
                    doc=_doc(element.source, (*element.path, 8, index)),
                    members=members,
                )

    def _field(
        self,
        element: _Element,
        message: DescriptorProto,
        index: int,
        names: Names,
        reserved: frozenset[str] | set[str],
    ) -> ir.Field:
        field = message.field[index]
        path = (*element.path, 2, index)
        where = element.source.where(path)
        full = f"{element.proto_name}.{field.name}"
        wanted = self._conventions.rename.get(full) or python_name(field.name, reserved)
        value, map_key = self._map_entry(field, message, element.proto_name)
        kind = _TYPES.get(value.type, "")
        if kind not in _KNOWN_TYPES:
            raise CodegenError(
                f"{full}: the type {kind!r} is not of proto3",
                where=where,
                hint="use a message in place of a group",
            )
        repeated = field.label == FieldDescriptorProto.LABEL_REPEATED and map_key is None
        in_oneof = field.HasField("oneof_index") and not field.proto3_optional
        return ir.Field(
            name=names.take(wanted, field.name, where),
            proto_name=field.name,
            json_name=field.json_name,
            number=field.number,
            doc=_doc(element.source, path, deprecated=field.options.deprecated),
            type=kind,
            ref=self._ref(value.type_name, full, where) if value.type_name else None,
            map_key=map_key,
            repeated=repeated,
            packed=repeated
            and kind not in ("string", "bytes", "message")
            and (field.options.packed or not field.options.HasField("packed")),
            presence=in_oneof
            or field.proto3_optional
            or (kind == "message" and not repeated and map_key is None),
            optional=field.proto3_optional,
            oneof=message.oneof_decl[field.oneof_index].name if in_oneof else None,
            redact=field.options.debug_redact or full in self._conventions.redact,
            where=where,
        )

    def _map_entry(
        self, field: FieldDescriptorProto, message: DescriptorProto, full: str
    ) -> tuple[FieldDescriptorProto, str | None]:
        """The field that carries the type, and the type of a map's keys."""
        if field.type == FieldDescriptorProto.TYPE_MESSAGE:
            for nested in message.nested_type:
                if nested.options.map_entry and field.type_name == f".{full}.{nested.name}":
                    return nested.field[1], _TYPES[nested.field[0].type]
        return field, None

    def _ref(self, type_name: str, full: str, where: str) -> ir.Ref:
        if type_name not in self._refs:
            raise CodegenError(
                f"{full}: the type {type_name[1:]!r} is not from a proto3 file",
                where=where,
                hint="only proto3 messages and enums are generated",
            )
        return self._refs[type_name]

    def _service(
        self, file: FileDescriptorProto, service: ServiceDescriptorProto, index: int
    ) -> ir.Service:
        source = self._contract.sources[file.name]
        full = _full(file.package, service.name)
        names = Names(f"service {full!r}")
        return ir.Service(
            name=service.name,
            proto_name=full,
            doc=_doc(source, (6, index), deprecated=service.options.deprecated),
            methods=tuple(
                self._method(full, method, source, (6, index, 2, number), names)
                for number, method in enumerate(service.method)
            ),
        )

    def _method(
        self,
        service: str,
        method: MethodDescriptorProto,
        source: Source,
        path: ElementPath,
        names: Names,
    ) -> ir.Method:
        where = source.where(path)
        full = f"{service}.{method.name}"
        name = names.take(python_name(snake(method.name), BUILTINS), method.name, where)
        return ir.Method(
            name=name,
            constant=name.upper(),
            path=f"/{service}/{method.name}",
            doc=_doc(source, path, deprecated=method.options.deprecated),
            request=self._ref(method.input_type, full, where),
            reply=self._ref(method.output_type, full, where),
            client_streaming=method.client_streaming,
            server_streaming=method.server_streaming,
        )


_KNOWN_TYPES = frozenset(_TYPES.values()) - {"group"}


def _scope(full: str) -> str:
    """What a full name stands in; an enum's values stand there too."""
    return full.rpartition(".")[0]


def _full(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _doc(source: Source, path: ElementPath, *, deprecated: bool = False) -> str:
    comment = source.comment(path)
    if source.file.startswith("google/protobuf/"):
        comment = comment.split("\n\n")[0]
    if deprecated:
        comment = f"{comment}\n\nDeprecated." if comment else "Deprecated."
    return comment


def _file_doc(contract: Contract, files: Sequence[FileDescriptorProto]) -> str:
    """What stands above ``syntax`` in the package's files."""
    docs = [contract.sources[file.name].comment((12,)) for file in files]
    own = [d for f, d in zip(files, docs, strict=True) if not f.name.startswith("google/protobuf/")]
    return "\n\n".join(doc for doc in own if doc)
