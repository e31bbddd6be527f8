"""``mxgw-py simulate``: the simulator gateway in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from types import FrameType

import click

from zb_mom_ww_mxgateway_sim import SimulatedGateway

from .connection import api_key_from, json_option, run_async
from .output import OK, emit, progress


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="0 picks one."
)
@click.option("--api-key", help="Key to ask of clients; one is made up when none is given.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same values.")
@click.option("--machines", type=click.IntRange(1), default=10, show_default=True, help="Objects.")
@json_option
def simulate(
    host: str,
    port: int,
    api_key: str | None,
    api_key_env: str | None,
    seed: int,
    machines: int,
    as_json: bool,
) -> int:
    """Run a gateway without a plant, until Ctrl-C.

    Prints its endpoint and API key when it is ready.
    """
    key = api_key_from(api_key, api_key_env)
    gateway = SimulatedGateway(host=host, port=port, api_key=key, seed=seed, machines=machines)
    try:
        return run_async(_serve(gateway, as_json))
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another address with --host "
            "and --port"
        ) from error


async def _serve(gateway: SimulatedGateway, as_json: bool) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stopped.set)

    # signal.signal and not loop.add_signal_handler, which Windows has not.
    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        async with gateway:
            emit({"apiKey": gateway.api_key, "endpoint": gateway.endpoint}, as_json=as_json)
            while not stopped.is_set():
                # Windows runs signal handlers only when the loop wakes up.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), 0.5)
            progress("stopping")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return OK
