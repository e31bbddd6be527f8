"""The gateway's socket and the connections to it: hanging up, dropping, going away (HTTP/2 GOAWAY).

grpclib serves them; what each class changes of it is in its docstring.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from grpclib.config import Configuration
from grpclib.const import Cardinality, Handler as Answer, Status
from grpclib.encoding.base import CodecBase
from grpclib.events import (
    _DispatchServerEvents,  # pyright: ignore[reportPrivateUsage] - it has no public name
)
from grpclib.exceptions import GRPCError
from grpclib.protocol import (
    AbstractHandler,
    Connection as Http2Connection,
    EventsProcessor,
    H2Protocol,
    Stream as Http2Stream,
)
from grpclib.server import Handler, Server, Stream, request_handler
from grpclib.utils import Wrapper
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived
from h2.exceptions import ProtocolError
from typing_extensions import override

if TYPE_CHECKING:
    from .discovery import Servable

#: How long a connection that was accepted may take to show up, in seconds.
_ACCEPTING: Final = 0.02
#: A GOAWAY frame but for its numbers: 8 bytes long, type 7, no flags.
_GOAWAY: Final = b"\x00\x00\x08\x07\x00"


class ListeningSocket(socket.socket):
    """A socket that knows whom it let in: asyncio shows nobody before TLS has shaken hands.

    Not on Windows, whose event loop accepts in its own way.
    """

    def __init__(self, family: int, kind: int, proto: int, fileno: int | None = None) -> None:
        super().__init__(family, kind, proto, fileno)
        self._accepted: WeakSet[socket.socket] = WeakSet()

    @override
    def accept(self) -> tuple[socket.socket, Any]:
        """Let the next one in."""
        accepted, address = super().accept()
        self._accepted.add(accepted)
        return accepted, address

    def open(self) -> list[socket.socket]:
        """Those that it let in and that are open still."""
        return [accepted for accepted in self._accepted if accepted.fileno() >= 0]


async def bound(host: str, port: int) -> ListeningSocket:
    """A TCP socket that is bound; asked for by number, or connections would lack TCP_NODELAY.

    Raises:
        OSError: There is no such address, or the port is taken.
    """
    infos = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    family, kind, protocol, _, address = infos[0]
    made = ListeningSocket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows it would let others take the port too
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


class Listener(Server):
    """grpclib's server, which knows its connections and leaves none open when it closes.

    Args:
        services: What is served.
        codec: For the messages of all of them.
    """

    def __init__(self, services: Collection[Servable], *, codec: CodecBase) -> None:
        super().__init__(services, codec=codec)
        #: Connections since it listens, those that were refused too.
        self.accepted = 0
        #: Connections that are open now.
        self.connections: set[Connection] = set()
        #: How many want new connections to be reset at once.
        self.refusals = 0
        self._listening: ListeningSocket | None = None

    async def listen(self, listening: ListeningSocket, tls: ssl.SSLContext | None = None) -> None:
        """Take connections from now on.

        Args:
            listening: What ``bound`` gave; closed by ``hang_up``.
            tls: What to shake hands with; None is plaintext.
        """
        self._listening = listening
        await self.start(sock=listening, ssl=tls)

    @override
    def _protocol_factory(self) -> H2Protocol:
        self.__gc_step__()
        handler = _Requests(
            self._mapping, self._codec, self._status_details_codec, self.__dispatch__
        )
        self._handlers.add(handler)
        return Connection(handler, self._config, self._h2_config, self)

    @contextmanager
    def refusing(self) -> Generator[None]:
        """Reset new connections at once while the block runs."""
        self.refusals += 1
        try:
            yield
        finally:
            self.refusals -= 1

    def drop(self) -> None:
        """Reset every connection, as when the gateway's host or the way to it fails."""
        for connection in list(self.connections):
            connection.reset()

    def go_away(self, *, graceful: bool) -> None:
        """Send every client GOAWAY; new ones may come.

        Args:
            graceful: Whether running calls may end, after which the connection closes; else it
                closes now, and the frame says that none of them was even looked at.
        """
        for connection in list(self.connections):
            connection.go_away(graceful=graceful)

    async def hang_up(self, patience: float) -> None:
        """Stop listening and close every connection, by force after ``patience`` seconds."""
        self.close()
        # One that was accepted just before takes some turns of the loop to show up.
        await asyncio.sleep(_ACCEPTING)
        closed = asyncio.ensure_future(self.wait_closed())
        until = asyncio.get_running_loop().time() + patience
        while self.connections or self._accepted() or not closed.done():
            is_over = asyncio.get_running_loop().time() > until
            for connection in list(self.connections):
                connection.close(by_force=is_over)
            if is_over:
                for accepted in self._accepted():  # such as who never shook hands
                    with suppress(OSError):
                        accepted.shutdown(socket.SHUT_RDWR)
            await asyncio.sleep(0.001)
        await closed

    def _accepted(self) -> list[socket.socket]:
        return [] if self._listening is None else self._listening.open()


