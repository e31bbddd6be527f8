"""Rpcs as data, what a client stub needs of a channel, and the codec that grpclib is given."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from grpclib.const import Cardinality, Handler
from grpclib.encoding.base import CodecBase

from .codec import DecodeError
from .message import Message

if TYPE_CHECKING:
    from grpclib.server import Stream

__all__ = ["Cardinality", "MessageCodec", "Metadata", "Method", "StreamingTransport", "Transport"]

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

#: Headers of a call by lower-case name.
Metadata = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Reply]):
    """One rpc: its path on the wire, its messages and which side streams."""

    path: str
    request: type[Request]
    reply: type[Reply]
    cardinality: Cardinality

    def handler(self, answer: Callable[[Stream[Request, Reply]], Awaitable[None]]) -> Handler:
        """What grpclib's server needs to let ``answer`` serve this rpc."""
        return Handler(answer, self.cardinality, self.request, self.reply)


class Transport(Protocol):
    """What the stub of a service calls whose clients send one message a call.

    ``timeout`` is in seconds and covers the whole call; None leaves it to the transport. Closing
    what a streaming call returned (``aclose``, ``contextlib.aclosing``) ends the call.
    """

    async def unary_unary(
        self,
        method: Method[Request, Reply],
        request: Request,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> Reply:
        """Send one message and return the one that answers it."""
        ...

    def unary_stream(
        self,
        method: Method[Request, Reply],
        request: Request,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> AsyncGenerator[Reply, None]:
        """Send one message and yield those that answer it."""
        ...


class StreamingTransport(Transport, Protocol):
    """What the stub of a service calls whose clients may stream too."""

    async def stream_unary(
        self,
        method: Method[Request, Reply],
        requests: AsyncIterator[Request],
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> Reply:
        """Send messages and return the one that answers them all."""
        ...

    def stream_stream(
        self,
        method: Method[Request, Reply],
        requests: AsyncIterator[Request],
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> AsyncGenerator[Reply, None]:
        """Send messages and yield those that answer, each at its own pace."""
        ...


class MessageCodec(CodecBase):
    """grpclib's door to our messages.

    A message that is encoded already passes as bytes, so that a caller can meet an
    ``EncodeError`` before it opens a stream.
    """

    @property
    def __content_subtype__(self) -> str:
        return "proto"

    def encode(self, message: Any, message_type: type[Any]) -> bytes:
        """The bytes of ``message``."""
        if isinstance(message, bytes):
            return message
        if not isinstance(message, message_type):
            raise TypeError(f"expected {message_type.__name__}, got {type(message).__name__}")
        return bytes(message)

    def decode(self, data: bytes, message_type: type[Any]) -> Any:
        """A ``message_type`` from ``data``; ``DecodeError`` if it is none."""
        if not issubclass(message_type, Message):
            raise DecodeError(f"{message_type.__name__} is no generated message")
        return message_type.FromString(data)
