"""``mxgw-py version``."""

from __future__ import annotations

from importlib.metadata import version as installed

import click

from .output import Output, with_output
from .program import contract_summary


@click.command(epilog="Example: mxgw-py version --json")
@with_output
def version(output: Output) -> None:
    """Show the versions of client and gateway protocol."""
    output.record(
        {
            "client": installed("zb-mom-ww-mxgateway"),
            "gatewayProtocolVersion": contract_summary()["protocol"],
        }
    )
