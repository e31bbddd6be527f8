"""What waits on its way: bytes for the socket, and the data of a call for its reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from grpclib.protocol import Buffer
from typing_extensions import override

from .replacing import refuse_strangers

#: Bytes that are written at once, so that asyncio says when the socket takes no more.
_MUCH: Final = 65_536
#: A message begins with a byte that says whether it is compressed, and four of its length.
PREFIX: Final = 5
_unpack_prefix: Final = Struct(">BI").unpack_from
#: Bytes taken that are not acknowledged one frame at a time; far less than a call's window.
_SMALL_CHANGE: Final = 65_536


class Outgoing(asyncio.Transport):
    """Writes what comes in one turn of the loop at its end, in one piece.

    grpclib writes each frame by itself. A write to a socket costs more than all else that a small
    call does: so a call's headers and message go together, and so do calls that begin together.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._size = 0

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write ``data`` soon, after what was written before."""
        if not self._pieces:
            self._loop.call_soon(self.flush)
        self._pieces.append(bytes(data))
        self._size += len(data)
        if self._size >= _MUCH:
            self.flush()

    def flush(self) -> None:
        """Hand over what there is."""
        if self._pieces:
            pieces, self._pieces, self._size = self._pieces, [], 0
            if not self._transport.is_closing():
                self._transport.write(b"".join(pieces))

    @override
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    @override
    def close(self) -> None:
        self.flush()
        self._transport.close()

    @override
    def abort(self) -> None:
        self._pieces.clear()
        self._transport.abort()

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)


class Incoming(Buffer):
    """The data of one call, for one reader: a wait only where there is none, few acknowledgements.

    As grpclib's it acknowledges a frame when the reader takes its first byte or waits for more, so
    that a reader that falls behind holds the gateway back. It counts small frames together.
    """

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        # Not super().__init__(): the queue and deque made there would be for nothing.
        self._acknowledge = acknowledge
        self._ended = False
        self._arrived: deque[tuple[bytes, int]] = deque()
        self._owed = 0
        #: The frame that is being read, and how far; behind it those taken for the same message.
        self._chunk = b""
        self._at = 0
        self._waiter: asyncio.Future[None] | None = None

    @override
    def add(self, data: bytes, ack_size: int) -> None:
        self._arrived.append((data, ack_size))
        self._wake()

    @override
    def eof(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @override
    async def read(self, size: int) -> bytes:
        """``size`` bytes; none behind the last.

        Raises:
            AssertionError: The data ends in between. It is what grpclib raises.
        """
        if self._at == len(self._chunk) and self._arrived:
            self._take()
        end = self._at + size
        if end > len(self._chunk):
            return await self._gather(size)
        data = self._chunk[self._at : end]  # no copy where it is all of it
        self._at = end
        return data

    def message(self, longest: int) -> bytes | None:
        """The next message, where all of it is in the frame that is read or in the next one.

        None where it is not, and where it is compressed or too long: ``read`` has to see to it.
        """
        if self._at == len(self._chunk) and self._arrived:
            self._take()
        begin = self._at + PREFIX
        if begin > len(self._chunk):
            return None
        compressed, size = _unpack_prefix(self._chunk, self._at)
        end = begin + size
        if compressed or size > longest or end > len(self._chunk):
            return None
        self._at = end
        return self._chunk[begin:end]

    def _take(self) -> bytes:
        self._chunk, acknowledged = self._arrived.popleft()
        self._at = 0
        self._owed += acknowledged
        if self._owed >= _SMALL_CHANGE:
            self._report()
        return self._chunk

    def _report(self) -> None:
        if self._owed:
            owed, self._owed = self._owed, 0
            self._acknowledge(owed)

    async def _gather(self, size: int) -> bytes:
        """A message of several frames, in one copy."""
        pieces = [memoryview(self._chunk)[self._at :]]
        missing = size - len(pieces[0])
        self._at = len(self._chunk)
        while missing > 0:
            if self._arrived:
                piece = memoryview(self._take())[:missing]
                self._at = len(piece)
                missing -= len(piece)
                pieces.append(piece)
            elif self._ended:
                break
            else:
                await self._more()
        data = b"".join(pieces)
        if missing and data:
            raise AssertionError("the data ends within a message")
        return data

    async def _more(self) -> None:
        self._report()  # all of it, or the gateway might wait for room while this waits for data
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    @override
    def unacked_size(self) -> int:
        """What is to be acknowledged once nobody reads any more."""
        owed = self._owed + sum(acknowledged for _, acknowledged in self._arrived)
        self._owed = 0
        self._arrived.clear()
        return owed


refuse_strangers(Outgoing, Incoming)
