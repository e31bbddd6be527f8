"""The connection options that every command has which talks to a gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from types import FrameType
from typing import Any, Final

import click

from zb_mom_ww_mxgateway import ClientOptions, ConnectOptions, GatewayClient
from zb_mom_ww_mxgateway.channel import GatewayChannel

from .output import TERMINATED
from .values import Seconds

DEFAULT_ENDPOINT: Final = "localhost:5000"
ENDPOINT_VARIABLE: Final = "MXGATEWAY_ENDPOINT"
API_KEY_VARIABLE: Final = "MXGATEWAY_API_KEY"

json_option = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")

_OPTIONS: Final = (
    click.option(
        "--endpoint",
        envvar=ENDPOINT_VARIABLE,
        default=DEFAULT_ENDPOINT,
        show_default=True,
        show_envvar=True,
        help="Gateway as host:port.",
    ),
    click.option(
        "--api-key", help="API key. Other users of this machine may see it; prefer --api-key-env."
    ),
    click.option(
        "--api-key-env",
        metavar="NAME",
        help=f"Environment variable that holds the API key.  [default: {API_KEY_VARIABLE}]",
    ),
    click.option("--plaintext", is_flag=True, help="Talk without TLS."),
    click.option("--tls", is_flag=True, help="Talk with TLS (the default)."),
    click.option("--ca-file", type=click.Path(), help="PEM file of authorities to trust."),
    click.option(
        "--certificate-sha256",
        metavar="HEX",
        help="Fingerprint of the one certificate to trust, such as a self-signed one.",
    ),
    click.option("--server-name-override", help="Name that the certificate carries."),
    click.option(
        "--timeout",
        type=Seconds(min=0, min_open=True),
        help="Seconds for one call; for a stream, until it ends.",
    ),
    json_option,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """How this command connects, and how it prints."""

    options: ClientOptions
    timeout: float | None
    as_json: bool

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


def api_key_from(
    api_key: str | None, api_key_env: str | None, *, default: str | None = None
) -> str | None:
    """The key as given, or from the environment; a variable that was named has to be set.

    ``default`` names the variable that is looked at without being asked for.
    """
    if api_key is not None and api_key_env is not None:
        raise click.UsageError("--api-key and --api-key-env exclude each other")
    if api_key is not None:
        return api_key
    variable = api_key_env or default
    key = os.environ.get(variable) if variable else None
    if api_key_env is not None and not key:
        raise click.UsageError(f"--api-key-env: the environment variable {api_key_env} is not set")
    return key or None


def connected(command: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., int]:
    """Add the connection options to an async command; it gets a ``Connection`` first."""

    @wraps(command)
    def run(
        *,
        endpoint: str,
        api_key: str | None,
        api_key_env: str | None,
        plaintext: bool,
        tls: bool,
        ca_file: str | None,
        certificate_sha256: str | None,
        server_name_override: str | None,
        timeout: float | None,
        as_json: bool,
        **arguments: Any,
    ) -> int:
        if plaintext and tls:
            raise click.UsageError("--plaintext and --tls exclude each other")
        given: ConnectOptions = {
            "api_key": api_key_from(api_key, api_key_env, default=API_KEY_VARIABLE),
            "plaintext": plaintext,
            "ca_file": ca_file,
            "certificate_sha256": certificate_sha256,
            "server_name_override": server_name_override,
        }
        if timeout is not None:
            given["call_timeout"] = timeout
        options = ClientOptions(endpoint=endpoint, **given)
        connection = Connection(options, timeout, as_json)
        return run_async(command(connection, **arguments))

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def run_async(main: Coroutine[Any, Any, int | None]) -> int:
    """Run a command to its end; its exit code.

    SIGTERM (and Ctrl-Break on Windows) ends it as Ctrl-C does: what it opened is closed.
    """
    return asyncio.run(_until_terminated(main))


async def _until_terminated(main: Coroutine[Any, Any, int | None]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main)
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        loop.call_soon_threadsafe(task.cancel)

    # signal.signal and not loop.add_signal_handler, which Windows has not.
    numbers = [signal.SIGTERM]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    previous = {number: signal.signal(number, stop) for number in numbers}
    try:
        return await task or 0
    except asyncio.CancelledError:
        if stopped:
            return TERMINATED
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
