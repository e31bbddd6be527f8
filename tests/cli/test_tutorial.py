"""The tutorial, typed at a terminal: what it shows is what there is to see."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


def steps() -> list[tuple[str, str]]:
    """What is typed, and what the page shows that it prints."""
    text = TUTORIAL.read_text(encoding="utf-8")
    consoles = "".join(re.findall(r"```console\n(.*?)```", text, re.S))
    typed = [part.partition("\n") for part in re.split(r"^\$ ", consoles, flags=re.M)[1:]]
    return [(command, expected) for command, _, expected in typed]


def _here(text: str, simulator: dict[str, str]) -> str:
    return text.replace("mxgw_...", simulator["apiKey"]).replace(
        "localhost:5000", simulator["endpoint"]
    )


def test_each_step_prints_what_the_page_shows(simulator: dict[str, str], tmp_path: Path) -> None:
    """``...`` on the page stands for anything."""
    environment = {
        "HOME": str(tmp_path),
        "NO_COLOR": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PS1": "",
        "TERM": "dumb",
        "XDG_CACHE_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    assert len(steps()) > 10
    with Terminal(["sh"], environment, cwd=tmp_path) as shell:
        shell.type("stty -echo; printf 'ready\\n'")
        shell.wait_for("ready\r\n")
        for command, expected in steps():
            made = _here(command, simulator)
            shell.type(f"{made}; code=$?; printf '\\036'; (exit $code)")
            printed = shell.wait_for("\x1e")
            pattern = re.escape(" ".join(_here(expected, simulator).split())).replace(
                r"\.\.\.", ".*"
            )
            assert re.fullmatch(pattern, " ".join(printed[:-1].split())), (command, printed)
