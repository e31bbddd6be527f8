"""The gateway's connections: what clients may do to them, and what is left of them."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
import struct
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import grpc
import pytest
from grpclib.exceptions import StreamTerminatedError
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    TrailersReceived,
)
from hypothesis import given, strategies as st

from tests.sim.conftest import Site
from tests.sim.raw import RawClient, eventually, listener, opened, raw_client
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    OpenSessionReply,
    OpenSessionRequest,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods as Rpc
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.faults import BadQuality, DropConnections, RefuseConnections
from zb_mom_ww_mxgateway_sim.listener import Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


# --- unknown methods, and what is no call ----------------------------------------------------


def call_unknown(endpoint: str, path: str) -> grpc.RpcError:
    with grpc.insecure_channel(endpoint) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(path)(b"", timeout=10)
        return caught.value


@pytest.mark.parametrize(
    "path", ["/mxaccess_gateway.v1.MxAccessGateway/Nonsense", "/no.Such/Invoke", "/x"]
)
async def test_a_client_sees_unimplemented_for_a_method_that_is_not_there(
    site: Site, path: str
) -> None:
    gateway = await site.gateway()
    error = await asyncio.to_thread(call_unknown, gateway.endpoint, path)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "no such method" in error.details()


async def test_the_names_of_unknown_methods_are_not_counted_or_logged(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await site.gateway()
    with caplog.at_level(logging.DEBUG):
        await asyncio.to_thread(call_unknown, gateway.endpoint, "/x/Surprising")
    assert "Surprising" not in caplog.text
    counted = gateway._observer.metrics.calls.read()
    assert not any("Surprising" in labels for labels in counted)


async def test_a_call_that_is_no_grpc_is_refused_as_http(site: Site) -> None:
    gateway = await site.gateway()
    async with raw_client(gateway) as client:
        number = client.call("/x", **{"content-type": "application/json"})
        response = await client.until(ResponseReceived, number)
        assert dict(response.headers)[":status"] == "415"


# --- clients that misbehave ------------------------------------------------------------------


async def test_empty_frames_and_frames_of_extensions_are_taken_as_http2_wants_it(
    site: Site,
) -> None:
    gateway = await site.gateway()
    async with raw_client(gateway) as client:
        client.writer.write(b"\0\0\x01\xfa\0" + bytes(4) + b"x")  # type 0xfa is unknown
        number = client.call(Rpc.OPEN_SESSION.path)
        body = bytes(OpenSessionRequest(client_session_name="x"))
        framed = b"\0" + len(body).to_bytes(4, "big") + body
        for piece in (b"", framed[:3], b"", framed[3:], b""):
            client.h2.send_data(number, piece)
        client.h2.end_stream(number)
        client.flush()
        data = await client.until(DataReceived, number)
        assert OpenSessionReply.FromString(data.data[5:]).session_id
        trailers = await client.until(TrailersReceived, number)
        assert dict(trailers.headers)["grpc-status"] == "0"


async def test_a_violation_of_http2_is_told_and_ends_the_connection(site: Site) -> None:
    gateway = await site.gateway()
    async with raw_client(gateway) as client:
        await asyncio.sleep(0)
        client.writer.write(b"\0\0\x04\x08\0" + bytes(4) + bytes(4))  # WINDOW_UPDATE by 0
        assert await client.closed()
        (goodbye,) = [event for event in client.seen if isinstance(event, ConnectionTerminated)]
        assert goodbye.error_code is ErrorCodes.PROTOCOL_ERROR
    await eventually(lambda: not listener(gateway).connections)


async def begun(client: RawClient, how: str) -> None:
    """Leave the client at some point of a call."""
    if how == "headers":
        client.call(Rpc.OPEN_SESSION.path)
    elif how == "half a message":
        number = client.call(Rpc.OPEN_SESSION.path)
        client.h2.send_data(number, b"\0\0\0\0\x10abc")
    elif how == "stream":
        session_id = await opened(client)
        number = client.call(Rpc.STREAM_EVENTS.path, StreamEventsRequest(session_id=session_id))
        await client.until(ResponseReceived, number)
    elif how == "reset":
        number = client.call(Rpc.OPEN_SESSION.path)
        client.h2.reset_stream(number)
    client.flush()


@pytest.mark.parametrize("how", ["nothing", "headers", "half a message", "stream", "reset"])
@pytest.mark.parametrize("by_reset", [False, True])
async def test_a_client_that_hangs_up_half_way_leaves_nothing(
    site: Site, how: str, *, by_reset: bool
) -> None:
    gateway = await site.gateway()
    before = asyncio.all_tasks()
    async with raw_client(gateway) as client:
        await begun(client, how)
        await eventually(lambda: len(listener(gateway).connections) == 1)
        if by_reset:
            connected = client.writer.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.writer.transport.abort()
        else:
            client.writer.close()
        await eventually(lambda: not listener(gateway).connections)
    await eventually(lambda: asyncio.all_tasks() <= before)
    assert listener(gateway).accepted == 1


async def test_what_a_client_that_hung_up_did_not_read_is_not_written_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await site.gateway(machines=100)
    session = await site.client(gateway).open()
    await session.subscribed(*(f"TestMachine_{number:03d}.MachineCode" for number in range(1, 101)))
    before = set(listener(gateway).connections)
    async with raw_client(gateway) as client:
        request = StreamEventsRequest(session_id=session.id)
        number = client.call(Rpc.STREAM_EVENTS.path, request)
        await client.until(DataReceived, number)
        # Gone now, and the gateway notices when it writes.
        (connection,) = listener(gateway).connections - before
        connection._transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        with gateway.fault(BadQuality(tag_name="TestArea")):
            await eventually(lambda: len(listener(gateway).connections) == 1)
    assert "socket.send() raised" not in caplog.text


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


FRAMES = st.builds(frame, st.integers(0, 12), st.integers(0, 255), st.integers(0, 5), st.binary())


@given(st.lists(FRAMES | st.binary(max_size=60), max_size=5), st.booleans())
def test_bytes_that_are_no_http2_harm_nobody(pieces: list[bytes], with_preface: bool) -> None:
    async def talk() -> None:
        failures: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))
        async with SimulatedGateway(machines=0, plant=False) as gateway:
            host, _, port = gateway.endpoint.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            with suppress(OSError):  # as the gateway hangs up on it
                for piece in [PREFACE + frame(4, 0, 0, b"") if with_preface else b"", *pieces]:
                    writer.write(piece)
                    await asyncio.sleep(0)
                writer.write_eof()
                while await reader.read(65_536):
                    pass
            writer.close()
            await eventually(lambda: not listener(gateway).connections)
        assert failures == []

    asyncio.run(talk())


async def test_connections_that_are_gone_take_no_memory(site: Site) -> None:
    gateway = await site.gateway()
    seen: WeakSet[Connection] = WeakSet()
    for _ in range(30):
        async with raw_client(gateway) as client:
            await opened(client)
            seen |= listener(gateway).connections
        await eventually(lambda: not listener(gateway).connections)
    assert listener(gateway).accepted == 30
    gc.collect()
    # grpclib collects what is over whenever so many more have come.
    assert len(seen) <= 10


async def test_closing_does_not_wait_for_who_never_shakes_hands(site: Site) -> None:
    gateway = await site.gateway(self_signed=True)
    host, _, port = gateway.endpoint.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        await gateway.close()
        assert await reader.read() == b""
    writer.close()
    assert listener(gateway).accepted == 0


# --- dropped and refused ---------------------------------------------------------------------


async def test_dropped_connections_are_reset_without_a_word(site: Site) -> None:
    gateway = await site.gateway()
    async with raw_client(gateway) as client:
        await opened(client)
        await gateway.strike(DropConnections())
        assert not await client.closed()
        assert not any(isinstance(event, ConnectionTerminated) for event in client.seen)
    assert not listener(gateway).connections
    await site.client(gateway).open()  # new ones are welcome


async def test_refused_connections_are_reset_and_open_ones_stay(site: Site) -> None:
    gateway = await site.gateway()
    before = await site.client(gateway).open()
    with gateway.fault(RefuseConnections()):
        with gateway.fault(RefuseConnections()):
            pass
        with pytest.raises((StreamTerminatedError, ConnectionError)):
            await site.client(gateway).open()
        assert await before.do("get_session_state")
    await site.client(gateway).open()
    assert listener(gateway).accepted == 3


async def test_tls_connections_are_dropped_and_refused_alike(site: Site) -> None:
    gateway = await site.gateway(self_signed=True)
    host, _, port = gateway.endpoint.rpartition(":")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    trusting.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting)
    await reader.readexactly(9)
    await gateway.strike(DropConnections())
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.transport.abort()
    with gateway.fault(RefuseConnections()), suppress(ConnectionResetError):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting)
        assert await reader.read() == b""
    await eventually(lambda: not listener(gateway).connections)
