"""The path of a call: what is quick where calls repeat themselves says and checks the same."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import aclosing
from importlib.metadata import version
from itertools import accumulate, pairwise
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, StreamReset
from hpack import Decoder, Encoder, HeaderTuple, NeverIndexedHeaderTuple
from hypothesis import given, strategies as st

from tests.sdk import faulty
from tests.sdk.calling import connected, events_of
from zb_mom_ww_mxgateway import (
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    MxCommandRequest,
    MxEvent,
    MxGatewayTimeoutError,
    OpenSessionRequest,
    StreamEventsRequest,
    http2,
)
from zb_mom_ww_mxgateway.buffers import PREFIX, Incoming, Outgoing
from zb_mom_ww_mxgateway.header_blocks import RememberingDecoder, RememberingEncoder
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import PingCommand

_NAMES = st.sampled_from([b":path", b"x-a", b"authorization", b"grpc-timeout", b"x-long"])
_VALUES = st.sampled_from([b"", b"/one", b"/two", b"29S", b"trailers", b"v" * 90, b"w" * 5_000])
_HEADERS = st.lists(
    st.builds(
        lambda kind, name, value: kind(name, value),
        st.sampled_from([HeaderTuple, NeverIndexedHeaderTuple]),
        _NAMES,
        _VALUES,
    ),
    max_size=6,
)
#: Blocks of headers, and in between new sizes of the table that both ends keep.
_STEPS = st.lists(_HEADERS | st.sampled_from([0, 60, 200, 4_096]), min_size=1, max_size=30)


def _told(headers: list[HeaderTuple]) -> list[tuple[bytes, bytes, bool]]:
    return sorted((*header, header.indexable) for header in headers)


@given(_STEPS)
def test_headers_that_repeat_themselves_mean_to_any_peer_what_was_said(
    steps: list[list[HeaderTuple] | int],
) -> None:
    encoder, peer = RememberingEncoder(), Decoder(max_header_list_size=10**6)
    for step in steps:
        if isinstance(step, int):
            if step != encoder.header_table_size:  # hpack forgets a change that is said twice
                encoder.header_table_size = step
        else:
            for _ in range(3):  # remembered from the second or third time on
                received = list(peer.decode(encoder.encode(step), raw=True))
                assert sorted(map(tuple, received)) == sorted(map(tuple, step))


@given(_STEPS)
def test_headers_of_any_peer_are_understood_as_hpack_does(
    steps: list[list[HeaderTuple] | int],
) -> None:
    peer, plain, remembering = Encoder(), Decoder(max_header_list_size=10**6), RememberingDecoder()
    remembering.max_header_list_size = plain.max_header_list_size
    for step in steps:
        if isinstance(step, int):
            if step != peer.header_table_size:
                peer.header_table_size = step
        else:
            for _ in range(3):
                block = peer.encode(step)
                assert _told(remembering.decode(block, raw=True)) == _told(
                    list(plain.decode(block, raw=True))
                )


def test_a_header_that_is_never_to_be_indexed_is_in_no_table_and_told_apart_from_an_equal_one() -> (
    None
):
    encoder, peer = RememberingEncoder(), Decoder()
    never, indexed = NeverIndexedHeaderTuple(b"x-a", b"1"), HeaderTuple(b"x-a", b"1")
    for sent in (never, never, indexed, indexed):
        (received,) = peer.decode(encoder.encode([sent]), raw=True)
        assert received == sent
        assert received.indexable == sent.indexable
        assert bool(peer.header_table.dynamic_entries) == (sent is indexed)


def test_what_a_peer_sends_over_and_over_does_not_fill_the_memory() -> None:
    decoder = RememberingDecoder()
    for number in range(1_000):
        block = b"\x00\x03x-a" + bytes([3]) + b"%03d" % number
        assert decoder.decode(block, raw=True) == [(b"x-a", b"%03d" % number)]
    assert len(decoder._blocks) <= 64


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


def _serving(answer: bytes, sent: list[int], received: list[bytes]) -> faulty.Serve:
    """Answers each call with these bytes, as fast as the client makes room for them."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        left: dict[int, int] = {}
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, DataReceived):
                    received.append(event.data)
                    size = event.flow_controlled_length
                    connection.acknowledge_received_data(size, event.stream_id)
                if isinstance(event, StreamEnded):
                    connection.send_headers(event.stream_id, faulty.HEADERS)
                    left[event.stream_id] = len(answer)
            for stream, rest in list(left.items()):
                while rest and (room := connection.local_flow_control_window(stream)):
                    size = min(rest, room, connection.max_outbound_frame_size)
                    begin = len(answer) - rest
                    connection.send_data(stream, answer[begin : begin + size])
                    sent.append(size)
                    rest -= size
                left[stream] = rest
                if not rest:
                    connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
                    del left[stream]
            writer.write(connection.data_to_send())
            await writer.drain()

    return serve


