"""Handle-level commands, built from ``COMMANDS``: what the contract has, the CLI has."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final, TypeAlias, cast

import click

from zb_mom_ww_mxgateway import (
    COMMANDS,
    Duration,
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    MxStatusProxy,
    is_failure,
)
from zb_mom_ww_mxgateway_wire.codec import DecodeError
from zb_mom_ww_mxgateway_wire.command import CommandSpec, Param
from zb_mom_ww_mxgateway_wire.enums import OpenEnum
from zb_mom_ww_mxgateway_wire.fields import FieldInfo, fields_of
from zb_mom_ww_mxgateway_wire.message import Message

from .connection import Connection, connected
from .exits import OK, SOME_FAILED
from .output import with_options
from .readable import columns_of, readable, show
from .references import FORMS, asked, from_variable, resolved
from .values import (
    TYPES_HELP,
    Seconds,
    TypeName,
    comma_list,
    parse_bool,
    parse_time,
    parse_value,
    parse_values,
    whole_number,
)

Spec: TypeAlias = CommandSpec[Message, object]
#: What adds an option to a command.
Option: TypeAlias = Callable[[Any], Any]
#: What fills one field of a payload from the parsed options.
Fill: TypeAlias = Callable[[dict[str, Any]], Any]

#: Flags that are shorter than their field's name, as every client of the gateway has them.
_FLAGS: Final[Mapping[str, str]] = {
    "item_definition": "item",
    "tag_addresses": "items",
    "timestamp_value": "timestamp",
}
_TYPE_OPTION: Final = click.option(
    "--type",
    "value_type",
    type=TypeName(),
    metavar="TYPE",
    required=True,
    help=TYPES_HELP,
)

_KINDS: Final[Mapping[str, type]] = {
    "string": str,
    "bytes": str,
    "bool": bool,
    "float": float,
    "double": float,
}
#: How the text of one item of a list becomes a value; numbers otherwise.
_PARSE: Final[Mapping[str, Callable[[str], object]]] = {
    "string": str,
    "bytes": str.encode,
    "bool": parse_bool,
    "float": float,
    "double": float,
}

#: What a required parameter is given in an example, by its name or else by its kind; else 1.
_SAMPLES: Final[Mapping[str, str]] = {
    "alarm_guid": "11111111-2222-3333-4444-555555555555",
    "alarm_name": "TestMachine_001.TestAlarm001",
    "client_name": "line-3",
    "item_context": "TestMachine_001",
    "item_definition": "TestMachine_001.MachineCode",
    "password": "env:PLANT_PASSWORD",
    "subscription_expression": r"\\Galaxy!TestArea",
    "tag_addresses": "TestMachine_001.MachineCode,TestMachine_002.MachineCode",
    "timestamp_value": "2026-01-31T12:00:00Z",
    "update_interval_ms": "1000",
    "user_guid": "11111111-2222-3333-4444-555555555555",
    "user_name": "operator",
    "string": "text",
    "bool": "true",
    "bytes": "text",
    "message": "{}",
}


@dataclass(frozen=True, slots=True)
class Made:
    """One parameter on the command line; ``example`` has its options and what they are given."""

    options: Sequence[Option]
    fill: Fill
    example: Sequence[str]


@cache
def handle_command(name: str) -> click.Command:
    """The command line's command for one of ``COMMANDS``."""
    spec = COMMANDS[name]
    options: list[Option] = [
        click.option("--session-id", required=True, help="Session that the command runs in.")
    ]
    fills: dict[str, Fill] = {}
    example = ["mxgw-py", _dashed(name), "--session-id", "ID"]
    infos = fields_of(spec.payload)
    for param in spec.params:
        made = _param(param, infos[param.field], spec.payload)
        options += [option for option in made.options if option not in options]
        fills[param.field] = made.fill
        example += made.example if param.required else ()

    def run(connection: Connection, session_id: str, **arguments: Any) -> Coroutine[Any, Any, int]:
        # Before the event loop runs: asking for a password would block it, and Ctrl-C with it.
        payload = spec.payload(**{field: fill(arguments) for field, fill in fills.items()})
        return _invoke(connection, spec, session_id, payload)

    command = with_options(connected(run), options)
    epilog = f"Example: {shlex.join(example)}"
    return click.command(_dashed(name), help=spec.doc, epilog=epilog)(command)


