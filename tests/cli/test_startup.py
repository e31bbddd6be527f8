"""Starting: help and version import little, and every command is what the list of them says."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from zb_mom_ww_mxgateway_cli.__main__ import cli
from zb_mom_ww_mxgateway_cli.program import COMMANDS

HEAVY = (
    "asyncio",
    "betterproto",
    "cryptography",
    "google.protobuf",
    "grpclib",
    "h2",
    "rich",
    "tomlkit",
    "zb_mom_ww_mxgateway",
    "zb_mom_ww_mxgateway_contracts",
    "zb_mom_ww_mxgateway_sim",
)
LISTED = {name: text for section in COMMANDS.values() for name, (_, text) in section.items()}
PROBE = """
import sys
from zb_mom_ww_mxgateway_cli.__main__ import run
code = run(sys.argv[2:])
print(*(name for name in sys.argv[1].split(",") if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


def _found(command: click.Command, *names: str) -> Iterator[tuple[str, click.Command]]:
    """A command and those below it, by what is typed."""
    yield " ".join(names), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            yield from _found(below, *names, name)


EVERY = dict(_found(cli))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["version"], ["version", "--json"], ["help", "exit-codes"], ["help"]]
)
def test_what_says_little_imports_little(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, ",".join(HEAVY), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr.split() == []


def test_the_probe_sees_what_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, ",".join(HEAVY), "ping", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"grpclib", "zb_mom_ww_mxgateway_contracts"} <= set(done.stderr.split())


@pytest.mark.parametrize("name", LISTED)
def test_a_command_is_there_and_begins_with_the_sentence_of_the_list(name: str) -> None:
    text = " ".join((EVERY[name].help or "").split())
    assert text.startswith(LISTED[name].removesuffix(".")), text


@pytest.mark.parametrize("name", [name for name in EVERY if name])
def test_a_command_has_an_example_that_can_be_typed(name: str) -> None:
    epilog = " ".join((EVERY[name].epilog or "").split())
    _, marker, example = epilog.partition("Example: ")
    assert marker, f"{name} has no example"
    program, *words = shlex.split(example.rpartition("| ")[2], comments=True)
    assert program == "mxgw-py"
    assert words[: len(name.split())] == name.split()
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words and words[0] in command.list_commands(context):
        called, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, parent=context, info_name=called)
    with command.make_context(context.info_name, list(words), parent=context.parent):
        pass  # it was parsed, and nothing is run
