"""``mxgw-py watch``: values of tags as they change, as rows or as a live table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final, TypeAlias

import click

from zb_mom_ww_mxgateway import DataChange, Event, EventGap, Stream

from .bounds import DURATION, MAX_EVENTS, while_read
from .connection import Connection, connected
from .exits import OK, SOME_FAILED
from .output import Output, cell, console, progress
from .read import COLUMNS, Shown, is_invalid, tell_invalid
from .tags import lines, subscribe, tags_argument

#: Takes what a tag has changed to, and the number of the event that says so.
Show: TypeAlias = Callable[[Shown, int | None], None]

#: Events that are handled before the screen and signals have their turn.
_BATCH: Final = 500


@click.command(
    epilog="Example: mxgw-py watch TestMachine_001.TestChangingInt Mixer.State --duration 10"
)
@tags_argument()
@MAX_EVENTS
@DURATION
@connected
async def watch(
    connection: Connection, tags: tuple[str, ...], max_events: int | None, duration: float | None
) -> int:
    """Watch tags: a live table on a terminal, else a row a change.

    A TAG is a reference such as Object.Attribute; @FILE stands for the lines of a file, - for those
    of standard input. The trend is that of the last numbers, the rate is in changes a second. Ends
    with Ctrl-C, when whoever reads the output has closed it, or when none of the tags is there.
    Exit code 6 says that some tags could not be watched.
    """
    wanted = list(dict.fromkeys(lines(tags)))
    async with (
        while_read(),
        connection.client() as client,
        await client.open_session(client_session_name="mxgw-py watch") as session,
        session.stream_events() as events,
    ):
        server_handle = await session.register("mxgw-py watch")
        items = await subscribe(session, server_handle, wanted)
        named = {
            item.item_handle: tag
            for tag, item in zip(wanted, items, strict=True)
            if item.was_successful
        }
        async with _shown(wanted, connection.output) as show:
            for tag, item in zip(wanted, items, strict=True):
                if not item.was_successful:
                    show(Shown(tag, None, None, None, item.error_message), None)
            times = [limit for limit in (duration, connection.timeout) if limit is not None]
            is_bounded = max_events is not None or bool(times)
            # Tags by what came of them first: one that is invalid may be deployed later.
            invalid, valid = set[int](), set[int]()
            async with aclosing(changes(events, max_events, min(times, default=None))) as coming:
                while named and (is_bounded or len(invalid) < len(named)):
                    change = await anext(coming, None)
                    if change is None:
                        break
                    handle = change.item_handle
                    show(Shown.of_change(named[handle], change), change.worker_sequence)
                    if not is_invalid(change.statuses):
                        valid.add(handle)
                        invalid.discard(handle)
                    elif handle not in valid:
                        invalid.add(handle)
    if invalid:
        tell_invalid(connection.output)
    return OK if len(named) - len(invalid) == len(wanted) else SOME_FAILED


async def changes(
    events: Stream[Event], max_events: int | None, seconds: float | None
) -> AsyncGenerator[DataChange]:
    """The data changes among events, up to a number or a time; each is no error.

    Raises:
        click.ClickException: The stream has ended before.
    """
    deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
    left = max_events
    while True:
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                # Where events come faster than they are shown, nothing below ever waits.
                await asyncio.sleep(0)
                batch = await events.take(_BATCH)
        except StopAsyncIteration:
            raise click.ClickException(
                "the gateway ended the event stream: somebody has closed the session"
            ) from None
        except TimeoutError:
            if limit.expired():
                return
            raise
        for event in batch:
            if isinstance(event, EventGap):
                progress("events are missing here: a value may be old until it changes again")
            elif isinstance(event, DataChange):
                yield event
                left = None if left is None else left - 1
                if left == 0:
                    return


@asynccontextmanager
async def _shown(tags: Sequence[str], output: Output) -> AsyncGenerator[Show]:
    """Shows changes: in a table that is drawn anew, or each as a row where nobody sees that."""
    if output.is_table:
        screen = console()
        if screen.is_terminal and not screen.is_dumb_terminal:
            from .watch_view import live

            async with live(tags, screen) as show:
                yield show
            return
    with output.stream("changes", (*COLUMNS, "sequence")) as write:

        def show_row(shown: Shown, sequence: int | None) -> None:
            readable = shown.readable(output)
            parts = (readable[key] for key in ("timestamp", "tag", "value", "quality", "error"))
            write(
                shown.row(output, sequence=sequence),
                "  ".join(cell(part) for part in parts if part not in ("", None)),
            )

        yield show_row
