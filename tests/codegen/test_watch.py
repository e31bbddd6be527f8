"""``watch`` generates again when the contract is saved, survives a broken one, and can be ended."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contracts import PROJECT

from .conftest import CONVENTIONS, DOOR

_PATIENCE = 30.0


def wait_for(what: str, seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not seen():
        assert time.monotonic() < deadline, f"waited {_PATIENCE} s for {what}"
        time.sleep(0.05)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Path, Path, Path]]:
    """The folder of a contract that is watched, its output, and what the watcher prints."""
    proto, out, log = tmp_path / "proto", tmp_path / "out", tmp_path / "log"
    proto.mkdir()
    (proto / "door.proto").write_text(DOOR)
    (proto / "conventions.toml").write_text(CONVENTIONS)
    command = [sys.executable, "-m", "codegen", "watch"]
    command += ["--proto-dir", str(proto), "--out", str(out)]
    with log.open("wb") as printed:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=printed, stderr=printed)
        try:
            wait_for("the first run", lambda: b"changed," in log.read_bytes())
            yield proto, out, log
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE)
    assert process.poll() is not None


def test_saving_the_contract_generates_it_again(watched: tuple[Path, Path, Path]) -> None:
    proto, out, log = watched
    messages = out / "door_contract" / "door_v1" / "messages.py"
    session = out / "door_contract" / "door_v1" / "session.py"
    assert "colour: str" not in messages.read_text()
    # Saved until it is seen: the watcher may still be starting when the first run is printed.
    changed = DOOR.replace("int32 speed = 2;", "int32 speed = 2; string colour = 7;")
    saves = iter(range(1_000))

    def regenerated() -> bool:
        (proto / "door.proto").write_text(f"{changed}// {next(saves)}\n")
        time.sleep(0.2)
        return "colour: str" in messages.read_text()

    wait_for("the new field", regenerated)
    wait_for("the new parameter", lambda: "colour: str" in session.read_text())
    assert "door_contract/door_v1/messages.py" in log.read_text()


def test_a_broken_contract_is_told_and_does_not_end_the_watch(
    watched: tuple[Path, Path, Path],
) -> None:
    proto, out, log = watched
    saves = iter(range(1_000))

    def told() -> bool:
        (proto / "door.proto").write_text(f"{DOOR}message {next(saves)} {{\n")
        time.sleep(0.2)
        return "door.proto:" in log.read_text()

    wait_for("the error", told)
    fixed = DOOR.replace("KIND_CLOSE", "KIND_CLOSE2").replace("CloseCommand", "Close2Command")
    (proto / "door.proto").write_text(fixed)
    session = out / "door_contract" / "door_v1" / "session.py"
    wait_for("the mended contract", lambda: "def close2(" in session.read_text())
