"""Descriptors printed as .proto source compile to the same descriptors again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileOptions,
    MethodOptions,
)
from hypothesis import given, strategies as st

from codegen.descriptors import compile_contract
from codegen.errors import CodegenError
from codegen.protoprint import print_files
from tests.contracts import FRAGMENTS, PROTO
from zb_mom_ww_mxgateway_wire.fields import json_name

Files = Mapping[str, FileDescriptorProto]
NUMBERS = {
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_UINT64,
    FieldDescriptorProto.TYPE_SFIXED32,
    FieldDescriptorProto.TYPE_DOUBLE,
    FieldDescriptorProto.TYPE_BOOL,
}
SCALARS = [*sorted(NUMBERS), FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES]
KEYS = [FieldDescriptorProto.TYPE_INT32, FieldDescriptorProto.TYPE_STRING]
REFERENCES = {
    "message": FieldDescriptorProto.TYPE_MESSAGE,
    "enum": FieldDescriptorProto.TYPE_ENUM,
}


def compiled(folder: Path) -> dict[str, FileDescriptorProto]:
    """The files of a folder by name, but the standard ones, without where their elements stand."""
    files = {
        file.name: file
        for file in compile_contract(folder).files
        if not file.name.startswith("google/protobuf/")
    }
    for file in files.values():
        file.ClearField("source_code_info")
    return files


def compiled_texts(texts: Mapping[str, str]) -> dict[str, FileDescriptorProto]:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_text(text, encoding="utf-8")
        return compiled(Path(folder))


def reprinted(files: Iterable[FileDescriptorProto]) -> dict[str, FileDescriptorProto]:
    """The files as they are after printing and compiling."""
    return compiled_texts(print_files(files))


@pytest.mark.parametrize("folder", [PROTO, FRAGMENTS], ids=["contract", "fragments"])
def test_what_was_written_by_hand_comes_back_the_same(folder: Path) -> None:
    files = compiled(folder)
    files.pop("options.proto", None)  # has options of its own, which are left out
    assert reprinted(files.values()) == files


# --- schemas that nobody would write ---------------------------------------------------------
# Names are few, so that types, fields and packages hide each other from most places.

PACKAGES = ["p", "p.q", "q"]
TOP = ["a", "b", "p"]
MEMBERS = ["a", "b", "p", "q", "long_name", "x1", "c_2d", "Upper", "message", "stream"]
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Schema:
    """Files under way: types first, then what refers to them."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.types: list[tuple[str, str]] = []
        self.values = 0

    def some(self, *weights: bool) -> bool:
        return self.draw(st.sampled_from(weights or (True, False)))

    def file(self, package: str, imports: list[str]) -> FileDescriptorProto:
        file = FileDescriptorProto(
            name=f"{package}.proto", package=package, dependency=imports, syntax="proto3"
        )
        if imports and self.some():
            file.public_dependency.append(0)
        if self.some():
            file.options.java_package = self.draw(st.text(st.characters(codec="utf-8"), max_size=5))
            file.options.optimize_for = FileOptions.CODE_SIZE
        names = self.draw(st.lists(st.sampled_from(TOP), unique=True, min_size=1))
        for name in names[1:]:
            self.message(file.message_type.add(name=name), f".{package}.{name}", 0)
        self.enum(file.enum_type.add(name=names[0]), f".{package}.{names[0]}")
        for name, message in zip(names[1:], file.message_type, strict=True):
            self.fill(message, f".{package}.{name}")
        if any(kind == "message" for kind, _ in self.types) and self.some():
            self.service(file)
        return file

    def message(self, message: DescriptorProto, name: str, depth: int) -> None:
        """Nested types; their names are taken from those for members."""
        self.types.append(("message", name))
        inner = self.draw(st.lists(st.sampled_from(MEMBERS), unique=True, max_size=3 - depth))
        for one in inner:
            if depth < 2 and self.some():
                self.message(message.nested_type.add(name=one), f"{name}.{one}", depth + 1)
            else:
                self.enum(message.enum_type.add(name=one), f"{name}.{one}")

    def enum(self, enum: EnumDescriptorProto, name: str) -> None:
        self.types.append(("enum", name))
        numbers = self.draw(st.lists(st.integers(-(2**31), 2**31 - 200), max_size=3))
        for number in [0, *numbers]:
            self.values += 1
            value = enum.value.add(name=f"V{self.values}", number=number)
            if self.some(True, False, False):
                value.options.deprecated = True
        if len({0, *numbers}) <= len(numbers):
            enum.options.allow_alias = True
        if self.some():
            enum.reserved_range.add(start=2**31 - 100, end=self.draw(st.sampled_from(ENDS)))
            enum.reserved_name.append("GONE")

    def fill(self, message: DescriptorProto, name: str) -> None:
        """Fields, at all depths."""
        nested, entries = list(message.nested_type), []
        for inner in nested:
            self.fill(inner, f"{name}.{inner.name}")
        del message.nested_type[:]
        taken = {one.name for one in (*nested, *message.enum_type)}
        free = [member for member in MEMBERS if member not in taken]
        names = self.draw(st.lists(st.sampled_from(free), unique=True))
        numbers = self.draw(
            st.lists(st.integers(1, 50), unique=True, min_size=len(names), max_size=len(names))
        )
        in_oneof = 0
        optional: list[FieldDescriptorProto] = []
        for one, number in zip(names, numbers, strict=True):
            field = message.field.add(name=one, number=number, json_name=json_name(one))
            field.label = FieldDescriptorProto.LABEL_OPTIONAL
            in_oneof -= 1
            if in_oneof < 0 and self.some(True, False, False):
                message.oneof_decl.add(name=f"one_{one}")
                in_oneof = self.draw(st.integers(0, 2))
            if in_oneof >= 0:
                self.type(field, REFERENCES)
                field.oneof_index = len(message.oneof_decl) - 1
            elif self.some(True, False, False, False):
                while nested and self.some():
                    message.nested_type.append(nested.pop(0))
                self.map(message.nested_type.add(), field, name)
                entries.append(field)
            else:
                self.single(field, optional)
            if self.some(True, False, False):
                field.options.deprecated = field.options.debug_redact = True
            if self.some(True, False, False, False, False):
                field.json_name = f'{one}"\\\n\u00e9'
        for field in optional:
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")
        message.nested_type.extend(nested)
        if self.some():
            message.reserved_range.add(start=51, end=self.draw(st.sampled_from([52, 60, 2**29])))
            message.reserved_name.append("gone")
            message.options.deprecated = True

    def single(self, field: FieldDescriptorProto, optional: list[FieldDescriptorProto]) -> None:
        self.type(field, REFERENCES)
        if self.some():
            field.label = FieldDescriptorProto.LABEL_REPEATED
            if field.type in NUMBERS and self.some():
                field.options.packed = self.some()
        elif self.some():
            field.proto3_optional = True
            optional.append(field)

    def type(self, field: FieldDescriptorProto, references: Mapping[str, Any]) -> None:
        if self.some():
            kind, field.type_name = self.draw(st.sampled_from(self.types))
            field.type = references[kind]
        else:
            field.type = self.draw(st.sampled_from(SCALARS))

    def map(self, entry: DescriptorProto, field: FieldDescriptorProto, name: str) -> None:
        entry.name = f"{json_name('_' + field.name)}Entry"
        entry.options.map_entry = True
        for number, part in enumerate(("key", "value"), 1):
            made = entry.field.add(name=part, number=number, json_name=part)
            made.label = FieldDescriptorProto.LABEL_OPTIONAL
            if part == "key":
                made.type = self.draw(st.sampled_from(KEYS))
            else:
                self.type(made, REFERENCES)
        field.label = FieldDescriptorProto.LABEL_REPEATED
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f"{name}.{entry.name}"

    def service(self, file: FileDescriptorProto) -> None:
        service = file.service.add(name="Service")
        messages = st.sampled_from([name for kind, name in self.types if kind == "message"])
        for name in self.draw(st.lists(st.sampled_from(MEMBERS), unique=True)):
            rpc = service.method.add(name=name)
            rpc.input_type, rpc.output_type = self.draw(messages), self.draw(messages)
            if self.some():
                rpc.client_streaming = True
            if self.some():
                rpc.server_streaming = True
            if self.some():
                rpc.options.idempotency_level = MethodOptions.IDEMPOTENT
        if self.some():
            service.options.deprecated = True


