"""Whatever is typed, there is no trace: an exit code that is listed, and a line that says why."""

from __future__ import annotations

import io
import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Final

import click
import pytest
from hypothesis import given, settings, strategies as st

from tests.cli.conftest import Outcome
from zb_mom_ww_mxgateway_cli.__main__ import cli, run
from zb_mom_ww_mxgateway_cli.exits import MEANINGS, USAGE
from zb_mom_ww_mxgateway_cli.handle import handle_command
from zb_mom_ww_mxgateway_cli.known_names import VARIABLE as NAMES_FOLDER
from zb_mom_ww_mxgateway_cli.profiles import VARIABLE as PROFILES
from zb_mom_ww_mxgateway_cli.program import both_ways

#: Nobody listens there, so a connection is refused at once.
NOBODY: Final = "127.0.0.1:1"


@dataclass(frozen=True)
class Command:
    """A command, by the words that name it."""

    words: tuple[str, ...]
    command: click.Command

    def __str__(self) -> str:
        return " ".join(self.words)


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[Command]:
    """Every command, and those within it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield Command((*words, name), command)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


COMMANDS: Final = [
    *commands(cli),
    *(Command((name,), handle_command(name.replace("-", "_"))) for name in both_ways()),
]

#: A slash would lead out of the folder in which this runs.
wild = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.floats().map(str),
    st.lists(st.integers(), max_size=3).map(json.dumps),
    st.sampled_from(
        [
            "", " ", "\0", "\n", "\r\n", "\ud800", "\x1b[2J", "٣", "9" * 5_000, "x" * 100_000,
            "[" * 100_000, "{", "{}", "[]", "[null]", "null", "NaN", "1e999", "1,2", ",", '"', "'",
            "-", "--", "-1", "-x", "--no-such", "@", "@nothing", "@\0", ".", "..", "~", "~nobody",
            "=", "a=b", "=b", "a=", "a=\0", "env:", "env:\0", "env:\ud800", "env:NOTHING", "file:",
            "file:\0", "file:\ud800", "file:nothing", "prompt", "*", "?", "[a", "2026-01-01",
            "9999-12-31T23:59:59-14:00", "true", "int32",
        ]
    ),
).map(lambda value: value.replace("/", "_").replace("\\", "_"))  # fmt: skip
#: No name is looked up for them.
endpoints = st.sampled_from(
    [NOBODY, "", ":", "1", ":1", "[::1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999", "\0:1",
     "127.0.0.1:-1", "127.0.0.1:9" + "9" * 5_000]
)  # fmt: skip
#: Given last, so that it counts: nothing is to run that does not end by itself.
ENDS: Final = {"simulate": ["--port"], "demo": ["--output", "paper"]}
#: Names of hosts, which would be looked up.
UNTOUCHED: Final = {"host"}


def plausible(option: click.Parameter) -> st.SearchStrategy[str]:
    """What an option may well be given, so that more is reached than its parser."""
    if option.name == "endpoint":
        return endpoints
    if isinstance(option.type, click.Choice):
        return st.sampled_from([str(choice) for choice in option.type.choices]) | wild
    if isinstance(option.type, (click.types.IntParamType, click.types.FloatParamType)):
        return st.sampled_from(["1", "0", "0.01"]) | wild
    return st.sampled_from(["1", "1,2", "a", "null"]) | wild


@st.composite
def arguments(draw: st.DrawFn, command: click.Command) -> list[str]:
    """Options and arguments of a command: those that it needs, and any others."""
    given_options: list[str] = []
    positional: list[str] = []
    for option in command.params:
        if option.name in UNTOUCHED or not (option.required or draw(st.booleans())):
            continue
        if isinstance(option, click.Argument):
            most = 3 if option.nargs == -1 else 1
            positional += draw(st.lists(plausible(option), min_size=1, max_size=most))
        elif isinstance(option, click.Option) and option.is_flag:
            given_options.append(draw(st.sampled_from([*option.opts, *option.secondary_opts])))
        else:
            given_options += [option.opts[-1], draw(plausible(option))]
    return [*given_options, *positional]


@pytest.fixture(scope="module", autouse=True)
def nobody_listens() -> Iterator[None]:
    """An environment in which no command finds a gateway, a profile or a cache."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MXGATEWAY_")]:
            patch.delenv(name)
        patch.setenv("MXGATEWAY_ENDPOINT", NOBODY)
        patch.setenv("MXGATEWAY_PLAINTEXT", "1")
        patch.setenv("MXGATEWAY_API_KEY", "mxgw_fuzz_topsecret")
        patch.setenv(PROFILES, "profiles.toml")
        patch.setenv(NAMES_FOLDER, "")
        yield


@pytest.fixture(scope="module")
def taken() -> Iterator[str]:
    """A port on which nobody else can listen."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield str(listening.getsockname()[1])


def typed(words: Sequence[str]) -> Outcome:
    """Run a command line in a folder of its own, with nothing to read."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", newline="")
        for _ in range(2)
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        chdir(folder),
        open(os.devnull) as nothing,
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.setattr(sys, "stdin", nothing)
        code = run(words)
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    return Outcome(code, *texts)


def check(outcome: Outcome) -> None:
    """That it ended as it may."""
    assert outcome.code in MEANINGS
    assert "Traceback" not in outcome.err
    assert "topsecret" not in outcome.out + outcome.err
    if outcome.code == USAGE:
        first, *more = outcome.err.splitlines()
        assert first.startswith(("mxgw-py: ", '{"error": "'))
        assert [line[: len("try: ")] for line in more] in ([], ["try: "])


def within_limits(command: Command, taken: str) -> list[str]:
    """What is given to a command in any case."""
    ends = ENDS.get(str(command), [])
    return [*ends, taken] if ends == ["--port"] else ends


@pytest.mark.parametrize("command", COMMANDS, ids=str)
@settings(max_examples=settings().max_examples * 2 // 5)  # of each of many commands
@given(data=st.data())
def test_no_option_of_a_command_leads_to_a_trace(
    command: Command, taken: str, data: st.DataObject
) -> None:
    words = data.draw(arguments(command.command))
    check(typed([*command.words, *words, *within_limits(command, taken)]))


@pytest.mark.parametrize("command", COMMANDS, ids=str)
@settings(max_examples=settings().max_examples * 2 // 5)  # of each of many commands
@given(words=st.lists(wild, min_size=1, max_size=4))
def test_no_words_behind_a_command_lead_to_a_trace(
    command: Command, taken: str, words: list[str]
) -> None:
    check(typed([*command.words, *words, *within_limits(command, taken)]))


@given(words=st.lists(wild, min_size=1, max_size=4))
def test_no_words_lead_to_a_trace(words: list[str]) -> None:
    check(typed(words))
