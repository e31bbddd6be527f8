"""The exception tree, and the one place where failures of gRPC, gateway and MXAccess become it.

MxGatewayError
├── MxGatewayArgumentError (ValueError)     the caller's input, refused here or by the gateway
│   └── MxGatewayValueError                 a value that MXAccess cannot carry
├── MxGatewayTransportError                 the call did not go through; has a gRPC status
│   ├── MxGatewayUnavailableError           nobody there, or the connection was lost
│   ├── MxGatewayTimeoutError (TimeoutError)
│   ├── MxGatewayAuthenticationError        the API key
│   ├── MxGatewayAuthorizationError         the API key's scopes
│   └── MxGatewayResourceExhaustedError     a limit of the gateway
├── MxGatewayProtocolError                  the other side does not keep the contract
│   └── MxGatewayMalformedReplyError
├── MxGatewaySessionError                   the session, not the command
│   ├── MxGatewaySessionNotFoundError
│   ├── MxGatewaySessionNotReadyError
│   └── MxGatewaySessionClosedError
├── MxGatewayWorkerError                    the session's worker process
└── MxGatewayCommandError                   the gateway answered: the command failed
    └── MxAccessError                       MXAccess refused it; has hresult and statuses

Texts say what was attempted, on what, and what to do. They never hold an API key, a password or a
value that was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from grpclib.const import Status

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommandReply,
    MxStatusCategory,
    MxStatusProxy,
    ProtocolStatus,
    ProtocolStatusCode,
)


class MxGatewayError(Exception):
    """The base of everything that the SDK raises on its own."""


class MxGatewayArgumentError(MxGatewayError, ValueError):
    """An argument that cannot be sent (its text says so), or that the gateway calls malformed."""


class MxGatewayValueError(MxGatewayArgumentError):
    """A Python value that MXAccess cannot carry, or not as the data type asked for."""


class MxGatewayTransportError(MxGatewayError):
    """A call that did not go through. ``status`` is the gRPC status, such as ``UNAVAILABLE``."""

    def __init__(self, text: str, *, status: Status = Status.UNKNOWN) -> None:
        super().__init__(text)
        self.status = status

    @property
    def transient(self) -> bool:
        """Whether trying the same call again later may succeed."""
        return self.status in _TRANSIENT


class MxGatewayUnavailableError(MxGatewayTransportError):
    """Nobody answers at the endpoint, or the connection was lost during the call."""


class MxGatewayTimeoutError(MxGatewayTransportError, TimeoutError):
    """The call did not end in time. What it asked for may still happen in MXAccess."""


class MxGatewayAuthenticationError(MxGatewayTransportError):
    """The gateway does not accept the API key, or there was none."""


class MxGatewayAuthorizationError(MxGatewayTransportError):
    """The API key lacks a scope that the call needs."""


class MxGatewayResourceExhaustedError(MxGatewayTransportError):
    """A limit of the gateway: sessions, pending commands, message size or event queue."""


class MxGatewayProtocolError(MxGatewayError):
    """The other side does not keep the contract."""


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


class MxGatewayWorkerError(MxGatewayError):
    """The session's worker process is gone or did not answer."""


class MxGatewayCommandError(MxGatewayError):
    """A command that the gateway answered with a failure. ``reply`` is the raw answer."""

    def __init__(self, text: str, *, reply: MxCommandReply) -> None:
        super().__init__(text)
        self.reply = reply


class MxAccessError(MxGatewayCommandError):
    """A command that reached MXAccess and failed there."""

    @property
    def hresult(self) -> int | None:
        """The COM HRESULT, signed 32 bits; None where the gateway gave none."""
        return self.reply.hresult

    @property
    def hresult_hex(self) -> str:
        """The HRESULT as documents spell it, such as ``0x80070057``; empty where there is none."""
        return "" if self.hresult is None else f"0x{self.hresult & 0xFFFF_FFFF:08X}"

    @property
    def statuses(self) -> Sequence[MxStatusProxy]:
        """The statuses of MXAccess, in its order."""
        return self.reply.statuses


