"""How a client connects: one frozen dataclass that is checked when made, and its options' types."""

from __future__ import annotations

import inspect
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import Final, TypeAlias, TypedDict, TypeVar
from urllib.parse import urlsplit

from grpclib.const import Status

from .errors import MxGatewayArgumentError, MxGatewayAuthenticationError

T = TypeVar("T")

#: An API key, or what gives one: it is asked before each call, so that keys can change.
ApiKey: TypeAlias = str | Callable[[], str]

#: The HTTP/2 server of .NET takes a ping each half minute; grpclib's and Envoy's do not count them.
DEFAULT_KEEPALIVE: Final = 30.0
#: What the gateway itself limits messages to.
DEFAULT_MAX_RECEIVE_BYTES: Final = 16 * 1024 * 1024

_SCHEMES: Final = {"": None, "http": True, "https": False}
#: What an endpoint consists of: no user, no query, no fragment, no control characters.
_PLAIN: Final = re.compile(r"[\w.:/\[\]-]+", re.ASCII)
#: A name of DNS: labels of 1 to 63 characters.
_NAME: Final = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?", re.ASCII)
#: Shorter ones are no secrets, and stand in texts by chance.
_SHORTEST_SECRET: Final = 8
#: Keys that were given out and may still be in an answer.
_KEYS_REMEMBERED: Final = 8
#: The most that fits into gRPC's timeout header: eight digits.
MAX_SECONDS: Final = 100_000_000
#: The most that the length of a gRPC message can say.
_MAX_BYTES: Final = 2**32 - 1
_LONGEST_USER_AGENT: Final = 200
_TLS_ONLY: Final = (
    "ca_file",
    "client_cert_file",
    "client_key_file",
    "server_name_override",
    "certificate_sha256",
)


class ConnectOptions(TypedDict, total=False):
    """The options of ``ClientOptions`` except the endpoint, for the ``**options`` of a connect."""

    api_key: ApiKey | None
    plaintext: bool
    ca_file: str | Path | None
    client_cert_file: str | Path | None
    client_key_file: str | Path | None
    server_name_override: str | None
    certificate_sha256: str | None
    connect_timeout: float
    call_timeout: float
    keepalive: float | None
    max_receive_bytes: int
    user_agent: str | None


def _forgetful(cls: type[T]) -> type[T]:
    """``cls``, whose constructor leaves no arguments behind in the traceback of what it raises."""
    construct = cls.__init__

    @wraps(construct)
    def __init__(self: T, **options: object) -> None:  # noqa: N807
        try:
            construct(self, **options)
        except (MxGatewayArgumentError, TypeError) as error:  # TypeError: no such option
            problem = error.with_traceback(None)
        else:
            return
        del self, options
        raise problem

    setattr(cls, "__init__", __init__)  # noqa: B010 - type checkers keep the signature
    return cls