def _ping(text: str) -> MxCommandRequest:
    command = MxCommand(kind=MxCommandKind.PING, ping=PingCommand(message=text))
    return MxCommandRequest(session_id="session-1", command=command)


async def test_messages_longer_than_the_windows_go_and_come_whole() -> None:
    reply = MxCommandReply(session_id="session-1", diagnostic_message="y" * 6_000_000)
    received: list[bytes] = []
    serve = _serving(faulty.framed(bytes(reply)), [], received)
    async with (
        faulty.listening(serve) as endpoint,
        connected(endpoint, max_receive_bytes=8_000_000) as stub,
    ):
        request = _ping("x" * 1_000_000)
        assert await stub.invoke(request) == reply
        assert b"".join(received) == faulty.framed(bytes(request))


async def test_a_reader_that_is_slow_holds_the_gateway_back_and_loses_nothing() -> None:
    count, length = 9_000, 1_000
    event = faulty.framed(bytes(MxEvent(session_id="session-1", raw_status="z" * length)))
    sent: list[int] = []
    async with (
        faulty.listening(_serving(event * count, sent, [])) as endpoint,
        connected(endpoint) as stub,
        events_of(stub) as stream,
    ):
        await anext(stream)
        before = -1
        while before != sum(sent):
            before = sum(sent)
            await asyncio.sleep(0.1)
        assert before < 5_000_000 < len(event) * count
        seen = 1
        async for one in stream:
            assert len(one.raw_status) == length
            seen += 1
        assert seen == count


async def test_what_ended_calls_have_read_is_acknowledged_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http2, "_CONNECTION_WINDOW", 200_000)
    reply = MxCommandReply(session_id="session-1", diagnostic_message="y" * 10_000)
    serve = _serving(faulty.framed(bytes(reply)), [], [])
    async with (
        faulty.listening(serve) as endpoint,
        connected(endpoint, call_timeout=5) as stub,
    ):
        for _ in range(60):  # more than there is room for at once
            assert await stub.invoke(_ping("")) == reply


async def test_a_stream_whose_time_is_over_ends_whatever_has_arrived_meanwhile() -> None:
    event = faulty.framed(bytes(MxEvent(session_id="session-1")))
    async with (
        faulty.listening(_serving(event * 5, [], [])) as endpoint,
        connected(endpoint) as stub,
    ):
        request = StreamEventsRequest(session_id="session-1")
        async with aclosing(stub.stream_events(request, timeout=0.2)) as stream:
            await anext(stream)
            await asyncio.sleep(0.3)
            with pytest.raises(MxGatewayTimeoutError):
                await anext(stream)


async def test_nothing_is_sent_while_the_socket_takes_no_more() -> None:
    reply = MxCommandReply(session_id="session-1")
    received: list[bytes] = []
    async with (
        faulty.listening(_serving(faulty.framed(bytes(reply)), [], received)) as endpoint,
        connected(endpoint) as stub,
    ):
        channel: Any = stub._transport
        protocol = await channel._channel.__connect__()
        protocol.pause_writing()  # as asyncio does while its buffer is full
        call = asyncio.ensure_future(stub.invoke(_ping("x")))
        await asyncio.sleep(0.05)
        assert not received
        assert not call.done()
        protocol.resume_writing()
        assert await call == reply


