"""TLS of the simulator: certificates from files and made on the spot, seen by its clients."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from grpclib.protocol import H2Protocol
from grpclib.server import Server

from zb_mom_ww_mxgateway import (
    GatewayClient,
    MxGatewayArgumentError,
    MxGatewayUnavailableError,
)
from zb_mom_ww_mxgateway.errors import MxGatewayCertificateError
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.services import GatewayCodec
from zb_mom_ww_mxgateway_sim.tls import SelfSigned, make_self_signed, server_context


class Connection(H2Protocol):
    """A connection that is among ``alive`` as long as it is."""

    alive: set[Connection]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.alive.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.alive.discard(self)
        super().connection_lost(exc)


class Listening(Server):
    """grpclib's server, which can wait for the end of its connections."""

    def __init__(self, gateway: SimulatedGateway) -> None:
        super().__init__(gateway.handlers(), codec=GatewayCodec())
        self.alive: set[Connection] = set()

    def _protocol_factory(self) -> H2Protocol:
        plain = super()._protocol_factory()
        connection = Connection(plain.handler, plain.config, plain.h2_config)
        connection.alive = self.alive
        return connection

    async def end(self) -> None:
        self.close()
        async with asyncio.timeout(10):
            while self.alive:
                for connection in list(self.alive):
                    connection.connection.close()
                await asyncio.sleep(0.001)
            await self.wait_closed()


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[dict[str, Any]]:
    """A gateway behind TLS: where it listens and the key it accepts, as a client takes them."""
    gateway = SimulatedGateway(machines=1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Listening(gateway)
        await server.start(sock=listening, ssl=context)
        port = listening.getsockname()[1]
        try:
            yield {"endpoint": f"localhost:{port}", "api_key": gateway.api_key}
        finally:
            await gateway.close()
            await server.end()


async def opened(**options: Any) -> str:
    """A session over a connection of its own."""
    async with await GatewayClient.connect(**options) as client:
        return (await client.open_session()).session_id


async def shaken(endpoint: str, context: ssl.SSLContext) -> tuple[str | None, str | None]:
    """The protocol and the version that a handshake agrees upon."""
    host, _, port = endpoint.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    hands: ssl.SSLObject = writer.get_extra_info("ssl_object")
    agreed = hands.selected_alpn_protocol(), hands.version()
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
    return agreed


def saved(folder: Path, made: SelfSigned) -> Path:
    path = folder / "gateway.pem"
    path.write_text(made.certificate_pem)
    return path


@pytest.fixture(scope="module")
def made() -> SelfSigned:
    return make_self_signed(["plant.example"])


@pytest.fixture
async def gateway(made: SelfSigned) -> AsyncIterator[dict[str, Any]]:
    async with serving(made.context) as running:
        yield running


async def test_a_client_that_pins_the_fingerprint_is_served(
    gateway: dict[str, Any], made: SelfSigned
) -> None:
    """Row: TLS on a configured endpoint, often with a self-signed certificate."""
    assert await opened(**gateway, certificate_sha256=made.fingerprint)
    with pytest.raises(MxGatewayCertificateError, match="not the pinned one"):
        await opened(**gateway, certificate_sha256=make_self_signed().fingerprint)


@pytest.mark.parametrize("name", [None, "127.0.0.1", "plant.example"])
async def test_a_client_that_trusts_the_certificate_from_a_file_is_served_by_its_names(
    gateway: dict[str, Any], made: SelfSigned, tmp_path: Path, name: str | None
) -> None:
    ca_file = saved(tmp_path, made)
    assert await opened(**gateway, ca_file=ca_file, server_name_override=name)
    with pytest.raises(MxGatewayCertificateError, match=r"other\.example"):
        await opened(**gateway, ca_file=ca_file, server_name_override="other.example")


async def test_a_client_that_was_told_nothing_refuses_a_self_signed_certificate(
    gateway: dict[str, Any],
) -> None:
    """Row: the client's default is nevertheless to verify; plaintext is always explicit."""
    with pytest.raises(MxGatewayCertificateError, match="self-signed"):
        await opened(**gateway)


async def test_stock_grpc_accepts_the_certificate_as_a_root(
    gateway: dict[str, Any], made: SelfSigned
) -> None:
    credentials = grpc.ssl_channel_credentials(made.certificate_pem.encode())
    async with grpc.aio.secure_channel(gateway["endpoint"], credentials) as channel:
        await asyncio.wait_for(channel.channel_ready(), 10)


async def test_the_strictest_verification_accepts_it(
    gateway: dict[str, Any], made: SelfSigned
) -> None:
    """As newer Pythons verify by default."""
    context = ssl.create_default_context(cadata=made.certificate_pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    assert (await shaken(gateway["endpoint"], context))[1] == "TLSv1.3"


@pytest.mark.parametrize(
    ("newest", "offered", "spoken"),
    [
        (ssl.TLSVersion.TLSv1_3, ["h2", "http/1.1"], "h2"),
        (ssl.TLSVersion.TLSv1_2, ["h2"], "h2"),
        (ssl.TLSVersion.TLSv1_2, [], None),
    ],
)
async def test_http2_is_agreed_upon_within_the_handshake(
    gateway: dict[str, Any],
    made: SelfSigned,
    newest: ssl.TLSVersion,
    offered: list[str],
    spoken: str | None,
) -> None:
    context = ssl.create_default_context(cadata=made.certificate_pem)
    context.maximum_version = newest
    if offered:
        context.set_alpn_protocols(offered)
    version = "TLSv1.3" if newest is ssl.TLSVersion.TLSv1_3 else "TLSv1.2"
    assert await shaken(gateway["endpoint"], context) == (spoken, version)


def test_nothing_older_than_tls_1_2_and_no_suite_that_http2_forbids_is_spoken(
    made: SelfSigned,
) -> None:
    assert made.context.minimum_version == ssl.TLSVersion.TLSv1_2
    suites = [suite["name"] for suite in made.context.get_ciphers()]
    assert all("GCM" in name or "CHACHA20" in name for name in suites)
    assert all(name.startswith(("TLS_", "ECDHE")) for name in suites)


async def test_plaintext_to_a_port_that_talks_tls_is_hung_up_on_and_nothing_breaks(
    gateway: dict[str, Any], made: SelfSigned, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    host, _, port = gateway["endpoint"].rpartition(":")
    for sent in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 1_000, b"\x16\x03\x01", b""):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(10):
            while await reader.read(1_000):
                pass
        writer.close()
        await writer.wait_closed()
    with pytest.raises(MxGatewayUnavailableError, match="talks no TLS if plaintext was asked for"):
        await opened(**gateway, plaintext=True)
    assert await opened(**gateway, certificate_sha256=made.fingerprint)
    assert not caplog.records


def test_a_self_signed_certificate_is_of_this_host_and_for_thirty_days() -> None:
    now = datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc)
    made = make_self_signed(["plant.example", "192.0.2.7", "2001:db8::7", "localhost"], now=now)
    certificate = x509.load_pem_x509_certificate(made.certificate_pem.encode())
    assert certificate.not_valid_before_utc == now - timedelta(minutes=5)
    assert certificate.not_valid_after_utc == now + timedelta(days=30)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts = names.get_values_for_type(x509.DNSName)
    assert hosts.count("localhost") == 1
    assert "plant.example" in hosts
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"}
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca  # trusting it trusts no other certificate


def test_each_certificate_is_another_and_shows_no_key() -> None:
    one, other = make_self_signed(), make_self_signed()
    assert one.fingerprint != other.fingerprint
    assert "PRIVATE" not in one.certificate_pem
    assert "PRIVATE" not in repr(one)


def test_the_key_of_a_self_signed_certificate_leaves_nothing_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make_self_signed()
    assert not list(tmp_path.iterdir())


def test_a_host_that_no_certificate_can_name_is_refused() -> None:
    with pytest.raises(MxGatewayArgumentError, match="'größe' cannot stand in a certificate"):
        make_self_signed(["größe"])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of that authority and its key."""
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "gateway.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "gateway.key"))
    return tmp_path / "gateway.pem", tmp_path / "gateway.key"


@pytest.mark.parametrize("together", [True, False])
async def test_a_certificate_from_files_is_shown(
    authority: trustme.CA, files: tuple[Path, Path], tmp_path: Path, together: bool
) -> None:
    certificate, key = files
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    if together:
        certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    context = server_context(certificate) if together else server_context(certificate, key)
    async with serving(context) as gateway:
        assert await opened(**gateway, ca_file=ca_file)


async def test_a_gateway_makes_itself_a_certificate_when_it_is_asked_to(site: Any) -> None:
    gateway = await site.gateway(self_signed=True)
    known = {"endpoint": gateway.endpoint, "api_key": gateway.api_key}
    assert await opened(**known, certificate_sha256=gateway.certificate_sha256)
    with pytest.raises(MxGatewayCertificateError, match="self-signed"):
        await opened(**known)


async def test_a_gateway_shows_the_certificate_that_it_is_given(
    site: Any, authority: trustme.CA, files: tuple[Path, Path], tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    gateway = await site.gateway(cert_file=files[0], key_file=files[1])
    known = {"endpoint": gateway.endpoint, "api_key": gateway.api_key}
    assert await opened(**known, ca_file=ca_file, server_name_override="localhost")
    assert gateway.certificate_sha256 is None


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(
    files: tuple[Path, Path],
) -> None:
    certificate, key = files
    plain = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    with pytest.raises(MxGatewayArgumentError, match="the private key is encrypted") as caught:
        server_context(certificate, key)
    assert str(key) in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_is_none_of_its_kind_is_the_callers_mistake_and_named(
    files: tuple[Path, Path], which: int, content: bytes | None
) -> None:
    if content is None:
        files[which].unlink()
    else:
        files[which].write_bytes(content)
    with pytest.raises(MxGatewayArgumentError, match=r"cert_file '.*' with key_file '.*': no PEM"):
        server_context(*files)


def test_a_key_of_another_certificate_is_refused(
    authority: trustme.CA, files: tuple[Path, Path]
) -> None:
    authority.issue_cert("localhost").private_key_pem.write_to_path(str(files[1]))
    with pytest.raises(MxGatewayArgumentError, match="with its private key"):
        server_context(*files)


def test_without_cryptography_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(MxGatewayArgumentError, match=r'install "zb-mom-ww-mxgateway\[sim\]"'):
        make_self_signed()