@_forgetful
@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Where the gateway is and how to talk to it.

    Args:
        endpoint: ``host:port``, ``[v6]:port``, or the same behind ``https://`` or ``http://``.
        api_key: Sent with each call as ``authorization: Bearer …``; never shown by ``repr``. A
            function is asked before each call and should be quick: the event loop waits for it.
        plaintext: Talk without TLS. It has to be asked for, also for loopback and ``http://``.
        ca_file: PEM file of the authorities to trust in place of the system's.
        client_cert_file: PEM file with the certificate (and its chain) that this client shows.
        client_key_file: PEM file with its private key, not encrypted; None if ``client_cert_file``
            has it too.
        server_name_override: The name that the certificate must carry, if not the endpoint's.
        certificate_sha256: SHA-256 fingerprint of the gateway's certificate, 64 hex digits with or
            without colons. It is trusted in place of an authority and a name, so it may be
            self-signed; with ``ca_file`` both are checked.
        connect_timeout: Seconds until a connection must stand, the first and later ones.
        call_timeout: Seconds for a call that answers once, connecting included; streams have no
            limit.
        keepalive: Seconds between the pings that tell a dead link while calls wait; None for no
            pings. A ping without an answer for as long, 20 s at most, ends the connection.
        max_receive_bytes: The longest message taken from the gateway.
        user_agent: Names your application, such as ``historian/2.1``; put before the SDK's name.

    Raises:
        MxGatewayArgumentError: An option that cannot be, or two that contradict each other.
    """

    endpoint: str = field(repr=False)
    api_key: ApiKey | None = field(default=None, repr=False)
    plaintext: bool = False
    ca_file: str | Path | None = None
    client_cert_file: str | Path | None = None
    client_key_file: str | Path | None = None
    server_name_override: str | None = None
    certificate_sha256: str | None = None
    connect_timeout: float = 10.0
    call_timeout: float = 30.0
    keepalive: float | None = DEFAULT_KEEPALIVE
    max_receive_bytes: int = DEFAULT_MAX_RECEIVE_BYTES
    user_agent: str | None = None
    _given_out: deque[str] = field(
        default_factory=lambda: deque[str](maxlen=_KEYS_REMEMBERED),
        init=False,
        repr=False,
        compare=False,
    )

    def __post_init__(self) -> None:
        self._check_endpoint()
        wrong = _wrong_with(self.api_key)
        if wrong:
            raise MxGatewayArgumentError(wrong)
        self._check_tls()
        for name in ("connect_timeout", "call_timeout"):
            _check_seconds(name, getattr(self, name))
        if self.keepalive is not None:
            _check_seconds("keepalive", self.keepalive)
        if not _is_count(self.max_receive_bytes):
            raise MxGatewayArgumentError(
                f"max_receive_bytes must be a whole number from 1 to {_MAX_BYTES:,}"
            )
        agent = self.user_agent
        if agent is not None:
            _check_text("user_agent", agent)
            if not _is_header(agent) or agent != agent.strip() or len(agent) > _LONGEST_USER_AGENT:
                raise MxGatewayArgumentError(
                    f"user_agent must be 1 to {_LONGEST_USER_AGENT} printable ASCII characters "
                    "without spaces around them, such as historian/2.1"
                )

    def __repr__(self) -> str:
        shown = [
            f"{option.name}={getattr(self, option.name)!r}"
            for option in fields(self)
            if option.repr and getattr(self, option.name) != option.default
        ]
        endpoint = f"endpoint={_without_secrets(str(self.endpoint))!r}"
        return f"ClientOptions({', '.join([endpoint, *shown])})"

    def _check_endpoint(self) -> None:
        _check_text("endpoint", self.endpoint)
        shown = _without_secrets(self.endpoint)
        scheme, host, port = self._parts()
        if scheme and _SCHEMES[scheme] != self.plaintext:
            raise MxGatewayArgumentError(
                f"endpoint {shown!r} and plaintext={self.plaintext} contradict each other; "
                "plaintext has to be asked for, and goes with http:// or no scheme"
            )
        if not host or not port:
            raise MxGatewayArgumentError(
                f"endpoint {shown!r} is no host:port, such as localhost:5000"
            )

    def _check_tls(self) -> None:
        given = [name for name in _TLS_ONLY if getattr(self, name) is not None]
        if self.plaintext and given:
            raise MxGatewayArgumentError(
                f"plaintext=True goes without {' and '.join(given)}, which are for TLS"
            )
        for name in ("ca_file", "client_cert_file", "client_key_file"):
            path: object = getattr(self, name)
            if path is not None and (not isinstance(path, (str, Path)) or not str(path)):
                raise MxGatewayArgumentError(f"{name} must be the path of a PEM file")
        if self.client_key_file is not None and self.client_cert_file is None:
            raise MxGatewayArgumentError("client_key_file goes with client_cert_file")
        override = self.server_name_override
        if override is not None:
            _check_text("server_name_override", override)
            if not _NAME.fullmatch(override) and ":" not in override:
                raise MxGatewayArgumentError(
                    "server_name_override must be a host name, such as gateway.example"
                )
        if self.certificate_sha256 is not None:
            _check_text("certificate_sha256", self.certificate_sha256)
            if self.fingerprint is None:
                raise MxGatewayArgumentError(
                    "certificate_sha256 must be 64 hex digits, with or without colons: the SHA-256 "
                    "fingerprint of the gateway's certificate"
                )

    def _parts(self) -> tuple[str, str, int | None]:
        text = self.endpoint if "://" in self.endpoint else f"//{self.endpoint}"
        try:
            parts = urlsplit(text)
            scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        except ValueError:
            return "", "", None
        if scheme not in _SCHEMES or parts.path.strip("/") or not _PLAIN.fullmatch(text):
            return "", "", None
        if ":" not in host and not _NAME.fullmatch(host):
            return "", "", None
        return scheme, host, port

    def current_api_key(self) -> str | None:
        """The key for the next call, from the function if ``api_key`` is one; None for no key.

        Raises:
            MxGatewayAuthenticationError: The function failed, or returned what is no key. What it
                raised is not kept: its text may hold the key.
        """
        if self.api_key is None or isinstance(self.api_key, str):
            return self.api_key
        key, wrong = _asked(self.api_key)
        if key is not None:
            with suppress(ValueError):  # several threads may share the options
                self._given_out.remove(key)
            self._given_out.append(key)  # the latest stay
            return key
        raise MxGatewayAuthenticationError(
            f"the api_key function {wrong}; call it on its own to see why",
            status=Status.UNAUTHENTICATED,
        )

    def redacted(self, text: str) -> str:
        """``text`` without the API keys that were sent lately, which a gateway may echo."""
        keys = [self.api_key] if isinstance(self.api_key, str) else list(self._given_out)
        secrets = {part for key in keys for part in (key, key.split("_", 2)[-1])}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "<redacted>")
        return text

    @property
    def host(self) -> str:
        """The endpoint's host, without brackets."""
        return self._parts()[1]

    @property
    def port(self) -> int:
        """The endpoint's port."""
        port = self._parts()[2]
        assert port is not None
        return port

    @property
    def fingerprint(self) -> bytes | None:
        """``certificate_sha256`` as its 32 bytes; None where there is none."""
        text = (self.certificate_sha256 or "").replace(":", "")
        return bytes.fromhex(text) if re.fullmatch(r"[0-9A-Fa-f]{64}", text) else None


