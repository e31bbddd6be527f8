"""``GatewayClient``: the connection's owner. It opens sessions and makes the raw calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from zb_mom_ww_mxgateway_contracts.google_protobuf import Duration
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    CloseSessionReply,
    CloseSessionRequest,
    MxCommandReply,
    MxCommandRequest,
    MxEvent,
    OpenSessionReply,
    OpenSessionRequest,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import PROTOCOL_VERSION
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayStub

from .alarms import AlarmCalls
from .channel import GatewayChannel
from .connection import new_correlation_id
from .describe import Asked
from .errors import (
    MxGatewayArgumentError,
    MxGatewayError,
    MxGatewayMalformedReplyError,
    MxGatewayProtocolError,
    check_protocol,
    check_status,
)
from .event_hub import EventHub
from .events import Event, event_of
from .options import ClientOptions
from .session import Session
from .streams import Reader, Stream

#: The version of the gateway's public protocol that this SDK was generated for.
GATEWAY_PROTOCOL_VERSION: Final = PROTOCOL_VERSION

_log = logging.getLogger("zb_mom_ww_mxgateway")


class GatewayClient(AlarmCalls):
    """A connection to one gateway. Make it with ``connect``; ``async with`` closes it."""

    def __init__(self, channel: GatewayChannel, options: ClientOptions) -> None:
        super().__init__(channel, options)
        self._stub = MxAccessGatewayStub(channel)
        #: Closes of sessions that are under way, whoever still waits for them.
        self._closing: set[asyncio.Task[None]] = set()
        self._warned = False

    async def close(self) -> None:
        """Close the connection; safe to call again. Open sessions stay open at the gateway.

        What was begun is done first: closing a session, also where the wait for it was cancelled,
        and closing one whose opening was cancelled, which takes two calls at most.
        """
        try:
            if self._closing:
                await asyncio.wait(self._closing)
        finally:
            await super().close()

    async def open_session(
        self,
        *,
        client_session_name: str = "",
        client_correlation_id: str = "",
        command_timeout: timedelta | float | None = None,
    ) -> Session:
        """Open a session, which has a worker process and MXAccess handles of its own.

        A call that is cancelled closes the session when the gateway has opened it; ``close`` of the
        client waits for that.

        Args:
            client_session_name: A label for people who look at the gateway.
            client_correlation_id: Names this call in logs; made up when empty.
            command_timeout: How long the gateway lets a command run, in seconds or as a timedelta;
                None for its default.

        Raises:
            MxGatewayProtocolError: The gateway speaks an older protocol than this SDK needs.
        """
        limit = None if command_timeout is None else _duration(command_timeout)
        request = OpenSessionRequest(
            client_session_name=client_session_name,
            client_correlation_id=client_correlation_id or new_correlation_id(),
            command_timeout=limit,
        )
        opening = asyncio.ensure_future(self.open_session_raw(request))
        try:
            reply = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The gateway opens it all the same, and nobody else could ever close it.
            closing = asyncio.ensure_future(self._close_unwanted(opening))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            raise
        attempted = f"OpenSession at {self.endpoint}"
        if not reply.session_id:
            raise MxGatewayMalformedReplyError(
                f"{attempted}: the reply says OK and lacks its session_id"
            )
        try:
            self._check_version(reply.gateway_protocol_version, attempted)
        except MxGatewayProtocolError:
            await self._close_unwanted(opening)
            raise
        return self._session(reply)

    def _check_version(self, version: int, attempted: str) -> None:
        """Equal is fine, 0 says nothing, newer is logged once, older is refused."""
        if 0 < version < GATEWAY_PROTOCOL_VERSION:
            raise MxGatewayProtocolError(
                f"{attempted}: the gateway speaks protocol {version}, this SDK needs "
                f"{GATEWAY_PROTOCOL_VERSION}; update the gateway or use an older SDK"
            )
        if version > GATEWAY_PROTOCOL_VERSION and not self._warned:
            self._warned = True
            _log.warning(
                "%s: the gateway speaks protocol %d, this SDK was made for %d; update the SDK",
                attempted,
                version,
                GATEWAY_PROTOCOL_VERSION,
            )

    async def _close_unwanted(self, opening: asyncio.Task[OpenSessionReply]) -> None:
        with suppress(MxGatewayError):
            reply = await opening
            await self.close_session_raw(CloseSessionRequest(session_id=reply.session_id))

    def session(self, session_id: str) -> Session:
        """A session that was opened elsewhere with the same API key; nothing is sent."""
        return self._session(OpenSessionReply(session_id=session_id))

    def _session(self, reply: OpenSessionReply) -> Session:
        def open_raw(after: int) -> AsyncGenerator[MxEvent, None]:
            return self._stub.stream_events(
                StreamEventsRequest(session_id=reply.session_id, after_worker_sequence=after)
            )

        return Session(self, reply, EventHub(reply.session_id, open_raw), self._closing)

    async def open_session_raw(self, request: OpenSessionRequest) -> OpenSessionReply:
        """Open a session and return the reply as it is."""
        reply = await self._stub.open_session(request)
        check_status(
            reply.protocol_status,
            attempted=f"OpenSession at {self.endpoint}",
            redact=self._options.redacted,
        )
        return reply

    async def close_session_raw(self, request: CloseSessionRequest) -> CloseSessionReply:
        """Close a session by its id and return the reply as it is."""
        reply = await self._stub.close_session(request)
        check_status(
            reply.protocol_status,
            attempted=f"CloseSession of {request.session_id} at {self.endpoint}",
            session_id=request.session_id,
            redact=self._options.redacted,
        )
        return reply

    async def invoke_raw(
        self, request: MxCommandRequest, *, timeout: float | None = None
    ) -> MxCommandReply:
        """Run one command and return the reply as it is.

        Failures of the gateway raise; a failure of MXAccess does not: look at the reply's
        ``protocol_status``, ``hresult`` and ``statuses``. ``timeout`` is in seconds; None for the
        client's ``call_timeout``.
        """
        reply = await self._stub.invoke(request, timeout=timeout)
        check_protocol(
            reply,
            attempted=Asked("Invoke", request, self.endpoint),
            session_id=request.session_id,
            mxaccess=False,
            redact=self._options.redacted,
        )
        return reply

    def stream_events(self, session_id: str, *, after_worker_sequence: int = 0) -> Stream[Event]:
        """The events of a session, in the order raised, until the session ends.

        Args:
            session_id: The session, which may have been opened elsewhere with the same key.
            after_worker_sequence: Resume behind this event; 0 starts with what is queued.
        """
        request = StreamEventsRequest(
            session_id=session_id, after_worker_sequence=after_worker_sequence
        )
        return Stream(lambda: Reader(self._stub.stream_events(request), event_of))

    def stream_events_raw(self, request: StreamEventsRequest) -> Stream[MxEvent]:
        """The events of a session for a request as it is."""
        return Stream(lambda: Reader(self._stub.stream_events(request), lambda event: event))


def _duration(value: timedelta | float) -> Duration:
    try:
        span = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (TypeError, ValueError, OverflowError):
        span = timedelta()
    if span <= timedelta():
        raise MxGatewayArgumentError("command_timeout must be a finite time above 0, in seconds")
    return Duration.from_timedelta(span)
