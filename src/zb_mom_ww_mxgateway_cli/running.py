"""Running a command's coroutine: signals end it in order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from .exits import OK
from .shared import SHARED
from .signals import Ending


def run_async(main: Coroutine[Any, Any, int | None]) -> int:
    """Run a command to its end; its exit code. In a batch it runs on the batch's loop.

    Ctrl-C, SIGTERM and SIGHUP (on Windows Ctrl-Break) end it: what it opened is closed.
    """
    shared = SHARED.get()
    if shared is not None:
        try:
            return shared.run(main) or OK
        except asyncio.CancelledError:
            if shared.ended is None:
                raise
            return shared.ended
    with Ending() as ending:
        try:
            return asyncio.run(ending.of(main)) or OK
        except asyncio.CancelledError:
            if ending.code is None:
                raise
            return ending.code
