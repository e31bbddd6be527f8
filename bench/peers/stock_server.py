"""The answers of ``bench.server`` from a server of grpc.aio, to see what a usual server changes.

It takes several times as long for a call, which is then part of everybody's time, and it reads and
writes no protobuf either. ``python -m bench.peers.stock_server FOLDER [CORE]`` speaks as
``bench.server`` does.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import time
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

# A module of the peer's environment: no type checker sees it.
grpc: Any = import_module("grpc")

_PREFIX = 5


def _session(request: bytes) -> str:
    """The first field, which all requests have for the session's id."""
    assert request[0] == 0x0A
    return request[2 : 2 + request[1]].decode()


def _messages(body: bytes) -> list[bytes]:
    found: list[bytes] = []
    start = 0
    while start < len(body):
        (length,) = struct.unpack_from(">I", body, start + 1)
        found.append(body[start + _PREFIX : start + _PREFIX + length])
        start += _PREFIX + length
    return found


async def serve(answers: dict[str, list[bytes]]) -> None:
    """Serve until standard input ends."""

    async def unary(request: bytes, _: object) -> bytes:
        return answers[_session(request)][0]

    async def stream(request: bytes, _: object) -> AsyncIterator[bytes]:
        for message in answers[_session(request)]:
            yield message

    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 16 * 1024 * 1024)])
    handlers = {
        "Invoke": grpc.unary_unary_rpc_method_handler(unary),
        "StreamEvents": grpc.unary_stream_rpc_method_handler(stream),
    }
    service = grpc.method_handlers_generic_handler("mxaccess_gateway.v1.MxAccessGateway", handlers)
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(time.process_time(), flush=True)
    await server.stop(None)


def main(folder: str, core: str = "") -> None:
    """Serve what is in a folder, on one core if it is named."""
    if core:
        os.sched_setaffinity(0, {int(core)})
    answers = {file.name: _messages(file.read_bytes()) for file in Path(folder).iterdir()}
    asyncio.run(serve(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
