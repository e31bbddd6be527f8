"""The awkward contracts as packages: they import in any order, and their names are as promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto

from tests.contracts import Contract, all_pairs, descriptor_set, fragments, real
from zb_mom_ww_mxgateway_wire.fields import fields_of

CONTRACTS = pytest.mark.parametrize("contract", [fragments(), real()], ids=lambda c: c.root)

IMPORT_EACH_FIRST = """\
import importlib, json, sys
root, modules = sys.argv[1], json.loads(sys.argv[2])
for module in modules:
    for name in [name for name in sys.modules if name.partition(".")[0] == root]:
        del sys.modules[name]
    importlib.import_module(f"{root}.{module}")
print(len(modules))
"""


def annotation_of(kind: type, name: str) -> str:
    return str(kind.__annotations__[name])


@CONTRACTS
def test_every_module_can_be_the_first_that_is_imported(contract: Contract) -> None:
    """Two packages may need each other; whichever comes first must not find the other half-made."""
    modules = [
        ".".join(path.relative_to(contract.folder).with_suffix("").parts)
        for path in sorted(contract.folder.glob("*/*.py"))
        if path.stem != "__init__"
    ]
    modules += sorted({module.partition(".")[0] for module in modules})
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH_FIRST, contract.root, json.dumps(modules)],
        env={**os.environ, "PYTHONPATH": str(contract.folder.parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(modules) > 5


def test_every_fragment_is_a_package_and_every_message_a_class() -> None:
    files = [file for file in descriptor_set(fragments().folder).file if file.syntax == "proto3"]
    modules = {file.package.replace(".", "_").lower() or "unnamed" for file in files}
    assert modules == {path.parent.name for path in fragments().folder.glob("*/__init__.py")}
    assert len(fragments().pairs) > 100


@pytest.mark.parametrize("pair", all_pairs(), ids=lambda pair: pair.name)
def test_a_messages_fields_are_the_descriptors(pair: Any) -> None:
    descriptor: Descriptor = pair.google.DESCRIPTOR
    proto = DescriptorProto()
    descriptor.CopyToProto(proto)
    rows = {row.name: row for row in proto.field}
    infos = {info.proto_name: info for info in fields_of(pair.ours).values()}
    assert list(infos) == [field.name for field in descriptor.fields]
    for field in descriptor.fields:
        info = infos[field.name]
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        oneof = None if rows[field.name].proto3_optional else field.containing_oneof
        assert info.number == field.number
        assert info.json_name == field.json_name
        assert bool(info.key_type) is is_map
        assert info.repeated is (field.is_repeated and not is_map)
        assert info.presence is field.has_presence
        assert info.oneof == (oneof.name if oneof else None)


def test_nested_types_carry_the_names_around_them() -> None:
    messages = fragments().module("fragments_nested.messages")
    enums = fragments().module("fragments_nested.enums")
    assert annotation_of(messages.Outer, "inner") == "OuterMiddleInner | None"
    assert annotation_of(messages.Neighbour, "color") == "OuterColor"
    assert enums.OuterMiddleInnerColor.RED == enums.OuterColor.BLUE == 1


def test_a_field_named_as_its_type_leaves_the_type_usable() -> None:
    messages = fragments().module("fragments_field_names.messages")
    message = messages.Message_
    assert annotation_of(message, "Message") == "Message_ | None"
    assert annotation_of(message, "Other_") == "list[Other]"
    assert message(Message=message(def_=5)).Message.which_Keywords() == "def_"


def test_names_with_a_meaning_in_python_are_moved_out_of_its_way() -> None:
    messages = fragments().module("fragments_field_names.messages")
    names = list(fields_of(messages.Underscores))
    assert names[:4] == ["leading_", "double_", "triple_", "trailing_"]
    assert {"init___", "class___", "slots___", "field_", "encode_"} <= set(names)
    assert {"None_", "class_", "from_", "lambda_"} <= fields_of(messages.Keywords).keys()
    assert {"bytes_", "int_", "list_", "str_", "object"} <= fields_of(messages.Builtins).keys()
    assert {"parse_", "to_json_", "unknown_fields_"} <= fields_of(messages.Methods).keys()
    assert {"self", "data", "pos", "m", "out"} <= fields_of(messages.Locals).keys()


def test_enum_members_drop_the_prefix_they_share_and_only_then() -> None:
    enums = fragments().module("fragments_enums.enums")
    assert [member.name for member in enums.Aliased] == ["UNSPECIFIED", "FIRST", "LAST"]
    assert [member.name for member in enums.NoPrefix] == ["ZERO", "NO_PREFIX_ONE", "two"]
    assert [member.name for member in enums.Digits] == ["DIGITS_NONE", "DIGITS_2D"]
    assert [member.name for member in enums.HTTPStatus] == ["UNKNOWN", "OK"]
    reserved = set(enums.Reserved.__members__)
    assert {"None_", "mro_", "name_", "value_", "class_", "lambda_", "dict___"} <= reserved


def test_a_file_without_package_has_a_module_of_its_own() -> None:
    messages = fragments().module("unnamed.messages")
    assert messages.Unpackaged.__proto_name__ == "Unpackaged"


def test_packages_in_two_files_may_need_each_other() -> None:
    first, second = (fragments().module(f"fragments_{p}_v1.messages") for p in ("a", "b"))
    finish = first.Finish(between=second.Between(start=first.Start(text="x")))
    assert first.Finish.FromString(bytes(finish)) == finish


def test_custom_options_are_left_out_and_debug_redact_is_kept() -> None:
    infos = fields_of(fragments().module("fragments_options.messages").Measured)
    assert {name: info.redact for name, info in infos.items()} == {
        "length": False,
        "password": True,
        "secrets": True,
    }
    files = [file.name for file in descriptor_set(fragments().folder).file]
    assert "google/protobuf/descriptor.proto" in files
    assert "google.protobuf.FileOptions" not in fragments().pairs
