"""Signals that end a command: the first cancels what runs, so that all it opened is closed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, Self, TypeVar

import click

from .exits import HUNG_UP, INTERRUPTED, TERMINATED

T = TypeVar("T")

#: Seconds for closing in which further signals do nothing: people press Ctrl-C twice.
_PATIENCE: Final = 5.0


def _codes() -> dict[signal.Signals, int]:
    codes = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
    if sys.platform == "win32":
        codes[signal.SIGBREAK] = TERMINATED
    else:
        codes[signal.SIGHUP] = HUNG_UP
    return codes


#: The signals that end a command, and the exit code that says so.
CODES: Final[Mapping[signal.Signals, int]] = _codes()


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Generator[None]:
    """Have these signals call ``handler``, but for those that whoever started the program has told
    it to ignore, as ``nohup`` does.
    """
    previous = _handle(handler)
    try:
        yield
    finally:
        _restore(previous)


@contextmanager
def interruptible() -> Generator[None]:
    """Let signals end what keeps the event loop waiting for a person, such as a question."""

    def stop(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise click.exceptions.Exit(CODES[signal.Signals(number)])

    with handled(stop):
        yield


def ignore() -> None:
    """Ignore these signals from here on, where all is done but for the exit of the program: Python
    itself, as it ends, would let them kill it, and the exit code would be theirs."""
    for number in CODES:
        signal.signal(number, signal.SIG_IGN)


class Ending:
    """Ends a command on the first signal; those that follow while it closes do nothing.

    Closing that takes longer than some seconds is ended at once by one more signal. Use as a
    context manager in the main thread.
    """

    def __init__(self) -> None:
        #: The exit code, once a signal has come.
        self.code: int | None = None
        self._since = 0.0
        self._cancel: Callable[[], object] | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._previous = _handle(self._stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Where a signal is the end, the program is about to exit with its code: a further one,
        # which comes just then, must not spoil that.
        if self.code is None:
            _restore(self._previous)

    async def of(self, main: Coroutine[Any, Any, T]) -> T:
        """Await ``main``, which the first signal cancels.

        Raises:
            asyncio.CancelledError: A signal has come; ``code`` says which.
        """
        import asyncio  # here, so that help and version do without

        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            if self.code is not None:
                main.close()
                raise asyncio.CancelledError
            return await main
        finally:
            self._cancel = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.code is None:
            self.code, self._since = CODES[signal.Signals(number)], time.monotonic()
            if self._cancel is not None:
                self._cancel()
        elif time.monotonic() - self._since > _PATIENCE:
            os._exit(self.code)


def _handle(handler: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    """Have the signals handled; what was to be done on each of them before."""
    # signal.signal and not loop.add_signal_handler, which Windows has not.
    wanted = [number for number in CODES if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in wanted}


def _restore(previous: Mapping[signal.Signals, Any]) -> None:
    for number, handler in previous.items():
        signal.signal(number, handler)
