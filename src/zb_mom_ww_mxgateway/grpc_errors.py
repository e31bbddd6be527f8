"""What each gRPC status means here: its exception, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grpclib.const import Status

from .errors import (
    NOT_READY,
    OPEN_ANEW,
    MxGatewayArgumentError,
    MxGatewayAuthenticationError,
    MxGatewayAuthorizationError,
    MxGatewayError,
    MxGatewayNotFoundError,
    MxGatewayResourceExhaustedError,
    MxGatewaySessionError,
    MxGatewaySessionNotFoundError,
    MxGatewaySessionNotReadyError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    MxGatewayUnavailableError,
    MxGatewayUnimplementedError,
)

#: The gateway's words for a reader of events or alarms that was too slow, and for a second reader.
QUEUE_OVERFLOW: Final = "EventQueueOverflow"
ALARM_OVERFLOW: Final = "AlarmQueueOverflow"
SECOND_SUBSCRIBER: Final = "EventSubscriberAlreadyActive"

#: What is said where no key was sent and one is asked for.
NO_KEY: Final = "no API key was given, and this gateway asks for one"


def from_grpc(
    status: Status, message: str, *, attempted: str, session_id: str = "", has_key: bool = True
) -> MxGatewayError:
    """The exception for a call that ended with a gRPC status other than OK.

    ``session_id`` is that of the request: only where there is one can it be the session that was
    not found or not ready. ``has_key`` says whether an API key was sent.
    """
    text = f"{attempted} ended with {status.name}{': ' + message if message else ''}"
    if QUEUE_OVERFLOW in message:
        return MxGatewayResourceExhaustedError(
            f"{text}; events came faster than they were read: open a new session, and read events "
            "in a task of their own that only passes them on",
            status=status,
            transient=False,
        )
    if ALARM_OVERFLOW in message:
        return MxGatewayResourceExhaustedError(
            f"{text}; alarms came faster than they were read: a new stream starts anew",
            status=status,
        )
    if SECOND_SUBSCRIBER in message:
        # After a lost connection the gateway may take a while to see that the first one is gone.
        return MxGatewayTransportError(
            f"{text}; a session has one event stream: end the other first",
            status=status,
            transient=True,
        )
    if status is Status.UNAUTHENTICATED and not has_key:
        return MxGatewayAuthenticationError(f"{text}; {NO_KEY}", status=status)
    table = _WITHOUT_SESSION if status in _WITHOUT_SESSION and not session_id else _BY_STATUS
    kind, hint = table.get(status, (MxGatewayTransportError, ""))
    if issubclass(kind, MxGatewayTransportError):
        return kind(text + hint, status=status)
    if issubclass(kind, MxGatewaySessionError):
        return kind(text + hint, session_id=session_id)
    return kind(text + hint)


_LOOK = "; look into the gateway's log"

#: Statuses that are about the session where a request names one, and here it does not.
_WITHOUT_SESSION: Final[Mapping[Status, tuple[type[MxGatewayError], str]]] = {
    Status.NOT_FOUND: (MxGatewayNotFoundError, ""),
    Status.FAILED_PRECONDITION: (MxGatewayTransportError, ""),
}

_BY_STATUS: Final[Mapping[Status, tuple[type[MxGatewayError], str]]] = {
    Status.CANCELLED: (
        MxGatewayTransportError,
        "; the gateway or a proxy gave it up, and it may have taken effect",
    ),
    Status.UNKNOWN: (MxGatewayTransportError, _LOOK),
    Status.INVALID_ARGUMENT: (MxGatewayArgumentError, ""),
    Status.OUT_OF_RANGE: (MxGatewayArgumentError, ""),
    Status.DEADLINE_EXCEEDED: (
        MxGatewayTimeoutError,
        "; allow more time, and check the session's state before reusing handles",
    ),
    Status.NOT_FOUND: (MxGatewaySessionNotFoundError, OPEN_ANEW),
    Status.ALREADY_EXISTS: (MxGatewayTransportError, ""),
    Status.PERMISSION_DENIED: (
        MxGatewayAuthorizationError,
        "; ask for an API key that may do this",
    ),
    Status.RESOURCE_EXHAUSTED: (
        MxGatewayResourceExhaustedError,
        "; send less at once, or try later",
    ),
    Status.FAILED_PRECONDITION: (MxGatewaySessionNotReadyError, NOT_READY),
    Status.ABORTED: (MxGatewayTransportError, "; try again"),
    Status.UNIMPLEMENTED: (
        MxGatewayUnimplementedError,
        "; the gateway is older than this call, or the endpoint is not a gateway's",
    ),
    Status.INTERNAL: (MxGatewayTransportError, _LOOK),
    Status.UNAVAILABLE: (
        MxGatewayUnavailableError,
        "; check that the gateway runs there and try again",
    ),
    Status.DATA_LOSS: (MxGatewayTransportError, _LOOK),
    Status.UNAUTHENTICATED: (MxGatewayAuthenticationError, "; check the API key"),
}
