"""A server that speaks HTTP/2 by hand, to do to a client what no gRPC server would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from ssl import SSLContext, SSLError

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import PingReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from zb_mom_ww_mxgateway import OpenSessionReply

#: What a server does with one connection.
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
#: What to do with one request: the connection, the stream, and the way to close the socket.
Misbehave = Callable[[H2Connection, int, Callable[[], None]], None]

OPENED = bytes(OpenSessionReply(session_id="session-1"))
#: How an answer begins.
HEADERS = [(":status", "200"), ("content-type", "application/grpc")]


def _reply(connection: H2Connection, stream: int, data: bytes, *trailers: tuple[str, str]) -> None:
    connection.send_headers(stream, HEADERS)
    if data:
        connection.send_data(stream, data)
    if trailers:
        connection.send_headers(stream, list(trailers), end_stream=True)


def framed(body: bytes, *, compressed: bool = False, length: int | None = None) -> bytes:
    """A gRPC message frame, or one that lies about its length or compression."""
    size = len(body) if length is None else length
    return bytes([compressed]) + size.to_bytes(4, "big") + body


def empty_reply(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    _reply(connection, stream, b"", ("grpc-status", "0"))


def garbage(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    _reply(connection, stream, framed(b"\xff\xff\xff"), ("grpc-status", "0"))


def compressed(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    _reply(connection, stream, framed(b"\x1f\x8b", compressed=True), ("grpc-status", "0"))


def cut_message(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    _reply(connection, stream, framed(b"abc", length=300))
    asyncio.get_running_loop().call_later(0.05, close)


def short_message(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    _reply(connection, stream, framed(b"abc", length=300), ("grpc-status", "0"))


def reset(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    connection.reset_stream(stream)


def hang_up(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    close()


def not_grpc(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    connection.send_headers(stream, [(":status", "503"), ("content-type", "text/html")])
    connection.send_data(stream, b"<h1>no</h1>", end_stream=True)


def unknown_status(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    _reply(connection, stream, b"", ("grpc-status", "99"))


def no_trailers(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    connection.send_headers(stream, HEADERS)
    connection.end_stream(stream)


def silence(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    """Never answer."""


def goaway(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    connection.close_connection(ErrorCodes.ENHANCE_YOUR_CALM, b"too_many_pings")


def not_proto(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    connection.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
    connection.send_data(stream, b"{}", end_stream=True)


def huge_headers(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    connection.send_headers(stream, [*HEADERS, ("x-much", "x" * 100_000)])


def not_ascii(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    message = ("grpc-message", "Gerät".encode())
    connection.send_headers(stream, [*HEADERS, ("grpc-status", "5"), message], end_stream=True)


def too_long(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    """A prefix that promises 20 MiB, which never come."""
    connection.send_headers(stream, HEADERS)
    connection.send_data(stream, framed(b"", length=20 * 1024 * 1024))


def informed(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    """A good reply with all around it that is allowed.

    An informational response, a frame of an extension, empty frames of data, binary headers.
    """
    connection.send_headers(stream, [(":status", "103")])
    connection.advertise_alternative_service(b'h2=":1"', stream_id=stream)
    connection.send_headers(stream, [*HEADERS, ("proxy-bin", "a")])
    for piece in (b"", framed(OPENED)[:7], b"", framed(OPENED)[7:], b""):
        connection.send_data(stream, piece)
    connection.send_headers(
        stream, [("proxy-bin", "no base64"), ("grpc-status", "0")], end_stream=True
    )


def no_http_status(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    connection.config.validate_outbound_headers = False
    connection.send_headers(stream, HEADERS[1:])
    connection.send_data(stream, framed(OPENED), end_stream=True)


def as_much_as_fits(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    """Empty messages, as many as the client takes without reading them."""
    connection.send_headers(stream, HEADERS)
    while room := connection.local_flow_control_window(stream):
        connection.send_data(stream, bytes(min(room, connection.max_outbound_frame_size)))


def headers(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    """The beginning of an answer; what follows is the test's to send, with ``Gateway.then``."""
    connection.send_headers(stream, HEADERS)