ENDS = [2**31 - 100, 2**31 - 50, 2**31 - 1]


@st.composite
def schemas(draw: Draw) -> Files:
    """Files that import those before them."""
    schema = Schema(draw)
    files: dict[str, FileDescriptorProto] = {}
    for package in draw(st.permutations(PACKAGES))[: draw(st.integers(1, 3))]:
        file = schema.file(package, list(files))
        files[file.name] = file
    return files


@given(schemas())
def test_any_schema_comes_back_the_same(files: Files) -> None:
    assert reprinted(files.values()) == files


# --- what people see -------------------------------------------------------------------------

LIVING = """\
syntax = "proto3";

package plant.v1;

import "google/protobuf/timestamp.proto";

option csharp_namespace = "Plant.V1";

service Plant {
  rpc Watch(Tank) returns (stream Tank) {
    option deprecated = true;
  }
}

enum Colour {
  reserved 5, 7 to max;
  reserved "COLOUR_GREEN";
  COLOUR_UNSPECIFIED = 0;
  COLOUR_RED = 1 [deprecated = true];
}

message Empty {}

message Tank {
  reserved 2, 9 to 11, 100 to max;
  reserved "height";
  enum Colour {
    NONE = 0;
  }

  message Valve {
    Tank tank = 1;
  }

  string name = 1 [json_name = "title"];
  optional int32 level = 3;
  repeated double samples = 4 [packed = false];
  map<string, Valve> valves = 5;
  oneof content {
    plant.v1.Colour paint = 6;
    google.protobuf.Timestamp empty_since = 7;
  }
  string password = 8 [debug_redact = true];
}
"""


def test_people_get_source_as_they_would_write_it() -> None:
    files = compiled_texts({"plant.proto": LIVING})
    assert print_files(files.values()) == {"plant.proto": LIVING}


def test_options_that_protobuf_does_not_define_are_left_out() -> None:
    declared = "extend google.protobuf.FieldOptions { string unit = 50001; }\n"
    text = (
        'syntax = "proto3";\nimport "google/protobuf/descriptor.proto";\n%s'
        "message Tank { double level = 1 [deprecated = true%s]; }\n"
    )
    with_unit = compiled_texts({"tank.proto": text % (declared, ', (unit) = "mm"')})
    without = compiled_texts({"tank.proto": text % ("", "")})
    assert reprinted(with_unit.values())["tank.proto"] == without["tank.proto"]


@pytest.mark.parametrize("syntax", ["proto2", "editions"])
def test_a_file_of_another_syntax_is_refused_by_name(syntax: str) -> None:
    with pytest.raises(CodegenError, match=rf"old\.proto is {syntax}, not proto3"):
        print_files([FileDescriptorProto(name="old.proto", syntax=syntax)])