_NO_KEY: Final = "is empty or holds characters that no key has (spaces, line ends)"


def _wrong_with(key: object) -> str:
    """What is wrong with an ``api_key`` in words; nothing is raised where a local holds it."""
    if inspect.iscoroutinefunction(key):
        return "api_key must be a str, or a function that returns one, not an async function"
    if key is None or callable(key):
        return ""
    if not isinstance(key, str):
        return f"api_key must be a str, or a function that returns one, not {type(key).__name__}"
    return "" if _is_key(key) else f"the API key {_NO_KEY}; check where it was read from"


def _asked(function: Callable[[], object]) -> tuple[str | None, str]:
    """The key that a function gives, or what is wrong with it in words."""
    try:
        key = function()
    except Exception as error:
        return None, f"failed with {type(error).__name__}"
    if not isinstance(key, str):
        return None, f"returned {type(key).__name__}"
    return (key, "") if _is_key(key) else (None, f"returned a key that {_NO_KEY}")


def _is_key(key: str) -> bool:
    return _is_header(key) and " " not in key


def _is_header(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise MxGatewayArgumentError(f"{name} must be a str, not {type(value).__name__}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 < value <= _MAX_BYTES


def _check_seconds(name: str, value: object) -> None:
    if not isinstance(value, (int, float)) or not 0 < value < MAX_SECONDS:
        raise MxGatewayArgumentError(f"{name} must be above 0 and below {MAX_SECONDS:,} seconds")


def _without_secrets(endpoint: str) -> str:
    """An endpoint as an error may show it: no user info, and no API key given by mistake."""
    return re.sub(r"mxgw_[^\s/:@]+", "<redacted>", re.sub(r"[^/@]*@", "<redacted>@", endpoint))
