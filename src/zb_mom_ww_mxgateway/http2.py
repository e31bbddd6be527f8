"""grpclib's connection with our limits: with pings, and reasons for its end.

A ``GatewayConnection`` makes a ``_Protocol`` for each connection. What each class changes is in
its docstring; what a call is over such a connection is in call.py.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from grpclib.client import Channel, Handler
from grpclib.config import Configuration
from grpclib.exceptions import StreamTerminatedError
from grpclib.protocol import Connection, EventsProcessor, H2Protocol, Stream as Http2Stream
from grpclib.utils import Wrapper
from h2.config import H2Configuration
from h2.events import DataReceived, Event, ResponseReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from typing_extensions import override

from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

from .buffers import Incoming, Outgoing
from .frames import LeanConnection
from .header_blocks import Headers
from .options import ClientOptions
from .replacing import refuse_strangers

#: How grpclib's reasons for the end of a call begin, and ours.
GOAWAY: Final = "Received GOAWAY"
RESET: Final = "Stream reset"
VIOLATION: Final = "Protocol error"
NO_ANSWER: Final = "No answer to a ping"
NO_WORD: Final = "Closed without a word"

#: Bytes under way to all calls: far more than the 4 MiB for each, so that one which nobody reads
#: holds up no other.
_CONNECTION_WINDOW: Final = 2**30
#: Bytes of calls that have ended which are not acknowledged one call at a time.
_SMALL_CHANGE: Final = 65_536
#: The longest wait for the answer to a ping, in seconds.
_PATIENCE: Final = 20.0
#: How long, in seconds, the other side may take to say goodbye, as TLS wants it.
_GOODBYE: Final = 1.0
#: A frame begins with three bytes of length and one of type; the first one has to be SETTINGS.
_TYPE_ENDS: Final = 4
_SETTINGS: Final = 4


class ConnectTimeoutError(Exception):
    """No connection within ``connect_timeout``; grpclib has no such limit."""


class CallStream(Http2Stream):
    """Has our buffer, waits for no lost trailers, and sends what it is alone with at once.

    While it waits for its turn it is in ``waiting`` of its connection.
    """

    connection: _Connection  # which makes it
    #: Whether it began while there was no other.
    _alone = False

    @override
    def init_stream(self, stream_id: int, connection: Connection) -> None:
        # Not super(): the queue of its buffer and the clock of its statistics cost each call.
        self.id = stream_id
        self.buffer = Incoming(partial(connection.ack, stream_id))

    def send_at_once(
        self, head: Headers, own: Headers, message: bytes, processor: EventsProcessor
    ) -> Callable[[], None] | None:
        """Send a request in one step and return what is to be called at the end of the call.

        None, and nothing was done, where it has to wait or to be cut: ``send_request`` and
        ``send_data`` do that.
        """
        connection = self.connection
        if not connection.write_ready.is_set():
            return None
        begun = connection.lean.begin_call(head, own, message)
        if begun is None:
            return None
        stream_id, frames = begun
        self.init_stream(stream_id, connection)
        release = processor.register(self)
        connection.outgoing.write(frames)
        if len(processor.streams) == 1:
            connection.outgoing.flush()  # there is no other to go together with
        return release

    @override
    async def send_request(
        self,
        headers: list[tuple[str, str]],
        end_stream: bool = False,
        *,
        _processor: EventsProcessor,
    ) -> Callable[[], None]:
        self.connection.waiting.add(self)
        try:
            release = await super().send_request(headers, end_stream, _processor=_processor)
        finally:
            self.connection.waiting.discard(self)
        self._alone = len(_processor.streams) == 1
        return release

    @override
    async def send_data(self, data: bytes, end_stream: bool = False) -> None:
        await super().send_data(data, end_stream)
        if self._alone:
            self.connection.outgoing.flush()  # there is nothing to wait for

    @override
    def __ended__(self) -> None:
        super().__ended__()
        unsaid = self.trailers is None and self.headers is not None
        if unsaid and "grpc-status" not in dict(self.headers or ()):
            # grpclib would wait for them for ever; so it says what is missing.
            self.trailers = []
            self.trailers_received.set()

    @override
    def __terminated__(self, reason: str) -> None:
        if self.wrapper is not None:
            self.wrapper.cancel(self.connection.lost or StreamTerminatedError(reason))


class _Connection(Connection):
    """Makes our streams, knows those not yet sent, and the TLS alert that it was lost with."""

    lost: ssl.SSLError | None = None

    def __init__(
        self,
        connection: LeanConnection,
        transport: asyncio.Transport,
        *,
        config: Configuration,
    ) -> None:
        self.lean = connection
        self.outgoing = Outgoing(transport)
        super().__init__(connection, self.outgoing, config=config)
        self.waiting = set[Http2Stream]()
        self._owed = 0

    @override
    def create_stream(
        self, *, stream_id: int | None = None, wrapper: Wrapper | None = None
    ) -> Http2Stream:
        if self.is_closing():  # lost since it was made; grpclib would stumble over that
            raise self.lost or StreamTerminatedError("Connection lost")
        return CallStream(
            self, self._connection, self._transport, stream_id=stream_id, wrapper=wrapper
        )

    def ack_ended(self, stream_id: int, size: int) -> None:
        """Acknowledge data of a call that has ended; only the room for all calls knows of it."""
        self._owed += size
        if self._owed >= _SMALL_CHANGE:
            owed, self._owed = self._owed, 0
            self.ack(stream_id, owed)

    def ping(self) -> None:
        """Send a ping, which any HTTP/2 peer has to answer."""
        self._connection.ping(bytes(8))  # whatever comes back, be it data, is an answer
        self.flush()


class _Processor(EventsProcessor):
    """Takes what HTTP/2 allows and grpclib stumbles over, and ends calls that were never sent."""

    connection: _Connection

    @override
    def process(self, event: Event) -> None:
        # A frame that is not known has to be ignored, where grpclib would raise; and once the
        # connection was closed there are no processors.
        take = getattr(self, "processors", _NONE).get(type(event))
        if take is not None:
            take(event)

    @override
    def process_data_received(self, event: DataReceived) -> None:
        size = event.flow_controlled_length
        stream = self.streams.get(event.stream_id)
        if stream is None:
            self.connection.ack_ended(event.stream_id, size)
        elif size:  # grpclib takes none for the end of the message
            stream.buffer.add(event.data, size)

    @override
    def process_response_received(self, event: ResponseReceived) -> None:
        headers = cast("Iterable[tuple[str, str]]", event.headers)  # h2's types say bytes
        if any(name == ":status" for name, _ in headers):
            super().process_response_received(event)
        elif (stream := self.streams.get(event.stream_id)) is not None:
            stream.__terminated__(f"{VIOLATION}: a response without :status")

    @override
    def register(self, stream: Http2Stream) -> Callable[[], None]:
        assert stream.id is not None
        self.streams[stream.id] = stream
        return partial(self._release, stream.id, stream)

    def _release(self, stream_id: int, stream: Http2Stream) -> None:
        """Forget a call that has ended."""
        del self.streams[stream_id]
        connection = self.connection
        connection.stream_close_waiter.set()
        if not connection.is_closing():
            connection.ack_ended(stream_id, stream.buffer.unacked_size())

    @override
    def close(self, reason: str = "Connection closed") -> None:
        for stream in self.connection.waiting:
            stream.__terminated__(reason)  # grpclib knows only those that were sent
        super().close(reason)


_NONE: Final[dict[type[Event], Callable[[Any], None]]] = {}


class _Protocol(H2Protocol):
    """One connection: with pings that find a dead link, and with reasons for its end.

    grpclib has pings too, but after two without calls in between it sends no more, so that a
    stream of events is never found dead; and it closes where only an abort ends a dead link.
    """

    def __init__(
        self, config: Configuration, h2_config: H2Configuration, options: ClientOptions
    ) -> None:
        super().__init__(Handler(), config, h2_config)
        self._options = options
        #: Set once the socket is closed.
        self.gone = asyncio.Event()
        self._beat: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._beginning = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        both_ways = cast("asyncio.Transport", transport)  # the base class says so, and no more
        h2 = LeanConnection(self.h2_config)
        h2.initiate_connection()
        window = self.config.http2_connection_window_size
        h2.increment_flow_control_window(window - h2.local_settings.initial_window_size)
        h2.update_settings(
            {
                SettingCodes.INITIAL_WINDOW_SIZE: self.config.http2_stream_window_size,
                SettingCodes.ENABLE_PUSH: 0,
            }
        )
        self._transport = both_ways
        self.connection = self._link = _Connection(h2, both_ways, config=self.config)
        self.connection.flush()
        self.processor = _Processor(self.handler, self.connection)
        self._rest()

    @override
    def data_received(self, data: bytes) -> None:
        if self.connection.is_closing():
            return
        self._stop_waiting()
        try:
            self._check_beginning(data)
            events = self.connection.feed(data)
        except (ProtocolError, UnicodeDecodeError) as error:
            self.processor.close(f"{VIOLATION}: {error}")
            return
        self.connection.flush()
        for event in events:
            self.processor.process(event)
        if not self.connection.is_closing():
            self.connection.flush()

    def _check_beginning(self, data: bytes) -> None:
        """See at once what is no HTTP/2; h2 would wait for the end of what it takes for a frame."""
        if len(self._beginning) < _TYPE_ENDS:
            self._beginning = (self._beginning + data)[:_TYPE_ENDS]
            if len(self._beginning) == _TYPE_ENDS and self._beginning[-1] != _SETTINGS:
                raise ProtocolError("it does not begin with SETTINGS")

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        if isinstance(exc, ssl.SSLError):
            self._link.lost = exc
        self._stop_waiting()
        if self._beat is not None:
            self._beat.cancel()
        if not self._beginning:
            self.processor.close(NO_WORD)
        super().connection_lost(exc)
        self.gone.set()

    def _rest(self) -> None:
        """Wait for the time of the next ping."""
        if self._options.keepalive is not None:
            loop = asyncio.get_running_loop()
            self._beat = loop.call_later(self._options.keepalive, self._ping)

    def _ping(self) -> None:
        if self.connection.is_closing():
            return
        keepalive = self._options.keepalive
        calls = self.processor.streams or self._link.waiting
        if keepalive is not None and calls and self._patience is None:
            self._link.ping()
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(min(keepalive, _PATIENCE), self._give_up)
        self._rest()

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self.abort()
        self.processor.close(NO_ANSWER)

    def abort(self) -> None:
        """End it now; a close waits until what is written was sent, and TLS for an answer."""
        self._transport.abort()


class GatewayConnection(Channel):
    """A channel that connects when it has to, within ``connect_timeout``, and not once closed."""

    def __init__(self, options: ClientOptions, context: ssl.SSLContext | None) -> None:
        self.options = options
        self._shut = False
        self._made: _Protocol | None = None
        config = Configuration(
            ssl_target_name_override=options.server_name_override,
            http2_connection_window_size=_CONNECTION_WINDOW,
        )
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  # ssl is imported in a try
            options.host, options.port, codec=MessageCodec(), ssl=context, config=config
        )

    @override
    def close(self) -> None:
        """Close the connection; calls that wait end, and none begins."""
        self._shut = True
        super().close()

    async def gone(self) -> None:
        """Wait for the end of a connection that was closed; one that does not end is aborted."""
        if self._made is None:
            return
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE):
                    await self._made.gone.wait()
        finally:
            self._made.abort()

    @override
    def _protocol_factory(self) -> H2Protocol:
        return _Protocol(self._config, self._h2_config, self.options)

    @override
    async def _create_connection(self) -> H2Protocol:
        limit = asyncio.timeout(self.options.connect_timeout)
        try:
            async with limit:
                protocol = await super()._create_connection()
        except TimeoutError:
            if limit.expired():
                raise ConnectTimeoutError from None
            raise
        assert isinstance(protocol, _Protocol)  # what our factory makes
        self._made = protocol
        if self._shut:
            protocol.processor.close()
            raise ConnectionAbortedError("this client was closed")
        return protocol


refuse_strangers(CallStream, _Connection, _Processor, _Protocol, GatewayConnection)
