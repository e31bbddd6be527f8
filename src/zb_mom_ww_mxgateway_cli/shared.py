"""What the lines of a batch have in common: an event loop, connections, and what ends them all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import ExitStack
from contextvars import ContextVar, Token, copy_context
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from zb_mom_ww_mxgateway import ClientOptions, GatewayClient
from zb_mom_ww_mxgateway.channel import GatewayChannel

from .signals import Ending

T = TypeVar("T")

#: Connections that are kept, each with options of its own such as another ``--timeout``.
_MOST_CONNECTIONS: Final = 8


class Shared:
    """One event loop, and one connection for each ``ClientOptions``, for all lines of a batch.

    Use as a context manager in the main thread; ``SHARED`` has it meanwhile. The first signal
    of ``signals.CODES`` cancels what runs and sets ``ended``; leaving closes what was opened.

    Args:
        given: The connection options that were typed to the batch, for lines that have no others.
        profile: The profile that was.
    """

    def __init__(self, given: Mapping[str, Any], profile: str | None) -> None:
        self.given = given
        self.profile = profile
        self._runner = asyncio.Runner()
        self._open: dict[ClientOptions, tuple[GatewayChannel, GatewayClient]] = {}
        self._ending = Ending()
        self._stack = ExitStack()
        self._token: Token[Shared | None] | None = None

    @property
    def ended(self) -> int | None:
        """The exit code, once a signal has ended the batch."""
        return self._ending.code

    def __enter__(self) -> Self:
        self._stack.enter_context(self._ending)
        self._stack.enter_context(self._runner)
        self._token = SHARED.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            SHARED.reset(self._token)
        with self._stack:
            self._runner.run(self._close())

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run ``main`` on the loop.

        Raises:
            asyncio.CancelledError: A signal has ended the batch; ``ended`` says which.
        """
        return self._runner.run(self._ending.of(main), context=copy_context())

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
