"""A server that speaks HTTP/2 by hand, to do to a client what no gRPC server would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

#: What to do with one request: the connection, the stream, and the way to close the socket.
Misbehave = Callable[[H2Connection, int, Callable[[], None]], None]

_HEADERS = [(":status", "200"), ("content-type", "application/grpc")]


def _reply(connection: H2Connection, stream: int, data: bytes, *trailers: tuple[str, str]) -> None:
    connection.send_headers(stream, _HEADERS)
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
    connection.send_headers(stream, _HEADERS)
    connection.end_stream(stream)


def silence(connection: H2Connection, stream: int, close: Callable[[], None]) -> None:
    """Never answer."""


@asynccontextmanager
async def faulty_gateway(misbehave: Misbehave) -> AsyncIterator[str]:
    """A server on loopback that meets every request with ``misbehave``; its endpoint."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        started: set[int] = set()
        try:
            while data := await reader.read(65_536):
                for event in connection.receive_data(data):
                    if isinstance(event, RequestReceived) and event.stream_id:
                        started.add(event.stream_id)
                    if isinstance(event, StreamEnded) and event.stream_id in started:
                        misbehave(connection, event.stream_id, writer.close)
                if not writer.is_closing():
                    writer.write(connection.data_to_send())
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