async def test_a_call_that_its_gateway_leaves_open_behind_the_status_is_reset() -> None:
    reset = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, StreamEnded):
                    headers = [*faulty.HEADERS, ("grpc-status", "0")]
                    connection.send_headers(event.stream_id, headers)
                    connection.send_data(event.stream_id, faulty.framed(faulty.OPENED))
                elif isinstance(event, StreamReset):
                    reset.set()
            writer.write(connection.data_to_send())

    async with faulty.listening(serve) as endpoint, connected(endpoint) as stub:
        assert (await stub.open_session(OpenSessionRequest())).session_id == "session-1"
        await asyncio.wait_for(reset.wait(), 5)


async def test_calls_that_begin_together_are_answered_each_with_its_own() -> None:
    async with (
        faulty.watched_gateway(faulty.replied) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        calls = [stub.open_session(OpenSessionRequest(), timeout=5 + n) for n in range(64)]
        replies = await asyncio.gather(*calls)
    assert {reply.session_id for reply in replies} == {"session-1"}
    assert len(gateway.headers) == 64
    for n, headers in enumerate(gateway.headers):
        assert headers[":path"] == "/mxaccess_gateway.v1.MxAccessGateway/OpenSession"
        assert headers["authorization"].startswith("Bearer mxgw_")
        assert headers["te"] == "trailers"
        unit = {"m": 1_000, "S": 1}[headers["grpc-timeout"][-1]]
        assert 0 < int(headers["grpc-timeout"][:-1]) / unit <= 5 + n


async def test_more_calls_than_the_gateway_takes_at_once_are_made_one_after_another() -> None:
    async with (
        faulty.watched_gateway(faulty.replied, calls_at_once=3) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        for _ in range(4):
            calls = [stub.open_session(OpenSessionRequest()) for _ in range(50)]
            assert len(await asyncio.gather(*calls)) == 50
    assert gateway.connections == 1
    assert len(gateway.headers) == 200


async def test_metadata_is_checked_for_each_kind_of_call_and_sent_with_each() -> None:
    async with (
        faulty.watched_gateway(faulty.replied) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        for value in ("one", "two", "two"):
            await stub.open_session(OpenSessionRequest(), metadata={"x-line": value})
        for _ in range(2):
            with pytest.raises(ValueError, match="Invalid metadata value"):
                await stub.open_session(OpenSessionRequest(), metadata={"x-line": "a\r\nb: c"})
    assert [headers["x-line"] for headers in gateway.headers] == ["one", "two", "two"]


async def test_an_error_tells_the_request_as_it_was_sent_whatever_became_of_it_since() -> None:
    async with (
        faulty.watched_gateway(faulty.silence) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        request = StreamEventsRequest(session_id="session-1", after_worker_sequence=7)
        call = asyncio.ensure_future(anext(stub.stream_events(request, timeout=0.2)))
        await gateway.asked.wait()
        request.session_id, request.after_worker_sequence = "session-2", 8
        with pytest.raises(MxGatewayTimeoutError, match=r"sequence=7\) in session-1 at") as caught:
            await call
    assert "session-2" not in str(caught.value)


@pytest.mark.parametrize(
    ("library", "method"),
    [
        ("h2", "stream.H2Stream._build_hdr_validation_flags"),
        ("h2", "connection.H2Connection._begin_new_stream"),
        ("hpack", "hpack.Encoder.encode"),
    ],
)
def test_a_library_without_what_is_replaced_of_it_is_refused(library: str, method: str) -> None:
    module, _, attribute = method.partition(".")
    script = f"import {library}.{module} as m; del m.{attribute}; import zb_mom_ww_mxgateway"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert f"ImportError: {library} {version(library)} has no {attribute}" in ended.stderr