class Connection(H2Protocol):
    """grpclib's connection, which is on the listener's list as long as it is open.

    It takes nothing more once it closes, tells clients what HTTP/2 they have violated, and does
    not stumble over bytes that are no text.
    """

    _transport: asyncio.Transport
    _processor: _Processor

    def __init__(
        self,
        handler: AbstractHandler,
        config: Configuration,
        h2_config: H2Configuration,
        listener: Listener,
    ) -> None:
        super().__init__(handler, config, h2_config)
        self._listener = listener

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._listener.accepted += 1
        if self._listener.refusals:
            self.reset()
            return
        super().connection_made(transport)
        # What grpclib has made has sent its settings and nothing else.
        h2: H2Connection = self.connection._connection  # pyright: ignore[reportPrivateUsage]
        self.connection = link = _Link(h2, transport, config=self.config)
        self.processor = self._processor = _Processor(self.handler, link)
        self._listener.connections.add(self)

    @override
    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        try:
            events = self.connection.feed(data)
        except (ProtocolError, UnicodeDecodeError) as error:
            self.connection.flush()
            self.processor.close(f"Protocol error: {error}")
            return
        self.connection.flush()
        for event in events:
            self.processor.process(event)
        if not self.connection.is_closing():
            self.connection.flush()

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        if self in self._listener.connections:
            self._listener.connections.discard(self)
            super().connection_lost(exc)

    def go_away(self, *, graceful: bool) -> None:
        """Send GOAWAY, and close when the running calls have ended, or at once."""
        self._processor.go_away(graceful=graceful)

    def close(self, *, by_force: bool = False) -> None:
        """Close it; by force, without sending what is still to be sent."""
        if by_force:
            self._transport.abort()
        else:
            self._transport.close()

    def reset(self) -> None:
        """End it with a TCP reset, without a word."""
        connected: socket.socket | None = self._transport.get_extra_info("socket")
        if connected is not None:
            # Not to linger is what makes closing a reset. Windows has shorter numbers there.
            off = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            with suppress(OSError):  # where the client was faster
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
        self._transport.abort()


class _Link(Http2Connection):
    """grpclib's side of h2, which can refuse a request and go away without closing."""

    @override
    def create_stream(
        self, *, stream_id: int | None = None, wrapper: Wrapper | None = None
    ) -> Http2Stream:
        return _Stream(
            self, self._connection, self._transport, stream_id=stream_id, wrapper=wrapper
        )

    def refuse(self, stream_id: int) -> None:
        """Turn a request away that nobody has looked at."""
        self._connection.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
        self.flush()

    def say_goodbye(self, last_stream_id: int, code: ErrorCodes) -> None:
        """Send GOAWAY. h2 would take the connection for closed, and end the calls that run."""
        self.flush()
        self._transport.write(_GOAWAY + struct.pack(">III", 0, last_stream_id, code))


class _Stream(Http2Stream):
    """grpclib's stream, which does not go on writing to a client that is gone."""

    @override
    async def send_data(self, data: bytes, end_stream: bool = False) -> None:
        if self._transport.is_closing():
            await asyncio.sleep(0)  # in which the loss of the connection ends the call
        await super().send_data(data, end_stream=end_stream)


class _Processor(EventsProcessor):
    """Takes what HTTP/2 allows and grpclib stumbles over, and goes away.

    After GOAWAY, new requests are refused, as their clients know that they have to go elsewhere.
    """

    connection: _Link

    def __init__(self, handler: AbstractHandler, connection: _Link) -> None:
        super().__init__(handler, connection)
        self._newest = 0
        self._is_going = False

    @override
    def process(self, event: Event) -> None:
        if type(event) not in getattr(self, "processors", ()):
            return  # a frame that is not known has to be ignored; grpclib would raise
        if isinstance(event, DataReceived) and not event.flow_controlled_length:
            return  # grpclib takes it for the end of the message
        super().process(event)

    @override
    def process_request_received(self, event: RequestReceived) -> None:
        if self._is_going:
            self.connection.refuse(event.stream_id)
            return
        self._newest = event.stream_id
        super().process_request_received(event)

    @override
    def register(self, stream: Http2Stream) -> Callable[[], None]:
        release = super().register(stream)

        def released() -> None:
            release()
            if self._is_going and not self.streams:
                self.close("Gone away")

        return released

    def go_away(self, *, graceful: bool) -> None:
        """Send GOAWAY, and close when the running calls have ended, or now and disown them."""
        if self.connection.is_closing():
            return
        if graceful:
            self.connection.say_goodbye(self._newest, ErrorCodes.NO_ERROR)
            self._is_going = True
            if not self.streams:
                self.close("Gone away")
        else:
            # Requests of clients have odd numbers, so this is the one before the oldest.
            before = min(self.streams, default=self._newest + 2) - 2
            self.connection.say_goodbye(max(0, before), ErrorCodes.INTERNAL_ERROR)
            self.close("Gone away")


class _Requests(Handler):
    """grpclib's handler, whose answer to unknown methods clients understand.

    grpclib sends it without a content type, which they take for UNKNOWN.
    """

    @override
    def accept(
        self,
        stream: Http2Stream,
        headers: list[tuple[str, str]],
        release_stream: Callable[[], Any],
    ) -> None:
        path = dict(headers).get(":path", "")
        if path in self.mapping:
            super().accept(stream, headers, release_stream)
            return
        self.__gc_step__()
        # Nobody is told of it: the name is the client's, and may be anything.
        self._tasks[stream] = self.loop.create_task(
            request_handler(
                {path: _UNKNOWN},
                stream,
                headers,
                self.codec,
                self.status_details_codec,
                _DispatchServerEvents(),
                release_stream,
            )
        )


async def _unimplemented(stream: Stream[object, object]) -> None:
    raise GRPCError(
        Status.UNIMPLEMENTED,
        "the gateway has no such method; see which contract it was made for",
    )


_UNKNOWN: Final = Answer(_unimplemented, Cardinality.STREAM_STREAM, object, object)
