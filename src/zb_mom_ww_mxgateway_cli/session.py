"""Commands about sessions as a whole: open, close, stream events, smoke."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from zb_mom_ww_mxgateway import (
    AlarmProviderModeChanged,
    AlarmTransition,
    BufferedDataChange,
    CloseSessionRequest,
    DataChange,
    Duration,
    Event,
    EventGap,
    GatewayClient,
    MxEvent,
    MxGatewayValueError,
    OpenSessionRequest,
    Session,
    StreamEventsRequest,
    Timestamp,
    describe_hresult,
    describe_quality,
    describe_status,
    is_failure,
)
from zb_mom_ww_mxgateway.events import event_of

from .bounds import DURATION, MAX_EVENTS, bounded, while_read
from .connection import Connection, connected
from .exits import OK
from .readable import columns_of, show, text_of, transition_text
from .values import Seconds, native_text, value_text


@click.command(epilog="Example: mxgw-py open-session --client-session-name night-shift --json")
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
    """Open a session and leave it open.

    Prints the reply, whose session id the other commands take. The gateway closes the session when
    nothing uses it for long enough.
    """
    limit = None if command_timeout is None else timedelta(seconds=command_timeout)
    request = OpenSessionRequest(
        client_session_name=client_session_name,
        command_timeout=None if limit is None else Duration.from_timedelta(limit),
    )
    async with connection.client() as client:
        reply = await client.open_session_raw(request)
    show(reply, connection.output)


@click.command(epilog="Example: mxgw-py close-session --session-id ID")
@click.option("--session-id", required=True, help="Session to close.")
@connected
async def close_session(connection: Connection, session_id: str) -> None:
    """Close a session.

    What it has registered, added and advised ends with it. Prints the reply.
    """
    async with connection.client() as client:
        reply = await client.close_session_raw(CloseSessionRequest(session_id=session_id))
    show(reply, connection.output)


@click.command(
    epilog="Example: mxgw-py stream-events --session-id ID --max-events 10 --duration 60"
)
@click.option("--session-id", required=True, help="Session whose events to show.")
@MAX_EVENTS
@DURATION
@click.option(
    "--after-worker-sequence",
    type=click.IntRange(min=0),
    default=0,
    help="Resume behind this event; 0 starts with what is queued.",
)
@connected
async def stream_events(
    connection: Connection,
    session_id: str,
    max_events: int | None,
    duration: float | None,
    after_worker_sequence: int,
) -> None:
    """Show a session's events.

    Ends with --max-events, --duration, --timeout or the session, whichever comes first.
    """
    async with while_read(), connection.client() as client:
        request = StreamEventsRequest(
            session_id=session_id, after_worker_sequence=after_worker_sequence
        )
        with connection.output.stream("events", columns_of(MxEvent)) as write:
            async with client.stream_events_raw(request) as events:
                async for event in bounded(events, max_events, duration, connection.timeout):
                    write(event.to_dict(), event_line(event))


def event_line(event: MxEvent) -> str:
    """An event as a line for people."""
    about = {"server": event.server_handle, "item": event.item_handle}
    parts = [
        str(event.worker_sequence),
        _time_of_day(event.source_timestamp or event.worker_timestamp),
        "GAP" if event.replay_gap is not None else event.family.name,
        " ".join(f"{name} {handle}" for name, handle in about.items() if handle),
        *_happened(event_of(event)),
        *map(describe_status, event.statuses),
        describe_hresult(event.hresult) if event.hresult else "",
    ]
    return "  ".join(part for part in parts if part)


def _happened(event: Event) -> list[str]:
    """What an event says beside its numbers and statuses."""
    if isinstance(event, EventGap):
        return [
            f"events after {event.requested_after_sequence} are gone; the next is "
            f"{event.oldest_available_sequence}: read values anew"
        ]
    if isinstance(event, BufferedDataChange):
        return _samples(event)
    if isinstance(event, AlarmTransition):
        return [transition_text(event.transition)]
    if isinstance(event, AlarmProviderModeChanged):
        change = event.change
        since = "" if change.since is None else f"since {text_of(change.since)}"
        return [change.mode.name, since, change.reason]
    value = event.raw.value
    parts = [] if value is None else [f"= {value_text(value)}"]
    return [*parts, describe_quality(event.quality)] if isinstance(event, DataChange) else parts


def _samples(event: BufferedDataChange) -> list[str]:
    try:
        samples = event.samples
    except MxGatewayValueError as error:
        return [str(error)]
    return [
        f"{len(samples)} values",
        *(
            f"{_clock(sample.timestamp)} = {native_text(sample.value)}"
            + ("" if sample.is_good else f" {describe_quality(sample.quality)}")
            for sample in samples
        ),
    ]


def _time_of_day(time: Timestamp | None) -> str:
    try:
        return "" if time is None else _clock(time.to_datetime())
    except ValueError:
        return "no time"


def _clock(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")[11:23]


@click.command(
    epilog="Example: mxgw-py smoke --item TestMachine_001.TestChangingInt --max-events 3"
)
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
    """Open, register, add, advise, see events, close.

    The shortest proof that a gateway works.
    Fails when fewer events come in time, or when one says that the item is wrong.
    """
    async with (
        connection.client() as client,
        await client.open_session(client_session_name="mxgw-py smoke") as session,
    ):
        events, shown = await _smoke(client, session, item, max_events, connection.timeout)
    if connection.output.is_table:
        with connection.output.stream("events", columns_of(MxEvent)) as write:
            for event in events:
                write(event.to_dict(), event_line(event))
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
        events = [event async for event in bounded(stream, max_events, timeout or 15.0)]
    return events, {
        "events": [event.to_dict() for event in events],
        "itemHandle": item_handle,
        "serverHandle": server_handle,
        "sessionId": session.session_id,
    }
