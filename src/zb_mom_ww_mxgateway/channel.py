"""The connection: a ``Transport`` over grpclib, and the only place that knows grpclib's faults.

Whatever goes wrong below leaves this file as one of the SDK's exceptions, with its cause kept.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from typing import TypeVar

from grpclib.client import Channel, Stream
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from h2.exceptions import H2Error

from zb_mom_ww_mxgateway_wire.codec import DecodeError, EncodeError
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec, Metadata, Method
from zb_mom_ww_mxgateway_wire.message import Message

from .describe import describe_request
from .errors import (
    MxGatewayArgumentError,
    MxGatewayMalformedReplyError,
    MxGatewayProtocolError,
    MxGatewaySessionClosedError,
    MxGatewayTimeoutError,
    MxGatewayUnavailableError,
    from_grpc,
)
from .options import ClientOptions

_log = logging.getLogger("zb_mom_ww_mxgateway")

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)


class GatewayChannel:
    """One connection to a gateway, which all clients' calls go through."""

    def __init__(self, channel: Channel, options: ClientOptions) -> None:
        self._channel = channel
        self._options = options
        self._closed = False

    @classmethod
    async def connect(cls, options: ClientOptions) -> GatewayChannel:
        """Connect, within ``connect_timeout``."""
        if options.plaintext and options.api_key and not _is_loopback(options.host):
            _log.warning("the API key goes to %s in plaintext; use TLS", options.endpoint)
        config = Configuration(ssl_target_name_override=options.server_name_override)
        late = "; check the endpoint, and that it talks TLS if that was asked for"
        with _mapped(
            f"connecting to {options.endpoint}", options, options.connect_timeout, late=late
        ):
            context = None if options.plaintext else _tls_context(options)
            channel = Channel(
                options.host, options.port, codec=MessageCodec(), ssl=context, config=config
            )
            async with asyncio.timeout(options.connect_timeout):
                await channel.__connect__()
        return cls(channel, options)

    def close(self) -> None:
        """Close the connection; calls that still wait end with ``MxGatewayUnavailableError``."""
        self._closed = True
        self._channel.close()

    async def unary_unary(
        self,
        method: Method[Request, Reply],
        request: Request,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> Reply:
        """Send one message and return the one that answers it."""
        limit = self._options.call_timeout if timeout is None else timeout
        with self._call(method, request, limit) as (attempted, body):
            async with self._open(method, limit, metadata) as stream:
                await stream.send_message(body, end=True)
                return await _single(stream, attempted)

    async def unary_stream(
        self,
        method: Method[Request, Reply],
        request: Request,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> AsyncGenerator[Reply, None]:
        """Send one message and yield those that answer it."""
        with self._call(method, request, timeout) as (_, body):
            async with self._open(method, timeout, metadata) as stream:
                await stream.send_message(body, end=True)
                while (reply := await stream.recv_message()) is not None:
                    yield reply

    def _open(
        self, method: Method[Request, Reply], timeout: float | None, metadata: Metadata | None
    ) -> Stream[bytes | Request, Reply]:
        if self._closed:
            raise MxGatewaySessionClosedError(
                f"{method.path.rpartition('/')[2]} at {self._options.endpoint}: "
                "this client was closed; connect a new one"
            )
        headers = dict(metadata or {})
        if self._options.api_key is not None:
            headers["authorization"] = f"Bearer {self._options.api_key}"
        return self._channel.request(
            method.path,
            method.cardinality,
            method.request,
            method.reply,
            timeout=timeout,
            metadata=headers,
        )

    @contextmanager
    def _call(
        self, method: Method[Request, Reply], request: Request, timeout: float | None
    ) -> Generator[tuple[str, bytes]]:
        """What is attempted, and the request's bytes: they are made before anything is sent."""
        attempted = f"{describe_request(method.path, request)} at {self._options.endpoint}"
        try:
            body = bytes(request)
        except EncodeError as error:
            raise MxGatewayArgumentError(f"{attempted}: {error}; nothing was sent") from error
        session_id: str = getattr(request, "session_id", "")
        with _mapped(
            attempted, self._options, timeout, session_id=session_id, late=_MAY_TAKE_EFFECT
        ):
            yield attempted, body


async def _single(stream: Stream[bytes | Request, Reply], attempted: str) -> Reply:
    reply = await stream.recv_message()
    # The status may still say why there is no message, or that the one that came does not count.
    await stream.recv_trailing_metadata()
    if reply is None:
        raise MxGatewayMalformedReplyError(f"{attempted} ended with OK and without a reply")
    return reply


@contextmanager
def _mapped(
    attempted: str,
    options: ClientOptions,
    timeout: float | None,
    *,
    session_id: str = "",
    late: str,
) -> Generator[None]:
    """grpclib's and the operating system's failures as the SDK's; ``late`` says what a timeout
    means."""
    try:
        yield
    except GRPCError as error:
        _scrub(error, options)
        raise from_grpc(
            error.status,
            error.message or "",
            attempted=attempted,
            session_id=session_id,
            has_key=options.api_key is not None,
        ) from error
    except TimeoutError as error:
        limit = "in time" if timeout is None else f"within {timeout:g} s"
        raise MxGatewayTimeoutError(
            f"{attempted} did not end {limit}{late}", status=Status.DEADLINE_EXCEEDED
        ) from error
    except DecodeError as error:
        raise MxGatewayMalformedReplyError(
            f"{attempted}: {error}; the gateway may speak another contract"
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise MxGatewayUnavailableError(
            f"{attempted}: the certificate is not accepted ({error.verify_message}); give the "
            "authority with ca_file, or the name it carries with server_name_override",
            status=Status.UNAVAILABLE,
        ) from error
    except ssl.SSLError as error:
        raise MxGatewayUnavailableError(
            f"{attempted}: no TLS with what answers there ({error.reason or error}); a gateway "
            "without TLS has to be asked for plaintext explicitly (plaintext=True, --plaintext)",
            status=Status.UNAVAILABLE,
        ) from error
    except (StreamTerminatedError, AssertionError) as error:
        # grpclib asserts the length of a message whose connection broke in the middle.
        raise MxGatewayUnavailableError(
            f"{attempted}: the connection was lost; connect again", status=Status.UNAVAILABLE
        ) from error
    except (ProtocolError, NotImplementedError, H2Error) as error:
        raise MxGatewayProtocolError(
            f"{attempted}: the other side does not speak gRPC as expected ({error})"
        ) from error
    except OSError as error:
        raise MxGatewayUnavailableError(
            f"{attempted}: {error.strerror or error or type(error).__name__}; check the endpoint "
            "and that the gateway runs there",
            status=Status.UNAVAILABLE,
        ) from error


#: What a call that was given up may still do.
_MAY_TAKE_EFFECT = "; it may still take effect, so check the session's state before reusing handles"


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


def _tls_context(options: ClientOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise MxGatewayArgumentError(
            f"ca_file {str(options.ca_file)!r} cannot be read as PEM certificates ({error})"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
