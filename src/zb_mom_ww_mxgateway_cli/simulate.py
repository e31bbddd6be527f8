"""``mxgw-py simulate``: the simulated gateway in the foreground, and what is done to it."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from zb_mom_ww_mxgateway import MxGatewayUnimplementedError
from zb_mom_ww_mxgateway_contracts.google_protobuf import Int32Value

from .connection import Connection, connected
from .exits import OK
from .failures import flags_of, in_words
from .output import Output, progress, with_output
from .readable import show
from .references import FORMS, from_variable, resolved
from .running import run_async
from .simulate_keys import keys
from .values import File, Seconds

if TYPE_CHECKING:
    from zb_mom_ww_mxgateway_sim import SimulatedGateway

_file = File()


@click.group(
    invoke_without_command=True,
    epilog="Example: mxgw-py simulate --port 5001 --tls-self-signed --machines 100",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="0 picks one."
)
@click.option(
    "--api-key",
    help=f"Key to ask of clients, mxgw_<id>_<secret>: {FORMS}. Made up if none is given.",
)
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key.")
@click.option(
    "--keys-file", type=_file, help="Keys made with 'simulate keys'; none is made up then."
)
@click.option("--no-auth", is_flag=True, help="Take every call, with a key or without.")
@click.option(
    "--tls-cert", "cert_file", type=_file, help="PEM file of a certificate to listen with."
)
@click.option(
    "--tls-key", "key_file", type=_file, help="PEM file of its key, if it is not in --tls-cert."
)
@click.option(
    "--tls-self-signed",
    "self_signed",
    is_flag=True,
    help="Make a certificate; shows its fingerprint.",
)
@click.option("--galaxy", type=_file, help="TOML file of what is deployed.")
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Same seed, same sequence of values of each tag.",
)
@click.option("--machines", type=click.IntRange(0), default=10, show_default=True, help="Objects.")
@click.option("--no-plant", is_flag=True, help="Only the test machines of the default galaxy.")
@click.option(
    "--first-value-delay",
    type=Seconds(min=0),
    default=0.0,
    show_default=True,
    help="Seconds from an advice to its first value; 3 to 8 on a live system.",
)
@click.option(
    "--change-interval",
    type=Seconds(min=0, min_open=True),
    default=0.4,
    show_default=True,
    help="Seconds between two values of a signal.",
)
@click.option("--scenario", type=_file, help="TOML file of faults, and when they happen.")
@click.option(
    "--event-subscribers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Event streams that a session may have at once.",
)
@click.option(
    "--metrics-port",
    "operations_port",
    type=click.IntRange(0, 65535),
    help="Port for /metrics and /health/live; 0 picks one.  [default: none]",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the log on standard error looks.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
    help="What is logged; info has sessions and deploys, debug every call.",
)
@with_output
@click.pass_context
def simulate(context: click.Context, /, **options: Any) -> int:
    """Run a gateway without a plant, until Ctrl-C.

    Prints its endpoint when it is ready, and the API key if it was made up.
    """
    # The group is the command too; a subcommand of it runs in its place.
    if context.invoked_subcommand is None:
        return _simulate(**options)
    _refuse_options(context, context.invoked_subcommand)
    return OK


def _refuse_options(context: click.Context, subcommand: str) -> None:
    """What stands before a subcommand is of the simulator that does not run; not to be ignored."""
    for parameter in context.command.params:
        if context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
            option = parameter.opts[0]
            raise click.UsageError(f"{option} goes with 'simulate' alone, not with {subcommand!r}")


def _simulate(
    *,
    api_key: str | None,
    api_key_env: str | None,
    no_plant: bool,
    event_subscribers: int,
    operations_port: int | None,
    log_format: Literal["text", "json"],
    log_level: str,
    output: Output,
    host: str,
    port: int,
    **settings: Any,
) -> int:
    # Here, so that a contract the simulator was not written for leaves the other commands alone.
    from zb_mom_ww_mxgateway_sim import Limits, SimulatedGateway
    from zb_mom_ww_mxgateway_sim.operations.log import logging_to

    try:
        gateway = SimulatedGateway(
            host=host,
            port=port,
            api_key=_own_key(api_key, api_key_env),
            plant=not no_plant,
            limits=Limits(event_subscribers=event_subscribers),
            operations_port=operations_port,
            **settings,
        )
    except ValueError as error:
        raise click.UsageError(in_words(str(error), flags_of(simulate.params))) from None
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
    # Kept out of the output: a key that was given, and one that nobody was to have.
    was_made_up = api_key is None and api_key_env is None
    shows_key = was_made_up and not settings["no_auth"] and settings["keys_file"] is None
    level = logging.getLevelNamesMapping()[log_level.upper()]
    with logging_to(sys.stderr, form=log_format, level=level):
        try:
            return run_async(_serve(gateway, shows_key, output, log_format))
        except OSError as error:
            ports = [port] if operations_port is None else [port, operations_port]
            where = " and ".join(f"{host}:{number}" for number in ports)
            raise click.ClickException(
                f"cannot listen on {where}: {error.strerror}; choose another address with "
                "--host, --port and --metrics-port"
            ) from error


def _own_key(api_key: str | None, api_key_env: str | None) -> str | None:
    if api_key is not None and api_key_env is not None:
        raise click.UsageError("--api-key and --api-key-env exclude each other")
    if api_key_env is not None:
        return from_variable(api_key_env, "--api-key-env")
    return None if api_key is None else resolved(api_key, "--api-key")


async def _serve(
    gateway: SimulatedGateway, shows_key: bool, output: Output, log_format: Literal["text", "json"]
) -> int:
    async with gateway:
        ready = {
            "apiKey": gateway.api_key if shows_key else None,
            "certificateSha256": gateway.certificate_sha256,
            "endpoint": gateway.endpoint,
            "metrics": gateway.operations_endpoint,
        }
        output.record({name: value for name, value in ready.items() if value}, columns=tuple(ready))
        with suppress(asyncio.CancelledError):  # Ctrl-C and SIGTERM are how it ends
            while True:  # noqa: ASYNC110 - Windows runs signal handlers when the loop wakes up
                await asyncio.sleep(0.5)
        if log_format == "text":  # else each line there is JSON
            progress("stopping")
    return OK


@simulate.command(
    epilog="Example: mxgw-py simulate redeploy --endpoint localhost:5000 --plaintext --machines 20"
)
@click.option(
    "--machines", type=click.IntRange(0), help="How many there are from now on.  [default: as now]"
)
@connected
async def redeploy(connection: Connection, machines: int | None) -> int:
    """Deploy the galaxy of a running simulator anew.

    Reads its --galaxy file again. Page tokens become void, items of objects that are gone have a
    configuration error. Needs an API key with scope admin.
    """
    from zb_mom_ww_mxgateway_sim.control import REDEPLOY

    async with connection.channel() as channel:
        try:
            event = await channel.unary_unary(
                REDEPLOY,
                Int32Value(value=-1 if machines is None else machines),
                timeout=connection.timeout,
                metadata=None,
            )
        except MxGatewayUnimplementedError as error:
            error.add_note("only a simulator deploys when it is told to")
            raise
    show(event, connection.output)
    return OK


simulate.add_command(keys)
