"""``mxgw-py doctor``: what works between here and a gateway, check by check."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Final, TypeAlias

import click

from zb_mom_ww_mxgateway import MxGatewayError

from . import exits
from .connection import Connection, connected
from .doctor_gateway import GatewayChecks
from .doctor_network import Finding, check_name, check_tcp, check_tls, failed
from .references import without_keys

_COLUMNS: Final = ("check", "status", "detail", "advice")

#: A check, and the name of the one without which it is not possible.
_Check: TypeAlias = tuple[str, Callable[[], Awaitable[Finding]]]


@click.command(epilog="Example: mxgw-py doctor --endpoint localhost:5000 --plaintext")
@click.option("--item", help="Tag whose first value to wait for.  [default: one of the Galaxy]")
@connected
async def doctor(connection: Connection, item: str | None) -> int:
    """Say what works between here and a gateway, and what to do about the rest.

    Nothing is written. Ends with 0 if nothing failed, else with the exit code of what failed first.
    """
    code = exits.OK
    found: dict[str, Finding] = {}
    async with AsyncExitStack() as stack:
        with connection.output.stream("checks", _COLUMNS) as write:
            for name, (needs, check) in _checks(connection, item, stack).items():
                if needs in found and found[needs].status in ("fail", "skipped"):
                    finding = Finding("skipped", f"not possible without {needs}")
                else:
                    finding = await _outcome(check)
                found[name] = finding
                # They tell of what was typed, which may be a key in the wrong place.
                detail, advice = without_keys(finding.detail), without_keys(finding.advice)
                data = {
                    "check": name,
                    "status": finding.status,
                    "detail": detail,
                    "advice": advice,
                }
                shown = f"{detail}; {advice}" if advice else detail
                write(data, f"{finding.status:<8}{name:<10}{shown}")
                code = code or finding.code
    return code


def _checks(
    connection: Connection, item: str | None, stack: AsyncExitStack
) -> Mapping[str, _Check]:
    """The checks by name, in their order."""
    options = connection.options
    gateway = GatewayChecks(connection, item, stack)
    return {
        "name": ("", partial(check_name, options)),
        "tcp": ("name", partial(check_tcp, options)),
        "tls": ("tcp", partial(check_tls, options)),
        "protocol": ("tls", gateway.check_protocol),
        "key": ("protocol", gateway.check_key),
        "galaxy": ("key", gateway.check_galaxy),
        "value": ("key", gateway.check_value),
        "clock": ("value", gateway.check_clock),
    }


async def _outcome(check: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await check()
    except MxGatewayError as error:
        return failed(error)
