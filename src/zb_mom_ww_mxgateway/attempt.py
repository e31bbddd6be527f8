"""What is attempted over a channel, and how the faults below it become the SDK's exceptions.

The only place that knows the faults of grpclib, h2, TLS and sockets; causes are kept, secrets not.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from h2.errors import ErrorCodes
from h2.exceptions import H2Error

from zb_mom_ww_mxgateway_wire.codec import DecodeError, EncodeError
from zb_mom_ww_mxgateway_wire.message import Message

from .call import Call, MessageTooLongError
from .describe import describe_request
from .errors import (
    MxGatewayArgumentError,
    MxGatewayError,
    MxGatewayMalformedReplyError,
    MxGatewayProtocolError,
    MxGatewayResourceExhaustedError,
    MxGatewayTimeoutError,
    MxGatewayUnavailableError,
)
from .grpc_errors import from_grpc
from .http2 import GOAWAY, NO_ANSWER, NO_WORD, RESET, VIOLATION, ConnectTimeoutError
from .options import ClientOptions
from .tls import tls_error


class Attempt:
    """A connect, or a call, under way. With ``with``, what fails below raises as the SDK's.

    Args:
        options: Of the client.
        closed: Whether the client was closed.
        what: The path of a call, or what else is attempted.
        request: What a call sends.
        limit: Of all of it, in seconds.
    """

    #: What sends the request, once that is encoded.
    call: Call[Any] | None = None

    def __init__(
        self,
        options: ClientOptions,
        closed: Callable[[], bool],
        what: str,
        request: Message | None = None,
        limit: float | None = None,
    ) -> None:
        self._options = options
        self._is_closed = closed
        self._what = what
        self._request = request
        self.limit = limit
        self.session_id: str = getattr(request, "session_id", "")

    @property
    def text(self) -> str:
        """What is attempted, in words; made when it is asked for, as it takes its time."""
        request = self._request
        if request is None:
            return f"{self._what} {self._options.endpoint}"
        if self.call is not None:  # as it was sent: the caller may have changed it since
            # Unknown fields are sent as they are given, so what was sent need not be a message.
            with suppress(DecodeError):
                request = type(request).FromString(self.call.request)
        return f"{describe_request(self._what, request)} at {self._options.endpoint}"

    @property
    def sent(self) -> bool:
        """Whether all of the request left."""
        return self.call is not None and self.call.sent

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            _forget(error)
            # A new one, as this one gets its traceback back.
            raise asyncio.CancelledError(*error.args) from None
        if isinstance(error, _FROM_BELOW):
            _forget(error)
            if isinstance(error, GRPCError):
                _scrub(error, self._options)
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> MxGatewayError:
        """The exception for one from below, by its most specific class."""
        options, text = self._options, self.text
        said = options.redacted(str(error))
        match error:
            case GRPCError():
                return from_grpc(
                    error.status,
                    error.message or "",
                    attempted=text,
                    session_id=self.session_id,
                    has_key=options.api_key is not None,
                )
            case EncodeError():
                return MxGatewayArgumentError(f"{text}: {said}; nothing was sent")
            case DecodeError():
                return MxGatewayMalformedReplyError(
                    f"{text}: {said}; the gateway may speak another contract"
                )
            case MessageTooLongError():
                return MxGatewayResourceExhaustedError(
                    f"{text}: the gateway answered with {said}, over max_receive_bytes="
                    f"{options.max_receive_bytes:,}; ask for less at once, or raise that limit",
                    status=Status.RESOURCE_EXHAUSTED,
                    transient=False,
                )
            case ConnectTimeoutError():
                within = f"{text}: no connection within {options.connect_timeout:g} s"
                return MxGatewayTimeoutError(
                    f"{within}; check the endpoint, and that it talks TLS if that was asked for",
                    status=Status.DEADLINE_EXCEEDED,
                )
            case ssl.SSLError():
                return tls_error(error, text)
            case StreamTerminatedError():
                return self._terminated(said, text)
            case AssertionError():
                # grpclib asserts the length of a message whose connection broke in the middle.
                return self._unavailable(text, _LOST)
            case ProtocolError() | NotImplementedError() | H2Error():
                return MxGatewayProtocolError(
                    f"{text}: the other side does not speak gRPC as expected ({said})"
                )
            case OSError() if isinstance(error, TimeoutError) and error.errno is None:
                return self._timeout()
            case _:  # an OSError
                why = getattr(error, "strerror", None) or said or type(error).__name__
                return self._unavailable(
                    text, f"{why}; check the endpoint and that the gateway runs there"
                )

    def _terminated(self, reason: str, text: str) -> MxGatewayError:
        """The exception for a call that ended below gRPC, for one of the reasons of http2.py."""
        code = re.search(r"error_code: .*?(\d+)", reason)
        name = f" ({_code_name(int(code[1]))})" if code else ""
        if reason.startswith(VIOLATION):
            return MxGatewayProtocolError(
                f"{text}: the other side breaks HTTP/2 ({reason}); {_WRONG_PORT}"
            )
        if reason.startswith(RESET):
            return self._unavailable(text, f"the gateway or a proxy reset the call{name}")
        if reason.startswith(GOAWAY):
            return self._unavailable(text, f"the gateway ended the connection{name}; {_ANEW}")
        if reason == NO_ANSWER:
            return self._unavailable(text, f"the link is dead, a ping has no answer; {_ANEW}")
        if reason == NO_WORD:
            return self._unavailable(text, f"the connection was closed at once; {_WRONG_PORT}")
        return self._unavailable(text, _LOST)

    def _unavailable(self, text: str, why: str) -> MxGatewayError:
        if self._is_closed():
            return MxGatewayUnavailableError(
                f"{text}: this client was closed meanwhile",
                status=Status.UNAVAILABLE,
                transient=False,
            )
        return MxGatewayUnavailableError(f"{text}: {why}", status=Status.UNAVAILABLE)

    def _timeout(self) -> MxGatewayTimeoutError:
        limit = "in time" if self.limit is None else f"within {self.limit:g} s"
        if self.sent:
            text = f"{self.text} did not end {limit}; it may still take effect, so check the "
            text += "session's state before reusing handles"
        else:
            text = (
                f"{self.text} was not sent {limit}: there was no connection, or the gateway does "
            )
            text += "not read, or has as many calls as it takes at once (often 100); close event "
            text += "streams that nobody reads"
        return MxGatewayTimeoutError(text, status=Status.DEADLINE_EXCEEDED)


#: What grpclib and what is below it raise. Anything else is a bug, and stays what it is.
_FROM_BELOW: Final = (
    GRPCError,
    EncodeError,
    DecodeError,
    MessageTooLongError,
    ConnectTimeoutError,
    StreamTerminatedError,
    AssertionError,
    ProtocolError,
    NotImplementedError,
    H2Error,
    OSError,
)
_ANEW: Final = "the next call connects anew"
_WRONG_PORT: Final = (
    "check that this is the port of the gateway's gRPC, and that it talks no TLS if plaintext was "
    "asked for"
)
_LOST: Final = f"the connection was lost; {_ANEW}"


def _code_name(code: int) -> str:
    return ErrorCodes(code).name if code in set(ErrorCodes) else f"HTTP/2 error {code}"


def _forget(error: BaseException) -> None:
    """Cut the tracebacks of an error from below: grpclib's frames hold headers and messages.

    Tools that print the locals of a traceback would show the API key and what was written.
    """
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        link = rest.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            link.__traceback__ = None
            rest += [link.__cause__, link.__context__]


def _scrub(error: GRPCError, options: ClientOptions) -> None:
    """Take the API key out of an error that is kept as a cause."""
    error.message = options.redacted(error.message or "")
    error.details = None
    error.args = (error.status, error.message, None)
