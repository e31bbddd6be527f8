"""Comments of the contract are docstrings of the package, whatever characters they hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from codegen import ir
from codegen.docstrings import docstring
from codegen.generate import load_schema, render_contract
from tests.contracts import FRAGMENTS, PROTO

TEXTS = st.text(
    st.sampled_from("ab \\\"'\n\t{}%#ä🏭\u2028\x07\x7f\xa0-*0") | st.characters(codec="utf-8")
)


def words(text: str) -> list[str]:
    """What is left of a text when its lines are wrapped anew."""
    return text.split()


def parsed(source: str) -> str:
    (statement,) = ast.parse(source).body
    assert isinstance(statement, ast.Expr)
    return str(ast.literal_eval(statement.value))


@given(text=TEXTS.filter(str.strip), indent=st.sampled_from((0, 4, 8)))
def test_any_text_survives_as_a_docstring(text: str, indent: int) -> None:
    source = docstring(text, indent)
    assert words(parsed(source)) == words(text)
    assert source.isprintable() or all(c == "\n" or c.isprintable() for c in source)


@pytest.mark.parametrize(
    "text",
    ['"', '""', '"""', '""""', "\\", '\\"', '"\\', "\\\\", 'a"', 'a\\"', '"a"', "'''", '"""\\"""'],
)
def test_quotes_and_backslashes_at_the_ends_survive(text: str) -> None:
    assert parsed(docstring(text)) == text
    assert parsed(docstring(f"{text}\n\n{text}")).split() == [text, text]


@given(st.lists(st.text("abc-", min_size=1, max_size=30), min_size=1, max_size=80))
def test_lines_are_no_longer_than_a_hundred_characters(text: list[str]) -> None:
    for indent in (4, 8):
        lines = docstring(" ".join(text), indent).splitlines()
        assert len(" " * indent + lines[0]) <= 100
        assert all(len(line) <= 100 for line in lines)


def test_paragraphs_are_filled_and_lists_keep_their_lines() -> None:
    text = "One\ntwo\nthree.\n\n- first\n- second\n\n    indented\n      more"
    assert parsed(docstring(text, 0)) == (
        "One two three.\n\n- first\n- second\n\n    indented\n      more\n"
    )


def commented(schema: ir.Schema) -> Iterator[tuple[str, str, str, str]]:
    """Module, class, member (empty for the class) and comment of all that has a comment."""
    for package in schema.packages:
        for enum in package.enums:
            yield f"{package.module}/enums", enum.name, "", enum.doc
            for value in enum.values:
                yield f"{package.module}/enums", enum.name, value.name, value.doc
        for message in package.messages:
            yield f"{package.module}/messages", message.name, "", message.doc
            for field in message.fields:
                yield f"{package.module}/messages", message.name, field.name, field.doc
        for service in package.services:
            for method in service.methods:
                for kind in ("Stub", "Base"):
                    yield f"{package.module}/services", service.name + kind, method.name, method.doc


def docstrings(source: str) -> dict[tuple[str, str], str]:
    """The docstrings of classes, their methods and their attributes, by class and member."""
    found: dict[tuple[str, str], str] = {}
    for kind in ast.parse(source).body:
        if not isinstance(kind, ast.ClassDef):
            continue
        found[kind.name, ""] = ast.get_docstring(kind) or ""
        for before, after in zip(kind.body, [*kind.body[1:], ast.Pass()], strict=True):
            if isinstance(before, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found[kind.name, before.name] = ast.get_docstring(before) or ""
            elif isinstance(before, (ast.AnnAssign, ast.Assign)):
                target = before.target if isinstance(before, ast.AnnAssign) else before.targets[0]
                text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                found[kind.name, ast.unparse(target)] = after.value.value if text else ""  # type: ignore
    return found


@pytest.mark.parametrize("folder", [FRAGMENTS, PROTO], ids=["fragments", "contract"])
def test_every_comment_of_the_contract_is_the_docstring_of_its_element(folder: Path) -> None:
    schema = load_schema(folder)
    root, files = render_contract(folder)
    rows = [row for row in commented(schema) if row[3]]
    modules = {row[0] for row in rows}
    found = {m: docstrings(files[f"{root}/{m}.py"].decode()) for m in modules}
    for module, kind, member, comment in rows:
        assert words(found[module][kind, member]) == words(comment)
    assert len(rows) > 20


def test_deprecation_is_in_the_docstring() -> None:
    root, files = render_contract(FRAGMENTS)
    folder = f"{root}/fragments_deprecated"
    messages = docstrings(files[f"{folder}/messages.py"].decode())
    enums = docstrings(files[f"{folder}/enums.py"].decode())
    services = docstrings(files[f"{folder}/services.py"].decode())
    assert messages["Old", ""] == messages["Old", "text"] == "Deprecated."
    assert enums["Older", ""] == enums["Older", "UNSPECIFIED"] == "Deprecated."
    assert services["OldestStub", "call"] == "Do not call.\n\nDeprecated."


@pytest.mark.parametrize("length", range(81, 101, 2))
def test_a_single_line_leaves_room_for_the_quotes_behind_it(length: int) -> None:
    for indent in (4, 8):
        text = " ".join("a" * (length // 2 + 1))
        lines = docstring(text, indent).splitlines()
        assert max(map(len, [" " * indent + lines[0], *lines[1:]])) <= 100
