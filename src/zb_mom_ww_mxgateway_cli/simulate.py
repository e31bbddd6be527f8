"""``mxgw-py simulate``: the simulator gateway in the foreground."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from .connection import api_key_from, json_option, run_async
from .output import OK, emit, progress
from .values import Seconds

if TYPE_CHECKING:
    from zb_mom_ww_mxgateway_sim import SimulatedGateway


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="0 picks one."
)
@click.option(
    "--api-key", help="Key to ask of clients, mxgw_<id>_<secret>; made up if none is given."
)
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key.")
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Same seed, same sequence of values of each tag.",
)
@click.option("--machines", type=click.IntRange(1), default=10, show_default=True, help="Objects.")
@click.option(
    "--first-value-delay",
    type=Seconds(min=0),
    default=0.0,
    show_default=True,
    help="Seconds from an advice to its first value; 3 to 8 on a live system.",
)
@json_option
def simulate(
    host: str,
    port: int,
    api_key: str | None,
    api_key_env: str | None,
    seed: int,
    machines: int,
    first_value_delay: float,
    as_json: bool,
) -> int:
    """Run a gateway without a plant, until Ctrl-C.

    Prints its endpoint and API key when it is ready.
    """
    # Here, so that a contract the simulator was not written for leaves the other commands alone.
    from zb_mom_ww_mxgateway_sim import SimulatedGateway

    key = api_key_from(api_key, api_key_env)
    # A key from the environment is kept out of the output.
    shows_key = api_key_env is None
    try:
        gateway = SimulatedGateway(
            host=host,
            port=port,
            api_key=key,
            seed=seed,
            machines=machines,
            first_value_delay=first_value_delay,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        return run_async(_serve(gateway, shows_key, as_json))
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another address with --host "
            "and --port"
        ) from error


async def _serve(gateway: SimulatedGateway, shows_key: bool, as_json: bool) -> int:
    async with gateway:
        key = {"apiKey": gateway.api_key} if shows_key else {}
        emit({**key, "endpoint": gateway.endpoint}, as_json=as_json)
        with suppress(asyncio.CancelledError):  # Ctrl-C and SIGTERM are how it ends
            while True:  # noqa: ASYNC110 - Windows runs signal handlers when the loop wakes up
                await asyncio.sleep(0.5)
        progress("stopping")
    return OK
