"""What cannot be generated is refused with its place in the contract, its reason and a hint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codegen import ir
from codegen.__main__ import main
from codegen.errors import CodegenError
from codegen.generate import load_schema

from .conftest import CONVENTIONS, DOOR

Load = Callable[..., ir.Schema]
Refused = Callable[..., CodegenError]
HEAD = 'syntax = "proto3";\npackage p;\n'


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_small_contract_itself_is_generated(load: Load) -> None:
    commands = load(DOOR, CONVENTIONS).commands
    assert commands is not None
    assert [(c.name, c.reply_member) for c in commands.commands] == [
        ("open", "open"),
        ("close", None),
    ]


#: What is changed in the contract, where the error points, and what it says.
UNPAIRED = {
    "a kind without payload": (
        "  KIND_CLOSE = 2;", "  KIND_CLOSE = 2;\n  KIND_LOCK = 3;", "enum Kind",
        "KIND_LOCK has no payload in door.v1.Command",
    ),
    "a payload without kind": (
        "  KIND_CLOSE = 2;\n", "", "CloseCommand close",
        "door.v1.Command.close has no kind in door.v1.Kind",
    ),
    "a reply arm without command": (
        "OpenReply open = 2;", "OpenReply open = 2;\n    OpenReply lock = 3;", "OpenReply lock",
        "door.v1.Reply.lock answers no command",
    ),
    "two arms with one payload": (
        "CloseCommand close = 3;", "CloseCommand close = 3;\n    CloseCommand shut = 4;", "shut",
        "'shut' and 'close' carry the same payload CloseCommand",
    ),
    "a command without oneof": (
        "  oneof payload {\n    OpenCommand open = 2;\n    CloseCommand close = 3;\n  }\n",
        "  OpenCommand open = 2;\n", "message Request",
        "door.v1.Request carries no kind with a oneof of payloads",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "problem"), UNPAIRED.values(), ids=UNPAIRED)
def test_what_does_not_pair_is_named_with_its_line(
    refused: Refused, old: str, new: str, place: str, problem: str
) -> None:
    proto = DOOR.replace(old, new)
    error = refused(proto, CONVENTIONS)
    assert error.problem == problem
    assert error.where == f"door.proto:{line_of(proto, place)}"
    assert error.hint


COLLISIONS = {
    "fields": (
        f"{HEAD}message M {{\n  int32 _x = 1;\n  int32 x_ = 2;\n}}\n",
        "door.proto:5", "'x_' and '_x' (door.proto:4) are both 'x_' in message 'p.M'",
    ),
    "messages": (
        f"{HEAD}message A {{\n  message B {{}}\n}}\nmessage AB {{}}\n",
        "door.proto:6", "'p.AB' and 'p.A.B' (door.proto:4) are both 'AB' in package 'p'",
    ),
    "a message and an enum": (
        f"{HEAD}message x {{}}\nenum X {{ X_A = 0; }}\n",
        "door.proto:4", "'p.X' and 'p.x' (door.proto:3) are both 'X' in package 'p'",
    ),
    "rpcs": (
        f"{HEAD}message M {{}}\nservice S {{\n  rpc Get(M) returns (M);\n"
        "  rpc get(M) returns (M);\n}\n",
        "door.proto:6", "'get' and 'Get' (door.proto:5) are both 'get' in service 'p.S'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("proto", "where", "problem"), COLLISIONS.values(), ids=COLLISIONS)
def test_two_names_that_are_one_in_python_are_both_named(
    refused: Refused, proto: str, where: str, problem: str
) -> None:
    error = refused(proto)
    assert (error.where, error.problem) == (where, problem)
    assert "[rename]" in error.hint


def test_a_rename_in_the_conventions_settles_a_collision(load: Load) -> None:
    proto = f"{HEAD}message M {{\n  int32 _x = 1;\n  int32 x_ = 2;\n}}\n"
    schema = load(proto, '[rename]\n"p.M._x" = "first_x"\n')
    assert [field.name for field in schema.packages[0].messages[0].fields] == ["first_x", "x_"]


def test_two_packages_that_are_one_module_are_refused(tmp_path: Path) -> None:
    for package in ("a.b_c", "a_b.c"):
        (tmp_path / f"{package}.proto").write_text(f'syntax = "proto3"; package {package};')
    with pytest.raises(CodegenError, match="are both 'a_b_c' in the generated package"):
        load_schema(tmp_path)


def test_a_proto2_message_is_refused_where_it_is_used(refused: Refused) -> None:
    error = refused(
        f'{HEAD}import "google/protobuf/descriptor.proto";\nmessage M {{\n'
        "  google.protobuf.FileOptions options = 1;\n}\n"
    )
    assert error.where == "door.proto:5"
    assert "google.protobuf.FileOptions" in error.problem
    assert "not from a proto3 file" in error.problem


def test_an_rpc_of_proto2_messages_is_refused_where_it_stands(refused: Refused) -> None:
    error = refused(
        f'{HEAD}import "google/protobuf/descriptor.proto";\nmessage M {{}}\nservice S {{\n'
        "  rpc Get(M) returns (google.protobuf.FileOptions);\n}\n"
    )
    assert error.where == "door.proto:6"


def test_a_syntax_error_is_protocs_own_with_file_and_line(refused: Refused) -> None:
    error = refused(f"{HEAD}message M {{\n  int32 x = ;\n}}\n")
    assert "door.proto:4:13: " in error.problem


def test_a_missing_import_is_named(refused: Refused) -> None:
    assert "nowhere.proto" in refused(f'{HEAD}import "nowhere.proto";\n').problem


OPTIONAL_NAME = '[commands.optional]\nopen = ["name"]\n'
KEYWORD_SPEED = '[commands.keyword_only]\nopen = ["speed"]\n'

#: What is added above and below the conventions, and what the error says.
MISFITS = [
    ("colour = 1\n", "", "unknown key 'colour'"),
    ("", "colour = 1\n", "[commands] has no key 'colour'"),
    ("", '[commands.optional]\nlock = ["name"]\n', "[commands.optional] lock: there is no such"),
    ("", "[commands.keyword_only]\nlock = []\n", "[commands.keyword_only] lock: there is no such"),
    ("", '[commands.reply_arms]\nLOCK = "open"\n', "[commands.reply_arms] LOCK: there is no such"),
    ("", '[commands.reply_arms]\nCLOSE = "shut"\n', "there is no reply member 'shut'"),
    ("", '[commands.optional]\nopen = ["colour"]\n', "OpenCommand has no field 'colour'"),
    ("", OPTIONAL_NAME, "'speed' is required and stands behind 'name', which is optional"),
    ("", OPTIONAL_NAME + KEYWORD_SPEED, "'value' is required and stands behind 'name', which is"),
    ('redact = ["door.v1.OpenCommand.nam"]\n', "", "the contract has no 'door.v1.OpenCommand.nam'"),
    ("", '[rename]\n"door.v1.Opn" = "Open"\n', "rename: the contract has no 'door.v1.Opn'"),
]


@pytest.mark.parametrize(("top", "bottom", "problem"), MISFITS, ids=[row[2] for row in MISFITS])
def test_a_convention_that_fits_nothing_is_refused(
    refused: Refused, top: str, bottom: str, problem: str
) -> None:
    error = refused(DOOR, top + CONVENTIONS + bottom)
    assert problem in error.problem
    assert error.where.endswith("conventions.toml")
    assert error.hint


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("Door.Invoke", "Door.Send", "there is no rpc 'door.v1.Door.Send'"),
        ("v1.Value", "v1.Worth", "there is no message 'door.v1.Worth'"),
        ('request_suffix = "Command"\n', "", "request_suffix"),
        ("package =", "package", "(at line 1"),
        ('"door_contract"', "5", "package"),
        ("= 10", '= "many"', "max_bulk_items"),
        ('"door_contract"', '"no identifier"', "package"),
    ],
)
def test_a_convention_that_is_wrong_is_refused(
    refused: Refused, old: str, new: str, problem: str
) -> None:
    error = refused(DOOR, CONVENTIONS.replace(old, new))
    assert problem in error.problem
    assert error.where.endswith("conventions.toml")


def test_a_folder_without_a_contract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CodegenError, match=r"no \.proto file under"):
        load_schema(tmp_path)
    with pytest.raises(CodegenError, match="there is no folder"):
        load_schema(tmp_path / "nowhere")


def test_the_command_line_prints_the_error_and_ends_with_1(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "door.proto").write_text(
        f"{HEAD}message M {{\n  int32 _x = 1;\n  int32 x_ = 2;\n}}\n"
    )
    assert main(["generate", "--proto-dir", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert capfd.readouterr().err.splitlines() == [
        "codegen: door.proto:5: 'x_' and '_x' (door.proto:4) are both 'x_' in message 'p.M'",
        "  hint: rename one in conventions.toml under [rename], or in the contract",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wanted", ['"two words"', '"class"', '"1st"', '""', "5"])
def test_a_rename_to_what_is_no_identifier_is_refused(load: Load, wanted: str) -> None:
    proto = f"{HEAD}message M {{ int32 x = 1; }}\n"
    with pytest.raises(CodegenError, match=r"'p\.M\.x' cannot be called"):
        load(proto, f'[rename]\n"p.M.x" = {wanted}\n')
