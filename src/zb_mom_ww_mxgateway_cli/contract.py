"""``mxgw-py contract``: what a gateway serves against what this SDK was generated from."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import click

import zb_mom_ww_mxgateway_contracts
from zb_mom_ww_mxgateway import MxGatewayProtocolError

from .connection import Connection, connected
from .exits import FAILURE, OK
from .output import printable

if TYPE_CHECKING:
    from .contract_diff import Change


@click.group(epilog="Example: mxgw-py contract diff --endpoint localhost:5000 --plaintext")
def contract() -> None:
    """Compare the contract with a gateway's."""


@contract.command(epilog="Example: mxgw-py contract diff --endpoint localhost:5000 --plaintext")
@connected
async def diff(connection: Connection) -> int:
    """Say how a gateway's contract differs from the one that this SDK was generated from.

    The gateway must have server reflection on. Ends with 0 if it only adds or renames, with 1 if
    the two do not fit.
    """
    try:
        from .contract_diff import changes
    except ModuleNotFoundError:
        raise click.ClickException(
            "comparing contracts needs google.protobuf; install zb-mom-ww-mxgateway[sim]"
        ) from None
    found = changes(_own(), await _served(connection))
    compatible = all(change.compatible for change in found)
    if not connection.output.is_table:
        connection.output.record(
            {
                "changes": [_shown(change) for change in found],
                "compatible": compatible,
                "endpoint": connection.options.endpoint,
            }
        )
    else:
        for change in found:
            click.echo(printable(str(change)))
        click.echo(_conclusion(found, connection.options.endpoint))
    return OK if compatible else FAILURE


def _own() -> bytes:
    return (resources.files(zb_mom_ww_mxgateway_contracts) / "contract.binpb").read_bytes()


async def _served(connection: Connection) -> bytes:
    from zb_mom_ww_mxgateway_wire.reflection import ReflectionError, served_contract

    options = connection.options
    async with connection.channel() as channel:
        try:
            return await served_contract(channel, timeout=options.call_timeout)
        except ReflectionError as error:
            raise MxGatewayProtocolError(
                f"asking {options.endpoint} for its contract: {error}"
            ) from error


def _shown(change: Change) -> dict[str, object]:
    return {
        "change": change.text,
        "compatible": change.compatible,
        "kind": change.kind,
        "name": change.name,
    }


def _conclusion(found: list[Change], endpoint: str) -> str:
    if not found:
        return f"compatible: {endpoint} serves the contract that this SDK was generated from"
    wrong = sum(not change.compatible for change in found)
    if not wrong:
        return (
            "compatible: what this SDK knows works as it is; to use what is new, generate the SDK "
            "from the gateway's contract (python -m codegen fetch)"
        )
    return (
        f"not compatible, by {wrong} of {len(found)} differences: calls will fail or be misread; "
        "generate the SDK from the gateway's contract (python -m codegen fetch, then make generate)"
    )
