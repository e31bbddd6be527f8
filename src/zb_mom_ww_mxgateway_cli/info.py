"""``mxgw-py info``: what the galaxy knows of a tag, and what it has now."""

from __future__ import annotations

from typing import Final

import click

from zb_mom_ww_mxgateway.tags import READ_TIMEOUT

from .completion import complete_tag
from .connection import Connection, connected
from .exits import OK, SOME_FAILED
from .objects import attribute_row, galaxy_of, object_row
from .read import Shown
from .tags import area_of, look_up

#: What is shown of the attribute besides its name.
_ATTRIBUTE: Final = (
    "dataType",
    "isArray",
    "arrayDimension",
    "securityClassification",
    "isHistorized",
    "isAlarm",
)


@click.command(epilog="Example: mxgw-py info TestMachine_001.ProtectedValue")
@click.argument("tag", shell_complete=complete_tag)
@connected
async def info(connection: Connection, tag: str) -> int:
    """Show what a tag is, and its value.

    That is the type and security classification of its attribute, the object and area that it
    belongs to, and what it reads as now. A TAG is Object.Attribute; names of contained objects may
    stand between the two. Exit code 6 says that no value came.
    """
    async with galaxy_of(connection) as galaxy:
        (found,) = await look_up(galaxy, [tag])
        if isinstance(found, str):
            raise click.ClickException(found)
        area = await area_of(galaxy, found.object)
    async with (
        connection.client() as client,
        await client.open_session(client_session_name="mxgw-py info") as session,
    ):
        timeout = connection.timeout or READ_TIMEOUT
        reading = await session.read(found.reference, timeout=timeout)
    attribute, owner = attribute_row(found.attribute), object_row(found.object)
    metadata = {
        "object": owner["reference"],
        "containedName": found.object.contained_name,
        "template": owner["template"],
        "area": area,
        "attribute": attribute["name"],
        **{key: attribute[key] for key in _ATTRIBUTE},
    }
    shown = Shown.of_reading(reading)
    output = connection.output
    output.record(shown.row(output) | metadata, shown.readable(output) | metadata)
    return OK if reading.raw.was_successful else SOME_FAILED