def end(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    """The end of an answer that has begun, without the status that belongs there."""
    connection.end_stream(stream)


def cannot_push(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    """No fault: h2 itself refuses to push to a client that does not want it."""
    request = [(":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "x")]
    with suppress(ProtocolError):
        connection.push_stream(stream, 2, request)
        return
    replied(connection, stream, close)


def data(sent: bytes) -> Misbehave:
    """Bytes within an answer that has begun."""

    def misbehave(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
        connection.send_data(stream, sent)

    return misbehave


def one_after_another(*faults: Misbehave) -> Misbehave:
    """Another fault for each request; the last one for all that follow."""
    left = list(faults)

    def misbehave(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(connection, stream, close)

    return misbehave


def replied(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    """No fault: a session is opened."""
    _reply(connection, stream, framed(OPENED), ("grpc-status", "0"))


@dataclass
class Gateway:
    """A faulty gateway: where it is, and what it has met."""

    endpoint: str = ""
    connections: int = 0
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    pings: int = 0
    #: While it is not set, nothing is read or answered, pings neither: the link is dead.
    alive: asyncio.Event = field(default_factory=asyncio.Event)
    #: Set once a request is there.
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    #: Do something more to the request that came last.
    then: Callable[[Misbehave], None] = field(default=lambda fault: None)


@asynccontextmanager
async def faulty_gateway(misbehave: Misbehave) -> AsyncIterator[str]:
    """A server on loopback that meets every request with ``misbehave``; its endpoint."""
    async with watched_gateway(misbehave) as gateway:
        yield gateway.endpoint


@asynccontextmanager
async def watched_gateway(
    misbehave: Misbehave,
    *,
    calls_at_once: int | None = None,
    first_bytes: bytes = b"",
    port: int = 0,
    ssl: SSLContext | None = None,
) -> AsyncIterator[Gateway]:
    """The same, with what it has met.

    ``calls_at_once`` is what it allows a connection, ``first_bytes`` follow its settings.
    """
    gateway = Gateway()
    gateway.alive.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gateway.connections += 1
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        if calls_at_once is not None:
            connection.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: calls_at_once})
        writer.write(connection.data_to_send() + first_bytes)

        def act(fault: Misbehave, stream: int) -> None:
            fault(connection, stream, writer.close)
            if not writer.is_closing():
                writer.write(connection.data_to_send())

        while received := await reader.read(65_536):
            await gateway.alive.wait()
            for event in connection.receive_data(received):
                if isinstance(event, RequestReceived):
                    gateway.headers.append(dict(event.headers))
                if isinstance(event, PingReceived):
                    gateway.pings += 1
                if isinstance(event, StreamEnded) and event.stream_id:
                    gateway.then = partial(act, stream=event.stream_id)
                    gateway.then(misbehave)
                    gateway.asked.set()
            if not writer.is_closing():
                writer.write(connection.data_to_send())

    async with listening(serve, port=port, ssl=ssl) as gateway.endpoint:
        try:
            yield gateway
        finally:
            gateway.alive.set()


@asynccontextmanager
async def listening(
    serve: Serve, *, port: int = 0, ssl: SSLContext | None = None
) -> AsyncIterator[str]:
    """A server on loopback that speaks whatever ``serve`` does; its endpoint.

    All connections are closed and served to their end before this ends.
    """
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving[task] = writer
        try:
            await serve(reader, writer)
        except (ConnectionError, SSLError):
            pass
        finally:
            writer.close()
            del serving[task]

    server = await asyncio.start_server(served, "127.0.0.1", port, ssl=ssl)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in serving.values():
            writer.transport.abort()
        if serving:
            await asyncio.wait(serving)
        await server.wait_closed()
