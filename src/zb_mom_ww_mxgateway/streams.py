"""``Stream``: the one form in which the SDK hands out what a streaming call answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

Raw = TypeVar("Raw")
T = TypeVar("T")

#: Items that wait for their reader on this side; as many as the gateway keeps for a stream.
QUEUE_LIMIT: Final = 10_000


class Reader(Generic[T]):
    """Reads a streaming call into a queue, in a task of its own.

    It holds nothing of the ``Stream`` that hands its items out, so that dropping the stream is
    enough to end the call.

    Args:
        source: The call. The reader closes it, however it ends.
        convert: What to make of a message; None leaves it out.
    """

    def __init__(
        self, source: AsyncGenerator[Raw, None], convert: Callable[[Raw], T | None]
    ) -> None:
        self.items: deque[T] = deque()
        self.ended = False
        #: Whether the call was told to end, which takes a moment.
        self.leaving = False
        #: What ended the call, if it was an error.
        self.error: Exception | None = None
        self._told = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.task = asyncio.create_task(self._run(source, convert))
        self.task.add_done_callback(self._end)

    async def _run(
        self, source: AsyncGenerator[Raw, None], convert: Callable[[Raw], T | None]
    ) -> None:
        try:
            async with aclosing(source):
                async for raw in source:
                    item = convert(raw)
                    if item is None:
                        continue
                    while self._full():
                        self._room.clear()
                        await self._room.wait()
                    self.items.append(item)
                    self._changed.set()
        except Exception as error:
            self.error = error

    def _end(self, task: asyncio.Task[None]) -> None:
        self.ended = True
        self._changed.set()

    def _full(self) -> bool:
        return len(self.items) >= QUEUE_LIMIT

    def make_room(self) -> None:
        """Let the call go on if it waits for room that there is now."""
        self._room.set()

    async def next(self) -> T:
        """The oldest item, as soon as there is one; giving up the wait loses nothing.

        Raises:
            StopAsyncIteration: The call has ended. What ended it is raised before, once.
        """
        while not self.items:
            if self.ended:
                told, self._told = self._told, True
                raise StopAsyncIteration if told or self.error is None else self.error
            self._changed.clear()
            await self._changed.wait()
        self.make_room()
        return self.items.popleft()

    async def close(self) -> None:
        """End the call and wait until it has ended."""
        self.leaving = True
        self.items.clear()
        self.task.cancel()
        await asyncio.wait([self.task])

    def abandon(self) -> None:
        """End the call soon; from any thread, and without a running loop too."""
        self.leaving = True
        if not self.ended:
            with suppress(RuntimeError):  # the loop is closed, and the call with it
                self._loop.call_soon_threadsafe(self.task.cancel)


class Stream(Generic[T]):
    """What a streaming call answers, item by item, in the order sent.

    The call begins with the first item asked for, or with ``async with``. It ends with the stream:
    at the end of ``async with``, by ``aclose``, or when nobody has the stream any more, as behind
    a loop that was left. Giving up the wait for an item, with ``asyncio.timeout`` for example,
    neither ends the stream nor loses an item.

    >>> async with session.stream_events() as events:
    ...     async for event in events:
    ...         print(event)

    What ended the call raises once, behind the last item. Items that nobody takes wait on this
    side, up to 10,000, and at the gateway behind that.
    """

    def __init__(self, start: Callable[[], Reader[T]]) -> None:
        self._start = start
        self._reader: Reader[T] | None = None
        self._closed = False

    def _begun(self) -> Reader[T]:
        if self._reader is None:
            self._reader = self._start()
        return self._reader

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._closed:
            raise StopAsyncIteration
        return await self._begun().next()

    async def take(self, limit: int) -> list[T]:
        """The next item and those behind it that are there already, ``limit`` at most.

        Raises:
            StopAsyncIteration: The stream has ended.
        """
        taken = [await anext(self)]
        items = self._begun().items
        while items and len(taken) < limit:
            taken.append(items.popleft())
        return taken

    async def __aenter__(self) -> Self:
        if not self._closed:
            self._begun()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the call and drop what was not taken; safe to call again."""
        self._closed = True
        if self._reader is not None:
            await self._reader.close()

    def __del__(self) -> None:
        if self._reader is not None:
            self._reader.abandon()
