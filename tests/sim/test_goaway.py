"""GOAWAY, graceful and not: by raw HTTP/2, by stock gRPC and by the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import pytest
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)

from tests.sim.conftest import Site
from tests.sim.raw import eventually, listener, opened, raw_client
from zb_mom_ww_mxgateway import GatewayClient
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    OpenSessionReply,
    OpenSessionRequest,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods as Rpc
from zb_mom_ww_mxgateway_sim.faults import GoAway


async def test_a_graceful_goaway_names_the_last_call_and_closes_when_that_has_ended(
    site: Site,
) -> None:
    gateway = await site.gateway()
    async with raw_client(gateway) as client:
        session_id = await opened(client)
        stream = client.call(Rpc.STREAM_EVENTS.path, StreamEventsRequest(session_id=session_id))
        await client.until(ResponseReceived, stream)
        await gateway.strike(GoAway())
        received = await client.reader.readexactly(17)  # h2 would end everything here
        length, kind, last, code = received[:3], received[3], received[9:13], received[13:]
        assert (length, kind) == (b"\0\0\x08", 7)
        assert int.from_bytes(last, "big") == stream
        assert int.from_bytes(code, "big") == ErrorCodes.NO_ERROR

        late = client.call(Rpc.OPEN_SESSION.path, OpenSessionRequest())
        assert (await client.until(StreamReset, late)).error_code is ErrorCodes.REFUSED_STREAM
        other = site.client(gateway).session(session_id)
        await other.subscribed("TestMachine_001.TestChangingInt")
        assert (await client.until(DataReceived, stream)).data
        await other.close()
        trailers = await client.until(TrailersReceived, stream)
        assert dict(trailers.headers)["grpc-status"] == "0"
        assert await client.closed()


async def test_an_idle_connection_closes_on_a_graceful_goaway(site: Site) -> None:
    gateway = await site.gateway()
    async with raw_client(gateway) as client:
        await opened(client)
        await gateway.strike(GoAway())
        goodbye = await client.until(ConnectionTerminated)
        assert (goodbye.error_code, goodbye.last_stream_id) == (ErrorCodes.NO_ERROR, 1)
        assert await client.closed()


async def test_a_goaway_that_is_not_graceful_disowns_running_calls_and_closes(site: Site) -> None:
    gateway = await site.gateway()
    async with raw_client(gateway) as client:
        session_id = await opened(client)
        stream = client.call(Rpc.STREAM_EVENTS.path, StreamEventsRequest(session_id=session_id))
        await client.until(ResponseReceived, stream)
        await gateway.strike(GoAway(graceful=False))
        goodbye = await client.until(ConnectionTerminated)
        assert goodbye.error_code is ErrorCodes.INTERNAL_ERROR
        assert goodbye.last_stream_id == stream - 2
        assert await client.closed()
    await eventually(lambda: not gateway._sessions.event_streams())


def stream_through_goaway(
    endpoint: str, api_key: str, goaway: Callable[[], None], *, graceful: bool
) -> None:
    metadata = [("authorization", f"Bearer {api_key}")]
    with grpc.insecure_channel(endpoint) as channel:
        open_session = channel.unary_unary(
            Rpc.OPEN_SESSION.path, bytes, OpenSessionReply.FromString
        )
        events = channel.unary_stream(Rpc.STREAM_EVENTS.path, bytes)
        opened = open_session(OpenSessionRequest(), metadata=metadata, timeout=10)
        request = StreamEventsRequest(session_id=opened.session_id)
        stream = events(request, metadata=metadata, timeout=10)
        stream.initial_metadata()
        goaway()
        again = open_session(
            OpenSessionRequest(), metadata=metadata, timeout=10, wait_for_ready=True
        )
        assert again.session_id != opened.session_id
        if graceful:
            assert stream.is_active()
            stream.cancel()
        else:
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("graceful", [True, False])
async def test_stock_grpc_goes_on_after_goaway_and_calls_anew(
    site: Site, *, graceful: bool
) -> None:
    gateway = await site.gateway()
    loop = asyncio.get_running_loop()

    def goaway() -> None:
        striking = gateway.strike(GoAway(graceful=graceful))
        asyncio.run_coroutine_threadsafe(striking, loop).result(5)

    await asyncio.to_thread(
        stream_through_goaway, gateway.endpoint, gateway.api_key, goaway, graceful=graceful
    )
    assert listener(gateway).accepted == 2


@pytest.mark.parametrize("graceful", [True, False])
async def test_the_sdk_calls_anew_after_goaway(site: Site, *, graceful: bool) -> None:
    gateway = await site.gateway()
    async with await GatewayClient.connect(
        gateway.endpoint, api_key=gateway.api_key, plaintext=True
    ) as client:
        session = await client.open_session()
        await gateway.strike(GoAway(graceful=graceful))
        await eventually(lambda: not listener(gateway).connections)
        await session.ping("still there")
        await session.close()