#: Takes secrets out of a text.
Redact: TypeAlias = Callable[[str], str]

_TRANSIENT: Final = frozenset(
    {Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.RESOURCE_EXHAUSTED, Status.ABORTED}
)

#: Detail codes of MXSTATUS in words (facts of MXAccess).
DETAILS: Final[Mapping[int, str]] = {
    1: "request timed out",
    2: "platform communication error",
    3: "invalid platform id",
    4: "invalid engine id",
    5: "engine communication error",
    6: "invalid reference",
    7: "no galaxy repository",
    8: "invalid object id",
    1003: "array access",
    1012: "secured write required",
    1013: "verified write required",
}

#: Categories whose values may be used; an unset one with success 0 is no failure either.
_USABLE: Final = frozenset(
    {
        MxStatusCategory.UNSPECIFIED,
        MxStatusCategory.OK,
        MxStatusCategory.PENDING,
        MxStatusCategory.WARNING,
    }
)


def is_failure(status: MxStatusProxy) -> bool:
    """Whether a status says that something failed: by its category, never by ``success`` alone."""
    return status.category not in _USABLE


def describe_status(status: MxStatusProxy) -> str:
    """One status in words, such as ``CONFIGURATION_ERROR, detail 6 (invalid reference)``."""
    words = DETAILS.get(status.detail, "")
    parts = [
        status.category.name,
        f"detail {status.detail}" + (f" ({words})" if words else "") if status.detail else "",
        status.diagnostic_text,
    ]
    return ", ".join(part for part in parts if part)


def describe_hresult(hresult: int) -> str:
    """An HRESULT signed and in hex, with words where they are known."""
    words = _HRESULTS.get(hresult & 0xFFFF_FFFF, "")
    return f"HRESULT 0x{hresult & 0xFFFF_FFFF:08X} ({hresult}{', ' + words if words else ''})"


_HRESULTS: Final[Mapping[int, str]] = {
    0x80070057: "invalid argument, often a server or item handle that this session has not",
    0x80004021: "no user was authenticated on this server handle for a secured write",
}


def from_grpc(
    status: Status, message: str, *, attempted: str, session_id: str = "", has_key: bool = True
) -> MxGatewayError:
    """The exception for a call that ended with a gRPC status other than OK.

    ``session_id`` is that of the request: only where there is one can it be the session that was
    not found or not ready. ``has_key`` says whether an API key was sent.
    """
    kind, hint = _BY_STATUS.get(status, (MxGatewayTransportError, ""))
    if status is Status.UNAUTHENTICATED and not has_key:
        hint = "; no API key was given, and this gateway asks for one"
    text = f"{attempted} ended with {status.name}{': ' + message if message else ''}"
    if status in _ABOUT_SESSIONS and not session_id:
        return MxGatewayTransportError(text, status=status)
    text += hint
    if issubclass(kind, MxGatewayTransportError):
        return kind(text, status=status)
    if issubclass(kind, MxGatewaySessionError):
        return kind(text, session_id=session_id)
    return kind(text)


#: Statuses that are about the session where a request names one, and not otherwise.
_ABOUT_SESSIONS: Final = frozenset(
    {Status.NOT_FOUND, Status.FAILED_PRECONDITION, Status.ALREADY_EXISTS}
)