def _param(param: Param, info: FieldInfo, payload: type[Message]) -> Made:
    """The options for one parameter, and what makes its field from them."""
    if param.value:
        return _value_param(param)
    if info.repeated and info.proto_type == "message":
        return _entries(param, info)
    if info.redact:
        return _secret_param(param)
    example = _example(param, info)
    if info.repeated:
        convert = _PARSE.get(info.proto_type, whole_number)
        option = _option(param, f"{param.doc} Separated by commas; may be repeated.", multiple=True)
        flag = _flag(param.name)
        return Made([option], lambda given: _items(flag, given[param.name], convert), example)
    if info.proto_type == "message":
        return _message_param(param, info)
    if info.proto_type == "enum":
        return _enum_param(param, info)
    kind = _KINDS.get(info.proto_type, int)
    default = {} if param.required else {"default": getattr(payload(), param.field)}
    option = _option(param, param.doc, type=kind, **default)
    if info.proto_type == "bytes":
        return Made([option], lambda given: _encoded(given[param.name]), example)
    return Made([option], lambda given: given[param.name], example)


def _example(param: Param, info: FieldInfo) -> list[str]:
    return [_flag(param.name), _SAMPLES.get(param.name) or _SAMPLES.get(info.proto_type, "1")]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _encoded(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


def _flag(name: str) -> str:
    return f"--{_dashed(_FLAGS.get(name, name))}"


def _option(param: Param, text: str, **more: Any) -> Option:
    return click.option(_flag(param.name), param.name, required=param.required, help=text, **more)


def _value_param(param: Param) -> Made:
    if param.name in _FLAGS:
        option = _option(param, f"{param.doc} ISO 8601.")
        example = [_flag(param.name), _SAMPLES[param.name]]
        return Made([option], lambda given: parse_time(given[param.name]), example)
    option = _option(param, param.doc)
    return Made(
        [_TYPE_OPTION, option],
        lambda given: parse_value(given[param.name], given["value_type"], _flag(param.name)),
        ["--type", "int32", _flag(param.name), "123"],
    )


def _secret_param(param: Param) -> Made:
    """A secret: given, from a variable or file, or asked for without echo."""
    flag = _flag(param.name)
    variable = f"{param.name}_env"
    text = f"{param.doc} {FORMS}; asked for where it is not given."
    options = [
        click.option(flag, param.name, help=text),
        click.option(f"{flag}-env", variable, metavar="NAME", help="Variable that holds it."),
    ]

    def fill(given: dict[str, Any]) -> str:
        if given[variable] is not None:
            return from_variable(given[variable], f"{flag}-env")
        return asked(flag) if given[param.name] is None else resolved(given[param.name], flag)

    return Made(options, fill, [flag, _SAMPLES.get(param.name, "prompt")])


def _enum_param(param: Param, info: FieldInfo) -> Made:
    assert info.type_of is not None
    enum = cast("type[OpenEnum]", info.type_of())
    choice = click.Choice([member.name for member in enum], case_sensitive=False)
    default = {} if param.required else {"default": enum(0).name}
    option = _option(param, param.doc, type=choice, **default)
    example = [_flag(param.name), [member.name for member in enum][-1]]
    return Made([option], lambda given: enum[given[param.name]], example)


def _message_param(param: Param, info: FieldInfo) -> Made:
    assert info.type_of is not None
    message = cast("type[Message]", info.type_of())
    if message is Duration:
        option = _option(param, f"{param.doc} In seconds.", type=Seconds(min=0, min_open=True))
        return Made([option], lambda given: _seconds(given[param.name]), [_flag(param.name), "5"])
    option = _option(param, f"{param.doc} As ProtoJSON.")
    return Made(
        [option],
        lambda given: _proto_json(param, message, given[param.name]),
        _example(param, info),
    )


def _seconds(value: float | None) -> Duration | None:
    return None if value is None else Duration.from_timedelta(timedelta(seconds=value))


def _proto_json(param: Param, message: type[Message], text: str | None) -> Message | None:
    if text is None:
        return None
    try:
        return message.from_json(text)
    except DecodeError as error:
        raise click.UsageError(f"{_flag(param.name)}: {error}") from error


def _items(flag: str, texts: Sequence[str], convert: Callable[[str], Any]) -> list[Any]:
    """The items of every comma list that an option was given."""
    if any(not text.strip() for text in texts):
        raise click.UsageError(f"{flag} is empty; name at least one item")
    try:
        return [convert(item) for text in texts for item in comma_list(text)]
    except (ValueError, KeyError):
        raise click.UsageError(f"{flag}: an item is not of the right type") from None


def _entries(param: Param, info: FieldInfo) -> Made:
    """Entries of a bulk write: lists for the first field and the value, one of each of the rest."""
    assert info.type_of is not None
    message = cast("type[Message]", info.type_of())
    fields = fields_of(message)
    if "value" not in fields:
        option = _option(param, f"{param.doc} As a ProtoJSON array.")
        return Made(
            [option],
            lambda given: _proto_json_array(param, message, given[param.name]),
            [_flag(param.name), "[]"],
        )
    key, *others = [name for name in fields if name != "value"]
    flag = f"{_flag(key)}s"
    more = "Separated by commas; may be repeated."
    options: list[Option] = [
        click.option(flag, "keys", required=True, multiple=True, help=f"Handles. {more}"),
        _TYPE_OPTION,
        click.option(
            "--values",
            required=True,
            multiple=True,
            help=f"As many values, or a JSON array of them. {more}",
        ),
    ]
    example = [flag, "1,2", "--type", "int32", "--values", "123,456"]
    for name in others:
        options.append(_shared_option(name, fields[name]))
        if name != "user_id":
            example += [_flag(name), _SAMPLES.get(name, "1")]

    def fill(given: dict[str, Any]) -> list[Message]:
        handles = _items(flag, given["keys"], whole_number)
        values = [
            value for text in given["values"] for value in parse_values(text, given["value_type"])
        ]
        if len(handles) != len(values):
            raise click.UsageError(
                f"{flag} has {len(handles)} items and --values {len(values)}; give as many of each"
            )
        shared = {
            name: parse_time(given[name]) if fields[name].proto_type == "message" else given[name]
            for name in others
        }
        return [
            message(**{key: handle, "value": value, **shared})
            for handle, value in zip(handles, values, strict=True)
        ]

    return Made(options, fill, example)


def _shared_option(name: str, info: FieldInfo) -> Option:
    """What all entries of a bulk have in common; no user where none is named."""
    presence: dict[str, Any] = {"default": 0} if name == "user_id" else {"required": True}
    kind = str if info.proto_type == "message" else int
    return click.option(_flag(name), name, type=kind, help=f"{_said(name)} of all.", **presence)


def _said(name: str) -> str:
    return _FLAGS.get(name, name).replace("_", " ").capitalize()


def _proto_json_array(param: Param, message: type[Message], text: str | None) -> list[Message]:
    if text is None:
        return []
    try:
        return [message.from_dict(item) for item in json.loads(text)]
    except (ValueError, TypeError, RecursionError) as error:
        raise click.UsageError(f"{_flag(param.name)}: {error}") from error


async def _invoke(connection: Connection, spec: Spec, session_id: str, payload: Message) -> int:
    async with connection.client() as client:
        command = MxCommand(kind=MxCommandKind(spec.kind))
        setattr(command, spec.member, payload)
        reply = await client.session(session_id).invoke(command)
    return _show(connection, spec, reply)


def _show(connection: Connection, spec: Spec, reply: MxCommandReply) -> int:
    if spec.bulk_field is None or spec.reply_member is None:
        show(reply, connection.output)
        return OK
    results: list[Message] = getattr(getattr(reply, spec.reply_member), str(spec.result_field))
    connection.output.rows(
        [result.to_dict(include_default_values=True) for result in results],
        [readable(result) for result in results],
        columns=columns_of(_result_type(spec)),
    )
    return SOME_FAILED if any(_failed(result) for result in results) else OK


def _result_type(spec: Spec) -> type[Message]:
    """What a bulk's reply has for each entry."""
    found: type[Message | OpenEnum] = MxCommandReply
    for name in (spec.reply_member, spec.result_field):
        assert issubclass(found, Message)
        type_of = fields_of(found)[str(name)].type_of
        assert type_of is not None
        found = type_of()
    assert issubclass(found, Message)
    return found


def _failed(result: Message) -> bool:
    """Whether one entry of a bulk failed, in the gateway or by what MXAccess says of it."""
    statuses: list[MxStatusProxy] = getattr(result, "statuses", [])
    successful: bool = getattr(result, "was_successful", True)
    return not successful or any(is_failure(status) for status in statuses)
