"""A contract with other numbers and one more command needs no edit but of the contract."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings, strategies as st

from codegen.generate import render_contract, write
from tests.contracts import PROTO, Contract, generate, real
from tests.oracle import encoded, google_messages, rebuilt, same
from zb_mom_ww_mxgateway_wire.fields import fields_of

FIRST, SHIFT = 10, 7
FIELD = re.compile(r"^(\s*(?:optional |repeated )?(?:map<.*>|[\w.]+) \w+ = )(\d+)(.*;)")
VALUE = re.compile(r"^(\s*\w+ = )([1-9]\d*)(.*;)")
RESERVED = re.compile(r"^\s*reserved [^\"]*;")
BLOCK = re.compile(r"^\s*(message|enum|oneof|service|rpc|extend)\b.*\{\s*$")

ECHO_KIND = "// Send a text back.\n  MX_COMMAND_KIND_ECHO = 900;"
#: Tests of the SDK and of the simulator as they are, which know names alone.
BY_HAND = [
    "tests/sdk/test_tags.py",
    "tests/sdk/test_events.py",
    "tests/sdk/test_alarms.py",
    "tests/sdk/test_galaxy.py",
    "tests/sdk/test_galaxy_attributes.py",
    "tests/sim/test_buffered.py",
]
#: Runs pytest, if what it is to test is the altered contract.
PYTEST = (
    "import pytest, sys, zb_mom_ww_mxgateway as sdk; "
    "assert 'echo' in sdk.COMMANDS; sys.exit(pytest.main(sys.argv[1:]))"
)
MESSAGES = """
// Asks for its text back.
message EchoCommand {
  string text = 1;
  repeated double samples = 2;
}

message EchoReply {
  string text = 1;
}
"""


def shifted(line: str) -> str:
    """A line of a message with its field numbers, from ``FIRST`` on, raised by ``SHIFT``."""

    def raised(number: re.Match[str]) -> str:
        return str(int(number[0]) + (SHIFT if int(number[0]) >= FIRST else 0))

    if RESERVED.match(line):
        return re.sub(r"\d+", raised, line)
    return FIELD.sub(lambda field: field[1] + re.sub(r"\d+", raised, field[2]) + field[3], line)


def with_other_value(line: str) -> str:
    """A line of an enum with its value raised by ``SHIFT``, unless it is 0."""
    return VALUE.sub(lambda value: f"{value[1]}{int(value[2]) + SHIFT}{value[3]}", line)


def renumbered(text: str, *, values: bool = False) -> str:
    """The text of a .proto file with shifted field numbers; with ``values`` those of enums too."""
    lines, blocks = [], []
    for line in text.splitlines():
        code = line.partition("//")[0]
        if found := BLOCK.match(code):
            blocks.append(found[1])
        elif "}" in code and "{" not in code:
            blocks.pop()
        block = blocks[-1] if blocks else ""
        if block in ("message", "oneof"):
            line = shifted(line)
        elif block == "enum" and values:
            line = with_other_value(line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def with_echo(text: str) -> str:
    """The gateway's file with one more command: its kind, its payload, its reply."""
    for block, opening, line in (
        ("enum MxCommandKind {", "_UNSPECIFIED = 0;", ECHO_KIND),
        ("message MxCommand {", "oneof payload {", "EchoCommand echo = 901;"),
        ("message MxCommandReply {", "oneof payload {", "EchoReply echo = 901;"),
    ):
        head, rest = text.split(block)
        text = head + block + rest.replace(opening, f"{opening}\n  {line}\n", 1)
    return text + MESSAGES


def altered_protos(folder: Path, *, values: bool = False) -> Path:
    """A copy of the contract with the numbers shifted and one more command."""
    proto = folder / "proto"
    shutil.copytree(PROTO, proto)
    for path in proto.glob("*.proto"):
        text = renumbered(path.read_text(encoding="utf-8"), values=values)
        if "enum MxCommandKind" in text:
            text = with_echo(text)
        path.write_text(text, encoding="utf-8")
    return proto


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """The altered contract, generated beside the real one under another package's name."""
    folder = tmp_path_factory.mktemp("altered")
    proto = altered_protos(folder)
    conventions = proto / "conventions.toml"
    text = re.sub(
        r'^package = ".*"', 'package = "altered_contracts"', conventions.read_text(), flags=re.M
    )
    conventions.write_text(text, encoding="utf-8")
    return generate(proto, folder / "out")


def own_messages(contract: Contract) -> Iterator[str]:
    return (name for name in contract.pairs if not name.startswith("google."))


def test_renumbering_leaves_small_numbers_and_enum_values_unless_asked() -> None:
    text = (
        "message M {\n  reserved 9, 12 to 14;\n  int32 a = 9;\n  map<string, M> b = 10;\n"
        "  oneof o {\n    M c = 99 [deprecated = true];\n  }\n  enum E {\n    F = 11;\n  }\n}\n"
    )
    shifted_fields = (
        "message M {\n  reserved 9, 19 to 21;\n  int32 a = 9;\n  map<string, M> b = 17;\n"
        "  oneof o {\n    M c = 106 [deprecated = true];\n  }\n  enum E {\n    F = 11;\n  }\n}\n"
    )
    assert renumbered(text) == shifted_fields
    assert renumbered(text, values=True) == shifted_fields.replace("F = 11", "F = 18")


def test_every_field_from_10_on_has_moved_and_no_other(altered: Contract) -> None:
    moved = 0
    for name in own_messages(real()):
        before, after = fields_of(real()[name].ours), fields_of(altered[name].ours)
        assert before.keys() <= after.keys()
        for field, info in before.items():
            shift = SHIFT if info.number >= FIRST else 0
            assert after[field].number == info.number + shift
            moved += shift > 0
    assert moved > 50


