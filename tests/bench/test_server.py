"""The server: grpclib's client gets what it was made to answer, whatever flow control allows."""

from __future__ import annotations

import struct
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from bench.canned import bulk_read_reply, event, reply
from bench.server import Answer
from bench.workers import Process
from zb_mom_ww_mxgateway import GatewayClient
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxCommandKind
from zb_mom_ww_mxgateway_wire.message import Message

RESULTS = 50_000
EVENTS = 300


def _framed(message: Message) -> bytes:
    data = bytes(message)
    return struct.pack(">BI", 0, len(data)) + data


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder: Path = tmp_path_factory.mktemp("answers")
    large = reply(MxCommandKind.READ_BULK)
    large.read_bulk = bulk_read_reply(RESULTS)
    (folder / "large").write_bytes(_framed(large))
    (folder / "small").write_bytes(_framed(reply(MxCommandKind.PING)))
    events = [event(number, "events") for number in range(1, EVENTS + 1)]
    (folder / "events").write_bytes(b"".join(map(_framed, events)))
    with Process([sys.executable, "-m", "bench.server", str(folder)], {}) as server:
        yield f"127.0.0.1:{int(server.heard())}"


async def test_an_answer_beyond_the_window_of_a_stream_arrives_whole(endpoint: str) -> None:
    async with await GatewayClient.connect(endpoint, plaintext=True) as client:
        results = await client.session("large").read_bulk(1, ["tag"])
        await client.session("small").ping()
    assert len(bytes(bulk_read_reply(RESULTS))) > 4 * 1024 * 1024
    assert [each.item_handle for each in results] == list(range(1, RESULTS + 1))


async def test_events_arrive_in_order_and_the_stream_ends(endpoint: str) -> None:
    async with await GatewayClient.connect(endpoint, plaintext=True) as client:
        for _ in range(2):
            async with client.session("events").stream_events() as events:
                numbers = [each.worker_sequence async for each in events]
            assert numbers == list(range(1, EVENTS + 1))


def test_frames_cut_at_any_window_make_the_same_bytes() -> None:
    bodies = [b"\0" + struct.pack(">I", size) + b"x" * size for size in (0, 5, 40_000)]
    answer = Answer(b"".join(bodies))
    stream = struct.pack(">I", 7)
    whole = answer.frames(stream, 0, len(answer))
    for window in (16_384, 20_000, 50_000):
        sent, pieces = 0, b""
        while sent < len(answer):
            behind = answer.fitting(sent, window)
            pieces += answer.frames(stream, sent, behind)
            sent = behind
        assert pieces == whole
    assert answer.carried(len(answer)) == sum(map(len, bodies))
    assert answer.fitting(2, 16_383) == 2
