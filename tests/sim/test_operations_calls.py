"""How calls end, as operators see it: on a real grpclib server, whatever its handlers do."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from grpclib.client import Channel
from grpclib.const import Cardinality, Handler, Status
from grpclib.events import RecvRequest, listen
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.metadata import Deadline
from grpclib.server import Server, Stream

from zb_mom_ww_mxgateway_contracts.google_protobuf import Duration
from zb_mom_ww_mxgateway_sim.clock import Clock
from zb_mom_ww_mxgateway_sim.operations.calls import CALLER, call_watcher
from zb_mom_ww_mxgateway_sim.operations.log import logging_to
from zb_mom_ww_mxgateway_sim.operations.observer import Observer
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

SERVICE = "/plant.Pumps/"


class Pumps:
    """A service with one method for each way in which a call can end."""

    async def _succeed(self, stream: Stream[Any, Any]) -> None:
        CALLER.set("ops")
        await stream.recv_message()
        await stream.send_message(Duration(seconds=1))

    async def _refuse(self, stream: Stream[Any, Any]) -> None:
        raise GRPCError(Status.NOT_FOUND, "there is no\nsuch pump")

    async def _break(self, stream: Stream[Any, Any]) -> None:
        raise LookupError("a bug")

    async def _wait(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        await asyncio.Event().wait()

    def __mapping__(self) -> dict[str, Handler]:
        methods = {
            "Succeed": self._succeed,
            "Refuse": self._refuse,
            "Break": self._break,
            "Wait": self._wait,
        }
        return {
            SERVICE + name: Handler(method, Cardinality.UNARY_UNARY, Duration, Duration)
            for name, method in methods.items()
        }


@asynccontextmanager
async def watched(observer: Observer) -> AsyncIterator[Channel]:
    server = Server([Pumps()], codec=MessageCodec())
    listen(server, RecvRequest, call_watcher(observer, Clock()))
    await server.start("127.0.0.1", 0)
    assert server._server is not None
    port = server._server.sockets[0].getsockname()[1]
    channel = Channel("127.0.0.1", port, codec=MessageCodec())
    try:
        yield channel
    finally:
        channel.close()
        server.close()
        await server.wait_closed()


async def call(channel: Channel, name: str, deadline: Deadline | None = None) -> None:
    """Call a method; the ``deadline`` is the server's alone to keep."""
    async with channel.request(
        SERVICE + name, Cardinality.UNARY_UNARY, Duration, Duration
    ) as stream:
        stream._deadline = deadline  # said to the server, without a timer here
        await stream.send_message(Duration(), end=True)
        await stream.recv_message()


async def ended(observer: Observer, count: int) -> dict[tuple[str, ...], int]:
    """The calls counted by rpc and status, once there are so many."""
    async with asyncio.timeout(10):
        while sum((calls := observer.metrics.calls.read()).values()) < count:
            await asyncio.sleep(0)
    return dict(calls)


@pytest.mark.parametrize(
    ("name", "status"),
    [("Succeed", "OK"), ("Refuse", "NOT_FOUND"), ("Break", "UNKNOWN")],
)
async def test_a_call_is_counted_with_the_status_that_its_client_gets(
    name: str, status: str
) -> None:
    observer = Observer()
    async with watched(observer) as channel:
        seen = "OK"
        try:
            await call(channel, name)
        except GRPCError as error:
            seen = error.status.name
        assert seen == status
        assert await ended(observer, 1) == {(name, status): 1}


async def test_a_call_that_its_deadline_ended_is_told_from_one_that_its_client_left() -> None:
    observer = Observer()
    async with watched(observer) as channel:
        with pytest.raises(GRPCError) as caught:
            await call(channel, "Wait", Deadline.from_timeout(0.02))
        assert caught.value.status is Status.DEADLINE_EXCEEDED
        assert await ended(observer, 1) == {("Wait", "DEADLINE_EXCEEDED"): 1}
        leaving = asyncio.create_task(call(channel, "Wait"))
        await call(channel, "Succeed")  # so the other is on its way
        leaving.cancel()
        with suppress(asyncio.CancelledError, StreamTerminatedError):
            await leaving
        assert (await ended(observer, 3))["Wait", "CANCELLED"] == 1


async def test_a_method_that_no_service_has_makes_no_series() -> None:
    observer = Observer()
    async with watched(observer) as channel:
        with pytest.raises(GRPCError):
            await call(channel, "Anything-a-client-sends")
        await call(channel, "Succeed")
        assert await ended(observer, 1) == {("Succeed", "OK"): 1}


async def test_the_log_says_who_called_what_and_how_it_ended() -> None:
    stream = io.StringIO()
    with logging_to(stream, form="json", level=logging.DEBUG):
        observer = Observer()
        async with watched(observer) as channel:
            await call(channel, "Succeed")
            with suppress(GRPCError):
                await call(channel, "Refuse")
            await ended(observer, 2)
    one, other = map(json.loads, stream.getvalue().splitlines())
    assert (one["event"], one["rpc"], one["key"]) == ("call.ended", "Succeed", "ops")
    assert one["duration_ms"] >= 0
    assert (other["rpc"], other["status"]) == ("Refuse", "NOT_FOUND")
    assert other["reason"] == "there is no\nsuch pump"
    assert "key" not in other, "it is not known, and not that of the call before"
