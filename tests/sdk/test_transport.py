"""The path of a call: what is quick where calls repeat themselves says and checks the same."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import aclosing, suppress
from importlib.metadata import version
from typing import Any

import pytest
from grpclib.utils import Wrapper
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, StreamReset

from tests.sdk import faulty
from tests.sdk.calling import connected, events_of
from zb_mom_ww_mxgateway import (
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    MxCommandRequest,
    MxEvent,
    MxGatewayError,
    MxGatewayTimeoutError,
    OpenSessionRequest,
    StreamEventsRequest,
    http2,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import PingCommand


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
            for wrong in (1, ["one"]):  # one that can be hashed, and one that cannot
                unlike: Any = {"x-line": wrong}
                with pytest.raises(TypeError, match="Invalid metadata value type, str expected"):
                    await stub.open_session(OpenSessionRequest(), metadata=unlike)
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


async def test_metadata_that_differs_from_call_to_call_does_not_fill_the_memory() -> None:
    async with (
        faulty.watched_gateway(faulty.replied) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        channel: Any = stub._transport
        for number in range(1_000):
            await stub.open_session(OpenSessionRequest(), metadata={"x-line": str(number)})
            assert len(channel._heads) <= 128
    assert [headers["x-line"] for headers in gateway.headers] == list(map(str, range(1_000)))


async def test_a_request_that_is_no_message_to_others_is_told_as_it_is() -> None:
    request = StreamEventsRequest(session_id="session-1", after_worker_sequence=7)
    request.unknown_fields = b"\xff"
    async with (
        faulty.watched_gateway(faulty.silence) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        with pytest.raises(MxGatewayTimeoutError, match=r"sequence=7\) in session-1 at"):
            await anext(stub.stream_events(request, timeout=0.2))
    assert gateway.asked.is_set()


def _timers() -> int:
    """Limits of calls that the loop still waits for."""
    loop: Any = asyncio.get_running_loop()
    callbacks = [timer._callback for timer in loop._scheduled if not timer.cancelled()]
    return sum(isinstance(getattr(call, "__self__", None), Wrapper) for call in callbacks)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(faulty.replied, id="a reply"),
        pytest.param(faulty.unknown_status, id="a status"),
        pytest.param(faulty.reset, id="a reset"),
    ],
)
async def test_a_call_that_was_answered_leaves_no_timer_behind(answer: faulty.Misbehave) -> None:
    async with faulty.watched_gateway(answer) as gateway, connected(gateway.endpoint) as stub:
        request = StreamEventsRequest(session_id="session-1")
        with suppress(MxGatewayError):
            await stub.open_session(OpenSessionRequest(), timeout=600)
        assert not _timers()
        with suppress(MxGatewayError):
            async with aclosing(stub.stream_events(request, timeout=600)) as stream:
                await anext(stream)
        assert not _timers()


async def test_a_call_that_is_cancelled_leaves_no_timer_behind() -> None:
    async with (
        faulty.watched_gateway(faulty.silence) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        call = asyncio.ensure_future(stub.open_session(OpenSessionRequest(), timeout=600))
        await gateway.asked.wait()
        assert _timers() == 1
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not _timers()


@pytest.mark.parametrize(
    ("library", "method"),
    [
        ("h2", "stream.H2Stream._build_hdr_validation_flags"),
        ("h2", "connection.H2Connection._begin_new_stream"),
        ("h2", "connection.H2Connection.open_outbound_streams"),
        ("h2", "connection.H2Connection._receive_data_frame"),
        ("h2", "connection.H2Connection._receive_headers_frame"),
        ("h2", "frame_buffer.FrameBuffer._validate_frame_length"),
        ("h2", "stream.H2Stream._build_headers_frames"),
        ("hpack", "hpack.Encoder.encode"),
        ("hpack", "table.HeaderTable.maxsize"),
        ("grpclib", "client.Stream._process_grpc_status"),
    ],
)
def test_a_library_without_what_is_replaced_of_it_is_refused(library: str, method: str) -> None:
    module, _, attribute = method.partition(".")
    _refused(library, f"import {library}.{module} as m; del m.{attribute}", attribute)


@pytest.mark.parametrize(
    ("library", "attribute"),
    [
        ("h2", "frame_buffer.FrameBuffer._headers_buffer"),
        ("h2", "connection.H2Connection._frame_dispatch_table"),
        ("h2", "connection.H2Connection.incoming_buffer"),
        ("hpack", "hpack.Encoder.header_table"),
        ("hpack", "hpack.Decoder.header_table"),
        ("hpack", "table.HeaderTable.dynamic_entries"),
        ("hpack", "table.HeaderTable.resized"),
        ("grpclib", "utils.Wrapper._tasks"),
    ],
)
def test_a_library_whose_objects_lack_what_is_taken_of_them_is_refused(
    library: str, attribute: str
) -> None:
    module, kind, name = attribute.split(".")
    _refused(
        library,
        f"import {library}.{module} as m; begin = m.{kind}.__init__\n"
        "def begin_without(self, *args, **kwargs):\n"
        f"    begin(self, *args, **kwargs); del self.{name}\n"
        f"m.{kind}.__init__ = begin_without",
        f"{kind}.{name}",
    )


def _refused(library: str, change: str, missing: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", f"{change}\nimport zb_mom_ww_mxgateway"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert f"ImportError: {library} {version(library)} has no {missing}, which" in ended.stderr
