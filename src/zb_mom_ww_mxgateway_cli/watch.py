"""``mxgw-py watch``: values of tags as they change, as rows or as a live table."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

import click

from zb_mom_ww_mxgateway import DataChange, Event, EventGap, Stream

from .bounds import DURATION, MAX_EVENTS
from .connection import Connection, connected
from .exits import OK, SOME_FAILED
from .output import Output, cell, console, progress
from .read import COLUMNS, Shown
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
    with Ctrl-C, or when whoever reads the output has closed it. Exit code 6 says that some tags
    could not be watched.
    """
    wanted = list(dict.fromkeys(lines(tags)))
    async with (
        _while_read(),
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
            if named:
                times = [limit for limit in (duration, connection.timeout) if limit is not None]
                async for change in changes(events, max_events, min(times, default=None)):
                    tag = named[change.item_handle]
                    show(Shown.of_change(tag, change), change.worker_sequence)
    return OK if len(named) == len(wanted) else SOME_FAILED


async def changes(
    events: Stream[Event], max_events: int | None, seconds: float | None
) -> AsyncIterator[DataChange]:
    """The data changes among events, up to a number or a time; each is no error."""
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


@asynccontextmanager
async def _while_read() -> AsyncGenerator[None]:
    """Ends what is inside when whoever reads standard output has closed it, also while nothing is
    written that would notice. Where the system does not tell, only writing does.

    Raises:
        BrokenPipeError: It was closed.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    number = _pipe()
    was_closed = False

    def close() -> None:
        nonlocal was_closed
        was_closed = True
        loop.remove_reader(number)
        task.cancel()

    if number >= 0:
        # The end that is written to has nothing to read: it gets readable when it is broken.
        loop.add_reader(number, close)
    try:
        yield
    except asyncio.CancelledError:
        if not was_closed:
            raise
        task.uncancel()
        raise BrokenPipeError from None
    finally:
        if number >= 0:
            loop.remove_reader(number)


def _pipe() -> int:
    """The number of standard output if it is a pipe that can be watched; else -1."""
    if sys.platform == "win32":
        return -1
    with suppress(OSError, ValueError):  # no file, or one that is closed
        number = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(number).st_mode):
            return number
    return -1
