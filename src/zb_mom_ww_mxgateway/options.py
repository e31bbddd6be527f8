"""How a client connects: one frozen dataclass, checked when it is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from .errors import MxGatewayArgumentError

_SCHEMES: Final = {"": None, "http": True, "https": False}
#: What an endpoint consists of: no user, no query, no fragment, no control characters.
_PLAIN: Final = re.compile(r"[\w.:/\[\]-]+")
#: Shorter ones are no secrets, and stand in texts by chance.
_SHORTEST_SECRET: Final = 8
#: The most that fits into gRPC's timeout header: eight digits.
_MAX_SECONDS: Final = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Where the gateway is and how to talk to it.

    Args:
        endpoint: ``host:port``, ``[v6]:port``, or the same behind ``https://`` or ``http://``.
        api_key: Sent with each call as ``authorization: Bearer …``; never shown by ``repr``.
        plaintext: Talk without TLS. It has to be asked for, also for loopback and ``http://``.
        ca_file: PEM file of the authorities to trust in place of the system's.
        server_name_override: The name that the certificate must carry, if not the endpoint's.
        connect_timeout: Seconds until a connection must stand.
        call_timeout: Seconds for a call that answers once; streams have no limit.

    Raises:
        MxGatewayArgumentError: An option that cannot be, or two that contradict each other.
    """

    endpoint: str
    api_key: str | None = field(default=None, repr=False)
    plaintext: bool = False
    ca_file: str | Path | None = None
    server_name_override: str | None = None
    connect_timeout: float = 10.0
    call_timeout: float = 30.0

    def __post_init__(self) -> None:
        _check_text("endpoint", self.endpoint)
        if self.api_key is not None:
            _check_text("api_key", self.api_key)
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
        if self.plaintext and (self.ca_file or self.server_name_override):
            raise MxGatewayArgumentError(
                "plaintext=True goes without ca_file and server_name_override, which are for TLS"
            )
        key = self.api_key
        if key is not None and not (key.isascii() and key.isprintable() and " " not in key and key):
            raise MxGatewayArgumentError(
                "the API key is empty or holds characters that no key has (spaces, line ends); "
                "check where it was read from"
            )
        for name in ("connect_timeout", "call_timeout"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 < value < _MAX_SECONDS:
                raise MxGatewayArgumentError(
                    f"{name} must be above 0 and below {_MAX_SECONDS:,} seconds"
                )

    def _parts(self) -> tuple[str, str, int | None]:
        text = self.endpoint if "://" in self.endpoint else f"//{self.endpoint}"
        try:
            parts = urlsplit(text)
            scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        except ValueError:
            scheme, host, port, parts = "", "", None, urlsplit("")
        if scheme not in _SCHEMES or parts.path.strip("/") or not _PLAIN.fullmatch(text):
            return "", "", None
        return scheme, host, port

    def redacted(self, text: str) -> str:
        """``text`` without the API key, which a gateway or a proxy may echo."""
        key = self.api_key or ""
        for secret in (key, key.split("_", 2)[-1]):
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


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise MxGatewayArgumentError(f"{name} must be a str, not {type(value).__name__}")


def _without_secrets(endpoint: str) -> str:
    """An endpoint as an error may show it: no user info, and no API key given by mistake."""
    return re.sub(r"mxgw_[^\s/:@]+", "<redacted>", re.sub(r"[^/@]*@", "<redacted>@", endpoint))
