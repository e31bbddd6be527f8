"""grpclib's connection with our limits: the one file that reaches below its public classes.

From the outside in: a ``GatewayConnection`` makes a ``_Protocol`` for each connection, and a
``Call`` is one call over it. What each class changes is in its docstring.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from grpclib.client import Channel, Handler, Stream
from grpclib.config import Configuration
from grpclib.exceptions import StreamTerminatedError
from grpclib.protocol import Connection, EventsProcessor, H2Protocol, Stream as Http2Stream
from grpclib.utils import DeadlineWrapper, Wrapper
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, TrailersReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from typing_extensions import override

from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

from .options import ClientOptions

#: How grpclib's reasons for the end of a call begin, and ours.
GOAWAY: Final = "Received GOAWAY"
RESET: Final = "Stream reset"
VIOLATION: Final = "Protocol error"
NO_ANSWER: Final = "No answer to a ping"
NO_WORD: Final = "Closed without a word"

#: Bytes under way to all calls: far more than the 4 MiB for each, so that one which nobody reads
#: holds up no other.
_CONNECTION_WINDOW: Final = 2**30
#: The longest wait for the answer to a ping, in seconds.
_PATIENCE: Final = 20.0
#: How long, in seconds, the other side may take to say goodbye, as TLS wants it.
_GOODBYE: Final = 1.0
#: A frame begins with three bytes of length and one of type; the first one has to be SETTINGS.
_TYPE_ENDS: Final = 4
_SETTINGS: Final = 4
_USER_AGENT: Final = f"zb-mom-ww-mxgateway-python/{version('zb-mom-ww-mxgateway')}"

_Sent = TypeVar("_Sent")
_Received = TypeVar("_Received")


class ConnectTimeoutError(Exception):
    """No connection within ``connect_timeout``; grpclib has no such limit."""


class MessageTooLongError(Exception):
    """A message whose length prefix is over the limit. Its body was not waited for."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a message of {size:,} bytes")
        self.size = size


class _Stream(Http2Stream):
    """Refuses long messages by their prefix, names our user agent, waits for no lost trailers.

    While it waits for its turn it is in ``waiting`` of its connection.
    """

    connection: _Connection  # which makes it

    @override
    async def recv_data(self, size: int) -> bytes:
        if size > self.connection.options.max_receive_bytes:
            raise MessageTooLongError(size)
        return await super().recv_data(size)

    @override
    async def send_request(
        self,
        headers: list[tuple[str, str]],
        end_stream: bool = False,
        *,
        _processor: EventsProcessor,
    ) -> Callable[[], None]:
        own = self.connection.options.user_agent
        agent = f"{own} {_USER_AGENT}" if own else _USER_AGENT
        headers = [(name, agent if name == "user-agent" else value) for name, value in headers]
        self.connection.waiting.add(self)
        try:
            return await super().send_request(headers, end_stream, _processor=_processor)
        finally:
            self.connection.waiting.discard(self)

    @override
    def __ended__(self) -> None:
        super().__ended__()
        unsaid = self.headers is not None and "grpc-status" not in dict(self.headers)
        if unsaid and self.trailers is None:
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
        connection: H2Connection,
        transport: asyncio.Transport,
        *,
        config: Configuration,
        options: ClientOptions,
    ) -> None:
        super().__init__(connection, transport, config=config)
        self.options = options
        self.waiting = set[Http2Stream]()

    @override
    def create_stream(
        self, *, stream_id: int | None = None, wrapper: Wrapper | None = None
    ) -> Http2Stream:
        if self.is_closing():  # lost since it was made; grpclib would stumble over that
            raise self.lost or StreamTerminatedError("Connection lost")
        return _Stream(
            self, self._connection, self._transport, stream_id=stream_id, wrapper=wrapper
        )

    def ping(self) -> None:
        """Send a ping, which any HTTP/2 peer has to answer."""
        self._connection.ping(bytes(8))  # whatever comes back, be it data, is an answer
        self.flush()


class _Processor(EventsProcessor):
    """Takes what HTTP/2 allows and grpclib stumbles over, and ends calls that were never sent."""

    connection: _Connection

    @override
    def process(self, event: Event) -> None:
        if type(event) not in getattr(self, "processors", ()):
            return  # a frame that is not known has to be ignored; grpclib would raise
        if isinstance(event, DataReceived) and not event.flow_controlled_length:
            return  # grpclib takes it for the end of the message
        if isinstance(event, (ResponseReceived, TrailersReceived)):
            # Nobody here reads binary ones, and grpclib raises where one is no base64.
            event.headers = [h for h in event.headers if not _name(h).endswith("-bin")]
            if isinstance(event, ResponseReceived) and ":status" not in map(_name, event.headers):
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    stream.__terminated__(f"{VIOLATION}: a response without :status")
                return
        super().process(event)

    @override
    def close(self, reason: str = "Connection closed") -> None:
        for stream in self.connection.waiting:
            stream.__terminated__(reason)  # grpclib knows only those that were sent
        super().close(reason)


def _name(header: tuple[str | bytes, str | bytes]) -> str:
    return str(header[0])  # which h2 has decoded


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
        h2 = H2Connection(config=self.h2_config)
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
        self.connection = self._link = _Connection(
            h2, both_ways, config=self.config, options=self._options
        )
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


class _Wrapper(DeadlineWrapper):
    """Takes back the ``cancel()`` that grpclib wakes a waiting task with.

    Left alone it still counts as wanted after the call: a TaskGroup of the same task would then
    end with CancelledError. A cancel that somebody else asked for goes before grpclib's error.
    """

    def __init__(self) -> None:
        super().__init__()
        self._woken = Counter[asyncio.Task[Any]]()
        self._before = 0

    @override
    def cancel(self, error: Exception) -> None:
        if self._error is None:  # the first one says why; that the connection closed follows
            self._woken.update(self._tasks)
            super().cancel(error)

    @override
    def __enter__(self) -> None:
        super().__enter__()
        task = asyncio.current_task()
        self._before = task.cancelling() if task else 0

    @override
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        for _ in range(self._woken.pop(task, 0)):
            task.uncancel()
        if exc_type is asyncio.CancelledError and task.cancelling() > self._before:
            self._tasks.discard(task)
            return
        super().__exit__(exc_type, exc_val, exc_tb)


class Call(Stream[_Sent, _Received]):
    """The call that grpclib made, not begun, with our wrapper."""

    def __init__(self, made: Stream[_Sent, _Received]) -> None:
        vars(self).update(vars(made))

    @override
    async def __aenter__(self) -> Self:
        self._wrapper = _Wrapper()
        if self._deadline is not None:
            self._wrapper_ctx = self._wrapper.start(self._deadline)
            self._wrapper_ctx.__enter__()
        return self


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


def _check_grpclib() -> None:
    """Refuse a grpclib that no longer calls what is replaced here: our limits would be gone."""
    for ours in (_Stream, _Connection, _Processor, _Protocol, _Wrapper, Call, GatewayConnection):
        theirs = ours.__mro__[1]
        for name, member in vars(ours).items():
            if getattr(member, "__override__", False) and not hasattr(theirs, name):
                raise ImportError(
                    f"grpclib {version('grpclib')} has no {theirs.__name__}.{name}, which this SDK "
                    "replaces; install grpclib 0.4.9"
                )


_check_grpclib()
