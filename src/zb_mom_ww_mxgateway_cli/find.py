"""``mxgw-py find``: objects and attributes by pattern, as the gateway sends them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any, Final

import click

from zb_mom_ww_mxgateway import GalaxyObject, HierarchyFilters, ObjectCategory

from .completion import complete_object
from .connection import Connection, connected
from .known_names import remembering
from .objects import COLUMNS, attribute_rows, counted, galaxy_of, line, located, object_row
from .output import progress

_CATEGORIES: Final = {
    category.name.lower().replace("_", "-"): int(category) for category in ObjectCategory
}


@click.command(epilog='Example: mxgw-py find "TestMachine_00?.*Alarm*" --alarms --max 20')
@click.argument("glob", shell_complete=complete_object)
@click.option(
    "--in", "root", metavar="PATH", shell_complete=complete_object, help="Only there and below."
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    type=click.Choice(list(_CATEGORIES)),
    help="Only objects of this category, or of one of several.",
)
@click.option(
    "--template",
    "templates",
    multiple=True,
    metavar="TEXT",
    help="Only objects from a template with this text in its name, or with one of several.",
)
@click.option("--alarms", is_flag=True, help="Only what has an alarm, or is one.")
@click.option("--historized", is_flag=True, help="Only what is historized.")
@click.option("--max", "most", type=click.IntRange(min=1), help="End after so many.")
@connected
async def find(
    connection: Connection,
    glob: str,
    root: str | None,
    categories: tuple[str, ...],
    templates: tuple[str, ...],
    alarms: bool,
    historized: bool,
    most: int | None,
) -> None:
    """Find objects, or attributes, by name.

    GLOB is of tag names, such as 'Tank_*'; with a dot in it, of attributes: 'Tank_*.Level'. * is
    any text, ? one character; case makes no difference.
    """
    object_glob, dot, attribute_glob = glob.partition(".")
    filters: HierarchyFilters = {
        "tag_name_glob": object_glob,
        "include_attributes": bool(dot),
        "category_ids": [_CATEGORIES[name] for name in categories],
        "template_chain_contains": templates,
        "alarm_bearing_only": alarms,
        "historized_only": historized,
    }
    found_any = False
    async with galaxy_of(connection) as galaxy:
        if root is not None:
            found = await located(galaxy, root, include_attributes=False)
            filters["root_gobject_id"] = found.gobject_id
        matching = _attributes(attribute_glob, alarms, historized) if dot else _object
        with (
            remembering(galaxy.endpoint) as seen,
            connection.output.stream("matches", COLUMNS) as write,
        ):
            async with aclosing(counted(galaxy, "objects searched", **filters)) as listing:
                async for found in listing:
                    seen.add(found)
                    for row in matching(found):
                        write(row, line(row))
                        found_any = True
                        if most is not None and (most := most - 1) == 0:
                            return
    if not found_any:
        progress(f"nothing matches {glob}")


def _object(found: GalaxyObject) -> Iterator[dict[str, Any]]:
    yield object_row(found)


def _attributes(
    glob: str, alarms: bool, historized: bool
) -> Callable[[GalaxyObject], Iterator[dict[str, Any]]]:
    """What gives the attributes of an object that match."""
    pattern = re.compile(_expression(glob), re.IGNORECASE | re.DOTALL)

    def matching(found: GalaxyObject) -> Iterator[dict[str, Any]]:
        for row in attribute_rows(found):
            if (alarms and not row["isAlarm"]) or (historized and not row["isHistorized"]):
                continue
            # Also as the reference has it, which marks an array with brackets.
            names = row["name"], row["reference"].partition(".")[2]
            if any(pattern.fullmatch(name) for name in names):
                yield row

    return matching


def _expression(glob: str) -> str:
    """A glob as a regular expression; runs of * are one, which keeps matching quick."""
    wild = {"*": ".*", "?": "."}
    once = re.sub(r"\*+", "*", glob)
    return "".join(wild.get(letter) or re.escape(letter) for letter in once)
