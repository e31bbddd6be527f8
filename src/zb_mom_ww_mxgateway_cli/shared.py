"""What the lines of a batch have in common: an event loop, connections, and what ends them all."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar, Token, copy_context
from types import FrameType, TracebackType
from typing import Any, Final, Self, TypeVar

from zb_mom_ww_mxgateway import ClientOptions, GatewayClient
from zb_mom_ww_mxgateway.channel import GatewayChannel

from .exits import INTERRUPTED, TERMINATED

T = TypeVar("T")

#: Connections that are kept, each with options of its own such as another ``--timeout``.
_MOST_CONNECTIONS: Final = 8


class Shared:
    """One event loop, and one connection for each ``ClientOptions``, for all lines of a batch.

    Use as a context manager in the main thread; ``SHARED`` has it meanwhile. Ctrl-C and SIGTERM
    cancel what runs and set ``ended``; leaving closes what was opened.

    Args:
        given: The connection options that were typed to the batch, for lines that have no others.
        profile: The profile that was.
    """

    def __init__(self, given: Mapping[str, Any], profile: str | None) -> None:
        self.given = given
        self.profile = profile
        #: The exit code, once a signal has ended the batch.
        self.ended: int | None = None
        self._runner = asyncio.Runner()
        self._running: asyncio.Task[Any] | None = None
        self._open: dict[ClientOptions, tuple[GatewayChannel, GatewayClient]] = {}
        self._handlers: dict[int, Any] = {}
        self._token: Token[Shared | None] | None = None

    def __enter__(self) -> Self:
        codes = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
        if sys.platform == "win32":
            codes[signal.SIGBREAK] = TERMINATED

        def stop(number: int, frame: FrameType | None) -> None:
            self.ended = codes[signal.Signals(number)]
            if self._running is not None:
                self._runner.get_loop().call_soon_threadsafe(self._running.cancel)

        self._token = SHARED.set(self)
        self._handlers = {number: signal.signal(number, stop) for number in codes}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Closing may take a moment: from here on, signals do what they always do.
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._token is not None:
            SHARED.reset(self._token)
        with self._runner:
            self._runner.run(self._close())

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run ``main`` on the loop.

        Raises:
            asyncio.CancelledError: A signal has ended the batch; ``ended`` says which.
        """

        async def until_ended() -> T:
            self._running = asyncio.current_task()
            try:
                if self.ended is not None:
                    main.close()
                    raise asyncio.CancelledError
                return await main
            finally:
                self._running = None

        return self._runner.run(until_ended(), context=copy_context())

    async def client(self, options: ClientOptions) -> GatewayClient:
        """The client for these options, connected by the first line that needs it."""
        return (await self._connected(options))[1]

    async def channel(self, options: ClientOptions) -> GatewayChannel:
        """The connection of that client."""
        return (await self._connected(options))[0]

    async def _connected(self, options: ClientOptions) -> tuple[GatewayChannel, GatewayClient]:
        found = self._open.pop(options, None)
        if found is None:
            channel = await GatewayChannel.connect(options)
            found = channel, GatewayClient(channel, options)
        self._open[options] = found  # the last one used is the last one to go
        if len(self._open) > _MOST_CONNECTIONS:
            _, unused = self._open.pop(next(iter(self._open)))
            await unused.close()
        return found

    async def _close(self) -> None:
        for _, client in self._open.values():
            await client.close()


#: What the line that runs now shares with its batch; None outside of batches.
SHARED: Final[ContextVar[Shared | None]] = ContextVar("SHARED", default=None)
