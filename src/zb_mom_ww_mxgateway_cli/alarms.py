"""Commands about alarms, none of which needs a session."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final

import click

from zb_mom_ww_mxgateway import (
    ActiveAlarmSnapshot,
    AlarmFeedMessage,
    AlarmProviderStatus,
    GatewayClient,
    MxGatewayArgumentError,
    MxGatewayCommandError,
    MxGatewayNotFoundError,
    OnAlarmTransitionEvent,
)

from .bounds import DURATION, MAX_EVENTS, bounded, while_read
from .connection import Connection, connected
from .exits import OK, SOME_FAILED
from .output import Output, Row, progress
from .readable import columns_of, readable, show, text_of, transition_text

_FILTER: Final = click.option(
    "--filter-prefix", default="", help="Only alarms whose full reference starts with this."
)
_COMMENT: Final = click.option("--comment", default="", help="The operator's comment.")
_OPERATOR: Final = click.option("--operator", default="", help="On whose behalf.")

#: Of an alarm for people, for CSV; ``change`` is what it went through, with --follow.
_COLUMNS: Final = (
    "severity",
    "state",
    "change",
    "reference",
    "since",
    "description",
    "operator",
    "comment",
)
_ACKNOWLEDGED: Final = ("reference", "acknowledged", "error")


#: What an error says before the gateway's own words; the reference stands beside them.
_SAID: Final = re.compile(r"AcknowledgeAlarm\(.*?\) at \S+ (?:ended|failed) (?:with|in) \w+: ")


@click.command(epilog="Example: mxgw-py stream-alarms --duration 60")
@_FILTER
@click.option("--max-messages", type=click.IntRange(min=1), help="End after so many messages.")
@DURATION
@connected
async def stream_alarms(
    connection: Connection, filter_prefix: str, max_messages: int | None, duration: float | None
) -> None:
    """Show the alarms, then every change.

    As the gateway sends them: the source of alarms, each alarm that is active, the end of these,
    and then a message for each change. Ends with --max-messages, --duration or --timeout, whichever
    comes first.
    """
    output = connection.output
    async with connection.client() as client:
        with output.stream("messages", columns_of(AlarmFeedMessage)) as write:
            async with while_read(), client.stream_alarms(filter_prefix) as feed:
                async for message in bounded(feed, max_messages, duration, connection.timeout):
                    write(message.to_dict(), _feed_line(message, output))


@click.command(epilog="Example: mxgw-py query-active-alarms --filter-prefix 'Galaxy!TestArea.'")
@_FILTER
@connected
async def query_active_alarms(connection: Connection, filter_prefix: str) -> None:
    """Show the alarms that are active, as the gateway has them."""
    async with connection.client() as client:
        found = [alarm async for alarm in client.query_active_alarms(filter_prefix)]
    connection.output.rows(
        [alarm.to_dict() for alarm in found],
        [readable(alarm) for alarm in found],
        columns=columns_of(ActiveAlarmSnapshot),
    )


@click.command(
    epilog="Example: mxgw-py acknowledge-alarm --operator anna "
    "--reference 'Galaxy!TestArea.TestMachine_001.TestAlarm001'"
)
@click.option("--reference", required=True, help="The alarm's full reference, as alarms shows it.")
@_COMMENT
@_OPERATOR
@connected
async def acknowledge_alarm(
    connection: Connection, reference: str, comment: str, operator: str
) -> None:
    """Acknowledge one alarm.

    Prints the gateway's reply; ack takes several alarms and says of each how it went.
    """
    async with connection.client() as client:
        reply = await client.acknowledge_alarm(reference, comment, operator)
    show(reply, connection.output)


@click.command(epilog="Example: mxgw-py alarms --follow --duration 60")
@_FILTER
@click.option("--follow", is_flag=True, help="Go on with every change, until Ctrl-C.")
@MAX_EVENTS
@DURATION
@connected
async def alarms(
    connection: Connection,
    filter_prefix: str,
    follow: bool,
    max_events: int | None,
    duration: float | None,
) -> None:
    """Show the alarms that are active.

    With --follow also what changes from then on; --max-events counts the changes.
    """
    if not follow and (max_events or duration):
        raise click.UsageError("--max-events and --duration go with --follow")
    output = connection.output
    async with connection.client() as client:
        if not follow:
            found = client.query_active_alarms(filter_prefix)
            rows = [_active(alarm, output) async for alarm in found]
            output.rows(rows, columns=_COLUMNS)
            if not rows and output.is_table:
                progress("no alarm is active")
            return
        with output.stream("alarms", _COLUMNS) as write:
            async with while_read(), client.stream_alarms(filter_prefix) as feed:
                changes = 0
                async for message in bounded(feed, None, duration, connection.timeout):
                    for row in _rows(message, output):
                        write(row, _feed_line(message, output))
                    _tell(message, output)
                    changes += message.transition is not None
                    if changes == max_events:
                        return


def _rows(message: AlarmFeedMessage, output: Output) -> list[Row]:
    """The row for an alarm or its change; none for what else the feed says."""
    if message.active_alarm is not None:
        return [_active(message.active_alarm, output)]
    return [] if message.transition is None else [_changed(message.transition, output)]


def _active(alarm: ActiveAlarmSnapshot, output: Output) -> Row:
    return {
        "severity": alarm.severity,
        "state": alarm.state.name,
        "reference": alarm.alarm_full_reference,
        "since": output.time(alarm.original_raise_timestamp),
        "description": alarm.description,
        "operator": alarm.operator_user,
        "comment": alarm.operator_comment,
    }


def _changed(change: OnAlarmTransitionEvent, output: Output) -> Row:
    return {
        "severity": change.severity,
        "change": change.transition_kind.name,
        "reference": change.alarm_full_reference,
        "since": output.time(change.transition_timestamp),
        "description": change.description,
        "operator": change.operator_user,
        "comment": change.operator_comment,
    }


def _tell(message: AlarmFeedMessage, output: Output) -> None:
    """Say to people what is no row: how the source of alarms is, and that changes follow."""
    status = message.provider_status
    if status is not None and status.degraded:
        progress(_source(status))
    elif message.snapshot_complete and output.is_table:
        progress("these are active; every change follows")


def _feed_line(message: AlarmFeedMessage, output: Output) -> str:
    """A message of the feed as a line for people."""
    if message.provider_status is not None:
        return _source(message.provider_status)
    if message.active_alarm is not None:
        alarm = message.active_alarm
        parts = [
            f"{output.time(alarm.original_raise_timestamp) or ''}",
            f"{alarm.state.name} {alarm.alarm_full_reference}",
            f"severity {alarm.severity}",
            alarm.description,
            f"by {alarm.operator_user}" if alarm.operator_user else "",
        ]
        return "  ".join(part for part in parts if part)
    if message.transition is not None:
        change = message.transition
        return f"{output.time(change.transition_timestamp) or ''}  {transition_text(change)}"
    return "all that are active"


def _source(status: AlarmProviderStatus) -> str:
    parts = [f"alarms come from {status.mode.name}", "degraded" if status.degraded else ""]
    parts += [status.reason, f"since {text_of(status.since)}" if status.since else ""]
    return ", ".join(part for part in parts if part)


@click.command(
    epilog="Example: mxgw-py ack 'Galaxy!TestArea.TestMachine_001.TestAlarm001' --operator anna"
)
@click.argument("references", metavar="REFERENCE...", nargs=-1, required=True)
@_COMMENT
@_OPERATOR
@connected
async def ack(
    connection: Connection, references: tuple[str, ...], comment: str, operator: str
) -> int:
    """Acknowledge alarms.

    Takes full references, as alarms shows them, and prints how each went, in their order.
    """
    rows: list[dict[str, Any]] = []
    try:
        async with connection.client() as client:
            async for row in _acknowledged(client, references, comment, operator):
                rows.append(row)
    finally:
        # Whatever ends it: these are acknowledged.
        if rows:
            connection.output.rows(rows, columns=_ACKNOWLEDGED)
    return OK if all(row["acknowledged"] for row in rows) else SOME_FAILED


async def _acknowledged(
    client: GatewayClient, references: tuple[str, ...], comment: str, operator: str
) -> AsyncIterator[dict[str, Any]]:
    for reference in references:
        error = ""
        try:
            await client.acknowledge_alarm(reference, comment, operator)
        except (MxGatewayNotFoundError, MxGatewayCommandError, MxGatewayArgumentError) as found:
            error = _SAID.sub("", str(found))
        yield {"reference": reference, "acknowledged": not error, "error": error}
