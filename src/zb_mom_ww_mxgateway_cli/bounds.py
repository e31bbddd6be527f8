"""The ends that a stream on the command line may have: a number of events, a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
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
                item = await anext(items)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if limit.expired():
                return
            raise
        yield item
        taken += 1
