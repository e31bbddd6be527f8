"""TLS by default, verified always: who is trusted, under which name, and what the errors say."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.sdk import faulty
from tests.sdk.calling import connected, open_session
from tests.sdk.seen import KEY, secrets_seen_in
from zb_mom_ww_mxgateway import (
    ClientOptions,
    GatewayClient,
    MxGatewayArgumentError,
    MxGatewayTransportError,
    MxGatewayUnavailableError,
    OpenSessionRequest,
    sync,
)
from zb_mom_ww_mxgateway.errors import MxGatewayCertificateError
from zb_mom_ww_mxgateway.http2 import GatewayConnection
from zb_mom_ww_mxgateway.loop_thread import LoopThread


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """That of the gateway: it names plant.example and 127.0.0.1."""
    return authority.issue_cert("plant.example", "127.0.0.1")


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def serving(certificate: trustme.LeafCert, trusted: trustme.CA | None = None) -> ssl.SSLContext:
    """A gateway's context; with ``trusted`` it asks for client certificates of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_alpn_protocols(["h2"])
    if trusted is not None:
        trusted.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
async def gateway(certificate: trustme.LeafCert) -> AsyncIterator[faulty.Gateway]:
    async with faulty.watched_gateway(faulty.replied, ssl=serving(certificate)) as running:
        yield running


def fingerprint(certificate: trustme.LeafCert) -> str:
    pem = certificate.cert_chain_pems[0].bytes().decode()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


async def test_an_authority_from_a_file_is_trusted(gateway: faulty.Gateway, ca_file: Path) -> None:
    options = ClientOptions(endpoint=gateway.endpoint, api_key=KEY, ca_file=ca_file)
    async with await GatewayClient.from_options(options) as client:
        assert (await client.open_session()).session_id == "session-1"


async def test_a_gateway_that_does_not_say_goodbye_is_left_all_the_same(
    certificate: trustme.LeafCert, ca_file: Path
) -> None:
    over = threading.Event()
    context = serving(certificate)

    def serve(listening: socket.socket) -> None:
        """Shake hands, and then read and answer nothing."""
        with listening.accept()[0] as plain, context.wrap_socket(plain, server_side=True):
            over.wait(30)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        silent = asyncio.create_task(asyncio.to_thread(serve, listening))
        endpoint = f"127.0.0.1:{listening.getsockname()[1]}"
        client = await GatewayClient.connect(endpoint, ca_file=ca_file)
        before = asyncio.get_running_loop().time()
        await client.close()
        connection = client._channel._channel
        assert isinstance(connection, GatewayConnection)
        await connection.gone()
        assert asyncio.get_running_loop().time() - before < 25  # Python's own patience is 30 s
        over.set()
        await silent


def test_a_blocking_client_leaves_no_socket_behind(
    certificate: trustme.LeafCert, ca_file: Path
) -> None:
    thread = LoopThread("gateway")
    serve = faulty.watched_gateway(faulty.replied, ssl=serving(certificate))
    gateway = thread.run("start", serve.__aenter__)
    with sync.GatewayClient.connect(gateway.endpoint, ca_file=ca_file) as client:
        assert client.open_session().session_id == "session-1"
    thread.run("close", lambda: serve.__aexit__(None, None, None))
    thread.stop()


async def test_the_name_in_the_certificate_may_be_given(
    gateway: faulty.Gateway, ca_file: Path
) -> None:
    endpoint = f"https://{gateway.endpoint}"
    await open_session(endpoint, ca_file=ca_file, server_name_override="plant.example")
    assert gateway.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_an_unknown_authority_is_refused_and_the_error_says_what_to_give(
    gateway: faulty.Gateway,
) -> None:
    with pytest.raises(MxGatewayCertificateError, match="certificate is not accepted") as caught:
        await open_session(gateway.endpoint, plaintext=False)
    assert "ca_file" in str(caught.value)
    assert "certificate_sha256" in str(caught.value)
    assert not caught.value.transient
    assert not gateway.headers
    assert not secrets_seen_in(caught.value)


async def test_another_name_is_refused(gateway: faulty.Gateway, ca_file: Path) -> None:
    with pytest.raises(MxGatewayCertificateError, match=r"other\.example") as caught:
        await open_session(gateway.endpoint, ca_file=ca_file, server_name_override="other.example")
    assert "by a name that it carries" in str(caught.value)
    assert "server_name_override" in str(caught.value)


