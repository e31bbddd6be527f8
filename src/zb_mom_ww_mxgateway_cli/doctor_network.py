"""The checks of ``doctor`` below gRPC: the name, the port, and the certificate."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from ipaddress import ip_address
from time import perf_counter
from typing import Final, Literal, TypeAlias

from zb_mom_ww_mxgateway import ClientOptions
from zb_mom_ww_mxgateway.tls import client_context, tls_error

from . import exits
from .failures import exit_code, text_of

Status: TypeAlias = Literal["ok", "warn", "fail", "skipped"]
#: Names of a certificate as the standard library gives them.
_Names: TypeAlias = "str | tuple[_Names, ...]"

#: Below so many days a certificate should be renewed.
_RENEW: Final = 30
#: X509_V_FLAG_NO_CHECK_TIME, which the module ssl has no name for.
_ANY_TIME: Final = ssl.VerifyFlags(0x200000)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, what to do about it, and the exit code if it failed."""

    status: Status
    detail: str
    advice: str = ""
    code: int = exits.OK


def failed(error: BaseException) -> Finding:
    """The finding for an error of the SDK, whose texts end with what to do."""
    detail, _, advice = text_of(error).partition("; ")
    return Finding("fail", detail, advice, exit_code(error))


async def check_name(options: ClientOptions) -> Finding:
    """Whether the host has an address."""
    host = options.host
    try:
        async with asyncio.timeout(options.connect_timeout):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, options.port, type=socket.SOCK_STREAM
            )
    except TimeoutError:
        return _late(options, "no answer about the name", "check the name server")
    except OSError as error:
        return Finding(
            "fail",
            f"{host} has no address ({error.strerror or error})",
            "check how it is spelled, and the name server or hosts file of this machine",
            exits.UNREACHABLE,
        )
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    return Finding("ok", f"{host} is {', '.join(addresses)}")


async def check_tcp(options: ClientOptions) -> Finding:
    """Whether something listens there."""
    begun = perf_counter()
    try:
        async with asyncio.timeout(options.connect_timeout):
            _, writer = await asyncio.open_connection(options.host, options.port)
    except TimeoutError:
        return _late(options, "no answer", "check the address, and firewalls on the way")
    except OSError as error:
        return Finding(
            "fail",
            f"no connection to {options.host} port {options.port} ({error.strerror or error})",
            "check that the gateway runs there, its port, and firewalls on the way",
            exits.UNREACHABLE,
        )
    taken = perf_counter() - begun
    writer.transport.abort()
    return Finding("ok", f"port {options.port} answered after {taken * 1000:.0f} ms")


def _late(options: ClientOptions, what: str, advice: str) -> Finding:
    detail = f"{what} within {options.connect_timeout:g} s"
    return Finding("fail", detail, advice, exits.TIMED_OUT)


async def check_tls(options: ClientOptions) -> Finding:
    """Whether the certificate is accepted, and what it says.

    Raises:
        MxGatewayArgumentError: A file of the options is not what it should be.
    """
    context = client_context(options)
    if context is None:
        return _plaintext(options)
    try:
        made = await _handshake(options, context)
    except TimeoutError:
        return _late(options, "no TLS handshake", "check that this port talks TLS")
    except ssl.SSLCertVerificationError as error:
        refused = failed(tls_error(error, options.endpoint))
        return await _with_certificate(refused, options)
    except ssl.SSLError as error:
        return failed(tls_error(error, options.endpoint))
    except OSError as error:
        return Finding(
            "fail",
            f"the connection ended during the TLS handshake ({error.strerror or error})",
            "check that this is the gateway's port, and that it talks TLS",
            exits.UNREACHABLE,
        )
    certificate = await _read(options, made)
    return _judged(certificate, made)


def _plaintext(options: ClientOptions) -> Finding:
    if _is_loopback(options.host):
        return Finding("ok", "no TLS, and the gateway is on this machine")
    return Finding(
        "warn",
        "no TLS: the API key and all values can be read on the way",
        "have TLS switched on at the gateway, and leave out --plaintext",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class _Handshake:
    """What a TLS handshake told: ``known`` is empty unless a chain was verified."""

    known: dict[str, _Names]
    der: bytes
    version: str
    has_http2: bool


@dataclass(frozen=True, slots=True)
class _Certificate:
    """What a certificate says."""

    text: str
    days_left: float


async def _handshake(options: ClientOptions, context: ssl.SSLContext) -> _Handshake:
    name = options.server_name_override or options.host
    async with asyncio.timeout(options.connect_timeout):
        _, writer = await asyncio.open_connection(
            options.host, options.port, ssl=context, server_hostname=name
        )
    try:
        made: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return _Handshake(
            known={**(made.getpeercert() or {})},
            der=made.getpeercert(binary_form=True) or b"",
            version=made.version() or "TLS",
            has_http2=made.selected_alpn_protocol() == "h2",
        )
    finally:
        writer.transport.abort()


async def _read(options: ClientOptions, made: _Handshake) -> _Certificate:
    """What the certificate of a handshake says.

    The standard library tells that of a verified one alone. So where none was verified there is
    another handshake, in which just this certificate is trusted; nothing is sent on it.
    """
    known = made.known
    if not known:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _ANY_TIME
        context.load_verify_locations(cadata=made.der)
        known = (await _handshake(options, context)).known
    names = ", ".join(name for _, name in _pairs(known.get("subjectAltName", ())))
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(known["notAfter"])), timezone.utc)
    days = (ends - datetime.now(timezone.utc)).total_seconds() / 86_400
    when = f"in {days:.0f} days" if days >= 0 else f"{-days:.0f} days ago"
    return _Certificate(
        f"certificate of {_distinguished(known.get('subject', ()))} for {names or 'no name'}, "
        f"issued by {_distinguished(known.get('issuer', ()))}, ends {ends:%Y-%m-%d} ({when}), "
        f"SHA-256 {hashlib.sha256(made.der).digest().hex(':')}",
        days,
    )


def _distinguished(names: _Names) -> str:
    found = dict(_pairs(names))
    return found.get("commonName") or ", ".join(found.values()) or "nobody"


def _pairs(names: _Names) -> Iterator[tuple[str, str]]:
    """The pairs of what it is and its name, however deep they are."""
    match names:
        case (str(kind), str(name)):
            yield kind, name
        case str():
            return
        case _:
            for part in names:
                yield from _pairs(part)


def _judged(certificate: _Certificate, made: _Handshake) -> Finding:
    detail = f"{made.version}, {certificate.text}"
    if not made.has_http2:
        return Finding(
            "warn",
            f"it does not offer HTTP/2; {detail}",
            "check that this is the port of the gateway's gRPC",
        )
    if certificate.days_left < _RENEW:
        return Finding("warn", detail, "have the certificate renewed at the gateway")
    return Finding("ok", detail)


async def _with_certificate(refused: Finding, options: ClientOptions) -> Finding:
    """The finding with what the certificate says that was not accepted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # to look at it, no more: nothing is sent
    try:
        certificate = await _read(options, await _handshake(options, context))
    except (OSError, TimeoutError):
        return refused
    return replace(refused, detail=f"{refused.detail}: {certificate.text}")
