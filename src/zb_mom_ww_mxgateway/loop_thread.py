"""``LoopThread``: the event loop in a thread of its own that blocking calls run on."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, Final, TypeVar

from .errors import MxGatewayArgumentError, MxGatewaySessionClosedError

R = TypeVar("R")

#: Seconds between two looks at a call that runs, where Ctrl-C does not end a wait by itself.
_TICK: Final = 0.1 if os.name == "nt" else None


class LoopThread:
    """Runs coroutines for threads that have no event loop, or another one.

    It ends with ``stop``, when nobody has it any more, or with the interpreter.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        #: Held where a call is handed to the loop, so that none comes once the loop winds down.
        self._door = threading.RLock()
        self._thread = threading.Thread(target=_run, args=(self._loop,), name=name, daemon=True)
        self._thread.start()
        self._end = weakref.finalize(self, _stop, self._loop, self._thread, self._door)

    def run(self, attempted: str, call: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """Run ``call`` on the loop and wait for what it gives; from any thread.

        A wait that Ctrl-C ends cancels the call.

        Raises:
            MxGatewaySessionClosedError: The thread was stopped, before the call or during it.
        """
        if threading.current_thread() is self._thread:
            raise MxGatewayArgumentError(
                f"{attempted}: a blocking call from a callback of the SDK would wait for itself"
            )
        coroutine = call()
        future: Future[R] | None = None
        try:
            with self._door:
                if not self._end.alive:
                    coroutine.close()
                    raise _closed(attempted)
                future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            return _result(future)
        except CancelledError:
            raise _closed(attempted) from None
        except BaseException:
            if future is not None:
                future.cancel()
            raise

    def stop(self) -> None:
        """End the loop, what runs on it, and the thread; again waits for the same end."""
        self._end()
        _join(self._thread)


def _closed(attempted: str) -> MxGatewaySessionClosedError:
    return MxGatewaySessionClosedError(f"{attempted}: this client was closed; connect a new one")


def _result(future: Future[R]) -> R:
    while True:
        try:
            return future.result(_TICK)
        except TimeoutError:
            if future.done():
                raise


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(_wind_down())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _wind_down() -> None:
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread, door: threading.RLock) -> None:
    with door:
        loop.call_soon_threadsafe(loop.stop)
    _join(thread)


def _join(thread: threading.Thread) -> None:
    if threading.current_thread() is not thread:
        thread.join()
