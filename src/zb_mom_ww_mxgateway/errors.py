"""The exception tree, and the checks that turn what a reply or an event says into it.

MxGatewayError
├── MxGatewayArgumentError (ValueError)     the caller's input, refused here or by the gateway
│   └── MxGatewayValueError                 a value that MXAccess cannot carry
├── MxGatewayTransportError                 the call did not go through; has a gRPC status
│   ├── MxGatewayUnavailableError           nobody there, or the connection was lost
│   ├── MxGatewayCertificateError           somebody is there, and is not who it should be
│   ├── MxGatewayTimeoutError (TimeoutError)
│   ├── MxGatewayAuthenticationError        the API key
│   ├── MxGatewayAuthorizationError         the API key's scopes
│   ├── MxGatewayNotFoundError              an alarm, an object, a page: not the session
│   ├── MxGatewayResourceExhaustedError     a limit of the gateway, or of this client
│   └── MxGatewayUnimplementedError         a call that this gateway does not have
├── MxGatewayProtocolError                  the other side does not keep the contract
│   └── MxGatewayMalformedReplyError
├── MxGatewaySessionError                   the session, not the command
│   ├── MxGatewaySessionNotFoundError
│   ├── MxGatewaySessionNotReadyError
│   └── MxGatewaySessionClosedError
├── MxGatewayWorkerError                    the session's worker process
├── MxGatewayGalaxyChangedError             a deploy came between two pages of a listing
└── MxGatewayCommandError                   the gateway answered: the command failed
    └── MxAccessError                       MXAccess refused it; has hresult and statuses
        └── MxAccessWriteError              MXAccess took a write, and then failed with it

Texts say what was attempted, on what, and what to do. They never hold an API key, a password or a
value that was written. What gRPC says becomes one of these in grpc_errors.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from grpclib.const import Status

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmReply,
    MxCommandKind,
    MxCommandReply,
    MxEvent,
    MxStatusProxy,
    ProtocolStatus,
    ProtocolStatusCode,
)

from .statuses import (
    INVALID_ARGUMENT,
    describe_hresult as describe_hresult,
    describe_status as describe_status,
    hresult_hex,
    is_failure as is_failure,
)


class MxGatewayError(Exception):
    """The base of everything that the SDK raises on its own."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The usual way calls the class with args alone, and several have keywords of their own.
        return _blank, (type(self), self.args), self.__dict__


def _blank(kind: type[MxGatewayError], args: tuple[object, ...]) -> MxGatewayError:
    """An exception with its text and without its attributes, which copy and pickle then set."""
    error = kind.__new__(kind)
    error.args = args
    return error


class MxGatewayArgumentError(MxGatewayError, ValueError):
    """An argument that cannot be sent (its text says so), or that the gateway calls malformed."""


class MxGatewayValueError(MxGatewayArgumentError):
    """A Python value that MXAccess cannot carry, or not as the data type asked for."""


