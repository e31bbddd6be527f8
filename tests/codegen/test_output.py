"""What the generator writes: the same bytes each time, only what changed, and readable diffs."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codegen import render
from codegen.__main__ import main
from codegen.generate import differences, render_contract, write
from tests.contracts import FRAGMENTS, PROJECT, PROTO, REAL

from .conftest import CONVENTIONS, DOOR


@pytest.fixture
def door(tmp_path: Path) -> Path:
    """A small contract in a folder of its own."""
    folder = tmp_path / "proto"
    folder.mkdir()
    (folder / "door.proto").write_text(DOOR)
    (folder / "conventions.toml").write_text(CONVENTIONS)
    return folder


@pytest.fixture
def out(door: Path, tmp_path: Path) -> Path:
    """What is generated from it."""
    root, files = render_contract(door)
    write(files, root, tmp_path / "out")
    return tmp_path / "out"


def diff(door: Path, out: Path) -> list[str]:
    root, files = render_contract(door)
    return list(differences(files, root, out))


def test_the_committed_package_is_in_step_with_the_contract() -> None:
    root, files = render_contract(PROTO)
    assert root == REAL
    assert list(differences(files, root, PROJECT / "generated")) == []


@pytest.mark.parametrize("folder", [PROTO, FRAGMENTS], ids=["contract", "fragments"])
def test_the_output_is_the_same_in_every_process(folder: Path) -> None:
    script = (
        "import hashlib, json, pathlib, sys; from codegen.generate import render_contract; "
        "root, files = render_contract(pathlib.Path(sys.argv[1])); "
        "print(json.dumps({p: hashlib.sha256(c).hexdigest() for p, c in files.items()}))"
    )
    _, files = render_contract(folder)
    here = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            cwd=PROJECT, env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert json.loads(done.stdout) == here


def test_the_output_does_not_depend_on_where_the_contract_lies(door: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else" / "where"
    shutil.copytree(door, elsewhere)
    assert render_contract(elsewhere) == render_contract(door)


def test_writing_twice_changes_nothing(door: Path, out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    root, files = render_contract(door)
    assert write(files, root, out) == []
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before


def test_only_what_changed_is_written(door: Path, out: Path) -> None:
    (door / "door.proto").write_text(DOOR.replace("KIND_CLOSE = 2;", "KIND_CLOSE = 7;"))
    root, files = render_contract(door)
    assert write(files, root, out) == [
        "door_contract/contract.binpb",
        "door_contract/door_v1/enums.py",
    ]


def test_one_changed_character_is_shown_as_a_diff(door: Path, out: Path) -> None:
    target = out / "door_contract" / "door_v1" / "messages.py"
    target.write_text(target.read_text().replace('speed: int = field(2, "int32")',
                                                 'speed: int = field(3, "int32")'))  # fmt: skip
    lines = diff(door, out)
    assert lines[:2] == [
        "--- door_contract/door_v1/messages.py (is)",
        "+++ door_contract/door_v1/messages.py (should be)",
    ]
    changed = [line for line in lines[2:] if line[0] in "+-"]
    assert changed == ['-    speed: int = field(3, "int32")', '+    speed: int = field(2, "int32")']


@pytest.mark.parametrize("other", [b"\r\n", b"\n\n"])
def test_other_line_ends_and_blank_lines_are_told(door: Path, out: Path, other: bytes) -> None:
    target = out / "door_contract" / "door_v1" / "enums.py"
    target.write_bytes(target.read_bytes().rstrip(b"\n") + other)
    assert diff(door, out)
    target.write_bytes(target.read_bytes().replace(b"\n", b"\r\n"))
    assert diff(door, out)


def test_a_missing_last_line_end_is_told(door: Path, out: Path) -> None:
    target = out / "door_contract" / "door_v1" / "enums.py"
    target.write_bytes(target.read_bytes().rstrip(b"\n"))
    assert diff(door, out) == [
        "door_contract/door_v1/enums.py: the same lines with other line ends"
    ]


@pytest.mark.parametrize("name", ["evil.so", "messages.pyi"])
def test_a_stray_file_of_any_kind_is_told(door: Path, out: Path, name: str) -> None:
    (out / "door_contract" / "door_v1" / name).write_bytes(b"")
    assert diff(door, out) == [f"door_contract/door_v1/{name}: should not be there"]


def test_a_changed_descriptor_set_is_told(door: Path, out: Path) -> None:
    target = out / "door_contract" / "contract.binpb"
    size = target.stat().st_size
    target.write_bytes(target.read_bytes()[:-1])
    told = f"door_contract/contract.binpb: differs ({size - 1} bytes, should be {size})"
    assert diff(door, out) == [told]


def test_a_missing_and_a_stray_file_are_told_and_put_right(door: Path, out: Path) -> None:
    package = out / "door_contract"
    (package / "py.typed").unlink()
    (package / "door_v1" / "services.py").unlink()
    (package / "old_v1").mkdir()
    (package / "old_v1" / "messages.py").write_text("")
    assert diff(door, out) == [
        "door_contract/door_v1/services.py: is missing",
        "door_contract/py.typed: is missing",
        "door_contract/old_v1/messages.py: should not be there",
    ]
    root, files = render_contract(door)
    assert set(write(files, root, out)) == {
        "door_contract/py.typed",
        "door_contract/door_v1/services.py",
        "door_contract/old_v1/messages.py",
    }
    assert diff(door, out) == []


def test_a_folder_that_nothing_generates_any_more_is_gone(door: Path, out: Path) -> None:
    stray = out / "door_contract" / "old_v1" / "messages.py"
    (stray.parent / "__pycache__").mkdir(parents=True)
    stray.write_text("")
    root, files = render_contract(door)
    write(files, root, out)
    assert not stray.parent.exists()


def test_files_beside_the_generated_package_are_left_alone(door: Path, out: Path) -> None:
    beside = out / "mine" / "notes.py"
    beside.parent.mkdir()
    beside.write_text("")
    root, files = render_contract(door)
    assert write(files, root, out) == []
    assert beside.exists()


def test_a_changed_template_shows_as_a_diff(
    door: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(PROJECT / "templates", templates)
    changed = templates / "services.py.j2"
    changed.write_text(changed.read_text().replace("as data.", "as rows."))
    monkeypatch.setattr(render, "_TEMPLATES", templates)
    lines = diff(door, out)
    assert '-    """The rpcs of door.v1.Door as data."""' in lines
    assert '+    """The rpcs of door.v1.Door as rows."""' in lines


def test_check_ends_with_1_on_a_difference_and_with_0_without(
    door: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["check", "--proto-dir", str(door), "--out", str(out)]
    assert main(arguments) == 0
    assert "in step with the contract" in capsys.readouterr().out
    target = out / "door_contract" / "door_v1" / "enums.py"
    target.write_text(target.read_text() + "\n# edited\n")
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "-# edited" in printed.out
    assert "run `make generate`" in printed.err


def test_generate_says_what_it_changed(
    door: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "door_contract" / "door_v1" / "enums.py").unlink()
    assert main(["generate", "--proto-dir", str(door), "--out", str(out)]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.strip() == "door_contract/door_v1/enums.py"
    assert "1 changed" in last


@pytest.mark.parametrize("command", ["generate", "check"])
def test_a_contract_without_conventions_is_told_what_it_becomes_and_what_to_do(
    door: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    arguments = [command, "--proto-dir", str(door), "--out", str(tmp_path / "other")]
    main(arguments)
    assert "warning" not in capsys.readouterr().err
    (door / "conventions.toml").unlink()
    main(arguments)
    told = capsys.readouterr().err
    package = tmp_path / "other" / "contracts"
    assert f"warning: there is no conventions.toml in {door}, so the generated package" in told
    assert f"is {package} and has no commands" in told
    assert f"copy {PROTO / 'conventions.toml'} to {door}, delete {package}" in told
    assert (package / "__init__.py").exists() is (command == "generate")


def test_dump_ir_prints_the_schema_as_json(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump-ir", "--proto-dir", str(door)]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["root"] == "door_contract"
    assert [command["name"] for command in schema["commands"]["commands"]] == ["open", "close"]


def test_generated_files_say_where_they_come_from() -> None:
    root, files = render_contract(FRAGMENTS)
    for path, content in files.items():
        if path.endswith(".py"):
            doc = ast.get_docstring(ast.parse(content))
            assert doc is not None
            assert "edits are lost" in doc
            if path != f"{root}/__init__.py":
                assert ".proto" in doc
