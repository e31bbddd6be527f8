"""h2's connection without the work that nobody here needs; what it checks it checks as before."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, Final, cast

from h2.config import H2Configuration
from h2.connection import AllowedStreamIDs, ConnectionInputs, H2Connection
from h2.frame_buffer import FrameBuffer
from h2.stream import H2Stream, StreamInputs
from h2.utilities import HeaderValidationFlags
from hpack.hpack import Encoder
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, PushPromiseFrame
from typing_extensions import override

from .header_blocks import Headers, ReceivedHeaders, RememberingDecoder, RememberingEncoder
from .replacing import refuse_strangers, refuse_without

#: Bytes before the body of a frame: three of length, one of type, one of flags, four of stream.
_HEADER: Final = 9
#: The length with the type, and the flags with the stream.
_unpack_head: Final = Struct(">I5s").unpack_from
_pack_head: Final = Struct(">IBI").pack
_DATA: Final = 0
_HEADERS: Final = 1
_CONTINUATION: Final = 9
_END_STREAM: Final = 1
_END_HEADERS: Final = 4
#: What the flags of a frame say, for those with which it has no padding, priority or continuation.
_FLAGS: Final[dict[tuple[int, int], frozenset[str]]] = {
    (_DATA, 0): frozenset(),
    (_DATA, _END_STREAM): frozenset({"END_STREAM"}),
    (_HEADERS, _END_HEADERS): frozenset({"END_HEADERS"}),
    (_HEADERS, _END_HEADERS | _END_STREAM): frozenset({"END_HEADERS", "END_STREAM"}),
}
#: Streams that h2 keeps, open or closed, before it looks for those that are closed.
_KEPT: Final = 128


class _Plain:
    """A received frame without all that may be around its body. Its flags are shared."""

    pad_length = 0

    def __init__(self, stream_id: int, flags: frozenset[str], body: bytes) -> None:
        self.stream_id = stream_id
        self.flags = flags
        self.data = body
        self.body_len = len(body)

    @override
    def __repr__(self) -> str:
        return type(self).__name__  # h2 asks for that of each frame, for a log that is off


class _PlainData(_Plain, DataFrame):  # type: ignore[misc]
    """DATA."""


class _PlainHeaders(_Plain, HeadersFrame):  # type: ignore[misc]
    """HEADERS, all of them."""


class _Frames(FrameBuffer):
    """Takes the frames that calls are made of in one step each, and leaves the rest to h2.

    DATA frames that follow one another on a stream are taken as one, as far as they have arrived:
    events are small, come many at a time, and each has a frame of its own.
    """

    @override
    def __next__(self) -> Frame:
        received = self._data
        if len(received) < _HEADER or self._headers_buffer:
            return super().__next__()
        kind = received[3]
        flags = _FLAGS.get((kind, received[4]))
        stream_id = int.from_bytes(received[5:_HEADER], "big") & 0x7FFF_FFFF
        end = _HEADER + int.from_bytes(received[:3], "big")
        if flags is None or not stream_id or len(received) < end:
            return super().__next__()
        self._validate_frame_length(end - _HEADER)
        if kind == _DATA and not flags:
            body, end = self._data_up_to_another_frame()
            del received[:end]
            return cast("Frame", _PlainData(stream_id, flags, body))
        with memoryview(received) as view:
            body = bytes(view[_HEADER:end])
        del received[:end]
        frame = (_PlainData if kind == _DATA else _PlainHeaders)(stream_id, flags, body)
        return cast("Frame", frame)

    def _data_up_to_another_frame(self) -> tuple[bytes, int]:
        """The bodies of the DATA frames at the beginning, and where the last one ends."""
        received = self._data
        length, first = _unpack_head(received)
        bodies: list[bytearray] = []
        at, end = 0, _HEADER + (length >> 8)
        while True:
            bodies.append(received[at + _HEADER : end])
            if len(received) < end + _HEADER:
                break
            length, follows = _unpack_head(received, end)
            behind = end + _HEADER + (length >> 8)
            if follows != first or length & 0xFF != _DATA or behind > len(received):
                break
            self._validate_frame_length(length >> 8)
            at, end = end, behind
        return b"".join(bodies), end


class _LeanStream(H2Stream):
    """A stream whose headers nobody validates in h2: grpclib has that switched off."""

    @override
    def send_headers(
        self, headers: Any, encoder: Encoder, end_stream: bool = False
    ) -> list[HeadersFrame | ContinuationFrame | PushPromiseFrame]:
        if end_stream or self.state_machine.headers_sent:
            return super().send_headers(headers, encoder, end_stream)
        # A request with a message behind it: hpack takes its headers as they are.
        self.state_machine.process_input(StreamInputs.SEND_HEADERS)
        first = HeadersFrame(self.stream_id)
        return self._build_headers_frames(headers, encoder, first, _UNUSED)

    @override
    def _process_received_headers(
        self, headers: Any, header_validation_flags: Any, header_encoding: Any
    ) -> list[Any]:
        """As text, which is made once for each block that our decoder remembers."""
        block: ReceivedHeaders = headers
        if block.text is None:
            block.text = super()._process_received_headers(
                headers, header_validation_flags, header_encoding
            )
        return block.text

    @override
    def _build_hdr_validation_flags(self, events: Any) -> HeaderValidationFlags:
        return _UNUSED


_UNUSED: Final = HeaderValidationFlags(
    is_client=True, is_trailer=False, is_response_header=False, is_push_promise=False
)


def _frame(kind: int, flags: int, stream_id: int, body: bytes) -> bytes:
    return _pack_head(len(body) << 8 | kind, flags, stream_id) + body


class LeanConnection(H2Connection):
    """A client's connection, quick at what each call repeats."""

    encoder: RememberingEncoder

    def __init__(self, config: H2Configuration) -> None:
        super().__init__(config)
        self.encoder = RememberingEncoder()
        self.decoder = RememberingDecoder()
        self.decoder.max_header_list_size = self.DEFAULT_MAX_HEADER_LIST_SIZE
        if isinstance(getattr(self.incoming_buffer, "_data", None), bytearray):  # since h2 4.3
            self.incoming_buffer = _Frames()
        handlers = cast("dict[type, Callable[..., Any]]", self._frame_dispatch_table)  # pyright: ignore[reportUnknownMemberType]
        handlers[_PlainData] = self._receive_data_frame
        handlers[_PlainHeaders] = self._receive_headers_frame

    @property
    @override
    def open_outbound_streams(self) -> int:
        # h2 looks at each stream for each call. As long as all of them, closed ones too, are fewer
        # than the gateway takes, their number says enough.
        kept = len(self.streams)
        if kept < min(_KEPT, self.remote_settings.max_concurrent_streams):
            return kept
        return super().open_outbound_streams

    def begin_call(self, head: Headers, own: Headers, message: bytes) -> tuple[int, bytes] | None:
        """Begin a stream and end this side of it: its id, and what is to be sent.

        None where the gateway takes no more streams, or not all of ``message`` in one frame now.

        Args:
            head: Headers that calls have in common.
            own: Those that go behind them.
            message: The body of the request.
        """
        longest, size = self.max_outbound_frame_size, len(message)
        if (
            size > min(longest, self.outbound_flow_control_window)
            or size > self.remote_settings.initial_window_size
            or self.open_outbound_streams >= self.remote_settings.max_concurrent_streams
        ):
            return None
        self.state_machine.process_input(ConnectionInputs.SEND_HEADERS)
        stream_id = self.get_next_available_stream_id()
        stream = self._begin_new_stream(stream_id, AllowedStreamIDs.ODD)
        stream.state_machine.process_input(StreamInputs.SEND_HEADERS)
        stream.state_machine.process_input(StreamInputs.SEND_END_STREAM)
        stream.outbound_flow_control_window -= size
        self.outbound_flow_control_window -= size
        block = self.encoder.encode_in_two(head, own)
        kind, frames = _HEADERS, self.data_to_send()
        while len(block) > longest:
            frames += _frame(kind, 0, stream_id, block[:longest])
            kind, block = _CONTINUATION, block[longest:]
        frames += _frame(kind, _END_HEADERS, stream_id, block)
        return stream_id, frames + _frame(_DATA, _END_STREAM, stream_id, message)

    @override
    def _begin_new_stream(self, stream_id: int, allowed_ids: AllowedStreamIDs) -> H2Stream:
        stream = super()._begin_new_stream(stream_id, allowed_ids)
        stream.__class__ = _LeanStream
        return stream


refuse_strangers(_Frames, _LeanStream, LeanConnection)
refuse_without(FrameBuffer, "_validate_frame_length")
refuse_without(FrameBuffer(), "_headers_buffer")
refuse_without(H2Stream, "_build_headers_frames")
refuse_without(H2Connection, "_receive_data_frame", "_receive_headers_frame")
refuse_without(H2Connection(), "_frame_dispatch_table", "incoming_buffer", "encoder", "decoder")
