"""The connection: a ``Transport`` over grpclib, and the only place that knows grpclib's faults.

Whatever goes wrong below leaves this file as one of the SDK's exceptions, with its cause kept.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from grpclib.client import Channel, Stream
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from h2.errors import ErrorCodes
from h2.exceptions import H2Error

from zb_mom_ww_mxgateway_wire.codec import DecodeError, EncodeError
from zb_mom_ww_mxgateway_wire.grpc import Metadata, Method
from zb_mom_ww_mxgateway_wire.message import Message

from .describe import describe_request
from .errors import (
    MxGatewayArgumentError,
    MxGatewayError,
    MxGatewayMalformedReplyError,
    MxGatewayProtocolError,
    MxGatewayResourceExhaustedError,
    MxGatewaySessionClosedError,
    MxGatewayTimeoutError,
    MxGatewayUnavailableError,
)
from .grpc_errors import from_grpc
from .http2 import (
    GOAWAY,
    NO_ANSWER,
    NO_WORD,
    RESET,
    VIOLATION,
    Call,
    ConnectTimeoutError,
    GatewayConnection,
    MessageTooLongError,
)
from .options import MAX_SECONDS, ClientOptions
from .tls import client_context, tls_error

_log = logging.getLogger("zb_mom_ww_mxgateway")

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)


@dataclass(slots=True)
class _Attempt:
    """A call or a connect under way: what is attempted, its limit, and whether all of it left."""

    text: str
    limit: float | None = None
    session_id: str = ""
    sent: bool = False


class GatewayChannel:
    """One connection to a gateway, which all clients' calls go through.

    It is made anew by the next call when it was lost.
    """

    def __init__(self, channel: Channel, options: ClientOptions) -> None:
        self._channel = channel
        self._options = options
        self._closed = False

    @classmethod
    async def connect(cls, options: ClientOptions) -> GatewayChannel:
        """Connect, within ``connect_timeout``.

        Raises:
            MxGatewayArgumentError: A file of the options that cannot be read.
            MxGatewayCertificateError: The gateway's certificate is not accepted.
            MxGatewayTimeoutError: No connection within the limit.
            MxGatewayUnavailableError: Nobody answers there.
        """
        if options.plaintext and options.api_key is not None and not _is_loopback(options.host):
            _log.warning("the API key goes to %s in plaintext; use TLS", options.endpoint)
        channel = GatewayConnection(options, client_context(options))
        made = cls(channel, options)
        with made._mapped(_Attempt(f"connecting to {options.endpoint}")):
            await channel.__connect__()
        return made

    async def close(self) -> None:
        """Close the connection; calls that still wait end with ``MxGatewayUnavailableError``."""
        self._closed = True
        self._channel.close()
        if isinstance(self._channel, GatewayConnection):
            await self._channel.gone()

    async def unary_unary(
        self,
        method: Method[Request, Reply],
        request: Request,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> Reply:
        """Send one message and return the one that answers it.

        ``timeout`` covers all of it: connecting anew, waiting for a free stream, sending, waiting.
        """
        limit = self._options.call_timeout if timeout is None else timeout
        attempt = self._attempt(method, request, limit)
        with self._mapped(attempt):
            async with self._open(method, limit, metadata) as stream:
                await _send(stream, request, attempt)
                return await _single(stream, attempt)

    async def unary_stream(
        self,
        method: Method[Request, Reply],
        request: Request,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> AsyncGenerator[Reply, None]:
        """Send one message and yield those that answer it."""
        attempt = self._attempt(method, request, timeout)
        with self._mapped(attempt):
            async with self._open(method, timeout, metadata) as stream:
                await _send(stream, request, attempt)
                while (reply := await stream.recv_message()) is not None:
                    yield reply

    def _attempt(
        self, method: Method[Request, Reply], request: Request, limit: float | None
    ) -> _Attempt:
        text = f"{describe_request(method.path, request)} at {self._options.endpoint}"
        session_id: str = getattr(request, "session_id", "")
        if self._closed:
            raise MxGatewaySessionClosedError(
                f"{text}: this client was closed; connect a new one", session_id=session_id
            )
        if limit is not None and not limit < MAX_SECONDS:  # NaN too
            raise MxGatewayArgumentError(
                f"{text}: the timeout must be below {MAX_SECONDS:,} seconds; nothing was sent"
            )
        return _Attempt(text, limit, session_id)

    def _open(
        self, method: Method[Request, Reply], timeout: float | None, metadata: Metadata | None
    ) -> Call[bytes | Request, Reply]:
        made: Stream[bytes | Request, Reply] = self._channel.request(
            method.path,
            method.cardinality,
            method.request,
            method.reply,
            timeout=timeout,
            metadata=self._headers(metadata),
        )
        return Call(made)

    def _headers(self, metadata: Metadata | None) -> dict[str, str]:
        headers = dict(metadata or {})
        key = self._options.current_api_key()
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        return headers

    @contextmanager
    def _mapped(self, attempt: _Attempt) -> Generator[None]:
        """Failures of grpclib, h2, TLS and the operating system as the SDK's."""
        try:
            yield
        except asyncio.CancelledError as error:
            _forget(error)
            # A new one, as contextlib gives this one its traceback back.
            raise asyncio.CancelledError(*error.args) from None
        except _FROM_BELOW as error:
            _forget(error)
            if isinstance(error, GRPCError):
                _scrub(error, self._options)
            raise self._translated(error, attempt) from error

    def _translated(self, error: Exception, attempt: _Attempt) -> MxGatewayError:
        """The exception for one from below, by its most specific class."""
        options, text = self._options, attempt.text
        said = options.redacted(str(error))
        match error:
            case GRPCError():
                return from_grpc(
                    error.status,
                    error.message or "",
                    attempted=text,
                    session_id=attempt.session_id,
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
                return _timeout(attempt)
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
        if self._closed:
            return MxGatewayUnavailableError(
                f"{text}: this client was closed meanwhile",
                status=Status.UNAVAILABLE,
                transient=False,
            )
        return MxGatewayUnavailableError(f"{text}: {why}", status=Status.UNAVAILABLE)


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


async def _send(
    stream: Stream[bytes | Request, Reply], request: Request, attempt: _Attempt
) -> None:
    # The bytes are made before anything is sent, and are in no local that a traceback shows.
    await stream.send_message(bytes(request), end=True)
    attempt.sent = True


async def _single(stream: Stream[bytes | Request, Reply], attempt: _Attempt) -> Reply:
    reply = await stream.recv_message()
    # The status may still say why there is no message, or that the one that came does not count.
    await stream.recv_trailing_metadata()
    if reply is None:
        raise MxGatewayMalformedReplyError(f"{attempt.text} ended with OK and without a reply")
    return reply


def _timeout(attempt: _Attempt) -> MxGatewayError:
    limit = "in time" if attempt.limit is None else f"within {attempt.limit:g} s"
    if attempt.sent:
        text = f"{attempt.text} did not end {limit}; it may still take effect, so check the "
        text += "session's state before reusing handles"
    else:
        text = f"{attempt.text} was not sent {limit}: there was no connection, or the gateway does "
        text += "not read, or has as many calls as it takes at once (often 100); close event "
        text += "streams that nobody reads"
    return MxGatewayTimeoutError(text, status=Status.DEADLINE_EXCEEDED)


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


class _NoSecrets(logging.Filter):
    """hpack logs every header at DEBUG level, the API key among them, as text and encoded."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


for _name in ("hpack.hpack", "hpack.table"):
    logging.getLogger(_name).addFilter(_NoSecrets())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
