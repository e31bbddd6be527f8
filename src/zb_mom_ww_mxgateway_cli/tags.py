"""Tags as everyday commands take them: arguments, files of tags, and their attributes in the
galaxy."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import click

from zb_mom_ww_mxgateway import (
    MAX_BULK_ITEMS,
    GalaxyAttribute,
    GalaxyObject,
    GalaxyRepositoryClient,
    MxGatewayNotFoundError,
    Session,
    SubscribeResult,
)

from .completion import complete_tag
from .objects import attribute_row
from .output import progress
from .program import close_matches
from .references import at_home
from .signals import interruptible

#: Objects that are looked up at once.
_AT_ONCE: Final = 16
#: A reference without its brackets, which stand for a whole array or say which element.
_REFERENCE: Final = re.compile(r"([^\[\]]*)(\[[^\[\]]*\])?")


def tags_argument(metavar: str = "TAG...") -> Callable[[Any], Any]:
    """The argument ``tags`` of a command: any number, also ``@FILE`` and ``-``; see ``lines``."""
    return click.argument(
        "tags", nargs=-1, required=True, metavar=metavar, shell_complete=complete_tag
    )


def lines(arguments: Iterable[str]) -> list[str]:
    """The arguments, and in place of ``@FILE`` and ``-`` the lines of that file and of standard
    input, but for empty ones and those that begin with ``#``.

    Raises:
        click.UsageError: A file cannot be read, or nothing is left.
    """
    found: list[str] = []
    for argument in arguments:
        if argument == "-":
            found += _lines(_typed())
        elif argument.startswith("@"):
            found += _lines(_text(argument.removeprefix("@")))
        else:
            found.append(argument)
    if not all(found) or not found:
        raise click.UsageError("a tag is empty" if found else "there is no tag in what was given")
    return found


def _typed() -> str:
    """Standard input to its end."""
    with interruptible():
        if sys.stdin.isatty():
            end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
            progress(f"a line for each tag; {end} ends them")
        return sys.stdin.read()


def _text(path: str) -> str:
    try:
        return at_home(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise click.UsageError(f"@{path} cannot be read: {reason}") from None


def _lines(text: str) -> list[str]:
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


async def subscribe(
    session: Session, server_handle: int, tags: Sequence[str]
) -> list[SubscribeResult]:
    """Add and advise tags, as many as there are; a result for each, in their order."""
    results: list[SubscribeResult] = []
    for start in range(0, len(tags), MAX_BULK_ITEMS):
        chunk = list(tags[start : start + MAX_BULK_ITEMS])
        results += await session.subscribe_bulk(server_handle, chunk)
    return results


@dataclass(frozen=True, slots=True)
class Found:
    """A tag's attribute in the galaxy."""

    object: GalaxyObject
    attribute: GalaxyAttribute
    #: What follows the attribute's name: ``[3]``, ``[]``, or nothing.
    brackets: str

    @property
    def is_array(self) -> bool:
        """Whether it is a whole array."""
        return self.attribute.is_array and self.brackets in ("", "[]")

    @property
    def reference(self) -> str:
        """The tag as MXAccess takes it, with the brackets that a whole array has."""
        name = f"{self.object.tag_name}.{self.attribute.attribute_name}"
        return f"{name}[]" if self.is_array else name + self.brackets

    @property
    def security(self) -> str:
        """What a write needs, in words such as ``SECURED_WRITE``; the number if it is unknown."""
        return str(attribute_row(self.attribute)["securityClassification"])


async def look_up(galaxy: GalaxyRepositoryClient, tags: Sequence[str]) -> list[Found | str]:
    """The attributes of tags, in their order: ``Object.Attribute`` in any case, where names of
    contained objects may stand between the two, as in ``Mixer.Inlet.Flow``.

    Returns:
        For each tag what was found, or a text that says why nothing was.
    """
    turn = asyncio.Semaphore(_AT_ONCE)
    found: dict[str, Found | str] = {}
    named: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for tag in tags:
        name, _, rest = tag.partition(".")
        if rest:
            named[name.casefold()][tag] = rest
        else:
            found[tag] = f"{tag} is no tag, which is Object.Attribute"

    async def look(name: str, rests: Mapping[str, str]) -> None:
        async with turn:
            owner = await _object(galaxy, name)
            if owner is not None:
                found.update(await _inside(galaxy, owner, rests))
                return
        for tag in rests:
            found[tag] = f"{tag}: the galaxy has no object {tag.partition('.')[0]}"

    try:
        async with asyncio.TaskGroup() as looking:
            for name, rests in named.items():
                looking.create_task(look(name, rests))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    return [found[tag] for tag in tags]


async def _object(galaxy: GalaxyRepositoryClient, tag_name: str) -> GalaxyObject | None:
    # One that is not deployed, or that the key may not see.
    with suppress(MxGatewayNotFoundError):
        for found in await galaxy.discover_hierarchy(root_tag_name=tag_name, max_depth=0):
            return found
    return None


async def _inside(
    galaxy: GalaxyRepositoryClient, owner: GalaxyObject, rests: Mapping[str, str]
) -> dict[str, Found | str]:
    """What tags are, by what of each follows the name of ``owner``: an attribute, or else what one
    of the objects that it contains has."""
    found = {tag: _attribute(tag, owner, rest) for tag, rest in rests.items()}
    deeper: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for tag, rest in rests.items():
        name, _, below = rest.partition(".")
        if below and isinstance(found[tag], str):
            deeper[name.casefold()][tag] = below
    contained = await _contained(galaxy, owner) if deeper else {}
    for name, below_of in deeper.items():
        inner = await _object(galaxy, contained[name]) if name in contained else None
        if inner is not None:
            found |= await _inside(galaxy, inner, below_of)
    return found


async def _contained(galaxy: GalaxyRepositoryClient, owner: GalaxyObject) -> dict[str, str]:
    """The tag names of the objects that one contains, by their names in it in lower case."""
    with suppress(MxGatewayNotFoundError):
        return {
            below.contained_name.casefold(): below.tag_name
            for below in await galaxy.discover_hierarchy(
                root_gobject_id=owner.gobject_id, max_depth=1, include_attributes=False
            )
            if below.parent_gobject_id == owner.gobject_id and below.contained_name
        }
    return {}


def _attribute(tag: str, owner: GalaxyObject, rest: str) -> Found | str:
    match = _REFERENCE.fullmatch(rest)
    name, brackets = match.groups("") if match else (rest, "")
    attributes = {one.attribute_name.casefold(): one for one in owner.attributes}
    attribute = attributes.get(name.casefold())
    if attribute is None:
        close = close_matches(name.casefold(), list(attributes))
        meant = f"; did you mean {attributes[close[0]].attribute_name}?" if close else ""
        contained = f", and no object {name.partition('.')[0]} in it" if "." in name else ""
        return f"{tag}: the object {owner.tag_name} has no attribute {name}{contained}{meant}"
    if brackets and not attribute.is_array:
        return f"{tag}: {attribute.attribute_name} is no array"
    return Found(owner, attribute, brackets)


async def area_of(galaxy: GalaxyRepositoryClient, found: GalaxyObject) -> str:
    """The tag name of the area that an object stands in or is; empty where there is none."""
    seen: set[int] = set()
    with suppress(MxGatewayNotFoundError):
        while not found.is_area and found.parent_gobject_id not in {0, *seen}:
            seen.add(found.parent_gobject_id)
            above = await galaxy.discover_hierarchy(
                root_gobject_id=found.parent_gobject_id, max_depth=0, include_attributes=False
            )
            if not above:
                break
            found = above[0]
    return found.tag_name if found.is_area else ""
