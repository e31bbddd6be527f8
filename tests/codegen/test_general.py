"""The generator knows protobuf and no contract: none of the real one's names is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegen import ir
from codegen.generate import load_schema
from tests.contracts import PROJECT, PROTO

SOURCES = sorted([*(PROJECT / "codegen").glob("*.py"), *(PROJECT / "templates").glob("*.j2")])

#: Names of the contract that are words of protobuf, Python or English as well, which a generator
#: cannot do without; and the one parameter that every command's method has, the seam to whoever
#: sends them. A name that says something about the gateway never belongs here.
ORDINARY = frozenset(
    re.findall(
        r"\w+",
        "body code command comment description elements entries index kind message parent payload "
        "reply root sequence status success value values write correlation_id",
    )
)


def names_of(schema: ir.Schema) -> Iterator[str]:
    """Every name that the contract's own files give to something."""
    for package in schema.packages:
        if package.proto_name.startswith("google."):
            continue
        yield from (package.proto_name, package.module)
        for enum in package.enums:
            yield enum.name
            for value in enum.values:
                yield from (
                    (value.proto_name, value.name) if "_" in value.name else (value.proto_name,)
                )
        for message in package.messages:
            yield from (message.name, message.stem)
            for field in message.fields:
                yield from (field.name, field.json_name)
            yield from (oneof.name for oneof in message.oneofs)
        for service in package.services:
            yield service.name
            yield from (method.path.rpartition("/")[2] for method in service.methods)
    if schema.commands:
        yield from (command.name for command in schema.commands.commands)


SCHEMA = load_schema(PROTO)
NAMES = set(names_of(SCHEMA))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_name_of_the_contract_is_in_the_generator(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text))
    assert (words & NAMES) - ORDINARY == set()
    assert not re.findall(r"mx(?!gateway_wire)", text, re.IGNORECASE)


def test_the_search_would_find_a_name() -> None:
    assert {"MxValue", "server_handle", "WriteBulkCommand", "write_bulk", "Invoke"} <= NAMES


def test_the_allowed_words_are_all_in_use() -> None:
    words = {w for p in SOURCES for w in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", p.read_text())}
    assert ORDINARY - (words & NAMES) == set()
