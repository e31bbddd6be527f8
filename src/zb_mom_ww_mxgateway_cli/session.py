"""Commands about sessions as a whole: open, close, stream events, smoke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import click

from zb_mom_ww_mxgateway import (
    CloseSessionRequest,
    Duration,
    GatewayClient,
    MxEvent,
    OpenSessionRequest,
    Session,
    StreamEventsRequest,
    Timestamp,
    describe_status,
    is_failure,
)

from .connection import Connection, connected
from .exits import OK
from .output import printable
from .readable import show
from .values import Seconds, value_text


@click.command()
@click.option("--client-session-name", default="mxgw-py", help="Label for people.")
@click.option(
    "--command-timeout",
    type=Seconds(min=0, min_open=True),
    help="Seconds the gateway lets a command run.",
)
@connected
async def open_session(
    connection: Connection, client_session_name: str, command_timeout: float | None
) -> None:
    """Open a session and leave it open; prints the reply."""
    limit = None if command_timeout is None else timedelta(seconds=command_timeout)
    request = OpenSessionRequest(
        client_session_name=client_session_name,
        command_timeout=None if limit is None else Duration.from_timedelta(limit),
    )
    async with connection.client() as client:
        reply = await client.open_session_raw(request)
    show(reply, connection.output)


@click.command()
@click.option("--session-id", required=True, help="Session to close.")
@connected
async def close_session(connection: Connection, session_id: str) -> None:
    """Close a session; prints the reply."""
    async with connection.client() as client:
        reply = await client.close_session_raw(CloseSessionRequest(session_id=session_id))
    show(reply, connection.output)


#: Of an event as ProtoJSON, for CSV.
_EVENT_COLUMNS: Final = (
    "workerSequence",
    "family",
    "serverHandle",
    "itemHandle",
    "value",
    "quality",
    "sourceTimestamp",
    "workerTimestamp",
    "statuses",
)


@click.command()
@click.option("--session-id", required=True, help="Session whose events to show.")
@click.option("--max-events", type=click.IntRange(min=1), help="End after so many events.")
@click.option(
    "--after-worker-sequence",
    type=click.IntRange(min=0),
    default=0,
    help="Resume behind this event; 0 starts with what is queued.",
)
@connected
async def stream_events(
    connection: Connection, session_id: str, max_events: int | None, after_worker_sequence: int
) -> None:
    """Show a session's events until --max-events, --timeout or its end."""
    async with connection.client() as client:
        request = StreamEventsRequest(
            session_id=session_id, after_worker_sequence=after_worker_sequence
        )
        with connection.output.stream("events", _EVENT_COLUMNS) as write:
            async with client.stream_events_raw(request) as events:
                async for event in _bounded(events, max_events, connection.timeout):
                    write(event.to_dict(), event_line(event))


async def _bounded(
    events: AsyncIterator[MxEvent], max_events: int | None, timeout: float | None
) -> AsyncIterator[MxEvent]:
    """``events`` up to a number or a time; running out of time is no error."""
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    left = max_events
    while left is None or left > 0:
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                event = await anext(events)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if limit.expired():
                return
            raise
        yield event
        left = None if left is None else left - 1


def event_line(event: MxEvent) -> str:
    """An event as a line for people."""
    parts = [
        str(event.worker_sequence),
        _time_of_day(event.source_timestamp or event.worker_timestamp),
        event.family.name,
        f"item {event.item_handle}",
    ]
    if event.value is not None:
        parts.append(f"= {value_text(event.value)} (quality {event.quality})")
    parts += [describe_status(status) for status in event.statuses[:1]]
    return "  ".join(part for part in parts if part)


def _time_of_day(time: Timestamp | None) -> str:
    try:
        return "" if time is None else f"{time.to_datetime():%H:%M:%S.%f}"[:-3]
    except ValueError:
        return "no time"


@click.command()
@click.option("--item", required=True, help="Reference to add, such as Object.Attribute.")
@click.option(
    "--max-events",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Events to wait for.",
)
@connected
async def smoke(connection: Connection, item: str, max_events: int) -> int:
    """Open, register, add, advise, see events, close: the shortest proof that a gateway works.

    Fails when fewer events come in time, or when one says that the item is wrong.
    """
    async with (
        connection.client() as client,
        await client.open_session(client_session_name="mxgw-py smoke") as session,
    ):
        events, shown = await _smoke(client, session, item, max_events, connection.timeout)
    if connection.output.is_table:
        for event in events:
            click.echo(printable(event_line(event)))
    else:
        connection.output.record(shown)
    if len(events) < max_events:
        raise click.ClickException(
            f"only {len(events)} of {max_events} events of {item} came in time"
        )
    failed = [status for event in events for status in event.statuses if is_failure(status)]
    if failed:
        raise click.ClickException(f"{item}: {describe_status(failed[0])}")
    return OK


async def _smoke(
    client: GatewayClient, session: Session, item: str, max_events: int, timeout: float | None
) -> tuple[list[MxEvent], dict[str, object]]:
    server_handle = await session.register("mxgw-py smoke")
    item_handle = await session.add_item(server_handle, item)
    await session.advise(server_handle, item_handle)
    request = StreamEventsRequest(session_id=session.session_id)
    async with client.stream_events_raw(request) as stream:
        events = [event async for event in _bounded(stream, max_events, timeout or 15.0)]
    return events, {
        "events": [event.to_dict() for event in events],
        "itemHandle": item_handle,
        "serverHandle": server_handle,
        "sessionId": session.session_id,
    }