async def test_another_address_is_refused_as_another_name_is(
    authority: trustme.CA, ca_file: Path
) -> None:
    elsewhere = authority.issue_cert("192.0.2.1")
    async with faulty.watched_gateway(faulty.replied, ssl=serving(elsewhere)) as gateway:
        with pytest.raises(MxGatewayCertificateError, match="IP address mismatch") as caught:
            await open_session(gateway.endpoint, ca_file=ca_file)
    assert "by a name that it carries" in str(caught.value)


@pytest.mark.parametrize(
    ("days", "said"), [(-1, "expired: renew it"), (1, "not valid yet: check the clocks")]
)
async def test_a_certificate_out_of_its_time_is_refused_as_such(
    days: int, said: str, authority: trustme.CA, ca_file: Path
) -> None:
    then = datetime.now(timezone.utc) + timedelta(days=days)
    other = authority.issue_cert("127.0.0.1", not_before=then, not_after=then)
    async with faulty.watched_gateway(faulty.replied, ssl=serving(other)) as gateway:
        with pytest.raises(MxGatewayCertificateError, match=said):
            await open_session(gateway.endpoint, ca_file=ca_file)


async def test_http2_is_asked_for_within_the_handshake_without_which_dotnet_speaks_http1(
    certificate: trustme.LeafCert, ca_file: Path
) -> None:
    spoken: list[str | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())

    async with faulty.listening(serve, ssl=serving(certificate)) as endpoint:
        with pytest.raises(MxGatewayUnavailableError):
            await open_session(endpoint, ca_file=ca_file)
    assert spoken == ["h2"]


def _with_colons(text: str) -> str:
    return ":".join(text[i : i + 2] for i in range(0, len(text), 2))


@pytest.mark.parametrize("written", [str, str.upper, _with_colons])
async def test_a_pinned_certificate_is_trusted_whoever_signed_it_and_whatever_its_name(
    gateway: faulty.Gateway, certificate: trustme.LeafCert, written: Callable[[str], str]
) -> None:
    pin = written(fingerprint(certificate))
    name = "localhost:" + gateway.endpoint.rpartition(":")[2]
    assert (await open_session(name, certificate_sha256=pin)).session_id == "session-1"


async def test_another_certificate_than_the_pinned_one_is_refused_before_anything_is_sent(
    gateway: faulty.Gateway, certificate: trustme.LeafCert
) -> None:
    found = _with_colons(fingerprint(certificate))
    with pytest.raises(MxGatewayCertificateError, match=f"found {found}") as caught:
        await open_session(gateway.endpoint, certificate_sha256="0" * 64)
    assert f"expected SHA-256 {_with_colons('0' * 64)}" in str(caught.value)
    assert not caught.value.transient
    assert gateway.connections == 0  # not even the handshake came to its end there
    assert not secrets_seen_in(caught.value)


async def test_a_pin_is_checked_again_when_the_client_connects_anew(
    authority: trustme.CA, certificate: trustme.LeafCert
) -> None:
    other = authority.issue_cert("127.0.0.1")
    async with faulty.watched_gateway(faulty.replied, ssl=serving(certificate)) as gateway:
        calls = connected(gateway.endpoint, certificate_sha256=fingerprint(certificate))
        stub = await calls.__aenter__()
        await stub.open_session(OpenSessionRequest())
    port = int(gateway.endpoint.rpartition(":")[2])
    async with faulty.watched_gateway(faulty.replied, port=port, ssl=serving(other)) as changed:
        with pytest.raises(MxGatewayCertificateError, match=_with_colons(fingerprint(other))):
            await stub.open_session(OpenSessionRequest())
        await calls.__aexit__(None, None, None)
    assert not changed.headers


async def test_with_a_pin_and_an_authority_both_have_to_hold(
    gateway: faulty.Gateway, certificate: trustme.LeafCert, ca_file: Path, tmp_path: Path
) -> None:
    pin = fingerprint(certificate)
    await open_session(gateway.endpoint, certificate_sha256=pin, ca_file=ca_file)
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with pytest.raises(MxGatewayCertificateError, match="not accepted"):
        await open_session(gateway.endpoint, certificate_sha256=pin, ca_file=tmp_path / "other.pem")
    with pytest.raises(MxGatewayCertificateError, match="pinned"):
        await open_session(gateway.endpoint, certificate_sha256="0" * 64, ca_file=ca_file)
    with pytest.raises(MxGatewayCertificateError, match="Hostname mismatch"):
        await open_session(
            gateway.endpoint,
            certificate_sha256=pin,
            ca_file=ca_file,
            server_name_override="other.example",
        )


