"""README and docs say what is there: their Python runs, their commands and links exist."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import click
import pytest

from zb_mom_ww_mxgateway_cli.__main__ import cli
from zb_mom_ww_mxgateway_sim import SimulatedGateway

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """Name and text of every code block of a language."""
    return [
        (f"{document.name}:{number}", text)
        for document in DOCUMENTS
        for number, text in enumerate(
            re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.S), 1
        )
    ]


@pytest.mark.parametrize(("name", "text"), blocks("python"))
async def test_the_python_of_the_documents_runs(name: str, text: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    # A first value takes a while on a live system too: what does not wait for it fails here.
    async with SimulatedGateway(change_interval=0.05, first_value_delay=0.2) as gateway:
        script.write_text(made_for(gateway, text), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), stdout=PIPE, stderr=PIPE
        )
        _, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")


def made_for(gateway: SimulatedGateway, text: str) -> str:
    """An example with the simulator's endpoint and key."""
    text = text.replace("localhost:5000", gateway.endpoint)
    return text.replace("<gateway-api-key>", gateway.api_key)


@pytest.mark.parametrize(("name", "text"), blocks("sh"))
def test_the_commands_of_the_documents_exist_with_their_options(name: str, text: str) -> None:
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["mxgw-py"]:
            continue
        command: click.Command = cli
        for word in words[1:]:
            if not isinstance(command, click.Group):
                break
            _, found, _ = command.resolve_command(
                click.Context(command), words[words.index(word) :]
            )
            assert found is not None, line
            command = found
        assert command is not cli, line
        known = {option for param in command.params for option in param.opts}
        assert {word for word in words[2:] if word.startswith("--")} <= known, line


def test_the_command_reference_is_in_step_with_the_commands() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "command_reference.py"), "--check"], check=False
    )
    assert done.returncode == 0, "run make docs"


def test_the_make_targets_of_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for _, text in blocks("sh"):
        assert set(re.findall(r"^make ([a-z-]+)", text, re.M)) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
