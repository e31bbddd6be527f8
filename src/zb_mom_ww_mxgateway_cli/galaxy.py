"""The commands ``galaxy-*``: the calls of the Galaxy Repository and their replies, as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Final

import click

from zb_mom_ww_mxgateway import DeployEvent, GalaxyObject, HierarchyFilters
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import WatchDeployEventsRequest
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_wire.codec import DecodeError

from .bounds import DURATION, MAX_EVENTS, bounded, while_read
from .completion import complete_object
from .connection import Connection, connected
from .exits import FAILURE, OK
from .known_names import remembering
from .objects import counted, galaxy_of, line, object_row
from .output import with_options
from .readable import columns_of, show, text_of
from .values import comma_list, whole_number

#: What a gateway sends in a page unless it is asked for less.
_PAGE: Final = 500


def _numbers(ctx: click.Context, param: click.Parameter, text: str | None) -> list[int]:
    try:
        return [whole_number(item) for item in comma_list(text or "")]
    except ValueError:
        raise click.BadParameter("takes whole numbers, separated by commas") from None


def _texts(ctx: click.Context, param: click.Parameter, text: str | None) -> list[str]:
    return comma_list(text or "")


#: The filters that both listings have, by the names of the contract.
_FILTERS: Final = (
    click.option("--category-ids", callback=_numbers, help="Categories, separated by commas."),
    click.option(
        "--template-chain-contains",
        callback=_texts,
        help="Texts in the names of templates, separated by commas; one of them must be there.",
    ),
    click.option(
        "--tag-name-glob",
        default="",
        help="Tag names: * is any text, ? one character; case makes no difference.",
    ),
    click.option(
        "--include-attributes/--no-attributes", default=True, help="With attributes, or without."
    ),
    click.option("--alarm-bearing-only", is_flag=True, help="Only objects that have an alarm."),
    click.option("--historized-only", is_flag=True, help="Only objects with something historized."),
    click.option(
        "--page-size",
        type=click.IntRange(0, 5_000),
        default=0,
        help="Objects for one call; 0, the default, leaves it to the gateway.",
    ),
)


def _with_filters(command: Callable[..., Any]) -> Callable[..., Any]:
    return with_options(command, _FILTERS)


def _place(prefix: str, what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The three options that name one object."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option(
            f"--{prefix}-contained-path", help=f"{what}, by its path in the tree."
        )(command)
        command = click.option(
            f"--{prefix}-tag-name", shell_complete=complete_object, help=f"{what}, by tag name."
        )(command)
        return click.option(f"--{prefix}-gobject-id", type=int, help=f"{what}, by its id.")(command)

    return add


@click.command(epilog="Example: mxgw-py galaxy-test-connection --json")
@connected
async def galaxy_test_connection(connection: Connection) -> int:
    """Ask whether the gateway reaches the Galaxy Repository.

    Fails if it does not.
    """
    async with galaxy_of(connection) as galaxy:
        reply = await galaxy.test_connection_raw()
    # ProtoJSON leaves false out; here it is the answer.
    connection.output.record({"ok": reply.ok})
    return OK if reply.ok else FAILURE


@click.command(epilog="Example: mxgw-py galaxy-last-deploy --json")
@connected
async def galaxy_last_deploy(connection: Connection) -> None:
    """Show when the galaxy was last deployed.

    Prints the reply.
    """
    async with galaxy_of(connection) as galaxy:
        reply = await galaxy.get_last_deploy_time_raw()
    show(reply, connection.output)


@click.command(epilog="Example: mxgw-py galaxy-discover --tag-name-glob 'TestMachine_*' --json")
@_place("root", "Only this object and what is below it")
@click.option(
    "--max-depth", type=click.IntRange(min=0), help="Levels below the root; 0 is the root alone."
)
@_with_filters
@click.option("--max-objects", type=click.IntRange(min=1), help="End after so many objects.")
@connected
async def galaxy_discover(
    connection: Connection, max_objects: int | None, page_size: int, **filters: Any
) -> None:
    """List objects and their attributes.

    Parents come first. The next page is asked for when the one before was printed.
    """
    wanted: HierarchyFilters = {**filters}  # type: ignore[typeddict-item]
    if max_objects is not None and not page_size:
        page_size = min(max_objects, _PAGE)
    wanted["page_size"] = page_size
    async with galaxy_of(connection) as galaxy:
        with (
            remembering(galaxy.endpoint) as seen,
            connection.output.stream("objects", columns_of(GalaxyObject)) as write,
        ):
            left = max_objects
            async with aclosing(counted(galaxy, "objects", **wanted)) as listing:
                async for found in listing:
                    seen.add(found)
                    write(found.to_dict(), _object_line(found))
                    if left is not None and (left := left - 1) == 0:
                        return


@click.command(epilog="Example: mxgw-py galaxy-browse --parent-tag-name TestArea --json")
@_place("parent", "The children of this object")
@_with_filters
@connected
async def galaxy_browse(connection: Connection, **filters: Any) -> None:
    """List the objects right below one.

    Without one, those at the top of the tree. Each is printed as it came, and with hasChildren.
    """
    async with galaxy_of(connection) as galaxy:
        below = await galaxy.browse(**filters)
        with remembering(galaxy.endpoint) as seen:
            for node in below:
                seen.add(node.object)
    columns = [*columns_of(GalaxyObject), "hasChildren"]
    with connection.output.stream("objects", columns) as write:
        for node in below:
            row = node.object.to_dict() | {"hasChildren": node.has_children}
            write(row, _object_line(node.object))


@click.command(epilog="Example: mxgw-py galaxy-watch --max-events 1 --json")
@click.option(
    "--last-seen-deploy-time",
    metavar="TIME",
    help="ISO 8601; the first event is left out if it has exactly this time.",
)
@MAX_EVENTS
@DURATION
@connected
async def galaxy_watch(
    connection: Connection,
    last_seen_deploy_time: str | None,
    max_events: int | None,
    duration: float | None,
) -> None:
    """Show the deploy state and each deploy.

    Ends after --max-events, --duration or --timeout.
    """
    request = WatchDeployEventsRequest(last_seen_deploy_time=_timestamp(last_seen_deploy_time))
    async with (
        while_read(),
        galaxy_of(connection) as galaxy,
        galaxy.watch_deploy_events_raw(request) as stream,
    ):
        with connection.output.stream("events", columns_of(DeployEvent)) as write:
            async for event in bounded(stream, max_events, duration, connection.timeout):
                write(event.to_dict(), text_of(event))


def _timestamp(text: str | None) -> Timestamp | None:
    """To the nanosecond, which a datetime would cut."""
    try:
        return None if text is None else Timestamp.from_json(json.dumps(text))
    except DecodeError:
        raise click.UsageError(
            "--last-seen-deploy-time takes ISO 8601 with Z or an offset, such as "
            "2026-01-31T12:00:00Z"
        ) from None


def _object_line(found: GalaxyObject) -> str:
    count = len(found.attributes)
    return line(object_row(found)) + (f"  {count} attributes" if count else "")
