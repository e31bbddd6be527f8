"""Commands become methods: what they are called, what they take, what they return and send."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contracts import Contract, generate, real

from .conftest import CONVENTIONS, DOOR

GATEWAY = real().module("mxaccess_gateway_v1")
ASYNC = real().module("mxaccess_gateway_v1.session").SessionCommands
BLOCKING = real().module("mxaccess_gateway_v1.session_sync").SyncSessionCommands
BOTH = pytest.mark.parametrize("session", [ASYNC, BLOCKING], ids=["async", "blocking"])
COMMANDS = real().module("mxaccess_gateway_v1.commands").COMMANDS

Door = Callable[..., Contract]
_numbers = itertools.count()


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Generates the small contract, changed as told, and loads it under a name of its own."""

    def door(*changes: tuple[str, str], conventions: str = "") -> Contract:
        proto = DOOR
        for old, new in changes:
            assert old in proto
            proto = proto.replace(old, new)
        root = f"door_contract_{next(_numbers)}"
        (tmp_path / "door.proto").write_text(proto)
        text = CONVENTIONS.replace("door_contract", root) + conventions
        (tmp_path / "conventions.toml").write_text(text)
        return generate(tmp_path, tmp_path / "out")

    return door


def parameters(method: Any) -> list[str]:
    """A method's parameters as they are written, without self."""
    return [str(p) for p in list(inspect.signature(method).parameters.values())[1:]]


SIGNATURES = {
    name: ["server_handle: 'int'", f"entries: 'Iterable[{entry}]'", "correlation_id: 'str' = ''"]
    for name, entry in {
        "write_bulk": "WriteBulkEntry",
        "write2_bulk": "Write2BulkEntry",
        "write_secured_bulk": "WriteSecuredBulkEntry",
        "write_secured2_bulk": "WriteSecured2BulkEntry",
    }.items()
} | {
    "read_bulk": [
        "server_handle: 'int'",
        "tag_addresses: 'Iterable[str]'",
        "timeout_ms: 'int' = 0",
        "correlation_id: 'str' = ''",
    ]
}