def test_the_altered_contract_has_its_own_classes(altered: Contract) -> None:
    assert set(altered.pairs) - set(real().pairs) == {
        "mxaccess_gateway.v1.EchoCommand",
        "mxaccess_gateway.v1.EchoReply",
    }
    for name in own_messages(real()):
        assert altered[name].ours is not real()[name].ours


@settings(max_examples=settings().max_examples * 30)
@given(data=st.data())
def test_its_messages_agree_with_the_oracle(altered: Contract, data: st.DataObject) -> None:
    pair = altered[data.draw(st.sampled_from(sorted(own_messages(altered))))]
    google = data.draw(google_messages(pair.google, in_json=True))
    ours = pair.ours.FromString(encoded(google))
    assert same(pair.google.FromString(bytes(ours)), google)
    assert rebuilt(pair.ours, google) == ours
    parsed = json_format.Parse(ours.to_json(), pair.google(), descriptor_pool=pair.pool)
    assert same(parsed, google)


@settings(max_examples=settings().max_examples * 30)
@given(data=st.data())
def test_json_carries_messages_from_one_numbering_to_the_other(
    altered: Contract, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(own_messages(real()))))
    google = data.draw(google_messages(real()[name].google, in_json=True))
    text = real()[name].ours.FromString(encoded(google)).to_json()
    assert altered[name].ours.from_json(text).to_json() == text


SESSIONS = {"session": "SessionCommands", "session_sync": "SyncSessionCommands"}


@pytest.mark.parametrize("module", SESSIONS)
def test_the_new_command_is_a_method_of_both_sessions(altered: Contract, module: str) -> None:
    session = getattr(altered.module(f"mxaccess_gateway_v1.{module}"), SESSIONS[module])
    signature = inspect.signature(session.echo)
    assert str(signature) == (
        "(self, text: 'str', samples: 'Iterable[float]', *, correlation_id: 'str' = '') -> 'str'"
    )
    assert inspect.iscoroutinefunction(session.echo) is (module == "session")


def test_the_new_method_sends_its_payload_and_returns_the_text(altered: Contract) -> None:
    messages = altered.module("mxaccess_gateway_v1.messages")
    sync = altered.module("mxaccess_gateway_v1.session_sync").SyncSessionCommands
    sent: list[Any] = []

    class Session(sync):  # type: ignore[misc, valid-type]
        def _command(self, spec: Any, payload: Any, correlation_id: str) -> Any:
            sent.append((spec.member, payload, correlation_id))
            return spec.reply(text=payload.text)

        def _value(self, value: Any) -> Any:
            return value

    assert Session().echo("hello", (1.5, 2.0), correlation_id="c") == "hello"
    assert sent == [("echo", messages.EchoCommand(text="hello", samples=[1.5, 2.0]), "c")]
    command = messages.MxCommand(echo=sent[0][1])
    assert messages.MxCommand.FromString(bytes(command)).which_payload() == "echo"


def test_the_new_command_is_in_the_table_and_asked_of_whoever_answers(altered: Contract) -> None:
    commands = altered.module("mxaccess_gateway_v1.commands").COMMANDS
    assert set(commands) - set(real().module("mxaccess_gateway_v1.commands").COMMANDS) == {"echo"}
    assert (commands["echo"].kind, commands["echo"].doc) == (900, "Send a text back.")
    handlers = altered.module("mxaccess_gateway_v1.handlers").CommandHandlers
    assert "echo" in handlers.__abstractmethods__


def test_the_same_files_are_generated(altered: Contract) -> None:
    def files(contract: Contract) -> set[str]:
        paths = contract.folder.rglob("*.*")
        return {p.relative_to(contract.folder).as_posix() for p in paths if p.suffix != ".pyc"}

    assert files(altered) == files(real())


def mxgw(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line over the package in ``out`` in place of the committed one."""
    return subprocess.run(
        [sys.executable, "-m", "zb_mom_ww_mxgateway_cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(out)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the altered contract, with other values of enums besides, has the package's name."""
    folder = tmp_path_factory.mktemp("renumbered")
    root, files = render_contract(altered_protos(folder, values=True))
    write(files, root, folder / "out")
    return folder / "out"


def test_what_is_written_by_hand_passes_its_tests_with_the_altered_contract(out: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PYTEST, "-p", "no:cacheprovider", *BY_HAND],
        cwd=PROTO.parent,
        env={**os.environ, "PYTHONPATH": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_sdk_command_line_and_simulator_work_with_the_altered_contract(out: Path) -> None:
    demo = mxgw(out, "demo")
    assert demo.returncode == 0, demo.stderr
    assert demo.stdout.count("OnWriteComplete") == 2
    usage = mxgw(out, "echo", "--help").stdout
    assert "--samples" in usage
    assert "Send a text back." in usage

    with subprocess.Popen(
        [sys.executable, "-m", "zb_mom_ww_mxgateway_cli", "simulate", "--port", "0", "--json"],
        env={**os.environ, "PYTHONPATH": str(out)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as simulator:
        assert simulator.stdout is not None
        ready = json.loads(simulator.stdout.readline())
        connection = ["--endpoint", ready["endpoint"], "--api-key", ready["apiKey"], "--plaintext"]
        opened = mxgw(out, "open-session", *connection, "--json")
        session = ["--session-id", json.loads(opened.stdout)["sessionId"]]
        echo = ["echo", *session, "--text", "a", "--samples", "1.5,2", *connection]
        answered = mxgw(out, *echo)
        simulator.terminate()
    assert answered.returncode == 1
    assert "MX_COMMAND_KIND_ECHO is not simulated yet" in answered.stderr
