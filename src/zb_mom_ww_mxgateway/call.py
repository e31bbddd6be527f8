"""One call over grpclib: its request in one piece, its answers with as few waits as there are."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from grpclib.client import Channel, Stream
from grpclib.metadata import Deadline, encode_metadata, encode_timeout
from grpclib.utils import Wrapper
from hpack.struct import NeverIndexedHeaderTuple
from typing_extensions import override

from zb_mom_ww_mxgateway_wire.grpc import MessageCodec, Metadata, Method
from zb_mom_ww_mxgateway_wire.message import Message

from .buffers import PREFIX, Incoming
from .header_blocks import Headers
from .http2 import CallStream
from .replacing import refuse_strangers, refuse_without

Reply = TypeVar("Reply", bound=Message)

_CODEC: Final = MessageCodec()


class MessageTooLongError(Exception):
    """A message whose length prefix is over the limit. Its body was not waited for."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a message of {size:,} bytes")
        self.size = size


def head_of(channel: Channel, path: str, agent: str, metadata: Metadata) -> Headers:
    """The headers that begin each call of ``path``.

    Raises:
        ValueError: A name or value in ``metadata`` that no header may have.
    """
    scheme = channel._scheme  # pyright: ignore[reportPrivateUsage]  # grpclib keeps no other
    authority = channel._authority  # pyright: ignore[reportPrivateUsage]
    return (
        (":method", "POST"),
        (":scheme", scheme),
        (":path", path),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", agent),
        *encode_metadata(metadata),
    )


class _Wrapper(Wrapper):
    """Takes back the ``cancel()`` that grpclib wakes a waiting task with.

    Left alone it still counts as wanted after the call: a TaskGroup of the same task would then
    end with CancelledError. A cancel that somebody else asked for goes before grpclib's error.
    """

    def __init__(self) -> None:
        super().__init__()
        self._woken = set[asyncio.Task[Any]]()
        self._before = 0

    @property
    def ended(self) -> bool:
        """Whether there is an error, which whoever waits gets."""
        return self._error is not None

    @override
    def cancel(self, error: Exception) -> None:
        if self._error is None:  # the first one says why; that the connection closed follows
            self._woken.update(self._tasks)
            super().cancel(error)

    @override
    def __enter__(self) -> None:
        # Not super(): each message of a stream comes by here, and the task is asked for once.
        if self._error is not None:
            raise self._error
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._before = task.cancelling()

    @override
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.discard(task)
        if self._error is None:
            return
        if task in self._woken:
            self._woken.discard(task)
            task.uncancel()
        if exc_type is asyncio.CancelledError and task.cancelling() > self._before:
            return
        super().__exit__(exc_type, exc_val, exc_tb)


