"""Closing sessions and clients: one close, for which all wait, and which no cancel loses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server, Stream

from tests.sdk.fixed import KEY, FixedGateway
from zb_mom_ww_mxgateway import (
    CloseSessionReply,
    CloseSessionRequest,
    GatewayClient,
    MxGatewayUnavailableError,
)
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec


class SlowToClose(FixedGateway):
    """Closes sessions once a test lets it; a call that is cancelled before closes none."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.done = 0

    async def close_session(self, stream: Stream[CloseSessionRequest, CloseSessionReply]) -> None:
        self.closing.set()
        await self.open.wait()
        self.done += 1
        await super().close_session(stream)


@pytest.fixture
def slow() -> SlowToClose:
    return SlowToClose()


@pytest.fixture
async def client(slow: SlowToClose) -> AsyncIterator[GatewayClient]:
    server = Server([slow], codec=MessageCodec())
    await server.start("127.0.0.1", 0)
    assert server._server is not None
    port = server._server.sockets[0].getsockname()[1]
    async with await GatewayClient.connect(
        f"127.0.0.1:{port}", api_key=KEY, plaintext=True
    ) as connected:
        yield connected
    server.close()
    await server.wait_closed()


async def test_there_is_one_close_and_all_who_call_it_wait_for_it(
    slow: SlowToClose, client: GatewayClient
) -> None:
    session = await client.open_session()
    closing = [asyncio.create_task(session.close()) for _ in range(5)]
    await slow.closing.wait()
    closing.append(asyncio.create_task(session.close()))
    done, _ = await asyncio.wait(closing, timeout=0.02)
    assert not done
    slow.open.set()
    await asyncio.gather(*closing)
    assert slow.done == 1


async def test_a_close_that_fails_fails_for_all_who_wait_for_it(
    slow: SlowToClose, client: GatewayClient
) -> None:
    session = await client.open_session()
    slow.refuse = GRPCError(Status.UNAVAILABLE, "busy")
    slow.open.set()
    outcomes = await asyncio.gather(*(session.close() for _ in range(5)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {MxGatewayUnavailableError}
    assert slow.done == 1


async def test_a_client_waits_for_the_close_of_a_session_that_was_cancelled(
    slow: SlowToClose, client: GatewayClient
) -> None:
    session = await client.open_session()
    closing = asyncio.create_task(session.close())
    await slow.closing.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    leaving = asyncio.create_task(client.close())
    await asyncio.sleep(0.02)
    slow.open.set()
    await leaving
    assert slow.done == 1


async def test_a_client_can_be_closed_by_many_at_once(client: GatewayClient) -> None:
    await asyncio.gather(*(client.close() for _ in range(5)))
