"""TLS of a simulated gateway: a certificate from files, or one that is made on the spot."""

from __future__ import annotations

import hashlib
import secrets
import socket
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zb_mom_ww_mxgateway.errors import MxGatewayArgumentError
from zb_mom_ww_mxgateway.tls import show_certificate

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

#: How long a certificate that is made here is valid, and from how long ago: clocks differ.
LIFETIME: Final = timedelta(days=30)
CLOCK_DIFFERENCE: Final = timedelta(minutes=5)
_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
#: The suites of TLS 1.2 that HTTP/2 allows (RFC 9113, 9.2.2); those of 1.3 are all allowed.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


def certificate(
    cert_file: str | Path | None, key_file: str | Path | None, *, self_signed: bool, host: str
) -> tuple[ssl.SSLContext | None, str | None]:
    """What to listen with, and the fingerprint of a certificate that is made for it.

    Both are None for plaintext, which is where neither a file nor ``self_signed`` is given.

    Raises:
        MxGatewayArgumentError: What is given contradicts itself, or is not what it should be.
    """
    if key_file is not None and cert_file is None:
        raise MxGatewayArgumentError("key_file goes with cert_file, which is not given")
    if self_signed and cert_file is not None:
        raise MxGatewayArgumentError("self_signed and cert_file exclude each other")
    if cert_file is not None:
        return server_context(cert_file, key_file), None
    if self_signed:
        made = make_self_signed([host])
        return made.context, made.fingerprint
    return None, None


def server_context(cert_file: str | Path, key_file: str | Path | None = None) -> ssl.SSLContext:
    """The context of a server that shows the certificate in ``cert_file``.

    Args:
        cert_file: PEM file with the certificate, followed by those that lead to its authority.
        key_file: PEM file with its private key, not encrypted; None if ``cert_file`` has it too.

    Raises:
        MxGatewayArgumentError: A file cannot be read, is none of that kind, the key is
            encrypted, or it belongs to another certificate.
    """
    context = _context()
    show_certificate(context, cert_file, key_file)
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfSigned:
    """A certificate that was made on the spot, in use by ``context``.

    ``fingerprint`` is its SHA-256, as clients take it for ``certificate_sha256``;
    ``certificate_pem`` is what they can give as ``ca_file``.
    """

    context: ssl.SSLContext = field(repr=False)
    fingerprint: str
    certificate_pem: str = field(repr=False)


def make_self_signed(hosts: Iterable[str] = (), *, now: datetime | None = None) -> SelfSigned:
    """Make a certificate and a key for this process, valid for 30 days.

    The key is never on disk but encrypted, with a password that is nowhere but in this process.

    Args:
        hosts: Names and addresses that it is valid for, besides localhost, 127.0.0.1, ::1 and
            the name of this host.
        now: An aware time to count from; None is the real one, also where the gateway's clock
            is another, as clients go by their own.

    Raises:
        MxGatewayArgumentError: One of ``hosts`` cannot stand in a certificate, or the package
            cryptography is not installed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding
    except ImportError as error:
        raise MxGatewayArgumentError(
            "a self-signed certificate needs cryptography, which is not installed; install "
            '"zb-mom-ww-mxgateway[sim]", or give cert_file and key_file'
        ) from error
    key = ec.generate_private_key(ec.SECP256R1())
    names = dict.fromkeys([*_LOCAL_NAMES, *_this_host(), *hosts])
    certificate = _certificate(key, names, now or datetime.now(timezone.utc))
    pem = certificate.public_bytes(Encoding.PEM)
    context = _context()
    _load(context, pem, key)
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return SelfSigned(context=context, fingerprint=fingerprint, certificate_pem=pem.decode())


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["h2"])
    return context


def _this_host() -> Iterable[str]:
    """The host's name, where it has one that a certificate can carry."""
    name = socket.gethostname()
    return [name] if name and name.isascii() else []


def _certificate(
    key: EllipticCurvePrivateKey, hosts: Iterable[str], now: datetime
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    # The number tells certificates apart whose names and issuers are the same.
    title = f"MXAccess Gateway simulator {secrets.token_hex(4)}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    made = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_DIFFERENCE)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(map(_name, hosts)), critical=False)
        # No authority: whoever trusts it trusts this gateway and nothing that its key may sign.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(made, critical=False)
        .sign(key, hashes.SHA256())
    )


def _name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError:
        raise MxGatewayArgumentError(
            f"host {host!r} cannot stand in a certificate; use an address or an ASCII name"
        ) from None


def _load(context: ssl.SSLContext, certificate: bytes, key: EllipticCurvePrivateKey) -> None:
    """Python's ssl takes keys from files alone, so the file holds nothing without its password."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )

    password = secrets.token_bytes(32).hex().encode()
    encrypted = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password)
    )
    with tempfile.TemporaryDirectory() as folder:  # for this user alone
        path = Path(folder, "gateway.pem")
        path.write_bytes(certificate + encrypted)
        context.load_cert_chain(path, password=password)