class Call(Stream[bytes, Reply], Generic[Reply]):
    """A call that sends one message. All that it waits for ends with the connection or its time.

    What grpclib does for listeners and for metadata of the answer, which nobody here has, is left
    out; what it checks is not.

    Args:
        channel: What to connect with.
        method: What to call.
        head: See ``head_of``.
        request: The message, encoded.
        timeout: For all of the call, in seconds; None for as long as it takes.
        max_receive_bytes: The longest message taken.
    """

    _wrapper: _Wrapper

    def __init__(
        self,
        channel: Channel,
        method: Method[Any, Reply],
        head: Headers,
        request: bytes,
        *,
        timeout: float | None,
        max_receive_bytes: int,
    ) -> None:
        super().__init__(
            channel,
            method.path,
            cast("Any", {}),
            method.cardinality,
            bytes,
            method.reply,
            codec=_CODEC,
            status_details_codec=None,
            dispatch=channel.__dispatch__,
            deadline=None if timeout is None else Deadline.from_timeout(timeout),
        )
        self.request = request
        self._head = head
        self._reply = method.reply
        self._most = max_receive_bytes
        self._wrapper = _Wrapper()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def sent(self) -> bool:
        """Whether all of the request is on its way."""
        return self._end_done

    @override
    async def __aenter__(self) -> Self:
        if self._deadline is not None:
            left = self._deadline.time_remaining()
            if not left:
                raise TimeoutError("Deadline exceeded")
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(
                left, self._wrapper.cancel, TimeoutError("Deadline exceeded")
            )
        return self

    @override
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        try:
            if not exc_type and self._recv_trailing_metadata_done and not self._trailers_only:
                self._release_stream()  # both sides have ended it; grpclib would look once more
            else:
                await super().__aexit__(exc_type, exc_val, exc_tb)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def ask(self) -> None:
        """Send the request, headers and message."""
        with self._wrapper:
            await self._ask()

    async def next(self) -> Reply | None:
        """The next message; None behind the last one.

        Raises:
            MessageTooLongError: It is longer than is taken.
        """
        with self._wrapper:
            if not self._recv_initial_metadata_done:
                await self._begun()
            return await self._message()

    def arrived(self) -> Reply | None:
        """The next message where there is nothing to wait for; else ``next`` has to be asked."""
        buffer = self._stream.buffer
        if self._wrapper.ended or not isinstance(buffer, Incoming):
            return None
        body = buffer.message(self._most)
        return None if body is None else self._reply.FromString(body)

    async def single(self) -> Reply | None:
        """Send the request and take the message that answers it; None where there is none.

        The status may still say why, or that a message that came does not count.
        """
        with self._wrapper:  # one for all; each costs
            await self._ask()
            await self._begun()
            reply = await self._message()
            await self._ended()
        return reply

    async def _ask(self) -> None:
        processor = (await self._channel.__connect__()).processor
        stream = processor.connection.create_stream(wrapper=self._wrapper)
        own: Headers = ()
        if self._deadline is not None:
            left = encode_timeout(self._deadline.time_remaining())
            own = (NeverIndexedHeaderTuple("grpc-timeout", left),)
        message = b"\0" + len(self.request).to_bytes(PREFIX - 1, "big") + self.request
        release = None
        if isinstance(stream, CallStream):  # a channel that is not ours has others
            release = stream.send_at_once(self._head, own, message, processor)
        at_once = release is not None
        if release is None:
            headers: list[tuple[Any, Any]] = [*self._head, *own]
            release = await stream.send_request(headers, _processor=processor)
        self._stream, self._release_stream = stream, release
        self._send_request_done = True
        if not at_once:
            await stream.send_data(message, end_stream=True)
        self._send_message_done = self._end_done = True

    async def _begun(self) -> None:
        headers = dict(await self._stream.recv_headers())
        self._recv_initial_metadata_done = True
        self._raise_for_status(headers)
        self._raise_for_content_type(headers)
        if "grpc-status" in headers:
            self._trailers_only = True
            self._raise_for_grpc_status(*self._process_grpc_status(headers))

    async def _message(self) -> Reply | None:
        prefix = await self._stream.recv_data(PREFIX)
        if not prefix:
            return None
        if prefix[0]:
            raise NotImplementedError("Compression not implemented")
        size = int.from_bytes(prefix[1:], "big")
        if size > self._most:
            raise MessageTooLongError(size)
        body = await self._stream.recv_data(size)
        if len(body) != size:
            raise AssertionError(f"{len(body)} != {size}")
        return self._reply.FromString(body)

    async def _ended(self) -> None:
        if self._trailers_only:
            self._recv_trailing_metadata_done = True
            return
        trailers = dict(await self._stream.recv_trailers())
        self._recv_trailing_metadata_done = True
        self._raise_for_grpc_status(*self._process_grpc_status(trailers))

    @override
    async def recv_initial_metadata(self) -> None:
        """Wait for the headers of the answer. grpclib asks for them at the end of a call."""
        with self._wrapper:
            await self._begun()

    @override
    async def recv_trailing_metadata(self) -> None:
        """Wait for the trailers of the answer. grpclib asks for them at the end of a call."""
        with self._wrapper:
            await self._ended()


refuse_strangers(_Wrapper, Call)
refuse_without(Wrapper(), "_error", "_tasks")
refuse_without(
    Stream,
    *("_send_request_done", "_send_message_done", "_end_done"),
    *("_recv_initial_metadata_done", "_recv_trailing_metadata_done", "_trailers_only"),
    *("_raise_for_status", "_raise_for_content_type"),
    *("_raise_for_grpc_status", "_process_grpc_status"),
)
