"""A gRPC server that answers with bytes made beforehand, so that clients are what is measured.

It speaks as much HTTP/2 as gRPC clients need, and knows no protobuf: a request begins with the id
of its session, and that names the answer. It reads no headers, because nothing in them decides;
its own are literals. A thread for each connection reads, answers and reads on, without an event
loop, and a whole answer goes to the socket in one call.

``python -m bench.server FOLDER [CORE]`` prints its port, then its processor time in seconds for
each line that it reads.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Final

#: Types and flags of frames; RFC 9113, section 6.
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD: Final = 9
#: The longest frame that every client takes, and the only length that most servers use.
_FRAME: Final = 16_384
_PREFIX: Final = 5
#: What clients may send before they are told to go on: in practice everything.
_WINDOW: Final = 2**30
_INITIAL_WINDOW: Final = 65_535
_MAX_STREAMS: Final = 100

#: ``:status 200`` by its index, ``content-type`` by the index of its name, ``grpc-status 0``.
_ANSWER_HEADERS: Final = b"\x88\x0f\x10\x10application/grpc"
_TRAILERS: Final = b"\x00\x0bgrpc-status\x010"


def head(length: int, kind: int, flags: int = 0) -> bytes:
    """The first five bytes of a frame; the id of its stream follows."""
    return struct.pack(">HBBB", length >> 8, length & 0xFF, kind, flags)


def frame(kind: int, flags: int, stream: bytes, payload: bytes = b"") -> bytes:
    """A whole frame."""
    return head(len(payload), kind, flags) + stream + payload


class Answer:
    """The body of an answer, cut into frames: each message begins one of its own.

    A frame is ``head``, id of the stream, payload. Joining what stands between the ids with an id
    makes the frames of a stream in one step, however many they are.
    """

    def __init__(self, body: bytes) -> None:
        self._payloads = list(_payloads(body))
        self._heads = [head(len(payload), DATA) for payload in self._payloads]
        self._between = [
            payload + following
            for payload, following in zip(self._payloads, self._heads[1:], strict=False)
        ]
        #: How many bytes the frames up to each one carry, for flow control.
        self._ends = list(accumulate(map(len, self._payloads)))

    def __len__(self) -> int:
        return len(self._payloads)

    def carried(self, frames: int) -> int:
        """The bytes in the first so many frames."""
        return self._ends[frames - 1] if frames else 0

    def fitting(self, sent: int, window: int) -> int:
        """How many frames may be sent altogether, where some are and the window is so large."""
        return bisect_right(self._ends, self.carried(sent) + window)

    def frames(self, stream: bytes, first: int, behind: int) -> bytes:
        """The frames from ``first`` up to and without ``behind``."""
        if first == behind:
            return b""
        between = self._between[first : behind - 1]
        return stream.join([self._heads[first], *between, self._payloads[behind - 1]])


def _payloads(body: bytes) -> list[bytes]:
    found: list[bytes] = []
    start = 0
    while start < len(body):
        (length,) = struct.unpack_from(">I", body, start + 1)
        end = start + _PREFIX + length
        found += [body[at : min(at + _FRAME, end)] for at in range(start, end, _FRAME)]
        start = end
    return found


@dataclass
class Call:
    """One stream: what has come of its request, and how much of its answer may leave and has."""

    window: int
    request: bytearray = field(default_factory=bytearray)
    answer: Answer | None = None
    sent: int = 0


class Connection:
    """One client."""

    def __init__(self, connected: socket.socket, answers: dict[bytes, Answer]) -> None:
        self._socket = connected
        self._answers = answers
        self._calls: dict[bytes, Call] = {}
        self._out: list[bytes] = []
        self._window = _INITIAL_WINDOW
        self._stream_window = _INITIAL_WINDOW
        self._unacknowledged = 0

    def serve(self) -> None:
        """Answer until the client goes."""
        settings = struct.pack(">HIHI", 3, _MAX_STREAMS, 4, _WINDOW)
        self._put(SETTINGS, 0, bytes(4), settings)
        self._put(WINDOW_UPDATE, 0, bytes(4), struct.pack(">I", _WINDOW))
        self._flush()
        waiting = bytearray()
        while True:
            try:
                received = self._socket.recv(2**20)
            except ConnectionError:
                return
            if not received:
                return
            waiting += received
            if waiting.startswith(_PREFACE):
                del waiting[: len(_PREFACE)]
            elif _PREFACE.startswith(waiting):
                continue
            at = 0
            while len(waiting) >= at + _HEAD:
                length = int.from_bytes(waiting[at : at + 3], "big")
                end = at + _HEAD + length
                if len(waiting) < end:
                    break
                stream = bytes(waiting[at + 5 : at + _HEAD])
                payload = bytes(waiting[at + _HEAD : end])
                self._take(waiting[at + 3], waiting[at + 4], stream, payload)
                at = end
            del waiting[:at]
            self._flush()

    def _put(self, kind: int, flags: int, stream: bytes, payload: bytes = b"") -> None:
        self._out.append(frame(kind, flags, stream, payload))

    def _flush(self) -> None:
        if self._out:
            self._socket.sendall(b"".join(self._out))
            self._out.clear()

    def _take(self, kind: int, flags: int, stream: bytes, payload: bytes) -> None:
        if kind == DATA:
            self._data(flags, stream, payload)
        elif kind == HEADERS:
            self._calls[stream] = Call(self._stream_window)
        elif kind == WINDOW_UPDATE:
            self._more(stream, int.from_bytes(payload, "big"))
        elif kind == RST_STREAM:
            self._calls.pop(stream, None)
        elif kind == PING and not flags & ACK:
            self._put(PING, ACK, stream, payload)
        elif kind == SETTINGS and not flags & ACK:
            self._settings(payload)
            self._put(SETTINGS, ACK, stream)

    def _data(self, flags: int, stream: bytes, payload: bytes) -> None:
        self._unacknowledged += len(payload)
        if self._unacknowledged > _WINDOW // 2:
            more = struct.pack(">I", self._unacknowledged)
            self._put(WINDOW_UPDATE, 0, bytes(4), more)
            self._unacknowledged = 0
        call = self._calls.get(stream)
        if call is None:
            return
        call.request += payload
        if flags & END_STREAM:
            call.answer = self._answers[_session(call.request)]
            self._put(HEADERS, END_HEADERS, stream, _ANSWER_HEADERS)
            self._send(stream, call)

    def _send(self, stream: bytes, call: Call) -> None:
        """Send of the answer what flow control allows now."""
        answer = call.answer
        if answer is None:
            return
        behind = answer.fitting(call.sent, min(self._window, call.window))
        self._out.append(answer.frames(stream, call.sent, behind))
        carried = answer.carried(behind) - answer.carried(call.sent)
        self._window -= carried
        call.window -= carried
        call.sent = behind
        if behind == len(answer):
            self._put(HEADERS, END_HEADERS | END_STREAM, stream, _TRAILERS)
            del self._calls[stream]

    def _more(self, stream: bytes, size: int) -> None:
        if stream == bytes(4):
            self._window += size
            for each, call in list(self._calls.items()):
                self._send(each, call)
        elif stream in self._calls:
            call = self._calls[stream]
            call.window += size
            self._send(stream, call)

    def _settings(self, payload: bytes) -> None:
        for key, value in struct.iter_unpack(">HI", payload):
            if key == 4:  # SETTINGS_INITIAL_WINDOW_SIZE
                for call in self._calls.values():
                    call.window += value - self._stream_window
                self._stream_window = value


def _session(request: bytearray) -> bytes:
    """The first field of the first message, which all requests have for the session's id."""
    if request[_PREFIX] != 0x0A:
        raise ValueError("a request without a session; the server knows no others")
    start = _PREFIX + 2
    return bytes(request[start : start + request[_PREFIX + 1]])


def load(folder: Path) -> dict[bytes, Answer]:
    """The answers in a folder, by session: a file holds messages as gRPC frames them."""
    return {file.name.encode(): Answer(file.read_bytes()) for file in folder.iterdir()}


def main(folder: str, core: str = "") -> None:
    """Serve until standard input ends."""
    if core:
        os.sched_setaffinity(0, {int(core)})
    answers = load(Path(folder))
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            connected, _ = listening.accept()
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve = Connection(connected, answers).serve
            threading.Thread(target=serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    for _ in sys.stdin:
        print(time.process_time(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