@pytest.fixture
def shown(authority: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    """A client's certificate and its key, as files."""
    mine = authority.issue_cert("historian@plant.example")
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "mine.pem"))
    mine.private_key_pem.write_to_path(str(tmp_path / "mine.key"))
    return tmp_path / "mine.pem", tmp_path / "mine.key"


async def test_a_client_certificate_is_shown_to_a_gateway_that_asks_for_one(
    authority: trustme.CA,
    certificate: trustme.LeafCert,
    ca_file: Path,
    shown: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    own, key = shown
    both = tmp_path / "both.pem"
    both.write_bytes(own.read_bytes() + key.read_bytes())
    context = serving(certificate, trusted=authority)
    async with faulty.watched_gateway(faulty.replied, ssl=context) as gateway:
        endpoint = gateway.endpoint
        await open_session(endpoint, ca_file=ca_file, client_cert_file=own, client_key_file=key)
        await open_session(endpoint, ca_file=ca_file, client_cert_file=both)
        await open_session(
            endpoint, certificate_sha256=fingerprint(certificate), client_cert_file=both
        )
    assert len(gateway.headers) == 3


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        (ssl.TLSVersion.TLSv1_2, MxGatewayUnavailableError),
        (ssl.TLSVersion.TLSv1_3, MxGatewayCertificateError),
    ],
)
async def test_a_gateway_that_wants_a_client_certificate_and_gets_none_says_so(
    authority: trustme.CA,
    certificate: trustme.LeafCert,
    ca_file: Path,
    newest: ssl.TLSVersion,
    expected: type[MxGatewayTransportError],
) -> None:
    """TLS 1.2 refuses within the handshake and is vague; 1.3 after it, so the first call knows."""
    context = serving(certificate, trusted=authority)
    context.maximum_version = newest

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The handshake by hand: asyncio's servers close without the alert that says why."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        handshake = context.wrap_bio(incoming, outgoing, server_side=True)
        while received := await reader.read(65_536):
            incoming.write(received)
            with suppress(ssl.SSLError):
                handshake.do_handshake()
            writer.write(outgoing.read())

    async with faulty.listening(refuse) as endpoint:
        with pytest.raises(expected, match="client_cert_file") as caught:
            await open_session(endpoint, ca_file=ca_file)
    assert not caught.value.transient


async def test_a_private_key_with_a_password_is_refused_and_nobody_is_asked_for_it(
    shown: tuple[Path, Path], tmp_path: Path
) -> None:
    own, key = shown
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        load_pem_private_key(key.read_bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
    )
    with pytest.raises(MxGatewayArgumentError, match="the private key is encrypted") as caught:
        await open_session(
            "localhost:1", plaintext=False, client_cert_file=own, client_key_file=locked
        )
    assert str(locked) in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
@pytest.mark.parametrize("option", ["ca_file", "client_cert_file"])
async def test_a_file_that_holds_no_certificate_is_the_callers_mistake_and_named(
    option: str, content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_bytes(content)
    options = ClientOptions(endpoint="localhost:1", **{option: path})
    with pytest.raises(MxGatewayArgumentError, match=rf"{option} '.*file\.pem'"):
        await GatewayClient.from_options(options)


@pytest.mark.parametrize("option", ["ca_file", "client_cert_file"])
async def test_what_is_no_path_is_the_callers_mistake_and_named(option: str) -> None:
    options = ClientOptions(endpoint="localhost:1", **{option: "file\0.pem"})
    with pytest.raises(MxGatewayArgumentError, match=option):
        await GatewayClient.from_options(options)


async def test_plaintext_to_a_port_that_talks_tls_says_so(gateway: faulty.Gateway) -> None:
    with pytest.raises(MxGatewayUnavailableError, match="talks no TLS if plaintext was asked for"):
        await open_session(gateway.endpoint)
    assert gateway.connections == 0
