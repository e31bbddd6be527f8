"""Names: the rules, and the reserved tables held against the classes and modules they speak of."""

from __future__ import annotations

import ast
import keyword
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codegen.generate import render_contract
from codegen.names import (
    BUILTINS,
    ENUM_ATTRIBUTES,
    MESSAGE_ATTRIBUTES,
    MODULE_NAMES,
    class_name,
    enum_prefix,
    module_name,
    python_name,
    snake,
    squeeze,
)
from codegen.pytypes import WELL_KNOWN
from tests.contracts import FRAGMENTS, PROTO, all_pairs, fragments, real
from zb_mom_ww_mxgateway_wire import wellknown
from zb_mom_ww_mxgateway_wire.enums import OpenEnum
from zb_mom_ww_mxgateway_wire.fields import fields_of
from zb_mom_ww_mxgateway_wire.message import Message, OneofMessage

PROTO_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)


def public(*classes: type) -> set[str]:
    return {name for kind in classes for name in dir(kind) if not name.startswith("_")}


def test_every_public_attribute_of_a_message_is_reserved_and_nothing_else() -> None:
    mixins = [getattr(wellknown, name) for name in WELL_KNOWN.values()]
    assert public(Message, OneofMessage, *mixins) == MESSAGE_ATTRIBUTES


def test_every_public_attribute_of_an_enum_is_reserved() -> None:
    assert public(OpenEnum) | public(type(OpenEnum)) <= ENUM_ATTRIBUTES


@pytest.mark.parametrize("pair", all_pairs(), ids=lambda pair: pair.name)
def test_no_field_hides_an_attribute_of_its_class(pair: Any) -> None:
    base = OneofMessage if issubclass(pair.ours, OneofMessage) else Message
    assert not fields_of(pair.ours).keys() & set(dir(base))
    assert all(not name.startswith("_") for name in fields_of(pair.ours))


def test_no_member_hides_an_attribute_of_its_enum() -> None:
    enums = [
        value
        for contract in (fragments(), real())
        for path in contract.folder.glob("*/enums.py")
        for value in vars(contract.module(f"{path.parent.name}.enums")).values()
        if isinstance(value, type) and issubclass(value, OpenEnum)
    ]
    assert len(enums) > 10
    for enum in enums:
        assert not enum.__members__.keys() & set(dir(OpenEnum))


def imported(source: bytes) -> set[str]:
    """Capitalised names that a generated module has from outside its package."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in nodes if node.level == 0 for alias in node.names}
    return {name for name in names if name[0].isupper()}


@pytest.mark.parametrize("folder", [PROTO, FRAGMENTS], ids=["contract", "fragments"])
def test_every_capitalised_name_that_generated_modules_import_is_reserved(folder: Path) -> None:
    _, files = render_contract(folder)
    own = [p for p in files if p.endswith(".py") and "/google_protobuf/" not in p]
    names = {name for path in own for name in imported(files[path])}
    assert {"Message", "OpenEnum", "Literal"} <= names
    assert names - MODULE_NAMES == set()


def test_lower_case_class_names_are_capitalised_and_so_meet_no_function() -> None:
    assert class_name(["value"]) == "Value"
    assert class_name(["Outer", "inner"]) == "Outerinner"
    assert class_name(["_hidden"]) == "Hidden_"
    assert class_name(["Message"]) == "Message_"
    assert class_name(["None"]) == "None_"


@given(PROTO_NAMES)
def test_every_proto_name_becomes_a_python_name_without_meaning_of_its_own(name: str) -> None:
    reserved = BUILTINS | MESSAGE_ATTRIBUTES
    for made in (python_name(name, reserved), class_name([name]), module_name(name)):
        assert made.isidentifier()
        assert not keyword.iskeyword(made)
        assert not made.startswith("_")
    assert python_name(name, reserved) not in reserved
    assert class_name([name]) not in MODULE_NAMES
    assert class_name([name])[0].isupper() or not class_name([name])[0].isalpha()


@given(PROTO_NAMES.filter(lambda name: not name.startswith("_")))
def test_a_name_that_python_has_no_use_for_is_kept(name: str) -> None:
    if not keyword.iskeyword(name):
        assert python_name(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GetWorkerInfo2", "get_worker_info2"),
        ("HTTPGet", "http_get"),
        ("lower_case", "lower_case"),
        ("ArchestrAUserToId", "archestr_a_user_to_id"),
        ("Ask", "ask"),
    ],
)
def test_camel_case_becomes_snake_case(name: str, expected: str) -> None:
    assert snake(name) == expected


@pytest.mark.parametrize(
    ("enum", "values", "prefix"),
    [
        ("Kind", ["KIND_A", "KIND_B"], "KIND_"),
        ("HTTPStatus", ["HTTP_STATUS_OK"], "HTTP_STATUS_"),
        ("HttpStatus", ["HTTPSTATUS_OK"], "HTTPSTATUS_"),
        ("Kind", ["KIND_A", "OTHER"], ""),
        ("Digits", ["DIGITS_NONE", "DIGITS_2D"], ""),
        ("Kind", ["KIND"], ""),
        ("Kind", ["KINDLY_A", "KINDLY_B"], ""),
    ],
)
def test_a_prefix_is_left_out_only_where_all_values_have_it(
    enum: str, values: list[str], prefix: str
) -> None:
    assert enum_prefix(enum, values) == prefix


def test_kinds_and_payloads_pair_without_case_and_underscores() -> None:
    assert squeeze("WRITE2_BULK") == squeeze("Write2Bulk") == "write2bulk"
