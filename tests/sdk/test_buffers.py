"""What waits on its way: read whole and in order, acknowledged to the byte, written together."""

from __future__ import annotations

import asyncio
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.sdk import faulty
from zb_mom_ww_mxgateway.buffers import PREFIX, Incoming, Outgoing


@given(st.lists(st.binary(max_size=40), max_size=12), st.lists(st.integers(1, 30), max_size=40))
async def test_data_is_read_in_order_however_it_is_cut_and_acknowledged_to_the_byte(
    frames: list[bytes], sizes: list[int]
) -> None:
    acknowledged: list[int] = []
    buffer = Incoming(acknowledged.append)
    whole = b"".join(frames)

    async def arrive() -> None:
        for number, frame in enumerate(frames):
            buffer.add(frame, len(frame) + 1)  # with a byte of padding
            if number % 3:
                await asyncio.sleep(0)
        buffer.eof()

    arriving = asyncio.create_task(arrive())
    read = b""
    for size in sizes:
        if len(read) + size > len(whole):
            break
        read += await buffer.read(size)
    await arriving
    assert whole.startswith(read)
    assert sum(acknowledged) + buffer.unacked_size() == len(whole) + len(frames)
    assert buffer.unacked_size() == 0


async def test_the_end_of_the_data_is_nothing_between_messages_and_a_fault_within_one() -> None:
    buffer = Incoming([].append)
    buffer.add(b"abcdef", 6)
    buffer.eof()
    assert await buffer.read(0) == b""
    assert await buffer.read(4) == b"abcd"
    with pytest.raises(AssertionError):
        await buffer.read(4)
    assert await buffer.read(4) == b""


async def test_nothing_is_acknowledged_before_it_is_read_and_all_of_it_before_a_wait() -> None:
    acknowledged: list[int] = []
    buffer = Incoming(acknowledged.append)
    for _ in range(100):
        buffer.add(bytes(10), 10)
    assert not acknowledged
    assert await buffer.read(15) == bytes(15)
    reading = asyncio.create_task(buffer.read(1_000))  # more than has come
    await asyncio.sleep(0)
    assert sum(acknowledged) == 1_000
    buffer.add(bytes(15), 15)
    assert await reading == bytes(1_000)


@given(st.lists(st.binary(max_size=40), max_size=12), st.lists(st.integers(1, 30), max_size=40))
async def test_messages_are_told_apart_however_they_are_cut(
    messages: list[bytes], cuts: list[int]
) -> None:
    acknowledged: list[int] = []
    buffer = Incoming(acknowledged.append)
    whole = b"".join(map(faulty.framed, messages))
    edges = [0, *accumulate(cuts), len(whole)]
    for begin, end in pairwise(min(edge, len(whole)) for edge in edges):
        buffer.add(whole[begin:end], end - begin)
    read: list[bytes] = []
    while len(read) < len(messages):
        message = buffer.message(longest=40)
        if message is None:  # it goes on in the next frame
            prefix = await buffer.read(PREFIX)
            message = await buffer.read(int.from_bytes(prefix[1:], "big"))
        read.append(message)
    assert read == messages
    assert buffer.message(longest=40) is None
    assert sum(acknowledged) + buffer.unacked_size() == len(whole)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(faulty.framed(bytes(41)), id="longer than is taken"),
        pytest.param(faulty.framed(b"", compressed=True), id="compressed"),
        pytest.param(faulty.framed(bytes(39), length=40), id="not all there"),
    ],
)
async def test_a_message_that_is_not_to_be_had_at_once_is_left_where_it_is(message: bytes) -> None:
    acknowledged: list[int] = []
    buffer = Incoming(acknowledged.append)
    buffer.add(faulty.framed(b"one") + message, len(message) + 8)
    assert buffer.message(longest=40) == b"one"
    assert buffer.message(longest=40) is None
    assert await buffer.read(len(message)) == message


async def test_much_that_is_read_is_acknowledged_on_the_way() -> None:
    acknowledged: list[int] = []
    buffer = Incoming(acknowledged.append)
    for _ in range(20):
        buffer.add(bytes(16_384), 16_384)
    for _ in range(20):
        await buffer.read(16_384)
    assert sum(acknowledged) >= 4 * 65_536


class _Socket(asyncio.Transport):
    """What asyncio would write to a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


async def test_what_is_written_in_one_turn_of_the_loop_leaves_together_and_in_order() -> None:
    socket = _Socket()
    outgoing = Outgoing(socket)
    for piece in (b"a", bytearray(b"b"), memoryview(b"c")):
        outgoing.write(piece)
    assert not socket.written
    await asyncio.sleep(0)
    assert socket.written == [b"abc"]
    outgoing.write(b"d")
    outgoing.flush()
    outgoing.write(b"e")
    outgoing.close()
    assert socket.written == [b"abc", b"d", b"e"]
    assert outgoing.is_closing()
    outgoing.write(b"late")
    await asyncio.sleep(0)
    assert socket.written == [b"abc", b"d", b"e"]


async def test_much_is_written_at_once_so_that_asyncio_can_say_stop() -> None:
    socket = _Socket()
    outgoing = Outgoing(socket)
    for _ in range(10):
        outgoing.write(bytes(16_384))
    assert sum(map(len, socket.written)) == 8 * 16_384
