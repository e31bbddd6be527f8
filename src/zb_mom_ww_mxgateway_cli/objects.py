"""Objects of a galaxy for the commands that show some: finding, counting, and rows of them."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Any, Final, Unpack

from zb_mom_ww_mxgateway import (
    GalaxyAttribute,
    GalaxyObject,
    GalaxyRepositoryClient,
    HierarchyFilters,
    MxGatewayMalformedReplyError,
    MxGatewayNotFoundError,
    ObjectCategory,
    SecurityClassification,
)
from zb_mom_ww_mxgateway.galaxy.listing import hierarchy_request

from .connection import Connection
from .output import counting

#: What a row of either kind may have, for CSV.
COLUMNS: Final = (
    "kind",
    "name",
    "reference",
    "template",
    "category",
    "dataType",
    "isArray",
    "arrayDimension",
    "securityClassification",
    "isHistorized",
    "isAlarm",
)


@asynccontextmanager
async def galaxy_of(connection: Connection) -> AsyncGenerator[GalaxyRepositoryClient, None]:
    """A connected client for the galaxy."""
    async with connection.channel() as channel:
        yield GalaxyRepositoryClient(channel, connection.options)


async def located(
    galaxy: GalaxyRepositoryClient, path: str, *, include_attributes: bool = True
) -> GalaxyObject:
    """The object with a tag name, or else with a contained path.

    Raises:
        MxGatewayNotFoundError: It is neither.
    """
    # Tag names come first, as they are unique; none has a slash in it.
    roots: list[HierarchyFilters] = [{"root_contained_path": path}]
    if "/" not in path:
        roots.insert(0, {"root_tag_name": path})
    for root in roots:
        root |= {"max_depth": 0, "include_attributes": include_attributes}
        try:
            for found in await galaxy.discover_hierarchy(**root):
                return found
        except MxGatewayNotFoundError as error:
            if root is roots[-1]:
                raise MxGatewayNotFoundError(
                    f"there is no object {path}; 'mxgw-py find' looks names up",
                    status=error.status,
                ) from None
    raise MxGatewayMalformedReplyError(
        f"DiscoverHierarchy at {galaxy.endpoint}: the reply lacks its root {path!r}"
    )


async def counted(
    galaxy: GalaxyRepositoryClient, what: str, **filters: Unpack[HierarchyFilters]
) -> AsyncGenerator[GalaxyObject, None]:
    """``iter_hierarchy``, counting on standard error where that is a terminal."""
    with counting(what) as count:
        total = await _total(galaxy, **filters) if sys.stderr.isatty() else None
        done = 0
        async for found in galaxy.iter_hierarchy(**filters):
            yield found
            done += 1
            count(done, total)


async def _total(galaxy: GalaxyRepositoryClient, **filters: Unpack[HierarchyFilters]) -> int | None:
    """How many objects a listing will have; None where the gateway does not tell."""
    one: HierarchyFilters = {**filters, "page_size": 1, "include_attributes": False}
    reply = await galaxy.discover_hierarchy_raw(hierarchy_request(**one))
    return reply.total_object_count or None


def object_row(found: GalaxyObject) -> dict[str, Any]:
    """An object as data."""
    return {
        "kind": "object",
        "name": found.browse_name,
        "reference": found.tag_name,
        "template": found.template_chain[0] if found.template_chain else "",
        "category": _name(ObjectCategory, found.category_id),
    }


def attribute_row(attribute: GalaxyAttribute) -> dict[str, Any]:
    """An attribute as data; its keys are those of ``info``."""
    return {
        "kind": "attribute",
        "name": attribute.attribute_name,
        "reference": attribute.full_tag_reference,
        "dataType": attribute.data_type_name,
        "isArray": attribute.is_array,
        "arrayDimension": attribute.array_dimension if attribute.array_dimension_present else None,
        "securityClassification": _name(SecurityClassification, attribute.security_classification),
        "isHistorized": attribute.is_historized,
        "isAlarm": attribute.is_alarm,
    }


def attribute_rows(found: GalaxyObject) -> Iterator[dict[str, Any]]:
    """The attributes of an object as data, in their order."""
    return map(attribute_row, found.attributes)


def readable(row: dict[str, Any]) -> dict[str, str]:
    """A row as people read it: a slash behind what has something below it, flags in words."""
    if row["kind"] == "object":
        return {
            "name": f"{row['name']}/" if row.get("hasChildren") else row["name"],
            "reference": row["reference"],
            "type": row["template"],
        }
    length = row["arrayDimension"] or ""
    flags = [
        word for key, word in (("isHistorized", "historized"), ("isAlarm", "alarm")) if row[key]
    ]
    return {
        "name": row["name"],
        "reference": row["reference"],
        "type": f"{row['dataType']}[{length}]" if row["isArray"] else row["dataType"],
        "security": row["securityClassification"],
        "flags": ", ".join(flags),
    }


def line(row: dict[str, Any]) -> str:
    """A row as a line for people."""
    shown = readable(row)
    return "  ".join(filter(None, (shown[key] for key in shown if key != "name")))


def _name(enum: type[IntEnum], number: int) -> str:
    """What the galaxy calls a number, such as ``SECURED_WRITE``; the number if it is unknown."""
    try:
        return enum(number).name
    except ValueError:
        return str(number)
