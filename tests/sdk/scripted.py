"""A gateway whose event streams a test feeds by hand, and that knows which of them still run."""

from __future__ import annotations

import asyncio
from typing import Any

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from tests.sdk.fixed import FixedGateway
from zb_mom_ww_mxgateway import MxEvent, MxEventFamily, StreamEventsRequest


def change(
    sequence: int, *, server_handle: int = 1, item_handle: int = 1, text: str = ""
) -> MxEvent:
    return MxEvent(
        family=MxEventFamily.ON_DATA_CHANGE,
        worker_sequence=sequence,
        server_handle=server_handle,
        item_handle=item_handle,
        quality=192,
        raw_status=text,
    )


class ScriptedGateway(FixedGateway):
    """One subscriber a session, as the gateway has it by default."""

    def __init__(self) -> None:
        super().__init__()
        #: What the running stream sends next: an event, how it fails, or None for its end.
        self.script: asyncio.Queue[MxEvent | GRPCError | None] = asyncio.Queue()
        self.requests: list[StreamEventsRequest] = []
        self.running = 0
        #: How many streams were begun; those that were refused do not count.
        self.begun = 0
        #: How long, in seconds, a stream that was cancelled still counts.
        self.slow_to_notice = 0.0

    def send(self, *events: MxEvent | GRPCError | None) -> None:
        for event in events:
            self.script.put_nowait(event)

    async def stream_events(self, stream: Stream[StreamEventsRequest, MxEvent]) -> None:
        request = await stream.recv_message()
        assert request is not None
        self.requests.append(request)
        if self.running:
            raise GRPCError(Status.ALREADY_EXISTS, "EventSubscriberAlreadyActive")
        self.running += 1
        self.begun += 1
        try:
            while (event := await self.script.get()) is not None:
                if isinstance(event, GRPCError):
                    raise event
                await stream.send_message(event)
        finally:
            if self.slow_to_notice:
                asyncio.get_running_loop().call_later(self.slow_to_notice, self._notice)
            else:
                self._notice()

    def _notice(self) -> None:
        self.running -= 1

    async def settled(self, running: int) -> None:
        """Wait until so many streams run."""
        async with asyncio.timeout(5):
            while self.running != running:
                await asyncio.sleep(0.001)

    async def attached(self, begun: int) -> None:
        """Wait until so many streams were begun."""
        async with asyncio.timeout(5):
            while self.begun != begun:
                await asyncio.sleep(0.001)


async def tasks_settled(before: set[asyncio.Task[Any]]) -> None:
    """Wait until no task is left of those that were not there before."""
    async with asyncio.timeout(5):
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0.001)
