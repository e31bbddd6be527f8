"""The connection options that every command has which talks to a gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

import click
from click.core import ParameterSource

from zb_mom_ww_mxgateway import ClientOptions, GatewayClient
from zb_mom_ww_mxgateway.channel import GatewayChannel

from .output import Output, with_output
from .profiles import profile_for
from .references import FORMS, from_variable, resolved
from .running import run_async
from .values import Seconds

DEFAULT_ENDPOINT: Final = "localhost:5000"

_OPTIONS: Final = (
    click.option(
        "--endpoint",
        envvar="MXGATEWAY_ENDPOINT",
        show_envvar=True,
        help=f"Gateway as host:port.  [default: {DEFAULT_ENDPOINT}]",
    ),
    click.option(
        "--api-key",
        envvar="MXGATEWAY_API_KEY",
        show_envvar=True,
        help=f"API key: {FORMS}, which other users of this machine may see.",
    ),
    click.option(
        "--api-key-env", metavar="NAME", help="Environment variable that holds the API key."
    ),
    click.option(
        "--plaintext",
        is_flag=True,
        envvar="MXGATEWAY_PLAINTEXT",
        show_envvar=True,
        help="Talk without TLS.",
    ),
    click.option("--tls", is_flag=True, help="Talk with TLS (the default)."),
    click.option(
        "--ca-file",
        envvar="MXGATEWAY_CA_FILE",
        show_envvar=True,
        help="PEM file of authorities to trust.",
    ),
    click.option(
        "--certificate-sha256",
        metavar="HEX",
        envvar="MXGATEWAY_CERTIFICATE_SHA256",
        show_envvar=True,
        help="Fingerprint of the one certificate to trust, such as a self-signed one.",
    ),
    click.option(
        "--client-cert-file",
        envvar="MXGATEWAY_CLIENT_CERT_FILE",
        show_envvar=True,
        help="PEM file of a certificate to show.",
    ),
    click.option(
        "--client-key-file",
        envvar="MXGATEWAY_CLIENT_KEY_FILE",
        show_envvar=True,
        help="PEM file of its key, if not in the same file.",
    ),
    click.option(
        "--server-name-override",
        envvar="MXGATEWAY_SERVER_NAME_OVERRIDE",
        show_envvar=True,
        help="Name that the certificate carries.",
    ),
    click.option(
        "--profile",
        envvar="MXGATEWAY_PROFILE",
        show_envvar=True,
        help="Profile to connect with; see 'config'.",
    ),
    click.option(
        "--timeout",
        type=Seconds(min=0, min_open=True),
        envvar="MXGATEWAY_TIMEOUT",
        show_envvar=True,
        help="Seconds for one call; for a stream, until it ends.",
    ),
)

#: Options of TLS alone. Where they were not typed, they give way to a --plaintext that was.
_TLS_ONLY: Final = (
    "ca_file",
    "certificate_sha256",
    "client_cert_file",
    "client_key_file",
    "server_name_override",
)
#: What the options above are called as arguments.
_SETTINGS: Final = (
    "endpoint",
    "api_key",
    "api_key_env",
    "plaintext",
    "tls",
    "timeout",
    *_TLS_ONLY,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """How this command connects, and how it prints."""

    options: ClientOptions
    timeout: float | None
    output: Output

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[GatewayClient, None]:
        """A connected client."""
        async with await GatewayClient.from_options(self.options) as client:
            yield client

    @asynccontextmanager
    async def channel(self) -> AsyncGenerator[GatewayChannel, None]:
        """A connection for calls that no client has."""
        channel = await GatewayChannel.connect(self.options)
        try:
            yield channel
        finally:
            await channel.close()


def connected(command: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., int]:
    """Add the connection and output options to an async command; it gets a ``Connection`` first."""

    @with_output
    @wraps(command)
    def run(*, output: Output, profile: str | None, **arguments: Any) -> int:
        context = click.get_current_context()
        given = {name: arguments.pop(name) for name in _SETTINGS}
        settings = _settings(context, given, profile)
        timeout = settings.pop("timeout", None)
        if timeout is not None:
            settings["call_timeout"] = timeout
        connection = Connection(ClientOptions(**settings), timeout, output)
        return run_async(command(connection, **arguments))

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def _settings(context: click.Context, given: dict[str, Any], profile: str | None) -> dict[str, Any]:
    """What was typed, over what the environment has, over what a profile has."""
    if _typed(context, "plaintext") and _typed(context, "tls"):
        raise click.UsageError("--plaintext and --tls exclude each other")
    if _typed(context, "api_key") and given["api_key_env"] is not None:
        raise click.UsageError("--api-key and --api-key-env exclude each other")
    kept = profile_for(profile, given["endpoint"])
    found = {name.replace("-", "_"): value for name, value in kept.items()}
    found |= {name: value for name, value in given.items() if value not in (None, False)}
    found.setdefault("endpoint", DEFAULT_ENDPOINT)
    if found.pop("tls", False) and not _typed(context, "plaintext"):
        found.pop("plaintext", None)
    if _typed(context, "plaintext"):
        for name in _TLS_ONLY:
            if not _typed(context, name):
                found.pop(name, None)
    variable = found.pop("api_key_env", None)
    if variable is not None:
        found["api_key"] = from_variable(variable, "--api-key-env")
    elif "api_key" in found:
        found["api_key"] = resolved(found["api_key"], "--api-key")
    return found


def _typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
