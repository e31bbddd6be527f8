"""``mxgw-py version``."""

from __future__ import annotations

import click

from zb_mom_ww_mxgateway import GATEWAY_PROTOCOL_VERSION, __version__

from .connection import json_option
from .output import emit


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Show the versions of this client and of the gateway protocol it speaks."""
    shown = {
        "client": __version__,
        "gatewayProtocolVersion": GATEWAY_PROTOCOL_VERSION,
    }
    emit(shown, as_json=as_json)
