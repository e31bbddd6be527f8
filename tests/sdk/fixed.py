"""A gateway that answers every command alike: what it says is the test's to choose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Unpack

from grpclib.exceptions import GRPCError
from grpclib.server import Stream
from grpclib.testing import ChannelFor

from zb_mom_ww_mxgateway import (
    ClientOptions,
    CloseSessionReply,
    CloseSessionRequest,
    ConnectOptions,
    GatewayClient,
    MxCommandReply,
    MxCommandRequest,
    MxEvent,
    OpenSessionReply,
    OpenSessionRequest,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway.channel import GatewayChannel
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmReply,
    AcknowledgeAlarmRequest,
    ActiveAlarmSnapshot,
    AlarmFeedMessage,
    QueryActiveAlarmsRequest,
    StreamAlarmsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayBase
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

KEY = "mxgw_test_topsecret"


class FixedGateway(MxAccessGatewayBase):
    """Answers every command with the same reply."""

    def __init__(self) -> None:
        self.opened = OpenSessionReply(session_id="session-1")
        self.reply = MxCommandReply()
        self.received = 0
        self.closed: list[str] = []
        self.closing = asyncio.Event()
        self.refuse: GRPCError | None = None
        self.opening = asyncio.Event()
        self.opening.set()
        self.received_one = asyncio.Event()
        self.answering = asyncio.Event()
        self.answering.set()

    async def open_session(self, stream: Stream[OpenSessionRequest, OpenSessionReply]) -> None:
        await stream.recv_message()
        await self.opening.wait()
        await stream.send_message(self.opened)

    async def close_session(self, stream: Stream[CloseSessionRequest, CloseSessionReply]) -> None:
        request = await stream.recv_message()
        assert request is not None
        self.closed.append(request.session_id)
        self.closing.set()
        if self.refuse is not None:
            raise self.refuse
        await stream.send_message(CloseSessionReply(session_id="session-1"))

    async def invoke(self, stream: Stream[MxCommandRequest, MxCommandReply]) -> None:
        await stream.recv_message()
        self.received += 1
        self.received_one.set()
        await self.answering.wait()
        if self.refuse is not None:
            raise self.refuse
        await stream.send_message(self.reply)

    async def stream_events(self, stream: Stream[StreamEventsRequest, MxEvent]) -> None:
        await stream.recv_message()

    async def acknowledge_alarm(
        self, stream: Stream[AcknowledgeAlarmRequest, AcknowledgeAlarmReply]
    ) -> None:
        await stream.recv_message()

    async def stream_alarms(self, stream: Stream[StreamAlarmsRequest, AlarmFeedMessage]) -> None:
        await stream.recv_message()

    async def query_active_alarms(
        self, stream: Stream[QueryActiveAlarmsRequest, ActiveAlarmSnapshot]
    ) -> None:
        await stream.recv_message()


@asynccontextmanager
async def client_of(
    gateway: MxAccessGatewayBase, **given: Unpack[ConnectOptions]
) -> AsyncIterator[GatewayClient]:
    """A client of ``gateway``, over a transport in memory."""
    options = ClientOptions(endpoint="fixed:1", **{"plaintext": True, "api_key": KEY, **given})
    async with ChannelFor([gateway], codec=MessageCodec()) as channel:
        yield GatewayClient(GatewayChannel(channel, options), options)
