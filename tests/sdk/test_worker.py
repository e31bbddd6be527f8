"""Frames of the worker protocol: any envelope, in pieces of any size, and no broken frame."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.contracts import real
from tests.oracle import encoded, google_messages
from zb_mom_ww_mxgateway.worker import (
    MAX_ENVELOPE_BYTES,
    FrameDecoder,
    WorkerFrameError,
    encode_frame,
    read_frame,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_worker_v1 import (
    GatewayHello,
    WorkerCancel,
    WorkerEnvelope,
)

PREFIX = "mxaccess_worker.v1."
BODIES = {
    info.name: real()[info.message_type.full_name]
    for info in real()[f"{PREFIX}WorkerEnvelope"].google.DESCRIPTOR.oneofs_by_name["body"].fields
}
GOODBYE = WorkerEnvelope(protocol_version=1, worker_cancel=WorkerCancel(reason="bye"))


@st.composite
def envelopes(draw: Any, member: str | None = None) -> WorkerEnvelope:
    """An envelope with a body of any type, or of one."""
    name = member or draw(st.sampled_from(sorted(BODIES)))
    made = WorkerEnvelope(
        protocol_version=1,
        session_id=draw(st.text(st.characters(exclude_categories=["Cs"]))),
        sequence=draw(st.integers(0, 2**64 - 1)),
    )
    body = draw(google_messages(BODIES[name].google))
    setattr(made, name, BODIES[name].ours.FromString(encoded(body)))
    return made


def in_pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """``data`` cut at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def decoded(pieces: Iterable[bytes]) -> list[WorkerEnvelope]:
    """All envelopes of a stream, taken after each piece."""
    decoder = FrameDecoder()
    found: list[WorkerEnvelope] = []
    for piece in pieces:
        decoder.feed(piece)
        found += decoder.envelopes()
    decoder.close()
    return found


async def read_all(pieces: Iterable[bytes]) -> list[WorkerEnvelope]:
    """All envelopes of a stream, read while it arrives."""
    reader = asyncio.StreamReader()

    async def send() -> None:
        for piece in pieces:
            reader.feed_data(piece)
            await asyncio.sleep(0)
        reader.feed_eof()

    found = []
    sending = asyncio.create_task(send())
    try:
        while (envelope := await read_frame(reader)) is not None:
            found.append(envelope)
    finally:
        await sending
    return found


def frame(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


@pytest.mark.parametrize("member", sorted(BODIES))
@given(data=st.data())
def test_an_envelope_of_every_body_is_one_frame(member: str, data: st.DataObject) -> None:
    envelope = data.draw(envelopes(member))
    made = encode_frame(envelope)
    assert made[:4] == len(made[4:]).to_bytes(4, "little")
    assert bytes(envelope) == made[4:]
    assert decoded([made]) == [envelope]


@given(st.lists(envelopes(), max_size=4), st.lists(st.integers(0, 10_000), max_size=20))
def test_envelopes_are_the_same_however_their_bytes_are_cut(
    sent: list[WorkerEnvelope], cuts: list[int]
) -> None:
    data = b"".join(map(encode_frame, sent))
    assert decoded(in_pieces(data, cuts)) == sent
    assert asyncio.run(read_all(in_pieces(data, cuts))) == sent
    assert decoded(data[place : place + 1] for place in range(len(data))) == sent


@given(st.lists(envelopes(), min_size=1, max_size=2), st.data())
def test_a_stream_that_ends_within_a_frame_is_an_error(
    sent: list[WorkerEnvelope], data: st.DataObject
) -> None:
    whole = b"".join(map(encode_frame, sent))
    ends = {sum(len(encode_frame(one)) for one in sent[:count]) for count in range(len(sent) + 1)}
    cut = data.draw(st.integers(0, len(whole)).filter(lambda place: place not in ends))
    with pytest.raises(WorkerFrameError, match="ended within a frame"):
        decoded([whole[:cut]])
    with pytest.raises(WorkerFrameError, match="ended within a frame"):
        asyncio.run(read_all([whole[:cut]]))


BROKEN = [
    (b"\0\0\0\0", "has 0 bytes"),
    (struct.pack("<I", MAX_ENVELOPE_BYTES + 1), "has 16777217 bytes"),
    (b"\xff\xff\xff\xff", "has 4294967295 bytes"),
    (frame(b"\xff"), "cannot be decoded"),
    (frame(bytes(WorkerEnvelope(protocol_version=1))), "no body"),
    (frame(bytes(WorkerEnvelope(protocol_version=1)) + b"\x9a\x06\x02hi"), "newer"),
    (frame(bytes(WorkerEnvelope(worker_cancel=WorkerCancel()))), "protocol version 0"),
    (
        frame(bytes(WorkerEnvelope(protocol_version=2, worker_cancel=WorkerCancel()))),
        "version 2; this side speaks 1",
    ),
]


@pytest.mark.parametrize(("broken", "hint"), BROKEN, ids=[hint for _, hint in BROKEN])
def test_a_frame_that_breaks_the_protocol_ends_the_stream_after_those_before_it(
    broken: bytes, hint: str
) -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_frame(GOODBYE) + broken + encode_frame(GOODBYE))
    taken = decoder.envelopes()
    assert next(taken) == GOODBYE
    with pytest.raises(WorkerFrameError, match=hint):
        next(taken)
    for again in (decoder.close, lambda: list(decoder.envelopes())):
        with pytest.raises(WorkerFrameError, match=hint):
            again()
    with pytest.raises(WorkerFrameError, match=hint):
        asyncio.run(read_all([broken]))


def test_a_length_over_the_limit_is_refused_before_its_envelope_arrives() -> None:
    decoder = FrameDecoder()
    decoder.feed(struct.pack("<I", MAX_ENVELOPE_BYTES))
    assert list(decoder.envelopes()) == []
    assert decoder.buffered == 4
    with pytest.raises(WorkerFrameError, match="ended within"):
        decoder.close()


@pytest.mark.parametrize(
    ("envelope", "hint"),
    [
        (WorkerEnvelope(protocol_version=1), "no body"),
        (WorkerEnvelope(gateway_hello=GatewayHello()), "protocol version 0"),
        (
            WorkerEnvelope(protocol_version=1, sequence=-1, gateway_hello=GatewayHello()),
            "cannot be encoded",
        ),
        (
            WorkerEnvelope(
                protocol_version=1, worker_cancel=WorkerCancel(reason="x" * MAX_ENVELOPE_BYTES)
            ),
            "1 to 16777216 are allowed",
        ),
    ],
    ids=["no body", "no version", "out of range", "too large"],
)
def test_an_envelope_that_breaks_the_protocol_is_not_framed(
    envelope: WorkerEnvelope, hint: str
) -> None:
    with pytest.raises(WorkerFrameError, match=hint):
        encode_frame(envelope)


def test_the_largest_envelope_goes_through() -> None:
    empty = WorkerEnvelope(protocol_version=1, session_id="", worker_cancel=WorkerCancel())
    room = MAX_ENVELOPE_BYTES - len(bytes(empty))
    for overhead in (4, 5):  # the tag and the length of the text
        largest = WorkerEnvelope(
            protocol_version=1,
            session_id="x" * (room - 1 - overhead),
            worker_cancel=WorkerCancel(),
        )
        if len(bytes(largest)) == MAX_ENVELOPE_BYTES:
            break
    assert len(bytes(largest)) == MAX_ENVELOPE_BYTES
    assert decoded([encode_frame(largest)]) == [largest]
