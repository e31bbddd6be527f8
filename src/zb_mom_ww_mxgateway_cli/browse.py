"""``mxgw-py browse`` and ``tree``: what is in an object, and all that is below one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import click

from zb_mom_ww_mxgateway import GalaxyObject

from .completion import complete_object
from .connection import Connection, connected
from .known_names import remembering
from .objects import COLUMNS, attribute_rows, counted, galaxy_of, located, object_row, readable
from .output import console, printable, progress


@click.command(epilog="Example: mxgw-py browse TestPlant/TestArea/TestMachine_001")
@click.argument("path", required=False, shell_complete=complete_object)
@connected
async def browse(connection: Connection, path: str | None) -> None:
    """Show what is in an object.

    That is the objects right below it, and its attributes. PATH is a tag name, or the names in the
    tree with / between; without it, the top of the tree is shown. A name that ends with / has
    objects below it.
    """
    async with galaxy_of(connection) as galaxy:
        with remembering(galaxy.endpoint) as seen:
            found = None if path is None else await located(galaxy, path)
            below = await galaxy.browse(
                parent_gobject_id=None if found is None else found.gobject_id,
                include_attributes=False,
            )
            for child in [node.object for node in below] + ([found] if found else []):
                seen.add(child)
    rows = [object_row(node.object) | {"hasChildren": node.has_children} for node in below]
    if found is not None:
        rows += attribute_rows(found)
    if not rows:
        progress("there is nothing in it")
    connection.output.rows(rows, [readable(row) for row in rows], columns=(*COLUMNS, "hasChildren"))


@click.command(epilog="Example: mxgw-py tree TestArea --depth 1 --attributes")
@click.argument("path", required=False, shell_complete=complete_object)
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    help="So many levels below the first one.  [default: all]",
)
@click.option("--attributes", is_flag=True, help="Show the objects' attributes too.")
@connected
async def tree(
    connection: Connection, path: str | None, depth: int | None, attributes: bool
) -> None:
    """Show the tree of objects.

    All of it, or one object and what is below it: PATH is a tag name, or the names in the tree with
    / between.
    """
    forest = Forest()
    async with galaxy_of(connection) as galaxy:
        with remembering(galaxy.endpoint) as seen:
            root = None
            if path is not None:
                root = (await located(galaxy, path, include_attributes=False)).gobject_id
            listing = counted(
                galaxy,
                "objects",
                root_gobject_id=root,
                max_depth=depth,
                include_attributes=attributes,
            )
            async with aclosing(listing):
                async for found in listing:
                    seen.add(found)
                    forest.add(found)
            seen.whole = root is None and depth is None
    output = connection.output
    if not output.is_table:
        rows = [row for place in forest.walk() for row in _rows(place)]
        output.rows(rows, columns=(*COLUMNS, "depth", "path"))
    elif (screen := console()).is_terminal:
        from rich.tree import Tree

        # Hidden is the one above the roots, of which there may be several.
        shown = {-1: Tree("", hide_root=True)}
        for place in forest.walk():
            branch = shown[place.level - 1].add(_label(place.found))
            shown[place.level] = branch
            for text in map(_attribute_label, attribute_rows(place.found)):
                branch.add(text)
        screen.print(shown[-1])
    else:
        for place in forest.walk():
            click.echo("    " * place.level + _label(place.found))
            for text in map(_attribute_label, attribute_rows(place.found)):
                click.echo("    " * (place.level + 1) + text)


@dataclass(frozen=True, slots=True)
class Place:
    """An object in a tree: how many levels below the top, and the browse names on the way to it."""

    found: GalaxyObject
    level: int
    path: str
    below: list[GalaxyObject] = field(default_factory=list[GalaxyObject])


class Forest:
    """Objects as trees, in the order in which they come, parents first.

    What comes without its parent, such as the object that somebody asked for, is a root.
    """

    def __init__(self) -> None:
        self._roots: list[GalaxyObject] = []
        self._below: dict[int, list[GalaxyObject]] = {}

    def add(self, found: GalaxyObject) -> None:
        """Put an object below its parent."""
        self._below.get(found.parent_gobject_id, self._roots).append(found)
        self._below.setdefault(found.gobject_id, [])

    def walk(self) -> Iterator[Place]:
        """Every object, each followed by what is below it."""
        waiting = [Place(found, 0, found.browse_name) for found in reversed(self._roots)]
        while waiting:
            place = waiting.pop()
            yield place
            waiting += [
                Place(found, place.level + 1, f"{place.path}/{found.browse_name}")
                for found in reversed(self._below[place.found.gobject_id])
            ]


def _rows(place: Place) -> Iterator[Mapping[str, Any]]:
    yield object_row(place.found) | {"depth": place.level, "path": place.path}
    for row in attribute_rows(place.found):
        yield row | {"depth": place.level + 1, "path": f"{place.path}/{row['name']}"}


def _label(found: GalaxyObject) -> str:
    """An object in a tree: its name there, and its tag name if that is another."""
    named = found.tag_name == found.browse_name
    return printable(found.browse_name if named else f"{found.browse_name} ({found.tag_name})")


def _attribute_label(row: dict[str, Any]) -> str:
    shown = readable(row)
    words = (shown[key] for key in ("name", "type", "security", "flags"))
    return printable("  ".join(filter(None, words)))
