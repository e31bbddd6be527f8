"""Requests and replies around a command: what is malformed, and what every reply says."""

from __future__ import annotations

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway.describe import spec_of
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    ProtocolStatus,
    ProtocolStatusCode,
)
from zb_mom_ww_mxgateway_wire.command import CommandSpec
from zb_mom_ww_mxgateway_wire.message import Message

from .session import Session
from .values import check_sparse
from .writing import written_values

Spec = CommandSpec[Message, object]


def read_command(command: MxCommand | None) -> tuple[Spec, Message]:
    """The command of a request and its payload; INVALID_ARGUMENT names what is wrong with it."""
    if command is None:
        raise _malformed("the request has no command")
    spec = spec_of(command)
    if spec is None:
        fault = "is unknown" if command.kind else "is not given"
        raise _malformed(f"the command's kind {command.kind.proto_name} {fault}")
    name = spec.kind.proto_name
    member = command.which_payload()
    if member != spec.member:
        raise _malformed(
            f"kind {name} goes with payload {spec.member}, not with {member or 'none'}"
        )
    payload: Message = getattr(command, spec.member)
    entries = spec.item_count(payload)
    if entries > spec.max_items:
        raise _malformed(f"{name} has {entries} entries, the most is {spec.max_items}; send less")
    for value in written_values(payload):
        check_sparse(value)
    return spec, payload


def _malformed(fault: str) -> GRPCError:
    return GRPCError(Status.INVALID_ARGUMENT, fault)


def reply_to(
    session: Session, spec: Spec, correlation_id: str, code: ProtocolStatusCode, text: str = ""
) -> MxCommandReply:
    """A reply without a payload."""
    return MxCommandReply(
        session_id=session.id,
        correlation_id=correlation_id,
        kind=MxCommandKind(spec.kind),
        protocol_status=ProtocolStatus(code=code, message=text),
        diagnostic_message=text,
    )
