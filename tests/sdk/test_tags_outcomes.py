"""Which outcome belongs to which write, when writes are given up: told by a gateway that is fed by
hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream
from grpclib.testing import ChannelFor

from tests.sdk.fixed import client_of
from tests.sdk.scripted import ScriptedGateway, change, tasks_settled
from zb_mom_ww_mxgateway import (
    ClientOptions,
    GatewayClient,
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    MxCommandRequest,
    MxEvent,
    MxEventFamily,
    MxGatewayAuthorizationError,
    MxGatewayError,
    MxGatewaySessionClosedError,
    MxGatewayTimeoutError,
    MxGatewayUnavailableError,
    ReplayGap,
    Session,
    WriteComplete,
)
from zb_mom_ww_mxgateway.channel import GatewayChannel
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import AddItemReply, RegisterReply
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec


class Writing(ScriptedGateway):
    """Accepts every command, once a test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    async def invoke(self, stream: Stream[MxCommandRequest, MxCommandReply]) -> None:
        request = await stream.recv_message()
        assert request is not None
        await self.open.wait()
        if self.refuse is not None:
            raise self.refuse
        self.received += 1
        match request.command:
            case MxCommand(kind=MxCommandKind.REGISTER):
                reply = MxCommandReply(register=RegisterReply(server_handle=1))
            case MxCommand(kind=MxCommandKind.ADD_ITEM):
                reply = MxCommandReply(add_item=AddItemReply(item_handle=1))
            case _:
                reply = MxCommandReply()
        await stream.send_message(reply)

    async def commands(self, count: int) -> None:
        """Wait until so many commands were answered."""
        async with asyncio.timeout(5):
            while self.received != count:
                await asyncio.sleep(0.001)


def outcome(sequence: int) -> MxEvent:
    return MxEvent(
        family=MxEventFamily.ON_WRITE_COMPLETE,
        worker_sequence=sequence,
        server_handle=1,
        item_handle=1,
    )


@pytest.fixture
def writing() -> Writing:
    return Writing()


@pytest.fixture
async def session(writing: Writing) -> AsyncIterator[Session]:
    async with client_of(writing) as client:
        yield await client.open_session()


async def cancelled(task: asyncio.Task[WriteComplete]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_outcome_of_a_cancelled_write_is_not_taken_by_the_next(
    writing: Writing, session: Session
) -> None:
    first = asyncio.create_task(session.write_item_and_wait(1, 1, "a"))
    await writing.commands(1)
    second = asyncio.create_task(session.write_item_and_wait(1, 1, "b"))
    await cancelled(first)
    writing.send(outcome(1))
    await writing.commands(2)
    writing.send(outcome(2))
    assert (await second).worker_sequence == 2


async def test_nor_is_that_of_a_write_cancelled_before_it_was_accepted(
    writing: Writing, session: Session
) -> None:
    writing.open.clear()
    first = asyncio.create_task(session.write_item_and_wait(1, 1, "a"))
    await writing.settled(1)
    second = asyncio.create_task(session.write_item_and_wait(1, 1, "b"))
    await cancelled(first)
    writing.open.set()
    await writing.commands(1)
    writing.send(outcome(1))
    await writing.commands(2)
    writing.send(outcome(2))
    assert (await second).worker_sequence == 2


async def test_a_write_whose_turn_does_not_come_was_not_written(
    writing: Writing, session: Session
) -> None:
    with pytest.raises(
        MxGatewayTimeoutError, match=r"no outcome came within 0\.05 s; the write may"
    ):
        await session.write_item_and_wait(1, 1, "a", timeout=0.05)
    with pytest.raises(MxGatewayTimeoutError, match=r"earlier write .*so nothing was written"):
        await session.write_item_and_wait(1, 1, "b", timeout=0.05)
    assert writing.received == 1
    third = asyncio.create_task(session.write_item_and_wait(1, 1, "c"))
    writing.send(outcome(1))
    await writing.commands(2)
    writing.send(outcome(2))
    assert (await third).worker_sequence == 2


async def test_a_write_that_was_refused_gives_its_turn_back(
    writing: Writing, session: Session
) -> None:
    writing.refuse = GRPCError(Status.PERMISSION_DENIED, "no")
    with pytest.raises(MxGatewayAuthorizationError):
        await session.write_item_and_wait(1, 1, "a")
    writing.refuse = None
    second = asyncio.create_task(session.write_item_and_wait(1, 1, "b"))
    await writing.commands(1)
    writing.send(outcome(1))
    assert (await second).worker_sequence == 1


async def test_a_limit_of_a_call_is_told_from_the_limit_of_the_whole(writing: Writing) -> None:
    options = ClientOptions(endpoint="scripted:1", plaintext=True, call_timeout=0.05)
    async with ChannelFor([writing], codec=MessageCodec()) as channel:
        client = GatewayClient(GatewayChannel(channel, options), options)
        session = await client.open_session()
        writing.open.clear()
        with pytest.raises(MxGatewayTimeoutError, match=r"write\(server_handle=1, item"):
            await session.write_item_and_wait(1, 1, "a", timeout=10)
        await session.close()


async def test_closing_the_session_ends_writes_that_were_given_up_and_those_that_wait(
    writing: Writing, session: Session
) -> None:
    before = asyncio.all_tasks()
    first = asyncio.create_task(session.write_item_and_wait(1, 1, "a"))
    await writing.commands(1)
    await cancelled(first)
    second = asyncio.create_task(session.write_item_and_wait(1, 2, "b"))
    await writing.commands(2)
    await session.close()
    with pytest.raises(MxGatewaySessionClosedError):
        await second
    await writing.settled(0)
    await tasks_settled(before)
    with pytest.raises(MxGatewaySessionClosedError):
        await session.write_item_and_wait(1, 3, "c")


async def test_closing_the_session_waits_for_what_was_begun_and_given_up(
    writing: Writing, session: Session
) -> None:
    writing.open.clear()
    reading = asyncio.create_task(session.read("Object.Attribute"))
    await asyncio.sleep(0.01)
    reading.cancel()
    closing = asyncio.create_task(session.close())
    await writing.closing.wait()
    done, _ = await asyncio.wait([closing], timeout=0.05)
    assert not done
    writing.open.set()
    await closing
    assert not session._chores


async def test_closing_the_session_cancels_nobody_who_waits_for_the_registration(
    writing: Writing, session: Session
) -> None:
    writing.open.clear()
    reading = asyncio.create_task(session.read("Object.Attribute"))
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(session.close())
    await writing.closing.wait()
    writing.open.set()
    await closing
    with pytest.raises(MxGatewaySessionClosedError):
        await reading


async def test_an_interruption_before_the_write_says_that_nothing_was_written(
    writing: Writing, session: Session
) -> None:
    gap = MxEvent(replay_gap=ReplayGap(requested_after_sequence=1, oldest_available_sequence=5))
    task = asyncio.create_task(session.write_and_wait("Object.Attribute", "a"))
    await writing.commands(3)  # registered, added, advised
    writing.send(gap)
    with pytest.raises(MxGatewayUnavailableError, match="lost events; nothing was written"):
        await task


async def test_an_interruption_after_the_write_says_that_it_is_unknown(
    writing: Writing, session: Session
) -> None:
    gap = MxEvent(replay_gap=ReplayGap(requested_after_sequence=1, oldest_available_sequence=5))
    task = asyncio.create_task(session.write_and_wait("Object.Attribute", "a"))
    writing.send(change(1))
    await writing.commands(4)
    writing.send(gap)
    with pytest.raises(MxGatewayError, match="lost events; the write may have taken effect"):
        await task
