"""Who is trusted: the TLS context for a client's options, and the pin of a certificate.

A context is made once for a client, and every connection of it, later ones too, goes through it.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from grpclib.const import Status

from .errors import (
    MxGatewayArgumentError,
    MxGatewayCertificateError,
    MxGatewayError,
    MxGatewayUnavailableError,
)
from .options import ClientOptions


class PinMismatchError(ssl.SSLCertVerificationError):
    """The certificate is another than the one that was pinned."""

    def __init__(self, expected: bytes, found: bytes) -> None:
        super().__init__(f"expected {expected.hex(':')}, found {found.hex(':')}")
        self.expected = expected
        self.found = found


class _PinnedObject(ssl.SSLObject):
    """Ends the handshake itself where the certificate is not the pinned one.

    So nothing else can have been sent; with TLS 1.3 not even a client certificate, which 1.2 shows
    before the handshake has come to its end on this side.
    """

    def do_handshake(self) -> None:
        import hashlib  # few pin a certificate, and everybody would wait for these
        import hmac

        super().do_handshake()
        context = self.context
        assert isinstance(context, _PinnedContext)
        found = hashlib.sha256(self.getpeercert(binary_form=True) or b"").digest()
        if not hmac.compare_digest(found, context.fingerprint):
            raise PinMismatchError(context.fingerprint, found)


class _PinnedContext(ssl.SSLContext):
    """A context that takes one certificate, whoever signed it."""

    sslobject_class = _PinnedObject
    fingerprint: bytes


def client_context(options: ClientOptions) -> ssl.SSLContext | None:
    """What connections of these options are made with; None for plaintext.

    Raises:
        MxGatewayArgumentError: A file that cannot be read, or is not what it should be.
    """
    if options.plaintext:
        return None
    try:
        context = _verifying(options.fingerprint, options.ca_file)
    except (OSError, ValueError) as error:  # ValueError: no path
        raise MxGatewayArgumentError(
            f"ca_file {str(options.ca_file)!r} cannot be read as PEM certificates ({error})"
        ) from error
    if options.client_cert_file is not None:
        show_certificate(
            context, options.client_cert_file, options.client_key_file, prefix="client_"
        )
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    return context


def _verifying(fingerprint: bytes | None, ca_file: str | Path | None) -> ssl.SSLContext:
    if fingerprint is None:
        return ssl.create_default_context(cafile=ca_file)
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.fingerprint = fingerprint
    if ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the pin is checked in its place
    else:
        context.load_verify_locations(ca_file)
    return context


def show_certificate(
    context: ssl.SSLContext, certificate: str | Path, key: str | Path | None, *, prefix: str = ""
) -> None:
    """Have ``context`` show a certificate.

    Args:
        context: Of either side.
        certificate: PEM file of the certificate.
        key: PEM file of its private key; None if it is in the same file.
        prefix: What the options for both are called before ``cert_file``, for errors.

    Raises:
        MxGatewayArgumentError: A file cannot be read, is none of that kind, the key is encrypted,
            or it belongs to another certificate.
    """
    encrypted = False

    def no_password() -> str:
        # Without this, OpenSSL would ask for one at the terminal.
        nonlocal encrypted
        encrypted = True
        return ""

    try:
        context.load_cert_chain(certificate, key, password=no_password)
    except (OSError, ValueError) as error:  # ValueError: no path
        where = f"{prefix}cert_file {str(certificate)!r}"
        where += "" if key is None else f" with {prefix}key_file {str(key)!r}"
        why = (
            "the private key is encrypted; give a copy without a password, which `openssl pkey "
            "-in KEY -out COPY` makes, readable by this program alone"
            if encrypted
            else f"no PEM certificate with its private key ({_reason(error)})"
        )
        raise MxGatewayArgumentError(f"{where}: {why}") from error


def tls_error(error: ssl.SSLError, attempted: str) -> MxGatewayError:
    """The exception for a TLS failure, and what to do about it."""
    if isinstance(error, PinMismatchError):
        return MxGatewayCertificateError(
            f"{attempted}: the certificate is not the pinned one: expected SHA-256 "
            f"{error.expected.hex(':')}, found {error.found.hex(':')}; if the gateway has a new "
            "certificate, make sure of it there and pin that"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = _ADVICE.get(
            error.verify_code,
            "give its authority with ca_file, or its fingerprint with certificate_sha256",
        )
        return MxGatewayCertificateError(
            f"{attempted}: the certificate is not accepted ({error.verify_message}); {advice}"
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "alert" in reason and any(word in reason for word in _ABOUT_OURS):
        return MxGatewayCertificateError(
            f"{attempted}: the gateway does not accept this client's certificate, or wants one "
            f"({reason}); give it with client_cert_file and client_key_file"
        )
    if "alert" in reason:
        return MxGatewayUnavailableError(
            f"{attempted}: the gateway ended the TLS handshake ({reason}); it may want a client "
            "certificate (client_cert_file), or a version of TLS that is not spoken here",
            status=Status.UNAVAILABLE,
            transient=False,
        )
    return MxGatewayUnavailableError(
        f"{attempted}: no TLS with what answers there ({reason}); a gateway without TLS has to be "
        "asked for plaintext explicitly (plaintext=True)",
        status=Status.UNAVAILABLE,
    )


#: What to do by OpenSSL's verify codes (X509_V_ERR_…); other codes are about the authority.
_ADVICE: Final[Mapping[int, str]] = {
    9: "it is not valid yet: check the clocks here and at the gateway",
    10: "it has expired: renew it at the gateway, or check the clock here",
    62: "connect by a name that it carries, or give one with server_name_override",
    64: "connect by a name that it carries, or give one with server_name_override",
}
#: Words in the TLS alerts that are about the certificate a client has shown, or has not.
_ABOUT_OURS: Final = ("certificate", "unknown ca")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
