"""A request in words, for the texts of errors: what was attempted, without values or secrets."""

from __future__ import annotations

from collections.abc import Sized
from typing import Final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommand,
    MxCommandRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import COMMANDS
from zb_mom_ww_mxgateway_wire.command import CommandSpec
from zb_mom_ww_mxgateway_wire.fields import fields_of
from zb_mom_ww_mxgateway_wire.message import Message

#: Every command by its kind.
BY_KIND: Final = {spec.kind: spec for spec in COMMANDS.values()}


def spec_of(command: MxCommand) -> CommandSpec[Message, object] | None:
    """The row of a command; None for a kind that the contract does not name."""
    return BY_KIND.get(command.kind)


def describe_command(command: MxCommand) -> str:
    """A command such as ``write(server_handle=1, item_handle=2)``: what it is for, not values."""
    spec = spec_of(command)
    if spec is None:
        return f"command {command.kind!s}"
    payload: Message | None = getattr(command, spec.member)
    parts: list[str] = []
    if payload is None:
        return f"{spec.name} without its payload"
    for name, info in fields_of(spec.payload).items():
        value = getattr(payload, name)
        if info.repeated:
            countable = isinstance(value, Sized) and not isinstance(value, (str, bytes))
            parts.append(f"{len(value) if countable else 'no'} {name}")
        elif name not in _UNTOLD and info.proto_type != "message" and not info.redact:
            parts += [f"{name}={value!r}"] if payload.is_set(name) else []
    return f"{spec.name}({', '.join(parts)})"


def describe_request(path: str, request: Message) -> str:
    """A request such as ``advise(server_handle=1, item_handle=2) in session-…``."""
    session_id: str = getattr(request, "session_id", "")
    where = f" in {session_id}" if session_id else ""
    if isinstance(request, MxCommandRequest) and request.command is not None:
        return describe_command(request.command) + where
    told = [
        f"{name}={getattr(request, name)!r}"
        for name, info in fields_of(type(request)).items()
        if name not in _UNTOLD
        and not (info.repeated or info.redact or info.proto_type == "message")
        and request.is_set(name)
    ]
    about = f"({', '.join(told)})" if told else ""
    return path.rpartition("/")[2] + about + where


class Asked:
    """What a call asks for, in the words of ``describe_request``, made when ``str`` asks for them.

    Only failures do; making them for each call would take longer than all else that is done for it
    above the connection. Whoever changes the request meanwhile changes the words.
    """

    __slots__ = ("_endpoint", "_path", "_request")

    def __init__(self, path: str, request: Message, endpoint: str) -> None:
        self._path = path
        self._request = request
        self._endpoint = endpoint

    def __str__(self) -> str:
        return f"{describe_request(self._path, self._request)} at {self._endpoint}"


#: Fields that do not say what is asked for, or are for others than the reader; a comment is a
#: value too, as acknowledging writes it into the alarm's attribute. ``value`` is that of a wrapper,
#: such as Int32Value, where it may stand for something else, as a number below 0 for none.
_UNTOLD: Final = frozenset(
    {
        *("session_id", "client_correlation_id", "page_size", "page_token"),
        *("comment", "operator_user", "value"),
    }
)
