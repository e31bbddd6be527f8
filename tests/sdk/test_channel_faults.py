"""Whatever a server does on the wire reaches the caller as one of the SDK's exceptions."""

from __future__ import annotations

import asyncio
import socket

import pytest
from grpclib.const import Status

from tests.sdk import faulty
from zb_mom_ww_mxgateway import (
    GatewayClient,
    MxGatewayArgumentError,
    MxGatewayError,
    MxGatewayMalformedReplyError,
    MxGatewayProtocolError,
    MxGatewaySessionClosedError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    MxGatewayUnavailableError,
)

KEY = "mxgw_test_topsecret"


async def _open_session(endpoint: str, call_timeout: float = 5.0) -> None:
    async with await GatewayClient.connect(
        endpoint, api_key=KEY, plaintext=True, call_timeout=call_timeout
    ) as client:
        await client.open_session()


@pytest.mark.parametrize(
    ("misbehave", "expected"),
    [
        (faulty.empty_reply, MxGatewayMalformedReplyError),
        (faulty.garbage, MxGatewayMalformedReplyError),
        (faulty.compressed, MxGatewayProtocolError),
        (faulty.cut_message, MxGatewayUnavailableError),
        (faulty.short_message, MxGatewayUnavailableError),
        (faulty.reset, MxGatewayUnavailableError),
        (faulty.hang_up, MxGatewayUnavailableError),
        (faulty.not_grpc, MxGatewayUnavailableError),
        (faulty.unknown_status, MxGatewayTransportError),
        (faulty.no_trailers, MxGatewayTransportError),
    ],
)
async def test_a_server_that_misbehaves_gives_a_typed_error_without_the_key(
    misbehave: faulty.Misbehave, expected: type[MxGatewayError]
) -> None:
    async with faulty.faulty_gateway(misbehave) as endpoint:
        with pytest.raises(expected) as caught:
            await _open_session(endpoint)
    assert "OpenSession" in str(caught.value)
    assert endpoint in str(caught.value)
    assert "topsecret" not in f"{caught.value!r}{caught.value.__cause__!r}"


async def test_a_server_that_never_answers_times_out_with_a_builtin_timeout_too() -> None:
    async with faulty.faulty_gateway(faulty.silence) as endpoint:
        with pytest.raises(MxGatewayTimeoutError, match=r"within 0\.2 s") as caught:
            await _open_session(endpoint, call_timeout=0.2)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.status is Status.DEADLINE_EXCEEDED
    assert caught.value.transient


async def test_an_endpoint_that_refuses_says_where_and_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(MxGatewayUnavailableError) as caught:
            await _open_session(endpoint)
    assert f"connecting to {endpoint}" in str(caught.value)
    assert "check the endpoint" in str(caught.value)
    assert caught.value.transient


async def test_a_server_that_speaks_no_tls_is_unavailable_over_tls_and_never_downgraded() -> None:
    received = bytearray()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read(65_536))
        writer.write(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    endpoint = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        with pytest.raises(MxGatewayUnavailableError, match="plaintext explicitly"):
            await GatewayClient.connect(endpoint, api_key=KEY, connect_timeout=5)
    assert received.startswith(b"\x16\x03")  # a TLS handshake, and nothing else
    assert b"topsecret" not in received
    assert b"PRI * HTTP/2" not in received


async def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    with pytest.raises(MxGatewayUnavailableError, match=r"no-such-host\.invalid:5000"):
        await _open_session("no-such-host.invalid:5000")


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