class MxGatewayTransportError(MxGatewayError):
    """A call that did not go through. ``status`` is the gRPC status, such as ``UNAVAILABLE``.

    ``transient`` says whether the same call may succeed when tried again later; None leaves that
    to the status.
    """

    def __init__(
        self, text: str, *, status: Status = Status.UNKNOWN, transient: bool | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self._transient = transient

    @property
    def transient(self) -> bool:
        """Whether trying the same call again later may succeed."""
        return self.status in _TRANSIENT if self._transient is None else self._transient


class MxGatewayUnavailableError(MxGatewayTransportError):
    """Nobody answers at the endpoint, or the connection was lost during the call."""


class MxGatewayCertificateError(MxGatewayTransportError):
    """The certificate is not accepted: authority, name, date, or another than was pinned.

    Nothing but the TLS handshake was sent. It never goes away by itself, so it is not transient.
    """

    def __init__(self, text: str, *, status: Status = Status.UNAVAILABLE) -> None:
        super().__init__(text, status=status, transient=False)


class MxGatewayTimeoutError(MxGatewayTransportError, TimeoutError):
    """The call did not end in time. What it asked for may still happen in MXAccess."""


class MxGatewayAuthenticationError(MxGatewayTransportError):
    """The gateway does not accept the API key, or there was none."""


class MxGatewayAuthorizationError(MxGatewayTransportError):
    """The API key lacks a scope that the call needs, or the tag is outside of what it may touch."""


class MxGatewayNotFoundError(MxGatewayTransportError):
    """The gateway does not know what the call names: an alarm, an object of the galaxy."""


class MxGatewayResourceExhaustedError(MxGatewayTransportError):
    """A limit: sessions, pending commands, event queue, or the length of a message."""


class MxGatewayUnimplementedError(MxGatewayTransportError):
    """The gateway does not have this call: it is older than the SDK, or is no gateway."""


class MxGatewayProtocolError(MxGatewayError):
    """The other side does not keep the contract, or does not speak gRPC at all."""


class MxGatewayMalformedReplyError(MxGatewayProtocolError):
    """A reply that cannot be decoded, or lacks what the contract promises."""


class MxGatewaySessionError(MxGatewayError):
    """A session that cannot take the call. ``session_id`` names it."""

    def __init__(self, text: str, *, session_id: str = "") -> None:
        super().__init__(text)
        self.session_id = session_id


class MxGatewaySessionNotFoundError(MxGatewaySessionError):
    """The gateway knows no such session, or it belongs to another API key."""


class MxGatewaySessionNotReadyError(MxGatewaySessionError):
    """The session exists and takes no commands now: starting, closing or faulted."""


class MxGatewaySessionClosedError(MxGatewaySessionError):
    """The session or its client was closed on this side."""


class MxGatewayGalaxyChangedError(MxGatewayError):
    """The galaxy was deployed while its objects were listed. Listing anew shows it as it is now."""


class MxGatewayWorkerError(MxGatewayError):
    """The session's worker process is gone or did not answer."""


class MxGatewayCommandError(MxGatewayError):
    """Something that the gateway took, and answered with a failure.

    ``reply`` is the raw answer to a command or to the acknowledgement of an alarm; None for other
    calls, and where the failure came as an event.
    """

    def __init__(
        self, text: str, *, reply: MxCommandReply | AcknowledgeAlarmReply | None = None
    ) -> None:
        super().__init__(text)
        self.reply = reply


class MxAccessError(MxGatewayCommandError):
    """A command that reached MXAccess and failed there."""

    @property
    def hresult(self) -> int | None:
        """The COM HRESULT, signed 32 bits; None where the gateway gave none."""
        return None if self.reply is None else self.reply.hresult

    @property
    def hresult_hex(self) -> str:
        """The HRESULT as documents spell it, such as ``0x80070057``; empty where there is none."""
        return "" if self.hresult is None else hresult_hex(self.hresult)

    @property
    def statuses(self) -> Sequence[MxStatusProxy]:
        """The statuses of MXAccess, in its order."""
        return () if self.reply is None else _statuses_of(self.reply)


class MxAccessWriteError(MxAccessError):
    """A write whose failure came as an event, most often its OnWriteComplete.

    ``event`` is that event; ``hresult`` and ``statuses`` are the event's. There is no ``reply``.
    """

    def __init__(self, text: str, *, event: MxEvent) -> None:
        super().__init__(text)
        self.event = event

    @property
    def hresult(self) -> int | None:
        """The event's HRESULT, signed 32 bits; None where there is none."""
        return self.event.hresult

    @property
    def statuses(self) -> Sequence[MxStatusProxy]:
        """The event's statuses, in MXAccess's order."""
        return self.event.statuses


#: Takes secrets out of a text.
Redact: TypeAlias = Callable[[str], str]

#: gRPC statuses that go away by themselves.
_TRANSIENT: Final = frozenset(
    {Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.RESOURCE_EXHAUSTED, Status.ABORTED}
)

#: What to do about details of a status.
_HINTS: Final[Mapping[int, str]] = {
    6: "check the reference for a misspelling and that its object is deployed; elements count "
    "in arrays from 1",
    1003: "name the whole array as Attribute[] or one element as Attribute[1]",
    1012: "write it with write_secured and the id of an authenticated user",
    1013: "write it with write_secured and two users, the second of whom verifies",
}

#: What to do about a session, where gRPC or the gateway's protocol says the same of it.
OPEN_ANEW: Final = "; open a new session"
NOT_READY: Final = "; open a new one, unless it is starting"

_STATUS_HINTS: Final[Mapping[ProtocolStatusCode, str]] = {
    ProtocolStatusCode.INVALID_REQUEST: "; this gateway does not take it, or not so filled in",
    ProtocolStatusCode.CANCELED: "; it was given up at the gateway, and may have taken effect",
}

# Up to Python 3.11, to ask an enum for a member takes longer than all else that is checked here.
_REFUSED: Final = ProtocolStatusCode.MXACCESS_FAILURE
_SILENT: Final = frozenset({ProtocolStatusCode.OK, ProtocolStatusCode.UNSPECIFIED})


def check_protocol(
    reply: MxCommandReply, *, attempted: object, session_id: str, mxaccess: bool, redact: Redact
) -> None:
    """Raise what the status of ``reply`` stands for; ``mxaccess`` includes MXAccess's failures.

    The ``str`` of ``attempted``, which only a failure asks for, says what was attempted. ``redact``
    takes secrets out of what the gateway said.
    """
    status = reply.protocol_status
    if status is not None and status.code == _REFUSED:
        if mxaccess:
            raise MxAccessError(_refused(reply, attempted, redact), reply=reply)
        return
    check_status(status, attempted=attempted, session_id=session_id, reply=reply, redact=redact)
    if mxaccess and has_failed(reply):
        raise MxAccessError(_refused(reply, attempted, redact), reply=reply)


def check_acknowledge(reply: AcknowledgeAlarmReply, *, attempted: str, redact: Redact) -> None:
    """Raise what the reply to an acknowledgement stands for, MXAccess's failures included."""
    status = reply.protocol_status
    refused = status is not None and status.code == _REFUSED
    if not refused:
        check_status(status, attempted=attempted, reply=reply, redact=redact)
    if refused or has_failed(reply):
        raise MxAccessError(_refused(reply, attempted, redact), reply=reply)


def write_error(event: MxEvent, text: str, *, redact: Redact) -> MxAccessWriteError:
    """The error for a write that ``event`` says has failed: ``text``, and what the event says."""
    return MxAccessWriteError(f"{text}: {_said(event, redact)}{_hint(event)}", event=event)


def check_status(
    status: ProtocolStatus | None,
    *,
    attempted: object,
    session_id: str = "",
    reply: MxCommandReply | AcknowledgeAlarmReply | None = None,
    redact: Redact,
) -> None:
    """Raise what a protocol status stands for; OK and unset are silent."""
    if status is None or status.code in _SILENT:
        return
    code = status.code
    said = f": {redact(status.message)}" if status.message else ""
    text = f"{attempted} failed with {code.name}{said}"
    if code == ProtocolStatusCode.SESSION_NOT_FOUND:
        raise MxGatewaySessionNotFoundError(text + OPEN_ANEW, session_id=session_id)
    if code == ProtocolStatusCode.SESSION_NOT_READY:
        raise MxGatewaySessionNotReadyError(text + NOT_READY, session_id=session_id)
    if code == ProtocolStatusCode.WORKER_UNAVAILABLE:
        raise MxGatewayWorkerError(text + OPEN_ANEW)
    if code == ProtocolStatusCode.TIMEOUT:
        raise MxGatewayTimeoutError(
            f"{text}; check the session's state before reusing handles",
            status=Status.DEADLINE_EXCEEDED,
        )
    if code == ProtocolStatusCode.PROTOCOL_VIOLATION:
        raise MxGatewayProtocolError(f"{text}; compare the versions of client and gateway")
    raise MxGatewayCommandError(text + _STATUS_HINTS.get(code, ""), reply=reply)


def _statuses_of(
    answer: MxCommandReply | AcknowledgeAlarmReply | MxEvent,
) -> Sequence[MxStatusProxy]:
    # In this order, as a class that an object is not of takes isinstance ten times as long.
    if isinstance(answer, (MxCommandReply, MxEvent)):
        return answer.statuses
    return () if answer.status is None else (answer.status,)


def has_failed(answer: MxCommandReply | AcknowledgeAlarmReply | MxEvent) -> bool:
    """Whether MXAccess failed: a negative HRESULT, or a status whose category says so."""
    return (answer.hresult or 0) < 0 or any(map(is_failure, _statuses_of(answer)))


def _refused(
    reply: MxCommandReply | AcknowledgeAlarmReply, attempted: object, redact: Redact
) -> str:
    status = reply.protocol_status or ProtocolStatus()
    said = _said(reply, redact, reply.diagnostic_message, status.message)
    return f"{attempted} failed in MXAccess: {said}{_hint(reply)}"


def _said(
    answer: MxCommandReply | AcknowledgeAlarmReply | MxEvent, redact: Redact, *texts: str
) -> str:
    said = [describe_hresult(answer.hresult)] if answer.hresult else []
    said += [describe_status(status) for status in _statuses_of(answer) if is_failure(status)]
    for text in texts:
        if text and not any(text in part for part in said):
            said.append(text)
    return redact("; ".join(said)) or "it does not say why"


def _hint(answer: MxCommandReply | AcknowledgeAlarmReply | MxEvent) -> str:
    details = dict.fromkeys(s.detail for s in _statuses_of(answer) if is_failure(s))
    hints = "".join(f"; {_HINTS[detail]}" for detail in details if detail in _HINTS)
    is_explained = hints or any(status.diagnostic_text for status in _statuses_of(answer))
    if is_explained or (answer.hresult or 0) & 0xFFFF_FFFF != INVALID_ARGUMENT:
        return hints
    kind = answer.kind if isinstance(answer, MxCommandReply) else None
    if kind == MxCommandKind.AUTHENTICATE_USER:
        return "; check the user's name and password"
    return "; often that is a server or item handle that this session has not"
