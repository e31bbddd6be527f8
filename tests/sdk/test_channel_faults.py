"""Whatever a server does on the wire reaches the caller as one of the SDK's exceptions."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from importlib.metadata import version

import pytest
from grpclib.const import Status
from grpclib.exceptions import StreamTerminatedError

from tests.sdk import faulty
from tests.sdk.calling import connected, events_of, open_session
from tests.sdk.seen import KEY, secrets_seen_in
from zb_mom_ww_mxgateway import (
    ClientOptions,
    GatewayClient,
    MxEvent,
    MxGatewayArgumentError,
    MxGatewayError,
    MxGatewayMalformedReplyError,
    MxGatewayProtocolError,
    MxGatewaySessionClosedError,
    MxGatewayTransportError,
    MxGatewayUnavailableError,
    OpenSessionRequest,
)
from zb_mom_ww_mxgateway.channel import GatewayChannel
from zb_mom_ww_mxgateway.errors import MxGatewayResourceExhaustedError
from zb_mom_ww_mxgateway_sim import SimulatedGateway

FAULTS = [
    (faulty.empty_reply, MxGatewayMalformedReplyError, "without a reply"),
    (faulty.garbage, MxGatewayMalformedReplyError, "another contract"),
    (faulty.compressed, MxGatewayProtocolError, "Compression"),
    (faulty.cut_message, MxGatewayUnavailableError, "connection was lost"),
    (faulty.short_message, MxGatewayUnavailableError, "connection was lost"),
    (faulty.reset, MxGatewayUnavailableError, "reset the call"),
    (faulty.hang_up, MxGatewayUnavailableError, "connection was lost"),
    (faulty.goaway, MxGatewayUnavailableError, "ended the connection .ENHANCE_YOUR_CALM"),
    (faulty.not_grpc, MxGatewayUnavailableError, "503"),
    (faulty.not_proto, MxGatewayTransportError, "application/json"),
    (faulty.huge_headers, MxGatewayProtocolError, "breaks HTTP/2"),
    (faulty.not_ascii, MxGatewayProtocolError, "breaks HTTP/2"),
    (faulty.too_long, MxGatewayResourceExhaustedError, "20,971,520 bytes, over max_receive_bytes"),
    (faulty.unknown_status, MxGatewayTransportError, "99"),
    (faulty.no_trailers, MxGatewayTransportError, "OpenSession"),
    (faulty.no_http_status, MxGatewayProtocolError, "without :status"),
]


@pytest.mark.parametrize(("misbehave", "expected", "said"), FAULTS)
async def test_a_server_that_misbehaves_gives_a_typed_error_without_the_key(
    misbehave: faulty.Misbehave, expected: type[MxGatewayError], said: str
) -> None:
    async with faulty.faulty_gateway(misbehave) as endpoint:
        with pytest.raises(expected, match=said) as caught:
            await open_session(endpoint)
    assert type(caught.value) is expected
    assert "OpenSession" in str(caught.value)
    assert endpoint in str(caught.value)
    assert not secrets_seen_in(caught.value)


@pytest.mark.parametrize(("misbehave", "expected"), [fault[:2] for fault in FAULTS])
async def test_a_fault_ends_one_call_and_not_the_client(
    misbehave: faulty.Misbehave, expected: type[MxGatewayError]
) -> None:
    faults = faulty.one_after_another(misbehave, faulty.replied)
    async with faulty.watched_gateway(faults) as gateway, connected(gateway.endpoint) as stub:
        with pytest.raises(expected):
            await stub.open_session(OpenSessionRequest())
        reply = await stub.open_session(OpenSessionRequest())
    assert reply.session_id == "session-1"


@pytest.mark.parametrize(
    ("end", "expected", "said"),
    [
        (faulty.reset, MxGatewayUnavailableError, "reset the call"),
        (faulty.hang_up, MxGatewayUnavailableError, "connection was lost"),
        (faulty.goaway, MxGatewayUnavailableError, "ENHANCE_YOUR_CALM"),
        (faulty.data(faulty.framed(b"\xff")), MxGatewayMalformedReplyError, "contract"),
        (faulty.data(faulty.framed(b"", compressed=True)), MxGatewayProtocolError, "Compression"),
        (faulty.data(faulty.framed(b"", length=2**30)), MxGatewayResourceExhaustedError, "1,073,"),
    ],
)
async def test_a_stream_that_breaks_off_gives_what_came_before_and_then_says_why(
    end: faulty.Misbehave, expected: type[MxGatewayError], said: str
) -> None:
    events = [faulty.framed(bytes(MxEvent(worker_sequence=n))) for n in (1, 2)]
    async with (
        faulty.watched_gateway(faulty.headers) as gateway,
        connected(gateway.endpoint) as stub,
        events_of(stub) as stream,
    ):
        first = asyncio.ensure_future(anext(stream))
        await gateway.asked.wait()
        gateway.then(faulty.data(b"".join(events)))
        assert [(await first).worker_sequence, (await anext(stream)).worker_sequence] == [1, 2]
        gateway.then(end)
        with pytest.raises(expected, match=said) as caught:
            await anext(stream)
    assert "StreamEvents in session-1" in str(caught.value)
    assert not secrets_seen_in(caught.value)


async def test_a_reply_that_ends_without_a_status_is_not_waited_for() -> None:
    async with (
        faulty.watched_gateway(faulty.headers) as gateway,
        connected(gateway.endpoint, call_timeout=60) as stub,
    ):
        call = asyncio.ensure_future(stub.open_session(OpenSessionRequest()))
        await gateway.asked.wait()
        gateway.then(faulty.data(faulty.framed(faulty.OPENED)))
        await asyncio.sleep(0.05)  # the message is taken, and its status waited for
        gateway.then(faulty.end)
        with pytest.raises(MxGatewayTransportError, match="grpc-status"):
            await call


async def test_a_server_is_told_not_to_push() -> None:
    async with faulty.faulty_gateway(faulty.cannot_push) as endpoint:
        assert (await open_session(endpoint)).session_id == "session-1"


async def test_what_http2_allows_and_grpc_does_not_use_is_ignored() -> None:
    unknown_frame = b"\x00\x00\x04\xfa\x00\x00\x00\x00\x00abcd"
    async with (
        faulty.watched_gateway(faulty.informed, first_bytes=unknown_frame) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        for _ in range(2):
            assert (await stub.open_session(OpenSessionRequest())).session_id == "session-1"
    assert gateway.connections == 1


async def test_a_message_as_long_as_the_limit_is_taken_and_a_longer_one_refused() -> None:
    length = len(faulty.OPENED)
    async with faulty.faulty_gateway(faulty.replied) as endpoint:
        taken = await open_session(endpoint, max_receive_bytes=length)
        assert taken.session_id == "session-1"
        with pytest.raises(MxGatewayResourceExhaustedError, match=f"{length} bytes") as caught:
            await open_session(endpoint, max_receive_bytes=length - 1)
    assert caught.value.status is Status.RESOURCE_EXHAUSTED
    assert not caught.value.transient


async def test_an_endpoint_that_refuses_says_where_and_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(MxGatewayUnavailableError) as caught:
            await open_session(endpoint)
    assert f"connecting to {endpoint}" in str(caught.value)
    assert "check the endpoint" in str(caught.value)
    assert caught.value.transient
    assert not secrets_seen_in(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", id="HTTP/1.1"),
        pytest.param(b"\x15\x03\x03\x00\x02\x02\x46", id="a TLS alert"),
    ],
)
async def test_a_port_that_speaks_something_else_is_no_gateway_and_the_error_says_to_look(
    answer: bytes,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(answer)
        await reader.read()

    async with faulty.listening(serve) as endpoint:
        with pytest.raises(MxGatewayProtocolError, match="check that this is the port") as caught:
            await open_session(endpoint)
    assert "talks no TLS" in str(caught.value)


async def test_a_server_that_speaks_no_tls_is_unavailable_over_tls_and_never_downgraded() -> None:
    received = bytearray()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read(65_536))
        writer.write(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")

    async with faulty.listening(plain) as endpoint:
        with pytest.raises(MxGatewayUnavailableError, match="plaintext explicitly"):
            await GatewayClient.connect(endpoint, api_key=KEY, connect_timeout=5)
    assert received.startswith(b"\x16\x03")  # a TLS handshake, and nothing else
    assert b"topsecret" not in received
    assert b"PRI * HTTP/2" not in received


async def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    with pytest.raises(MxGatewayUnavailableError, match=r"no-such-host\.invalid:5000"):
        await open_session("no-such-host.invalid:5000")


async def test_a_missing_ca_file_is_the_callers_mistake() -> None:
    with pytest.raises(MxGatewayArgumentError, match="ca_file"):
        await GatewayClient.connect("localhost:5001", ca_file="no-such-file.pem")


async def test_a_closed_client_takes_no_calls() -> None:
    async with faulty.faulty_gateway(faulty.silence) as endpoint:
        client = await GatewayClient.connect(endpoint, plaintext=True)
        await client.close()
        await client.close()
        with pytest.raises(MxGatewaySessionClosedError, match="connect a new one"):
            await client.open_session()


async def test_a_call_that_its_own_client_closes_under_says_so_and_is_not_to_be_tried_again() -> (
    None
):
    async with faulty.watched_gateway(faulty.silence) as gateway:
        async with connected(gateway.endpoint) as stub:
            call = asyncio.ensure_future(stub.open_session(OpenSessionRequest()))
            await gateway.asked.wait()
        with pytest.raises(MxGatewayUnavailableError, match="client was closed") as caught:
            await call
    assert not caught.value.transient


@pytest.mark.parametrize(
    "method", ["client.Channel._create_connection", "protocol.EventsProcessor.close"]
)
def test_a_grpclib_without_what_is_replaced_of_it_is_refused_and_never_used_without_limits(
    method: str,
) -> None:
    script = f"import grpclib.client; del grpclib.{method}; import zb_mom_ww_mxgateway"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert f"ImportError: grpclib {version('grpclib')} has no" in ended.stderr
    assert method.partition(".")[2] in ended.stderr


async def test_a_connection_that_is_lost_before_its_first_call_is_lost_and_no_attribute_error() -> (
    None
):
    async with SimulatedGateway(api_key=KEY) as gateway:
        options = ClientOptions(endpoint=gateway.endpoint, api_key=KEY, plaintext=True)
        channel = await GatewayChannel.connect(options)
        connection = (await channel._channel.__connect__()).processor.connection
        connection.close()  # as the loop does for one that is lost
        with pytest.raises(StreamTerminatedError):
            connection.create_stream()
        await channel.close()
