"""TLS by default, verified always: who is trusted, under which name, and what the errors say."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from grpclib.server import Server

from tests.sdk.fixed import KEY, FixedGateway
from zb_mom_ww_mxgateway import GatewayClient, MxGatewayUnavailableError
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
async def port(authority: trustme.CA) -> AsyncIterator[int]:
    """A gateway on loopback whose certificate names plant.example and 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("plant.example", "127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    server = Server([FixedGateway()], codec=MessageCodec())
    await server.start("127.0.0.1", 0, ssl=context)
    assert server._server is not None
    yield server._server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_an_authority_from_a_file_is_trusted(port: int, ca_file: Path) -> None:
    async with await GatewayClient.connect(
        f"127.0.0.1:{port}", api_key=KEY, ca_file=ca_file
    ) as client:
        assert (await client.open_session()).session_id == "session-1"


async def test_the_name_in_the_certificate_may_be_given(port: int, ca_file: Path) -> None:
    async with await GatewayClient.connect(
        f"https://127.0.0.1:{port}",
        api_key=KEY,
        ca_file=ca_file,
        server_name_override="plant.example",
    ) as client:
        assert (await client.open_session()).session_id == "session-1"


async def test_an_unknown_authority_is_refused_and_the_error_says_what_to_give(port: int) -> None:
    with pytest.raises(MxGatewayUnavailableError, match="certificate is not accepted") as caught:
        await GatewayClient.connect(f"127.0.0.1:{port}", api_key=KEY)
    assert "ca_file" in str(caught.value)


async def test_another_name_is_refused(port: int, ca_file: Path) -> None:
    with pytest.raises(MxGatewayUnavailableError, match=r"other\.example") as caught:
        await GatewayClient.connect(
            f"127.0.0.1:{port}",
            api_key=KEY,
            ca_file=ca_file,
            server_name_override="other.example",
        )
    assert "server_name_override" in str(caught.value)