@BOTH
@pytest.mark.parametrize("name", SIGNATURES)
def test_bulk_methods_take_entries_and_the_rest_by_name(session: Any, name: str) -> None:
    method = getattr(session, name)
    assert parameters(method) == SIGNATURES[name]
    given_by_name = {
        parameter.name
        for parameter in inspect.signature(method).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert given_by_name == {"timeout_ms", "correlation_id"} & {
        parameter.split(":")[0] for parameter in SIGNATURES[name]
    }


@BOTH
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_a_correlation_id_by_name_last(session: Any, name: str) -> None:
    method = getattr(session, name)
    last = list(inspect.signature(method).parameters.values())[-1]
    assert (last.name, last.default, last.kind) == ("correlation_id", "", last.KEYWORD_ONLY)
    assert inspect.iscoroutinefunction(method) is (session is ASYNC)


@BOTH
@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_row_and_its_method_have_the_same_parameters(session: Any, name: str) -> None:
    spec = COMMANDS[name]
    found = list(inspect.signature(getattr(session, name)).parameters.values())[1:-1]
    assert [p.name for p in found] == [row.name for row in spec.params]
    assert [p.default is p.empty for p in found] == [row.required for row in spec.params]
    assert [p.kind is p.KEYWORD_ONLY for p in found] == [row.keyword_only for row in spec.params]


def test_both_sessions_have_exactly_the_commands() -> None:
    for session in (ASYNC, BLOCKING):
        assert {name for name in vars(session) if not name.startswith("_")} == set(COMMANDS)
    assert [spec.name for spec in COMMANDS.values()] == list(COMMANDS)


def test_every_kind_but_the_first_has_a_command() -> None:
    kinds = [spec.kind for spec in COMMANDS.values()]
    assert kinds == [kind for kind in GATEWAY.MxCommandKind if kind != 0]


class Recorded:
    """What a generated method asked to be sent; answers with an empty reply of its type."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def _command(self, spec: Any, payload: Any, correlation_id: str) -> Any:
        self.sent.append((spec, payload, correlation_id))
        return spec.reply()

    def _value(self, value: Any) -> Any:
        return value


def recording(session: Any) -> Any:
    """An instance of a blocking session that keeps what it is asked to send."""
    return type("Session", (Recorded, session), {})()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_method_fills_its_payload_and_returns_the_replys_only_field(name: str) -> None:
    spec = COMMANDS[name]
    session = recording(BLOCKING)
    payload = spec.payload()
    arguments = {}
    for row in spec.params:
        if row.required:
            arguments[row.name] = getattr(payload, row.field)
            if arguments[row.name] is None:
                arguments[row.name] = _something(name, row)
    reply = getattr(session, name)(**arguments, correlation_id="abc")
    ((sent_spec, sent, correlation_id),) = session.sent
    assert sent_spec is spec
    assert correlation_id == "abc"
    assert type(sent) is spec.payload
    assert spec.payload.FromString(bytes(sent)) == sent
    expected = spec.reply()
    assert reply == (getattr(expected, spec.result_field) if spec.result_field else expected)


def _something(name: str, row: Any) -> Any:
    """A value for a message that a method takes, as its own class or as Python's."""
    annotation = inspect.signature(getattr(BLOCKING, name)).parameters[row.name].annotation
    if annotation == "timedelta":
        return timedelta(seconds=1)
    return getattr(GATEWAY, annotation if annotation != "V" else "MxValue")()


def test_a_value_goes_through_the_sessions_own_conversion(door: Door) -> None:
    contract = door()
    messages = contract.module("door_v1.messages")
    session = recording(contract.module("door_v1.session_sync").SyncSessionCommands)
    session._value = lambda value: messages.Value(text=str(value))
    assert session.open("front", 3, 5.5) == 0
    assert session.sent[0][1] == messages.OpenCommand(
        name="front", speed=3, value=messages.Value(text="5.5")
    )


def test_a_command_without_a_reply_arm_returns_nothing(door: Door) -> None:
    contract = door()
    session = recording(contract.module("door_v1.session_sync").SyncSessionCommands)
    assert session.close("front") is None
    assert inspect.signature(type(session).close).return_annotation == "None"


def test_a_reply_of_several_fields_is_returned_whole(door: Door) -> None:
    contract = door(("int32 handle = 1;", "int32 handle = 1; int32 other = 2;"))
    session = recording(contract.module("door_v1.session_sync").SyncSessionCommands)
    assert session.open("a", 1, None) == contract.module("door_v1.messages").OpenReply()


def test_parameters_make_way_for_what_methods_use_themselves(door: Door) -> None:
    names = ("self", "correlation_id", "commands", "listed", "int")
    contract = door(
        ("message CloseCommand { string name = 1; }",
         "message CloseCommand { string self = 1; string correlation_id = 2;"
         " string commands = 3; repeated string listed = 4; int32 int = 5; }"),
    )  # fmt: skip
    session = recording(contract.module("door_v1.session_sync").SyncSessionCommands)
    assert [p.split(":")[0] for p in parameters(type(session).close)] == [
        *(f"{name}_" for name in names),
        "correlation_id",
    ]
    session.close("a", "b", "c", ("d",), 5, correlation_id="e")
    assert session.sent[0][1].to_dict() == {
        "self": "a", "correlationId": "b", "commands": "c", "listed": ["d"], "int": 5,
    }  # fmt: skip
    assert session.sent[0][2] == "e"


def test_methods_make_way_for_the_types_of_those_after_them(door: Door) -> None:
    changes = [
        ("KIND_OPEN", "KIND_INT"),
        ("OpenCommand", "IntCommand"),
        ("OpenReply open", "OpenReply int"),
    ]
    contract = door(*changes)
    assert list(contract.module("door_v1.commands").COMMANDS) == ["int_", "close"]


def test_optional_parameters_have_their_types_default(door: Door) -> None:
    optional = '[commands.optional]\nopen = ["name", "speed", "value"]\n'
    contract = door(conventions=optional + '[commands.keyword_only]\nopen = ["name"]\n')
    session = recording(contract.module("door_v1.session_sync").SyncSessionCommands)
    assert parameters(type(session).open) == [
        "speed: 'int' = 0",
        "value: 'V | None' = None",
        "name: 'str' = ''",
        "correlation_id: 'str' = ''",
    ]
    session.open()
    assert session.sent[0][1] == contract.module("door_v1.messages").OpenCommand()


def test_a_service_beside_a_message_of_its_stubs_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.proto").write_text(
        'syntax = "proto3";\npackage p;\nmessage DoorStub {}\nservice Door {}\n'
    )
    with pytest.raises(Exception, match=r"a\.proto:4: 'Door' and 'p\.DoorStub' .* are both"):
        generate(tmp_path, tmp_path / "out")
