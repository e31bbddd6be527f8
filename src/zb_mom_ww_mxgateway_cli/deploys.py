"""``mxgw-py deploys``: the galaxy's deploys as people follow them."""

from __future__ import annotations

from typing import Any, Final

import click

from zb_mom_ww_mxgateway import DeployEvent

from .bounds import DURATION, MAX_EVENTS, bounded, while_read
from .connection import Connection, connected
from .objects import galaxy_of
from .output import Output

_COLUMNS: Final = (
    "sequence",
    "timeOfLastDeploy",
    "observedAt",
    "objectCount",
    "objectChange",
    "attributeCount",
    "attributeChange",
    "missedEvents",
)


@click.command(epilog="Example: mxgw-py deploys --max-events 1")
@MAX_EVENTS
@DURATION
@connected
async def deploys(connection: Connection, max_events: int | None, duration: float | None) -> None:
    """Watch deploys of the galaxy.

    The first line is what is deployed now, then comes one for each deploy. It says so where the
    gateway has left deploys out because they came too fast.
    """
    before: DeployEvent | None = None
    async with (
        while_read(),
        galaxy_of(connection) as galaxy,
        galaxy.watch_deploy_events() as stream,
    ):
        with connection.output.stream("deploys", _COLUMNS) as write:
            async for event in bounded(stream, max_events, duration, connection.timeout):
                row = _row(event, before, connection.output)
                write(row, _line(row))
                before = event


def _row(event: DeployEvent, before: DeployEvent | None, output: Output) -> dict[str, Any]:
    deployed = event.time_of_last_deploy if event.time_of_last_deploy_present else None
    row: dict[str, Any] = {
        "sequence": event.sequence,
        "timeOfLastDeploy": output.time(deployed),
        "observedAt": output.time(event.observed_at),
        "objectCount": event.object_count,
        "attributeCount": event.attribute_count,
        "objectChange": None,
        "attributeChange": None,
        "missedEvents": 0,
    }
    if before is not None:
        row["objectChange"] = event.object_count - before.object_count
        row["attributeChange"] = event.attribute_count - before.attribute_count
        row["missedEvents"] = max(0, event.sequence - before.sequence - 1)
    return row


def _line(row: dict[str, Any]) -> str:
    deployed = row["timeOfLastDeploy"]
    parts = [
        f"#{row['sequence']}",
        "at a time that the gateway does not know" if deployed is None else f"deployed {deployed}",
        f"{row['objectCount']} objects{_change(row, 'objectChange')}",
        f"{row['attributeCount']} attributes{_change(row, 'attributeChange')}",
    ]
    if row["missedEvents"]:
        parts.append(f"{row['missedEvents']} missed before it")
    return "  ".join(parts)


def _change(row: dict[str, Any], key: str) -> str:
    change = row[key]
    return "" if not change else f" ({change:+d})"
