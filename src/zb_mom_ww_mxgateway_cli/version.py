"""``mxgw-py version``."""

from __future__ import annotations

from importlib.metadata import version as installed

import click

from zb_mom_ww_mxgateway_wire.compiled import codec_kind

from .output import Output, with_output
from .program import contract_summary


@click.command(epilog="Example: mxgw-py version --json")
@with_output
def version(output: Output) -> None:
    """Show the versions of client and gateway protocol.

    And whether messages are coded by C, compiled when this client was installed, or interpreted.
    """
    output.record(
        {
            "client": installed("zb-mom-ww-mxgateway"),
            "codec": codec_kind("zb_mom_ww_mxgateway_contracts"),
            "gatewayProtocolVersion": contract_summary()["protocol"],
        }
    )
