"""Watching calls from outside their handlers: every call that began is told of when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final

from grpclib.const import Status
from grpclib.events import RecvRequest
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from ..clock import Clock
from .observer import Observer

#: The id of the API key of the call that runs now, once it is known; each call has a task.
CALLER: Final = ContextVar[str | None]("caller", default=None)


def call_watcher(
    observer: Observer, clock: Clock
) -> Callable[[RecvRequest], Coroutine[Any, Any, None]]:
    """A listener for grpclib's ``RecvRequest`` that reports how each call ends, and after how long.

    >>> listen(server, RecvRequest, call_watcher(observer, clock))

    A method that no service has is not reported: its name is the client's.
    """

    async def watch(event: RecvRequest) -> None:
        rpc = event.method_name.rpartition("/")[2]
        handle = event.method_func

        async def watched(stream: Stream[Any, Any]) -> None:
            began = clock.time()
            # What grpclib makes of an exception that no handler meant.
            status, reason = Status.UNKNOWN, None
            try:
                await handle(stream)
                status = Status.OK
            except GRPCError as error:
                status, reason = error.status, error.message
                raise
            except asyncio.CancelledError:  # so grpclib ends a call from outside
                late = stream.deadline is not None and stream.deadline.time_remaining() <= 0
                status = Status.DEADLINE_EXCEEDED if late else Status.CANCELLED
                raise
            finally:
                observer.call_ended(rpc, CALLER.get(), status, clock.time() - began, reason)

        event.method_func = watched

    return watch
