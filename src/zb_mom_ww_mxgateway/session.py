"""A session: every command of the contract as a method, its events, and its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    CloseSessionRequest,
    MxCommand,
    MxCommandReply,
    MxCommandRequest,
    MxValue,
    OpenSessionReply,
)
from zb_mom_ww_mxgateway_wire.command import CommandSpec, Payload, Result
from zb_mom_ww_mxgateway_wire.message import Message

from .connection import new_correlation_id
from .describe import Asked, spec_of
from .errors import (
    MxGatewayArgumentError,
    MxGatewayMalformedReplyError,
    MxGatewaySessionClosedError,
    MxGatewaySessionNotFoundError,
    check_protocol,
)
from .event_hub import EventHub
from .events import Event
from .streams import Stream
from .tags import TagMethods
from .values import MxValueInput, to_mx_value
from .waiting import ended_in_vain

if TYPE_CHECKING:
    from .client import GatewayClient


class Session(TagMethods):
    """An open session. ``GatewayClient.open_session`` makes one; ``async with`` closes it.

    It has a method for each command of the contract, which takes plain Python values, returns what
    the reply carries, and raises ``MxAccessError`` for what MXAccess refuses; handles are
    valid in this session alone. ``read``, ``read_many`` and ``write_and_wait`` take tags instead.
    """

    def __init__(
        self,
        client: GatewayClient,
        reply: OpenSessionReply,
        hub: EventHub,
        under_way: set[asyncio.Task[None]],
    ) -> None:
        super().__init__(hub, client.options.redacted)
        self._client = client
        self._reply = reply
        self._closing: asyncio.Task[None] | None = None
        #: Where a close is kept until it is done, so that the client waits for it.
        self._under_way = under_way

    @property
    def session_id(self) -> str:
        """The gateway's id of this session."""
        return self._reply.session_id

    @property
    def open_reply(self) -> OpenSessionReply:
        """What the gateway said when it opened the session."""
        return self._reply

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closing is not None

    def __del__(self) -> None:
        self._hub.abandon()

    def __repr__(self) -> str:
        return f"<Session {self.session_id}{' closed' if self.closed else ''}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self.close()
            return
        try:
            await self.close()
        except Exception as second:
            # The first error is the one to see.
            error.add_note(f"closing {self.session_id} failed too: {second}")

    async def close(self) -> None:
        """Close the session at the gateway: un-advise, remove items, unregister.

        Safe to call again and from several tasks: there is one close, and all wait for it; one
        that failed is tried again. A session that the gateway has forgotten counts as closed.
        """
        if self._closing is None or ended_in_vain(self._closing):
            self._closing = asyncio.ensure_future(self._close())
            self._closing.add_done_callback(ended_in_vain)
            self._under_way.add(self._closing)
            self._closing.add_done_callback(self._under_way.discard)
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        request = CloseSessionRequest(
            session_id=self.session_id, client_correlation_id=new_correlation_id()
        )
        try:
            with suppress(MxGatewaySessionNotFoundError):
                await self._client.close_session_raw(request)
        finally:
            await self._hub.close()
            await self._settle()

    async def invoke(
        self, command: MxCommand, *, correlation_id: str = "", timeout: float | None = None
    ) -> MxCommandReply:
        """Run a command; raise for every failure, of gateway and of MXAccess.

        Args:
            command: The command with its payload.
            correlation_id: Names this call in logs; made up when empty.
            timeout: Seconds until the reply; None for the client's ``call_timeout``.

        Raises:
            MxGatewayArgumentError: More entries than one command takes; nothing was sent.
            MxAccessError: MXAccess refused it; the raw reply is in ``reply``.
            MxGatewayMalformedReplyError: The reply says OK and lacks the command's payload.
        """
        request = self._request(command, correlation_id)
        # In words at once, as whoever has the command may use it again while this waits.
        attempted = str(self._asked(request))
        return await self._run(spec_of(command), request, attempted, timeout)

    async def invoke_raw(
        self, command: MxCommand, *, correlation_id: str = "", timeout: float | None = None
    ) -> MxCommandReply:
        """Run a command; a failure of MXAccess stays in the reply, for the caller to look at."""
        request = self._request(command, correlation_id)
        self._check_open(self._asked(request))
        return await self._client.invoke_raw(request, timeout=timeout)

    async def _run(
        self,
        spec: CommandSpec[Message, object] | None,
        request: MxCommandRequest,
        attempted: object,
        timeout: float | None,
    ) -> MxCommandReply:
        """The reply to a command of the row ``spec``; raises what ``invoke`` raises."""
        if spec is not None:
            _check_bulk(spec, request.command, attempted)
        self._check_open(attempted)
        reply = await self._client.invoke_raw(request, timeout=timeout)
        check_protocol(
            reply,
            attempted=attempted,
            session_id=self.session_id,
            mxaccess=True,
            redact=self._client.options.redacted,
        )
        if spec is not None and spec.reply_member and getattr(reply, spec.reply_member) is None:
            raise MxGatewayMalformedReplyError(
                f"{attempted}: the reply says OK and lacks its {spec.reply_member}"
            )
        return reply

    def stream_events(self, *, after_worker_sequence: int = 0) -> Stream[Event]:
        """The session's events, in the order raised, until the session ends.

        Each is of the type of its family: ``DataChange``, ``WriteComplete`` and so on. A session
        has one stream at a time, unless its gateway is set up for more.

        Args:
            after_worker_sequence: Resume behind this event; what the gateway does not have any more
                shows as an ``EventGap``. 0 starts with what is queued.
        """
        self._check_open(f"stream_events in {self.session_id} at {self._client.endpoint}")
        # The stream keeps the session, which would take the hub's reader with it.
        return Stream(lambda: self._hub.start(after_worker_sequence))

    async def _command(
        self, spec: CommandSpec[Payload, Result], payload: Payload, correlation_id: str
    ) -> Result:
        # Not by setattr, which would unset the members of all other commands, one by one.
        given: dict[str, Any] = {"kind": spec.kind, spec.member: payload}
        request = self._request(MxCommand(**given), correlation_id)
        # A command that waits for values by itself may take that long and not be late.
        waits: int = getattr(payload, "timeout_ms", 0)
        timeout = self._client.options.call_timeout + waits / 1000 if waits else None
        reply = await self._run(spec, request, self._asked(request), timeout)
        result = getattr(reply, spec.reply_member) if spec.reply_member else None
        assert isinstance(result, spec.reply)  # _run made sure
        return result

    def _request(self, command: MxCommand, correlation_id: str) -> MxCommandRequest:
        return MxCommandRequest(
            session_id=self.session_id,
            client_correlation_id=correlation_id or new_correlation_id(),
            command=command,
        )

    def _check_open(self, attempted: object) -> None:
        if self.closed:
            raise MxGatewaySessionClosedError(
                f"{attempted}: this session was closed; open a new one", session_id=self.session_id
            )

    def _value(self, value: MxValueInput) -> MxValue:
        return to_mx_value(value)

    def _asked(self, request: MxCommandRequest) -> Asked:
        return Asked("Invoke", request, self._client.endpoint)


def _check_bulk(
    spec: CommandSpec[Message, object], command: MxCommand | None, attempted: object
) -> None:
    payload: Message | None = getattr(command, spec.member)
    count = spec.item_count(payload) if payload is not None else 0
    if count > spec.max_items:
        raise MxGatewayArgumentError(
            f"{attempted}: {count} {spec.bulk_field} are more than the {spec.max_items} that one "
            "command takes; split them. Nothing was sent"
        )
