"""The ends of streams on the command line: a number of events, a time, a reader who leaves."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

import click

from .values import Seconds

T = TypeVar("T")

MAX_EVENTS: Final = click.option(
    "--max-events", type=click.IntRange(min=1), help="End after so many events."
)
DURATION: Final = click.option(
    "--duration", type=Seconds(min=0, min_open=True), help="End after so many seconds."
)


async def bounded(
    items: AsyncIterator[T], most: int | None, *seconds: float | None
) -> AsyncGenerator[T, None]:
    """``items`` up to a number or the shortest of some times; running out of time is no error."""
    times = [limit for limit in seconds if limit is not None]
    deadline = asyncio.get_running_loop().time() + min(times) if times else None
    taken = 0
    while most is None or taken < most:
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                # Where items come faster than they are shown, nothing below ever waits.
                await asyncio.sleep(0)
                item = await anext(items)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if limit.expired():
                return
            raise
        yield item
        taken += 1


@asynccontextmanager
async def while_read() -> AsyncGenerator[None]:
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
