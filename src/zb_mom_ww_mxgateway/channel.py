"""The connection: a ``Transport`` over grpclib.

Whatever goes wrong below leaves it as one of the SDK's exceptions; see attempt.py.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import AsyncGenerator
from typing import Final, TypeVar

from grpclib.client import Channel

from zb_mom_ww_mxgateway_wire.grpc import Metadata, Method
from zb_mom_ww_mxgateway_wire.message import Message

from .attempt import Attempt
from .call import Call, head_of
from .errors import (
    MxGatewayArgumentError,
    MxGatewayMalformedReplyError,
    MxGatewaySessionClosedError,
)
from .header_blocks import Headers
from .http2 import GatewayConnection
from .options import MAX_SECONDS, ClientOptions
from .tls import client_context
from .version import VERSION

_log = logging.getLogger("zb_mom_ww_mxgateway")

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

_USER_AGENT: Final = f"zb-mom-ww-mxgateway-python/{VERSION}"
#: Kinds of calls whose headers are kept, and those only of the latest API key.
_HEADS: Final = 128


class GatewayChannel:
    """One connection to a gateway, which all clients' calls go through.

    It is made anew by the next call when it was lost.
    """

    def __init__(self, channel: Channel, options: ClientOptions) -> None:
        self._channel = channel
        self._options = options
        self._closed = False
        own = options.user_agent
        self._agent = f"{own} {_USER_AGENT}" if own else _USER_AGENT
        self._key: str | None = None
        self._heads: dict[tuple[str, tuple[tuple[str, str], ...]], Headers] = {}

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
        with Attempt(options, made._is_closed, "connecting to"):
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
        with attempt:
            async with self._call(attempt, method, request, metadata) as call:
                reply = await call.single()
            if reply is None:
                raise MxGatewayMalformedReplyError(
                    f"{attempt.text} ended with OK and without a reply"
                )
            return reply

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
        with attempt:
            async with self._call(attempt, method, request, metadata) as call:
                await call.ask()
                while (reply := await call.next()) is not None:
                    yield reply
                    while (reply := call.arrived()) is not None:
                        yield reply

    def _is_closed(self) -> bool:
        return self._closed

    def _attempt(
        self, method: Method[Request, Reply], request: Request, limit: float | None
    ) -> Attempt:
        attempt = Attempt(self._options, self._is_closed, method.path, request, limit)
        if self._closed:
            raise MxGatewaySessionClosedError(
                f"{attempt.text}: this client was closed; connect a new one",
                session_id=attempt.session_id,
            )
        if limit is not None and not limit < MAX_SECONDS:  # NaN too
            raise MxGatewayArgumentError(
                f"{attempt.text}: the timeout must be below {MAX_SECONDS:,} seconds; nothing was "
                "sent"
            )
        return attempt

    def _call(
        self,
        attempt: Attempt,
        method: Method[Request, Reply],
        request: Request,
        metadata: Metadata | None,
    ) -> Call[Reply]:
        """The call, not begun, of a request that is encoded now: that may fail."""
        attempt.call = call = Call(
            self._channel,
            method,
            self._head(method.path, metadata),
            bytes(request),
            timeout=attempt.limit,
            max_receive_bytes=self._options.max_receive_bytes,
        )
        return call

    def _head(self, path: str, metadata: Metadata | None) -> Headers:
        key = self._options.current_api_key()
        if key != self._key or len(self._heads) >= _HEADS:
            self._key = key
            self._heads.clear()
        given = dict(metadata or {})
        kind = (path, tuple(given.items()))
        try:
            head = self._heads.get(kind)
        except TypeError:  # a value that cannot be hashed, so none that head_of takes
            head = None
        if head is None:
            if key is not None:
                given["authorization"] = f"Bearer {key}"
            head = self._heads[kind] = head_of(self._channel, path, self._agent, given)
        return head


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
