"""Running a command's coroutine: signals end it as Ctrl-C does."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import Any

from .exits import OK, TERMINATED
from .shared import SHARED


def run_async(main: Coroutine[Any, Any, int | None]) -> int:
    """Run a command to its end; its exit code. In a batch it runs on the batch's loop.

    SIGTERM (and Ctrl-Break on Windows) ends it as Ctrl-C does: what it opened is closed.
    """
    shared = SHARED.get()
    if shared is None:
        return asyncio.run(_until_terminated(main))
    try:
        return shared.run(main) or OK
    except asyncio.CancelledError:
        if shared.ended is None:
            raise
        return shared.ended


async def _until_terminated(main: Coroutine[Any, Any, int | None]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main)
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        loop.call_soon_threadsafe(task.cancel)

    # signal.signal and not loop.add_signal_handler, which Windows has not.
    numbers = [signal.SIGTERM]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    previous = {number: signal.signal(number, stop) for number in numbers}
    try:
        return await task or 0
    except asyncio.CancelledError:
        if stopped:
            return TERMINATED
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
