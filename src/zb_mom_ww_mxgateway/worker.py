"""Frames of the gateway's inner protocol with its worker, for tests and worker-aware tools.

A frame is a little-endian uint32 length, 1 to 16 MiB, and one ``WorkerEnvelope`` of that size.
Clients of the gateway never speak this protocol.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from typing import Final

from zb_mom_ww_mxgateway_contracts.mxaccess_worker_v1 import WorkerEnvelope
from zb_mom_ww_mxgateway_wire.codec import DecodeError, EncodeError

from .errors import MxGatewayProtocolError

#: The version of the protocol that envelopes carry.
WORKER_PROTOCOL_VERSION: Final = 1
#: The largest envelope, in bytes, without its length before it.
MAX_ENVELOPE_BYTES: Final = 16 * 1024 * 1024

_LENGTH: Final = struct.Struct("<I")


class WorkerFrameError(MxGatewayProtocolError):
    """A frame that breaks the worker protocol. The stream cannot be read any further."""


def encode_frame(envelope: WorkerEnvelope) -> bytes:
    """``envelope`` as one frame.

    Raises:
        WorkerFrameError: It has another protocol version than 1, no body, a field out of its
            range, or more than 16 MiB.
    """
    _check(envelope)
    try:
        encoded = bytes(envelope)
    except EncodeError as error:
        raise WorkerFrameError(f"a worker envelope cannot be encoded: {error}") from None
    _check_length(len(encoded))
    return _LENGTH.pack(len(encoded)) + encoded


class FrameDecoder:
    """Envelopes out of bytes that arrive in pieces of any size.

        decoder = FrameDecoder()
        while piece := connection.recv(65536):
            decoder.feed(piece)
            for envelope in decoder.envelopes():
                ...
        decoder.close()

    A length over the limit is refused as soon as it is read, before its envelope is waited for.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fault = ""

    @property
    def buffered(self) -> int:
        """Bytes that were fed and are not yet part of an envelope that was taken."""
        return len(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add what arrived. Take the envelopes that it completes with ``envelopes``."""
        self._buffer += data

    def envelopes(self) -> Iterator[WorkerEnvelope]:
        """The envelopes that are complete, in order; each is taken as it is yielded.

        Raises:
            WorkerFrameError: A frame breaks the protocol. Envelopes before it were yielded, and
                every later call raises the same.
        """
        while (envelope := self._take()) is not None:
            yield envelope

    def close(self) -> None:
        """Say that the stream has ended.

        Raises:
            WorkerFrameError: It ended within a frame, or had broken the protocol before.
        """
        if self._fault:
            raise WorkerFrameError(self._fault)
        if self._buffer:
            raise WorkerFrameError(_truncated(len(self._buffer)))

    def _take(self) -> WorkerEnvelope | None:
        if self._fault:
            raise WorkerFrameError(self._fault)
        start = _LENGTH.size
        if len(self._buffer) < start:
            return None
        try:
            end = start + _length(self._buffer[:start])
            if len(self._buffer) < end:
                return None
            envelope = _decode(bytes(self._buffer[start:end]))
        except WorkerFrameError as error:
            self._fault = str(error)
            raise
        del self._buffer[:end]
        return envelope


async def read_frame(reader: asyncio.StreamReader) -> WorkerEnvelope | None:
    """The next envelope, or None where the stream has ended between two frames.

    Cancelled within a frame, it has taken a part of it: the stream cannot be read any further.
    An ``OSError`` of the connection passes through.

    Raises:
        WorkerFrameError: The frame breaks the protocol, or the stream ends within it.
    """
    taken = 0
    try:
        length = _length(await reader.readexactly(_LENGTH.size))
        taken = _LENGTH.size
        return _decode(await reader.readexactly(length))
    except asyncio.IncompleteReadError as error:
        taken += len(error.partial)
        if not taken:
            return None
        raise WorkerFrameError(_truncated(taken)) from None


def _length(header: bytes | bytearray) -> int:
    length: int = _LENGTH.unpack(header)[0]
    _check_length(length)
    return length


def _check_length(length: int) -> None:
    if not 0 < length <= MAX_ENVELOPE_BYTES:
        raise WorkerFrameError(
            f"a worker envelope has {length} bytes; 1 to {MAX_ENVELOPE_BYTES} are allowed"
        )


def _decode(encoded: bytes) -> WorkerEnvelope:
    try:
        envelope = WorkerEnvelope.FromString(encoded)
    except DecodeError as error:
        raise WorkerFrameError(f"a worker envelope cannot be decoded: {error}") from None
    _check(envelope)
    return envelope


def _check(envelope: WorkerEnvelope) -> None:
    if envelope.protocol_version != WORKER_PROTOCOL_VERSION:
        raise WorkerFrameError(
            f"a worker envelope has protocol version {envelope.protocol_version}; "
            f"this side speaks {WORKER_PROTOCOL_VERSION}"
        )
    if envelope.which_body() is None:
        raise WorkerFrameError(
            "a worker envelope has no body, or one that is newer than this contract"
        )


def _truncated(received: int) -> str:
    return f"the stream of worker frames ended within a frame, after {received} bytes of it"