#: The exception for each status, and what to do about it.
_BY_STATUS: Final[Mapping[Status, tuple[type[MxGatewayError], str]]] = {
    Status.UNAVAILABLE: (
        MxGatewayUnavailableError,
        "; check that the gateway runs there and try again",
    ),
    Status.DEADLINE_EXCEEDED: (
        MxGatewayTimeoutError,
        "; allow more time, and check the session's state before reusing handles",
    ),
    Status.UNAUTHENTICATED: (MxGatewayAuthenticationError, "; check the API key"),
    Status.PERMISSION_DENIED: (
        MxGatewayAuthorizationError,
        "; ask for an API key with that scope",
    ),
    Status.RESOURCE_EXHAUSTED: (
        MxGatewayResourceExhaustedError,
        "; send less at once, or try later",
    ),
    Status.INVALID_ARGUMENT: (MxGatewayArgumentError, ""),
    Status.ALREADY_EXISTS: (
        MxGatewayTransportError,
        "; a session has one event stream: end the other first",
    ),
    Status.NOT_FOUND: (MxGatewaySessionNotFoundError, "; open a new session"),
    Status.FAILED_PRECONDITION: (
        MxGatewaySessionNotReadyError,
        "; one that is starting gets ready by itself, any other has to be opened anew",
    ),
}


def check_protocol(
    reply: MxCommandReply, *, attempted: str, session_id: str, mxaccess: bool, redact: Redact
) -> None:
    """Raise what the status of ``reply`` stands for; ``mxaccess`` includes MXAccess's failures.

    ``redact`` takes secrets out of what the gateway said.
    """
    status = reply.protocol_status or ProtocolStatus(code=ProtocolStatusCode.OK)
    if status.code == ProtocolStatusCode.MXACCESS_FAILURE:
        if mxaccess:
            raise _mxaccess_error(reply, attempted, redact)
        return
    check_status(status, attempted=attempted, session_id=session_id, reply=reply, redact=redact)
    if mxaccess and _failed(reply):
        raise _mxaccess_error(reply, attempted, redact)


def check_status(
    status: ProtocolStatus | None,
    *,
    attempted: str,
    session_id: str = "",
    reply: MxCommandReply | None = None,
    redact: Redact,
) -> None:
    """Raise what a protocol status stands for; OK and unset are silent."""
    code = status.code if status else ProtocolStatusCode.UNSPECIFIED
    if status is None or code in (ProtocolStatusCode.OK, ProtocolStatusCode.UNSPECIFIED):
        return
    said = f": {redact(status.message)}" if status.message else ""
    text = f"{attempted} failed with {code.name}{said}"
    if code == ProtocolStatusCode.SESSION_NOT_FOUND:
        raise MxGatewaySessionNotFoundError(f"{text}; open a new session", session_id=session_id)
    if code == ProtocolStatusCode.SESSION_NOT_READY:
        raise MxGatewaySessionNotReadyError(
            f"{text}; one that is starting gets ready by itself, any other has to be opened anew",
            session_id=session_id,
        )
    if code == ProtocolStatusCode.WORKER_UNAVAILABLE:
        raise MxGatewayWorkerError(f"{text}; open a new session")
    if code == ProtocolStatusCode.TIMEOUT:
        raise MxGatewayTimeoutError(
            f"{text}; check the session's state before reusing handles",
            status=Status.DEADLINE_EXCEEDED,
        )
    if code == ProtocolStatusCode.PROTOCOL_VIOLATION:
        raise MxGatewayProtocolError(f"{text}; compare the versions of client and gateway")
    if reply is not None:
        raise MxGatewayCommandError(text, reply=reply)
    raise MxGatewayProtocolError(text)


def _failed(reply: MxCommandReply) -> bool:
    return (reply.hresult or 0) < 0 or any(is_failure(status) for status in reply.statuses)


def _mxaccess_error(reply: MxCommandReply, attempted: str, redact: Redact) -> MxAccessError:
    said = [describe_hresult(reply.hresult)] if reply.hresult else []
    said += [describe_status(status) for status in reply.statuses if is_failure(status)]
    status = reply.protocol_status or ProtocolStatus()
    for text in (reply.diagnostic_message, status.message):
        if text and not any(text in part for part in said):
            said.append(text)
    return MxAccessError(f"{attempted} failed in MXAccess: {redact('; '.join(said))}", reply=reply)
