"""Calls over the SDK's channel alone, below client and session."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Unpack

from tests.sdk.seen import KEY
from zb_mom_ww_mxgateway import (
    ClientOptions,
    MxEvent,
    OpenSessionReply,
    OpenSessionRequest,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway.channel import GatewayChannel
from zb_mom_ww_mxgateway.options import ConnectOptions
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayStub


@asynccontextmanager
async def connected(
    endpoint: str, **options: Unpack[ConnectOptions]
) -> AsyncIterator[MxAccessGatewayStub]:
    """A stub over a channel: in plaintext unless a way to trust the gateway is given."""
    given: ConnectOptions = {"api_key": KEY, "call_timeout": 5.0}
    given["plaintext"] = not ({"ca_file", "certificate_sha256"} & set(options))
    given |= options
    channel = await GatewayChannel.connect(ClientOptions(endpoint=endpoint, **given))
    try:
        yield MxAccessGatewayStub(channel)
    finally:
        await channel.close()


async def open_session(endpoint: str, **options: Unpack[ConnectOptions]) -> OpenSessionReply:
    """One call over a connection of its own."""
    async with connected(endpoint, **options) as stub:
        return await stub.open_session(OpenSessionRequest())


def events_of(stub: MxAccessGatewayStub) -> aclosing[AsyncGenerator[MxEvent, None]]:
    """The events of session-1, ended with the block."""
    return aclosing(stub.stream_events(StreamEventsRequest(session_id="session-1")))
