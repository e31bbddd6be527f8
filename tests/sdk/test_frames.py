"""Frames: what is taken and sent in one step is to any peer what h2 makes of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, PingReceived, RequestReceived, StreamEnded
from h2.exceptions import FlowControlError, FrameTooLargeError, ProtocolError
from h2.settings import SettingCodes
from hpack import NeverIndexedHeaderTuple
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.frames import LeanConnection


def _answered(extra: bool) -> bytes:
    """What a server sends: answers to two requests, with much around them that HTTP/2 allows."""
    server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    client = _client(H2Connection)
    server.initiate_connection()
    server.receive_data(client.data_to_send())
    for stream in (1, 3):
        many = [("x-much", "v" * 20_000)] if extra else []  # needs a CONTINUATION
        server.send_headers(stream, [(":status", "200"), ("content-type", "a"), *many])
        server.send_data(stream, b"hello", pad_length=7 if extra else None)
        server.send_data(stream, b"")
        server.ping(bytes(8))
        server.send_data(stream, b"world" * 1_000)
        if extra and stream == 3:
            server.reset_stream(stream, ErrorCodes.CANCEL)
        else:
            server.send_headers(stream, [("grpc-status", "0")], end_stream=True)
    return server.data_to_send()


def _client(kind: type[H2Connection]) -> H2Connection:
    config = H2Configuration(
        header_encoding="ascii",
        validate_inbound_headers=False,
        validate_outbound_headers=False,
        normalize_inbound_headers=False,
        normalize_outbound_headers=False,
    )  # as grpclib has it
    client = kind(config)
    client.initiate_connection()
    for stream in (1, 3):
        headers = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "x")]
        client.send_headers(stream, headers)
        client.send_data(stream, b"message", end_stream=True)
    return client


@given(st.booleans(), st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_frames_are_taken_as_h2_does_however_the_bytes_are_cut(
    extra: bool, cuts: list[int]
) -> None:
    ours, theirs = _client(LeanConnection), _client(H2Connection)
    sent = _answered(extra)
    at = [0]
    while at[-1] < len(sent):
        at.append(at[-1] + cuts[len(at) % len(cuts)] * 20)
    for begin, end in pairwise(at):
        events = _told_events(theirs.receive_data(sent[begin:end]))
        assert _told_events(ours.receive_data(sent[begin:end])) == events
    assert ours.data_to_send()[-200:] == theirs.data_to_send()[-200:]
    for stream in (1, 3):
        room = theirs.remote_flow_control_window(stream)
        assert ours.remote_flow_control_window(stream) == room


def _told_events(events: list[Event]) -> list[object]:
    """What happened, with data that came in one go told as one, to its last byte."""
    told: list[object] = []
    stream, data, size = 0, b"", 0
    for event in events:
        if not isinstance(event, DataReceived):
            stream = 0
            told.append(repr(event))
            continue
        if stream == event.stream_id:
            told.pop()
        else:
            stream, data, size = event.stream_id, b"", 0
        data += event.data
        size += event.flow_controlled_length
        told.append((stream, data, size))
    return told


@given(
    st.lists(st.tuples(st.sampled_from([1, 3]), st.none() | st.integers(0, 300)), max_size=60),
    st.integers(1, 2_000),
)
def test_small_frames_of_data_are_taken_as_h2_does_however_they_take_turns(
    frames: list[tuple[int, int | None]], cut: int
) -> None:
    ours, theirs = _client(LeanConnection), _client(H2Connection)
    sent = _begun()
    for number, (stream, length) in enumerate(frames):
        if length is None:  # a frame of another type, WINDOW_UPDATE, that has no flags either
            sent += b"\0\0\4\x08\0" + stream.to_bytes(4, "big") + b"\0\0\0\1"
        else:
            sent += length.to_bytes(3, "big") + b"\0\0" + stream.to_bytes(4, "big")
            sent += bytes([number]) * length
    for at in range(0, len(sent), cut):
        events = _told_events(theirs.receive_data(sent[at : at + cut]))
        assert _told_events(ours.receive_data(sent[at : at + cut])) == events
    assert ours.inbound_flow_control_window == theirs.inbound_flow_control_window


def _begun() -> bytes:
    """What a server sends before it answers two requests with data."""
    server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    server.initiate_connection()
    server.receive_data(_client(H2Connection).data_to_send())
    for stream in (1, 3):
        server.send_headers(stream, [(":status", "200")])
    return server.data_to_send()


def _data_frame(stream: int, length: int) -> bytes:
    return length.to_bytes(3, "big") + b"\0\0" + stream.to_bytes(4, "big") + bytes(length)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(_data_frame(0, 1), id="data on no stream"),
        pytest.param(_data_frame(1, 1), id="data before the headers"),
        pytest.param(_data_frame(5, 1), id="data on a stream that was never begun"),
        pytest.param(_data_frame(1, 16_385), id="a frame longer than was allowed"),
    ],
)
def test_frames_that_http2_does_not_allow_are_refused_as_h2_does(frame: bytes) -> None:
    for kind in (H2Connection, LeanConnection):
        with pytest.raises(ProtocolError):
            _client(kind).receive_data(frame)


@pytest.mark.parametrize(
    ("frames", "refusal"),
    [
        pytest.param(_data_frame(1, 16_385), FrameTooLargeError, id="a frame too long"),
        pytest.param(
            _data_frame(1, 16_384) * 4, FlowControlError, id="more than there is room for"
        ),
    ],
)
def test_frames_behind_others_are_refused_as_h2_does(
    frames: bytes, refusal: type[ProtocolError]
) -> None:
    for kind in (H2Connection, LeanConnection):
        with pytest.raises(refusal):
            _client(kind).receive_data(_begun() + _data_frame(1, 10) + frames)


_SPOKEN = ((":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "x"))


def _greeted(kind: type[H2Connection], **settings: int) -> tuple[Any, H2Connection]:
    """A client and its server, which has these settings."""
    client = kind(_client(kind).config)
    server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    for connection in (client, server):
        connection.initiate_connection()
    server.update_settings({SettingCodes[name]: value for name, value in settings.items()})
    client.receive_data(server.data_to_send())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    return client, server


@given(
    st.lists(st.tuples(st.integers(0, 16_384), st.sampled_from([0, 10, 20_000])), max_size=8),
    st.booleans(),
)
def test_a_request_in_one_step_is_to_any_peer_the_same_as_in_several(
    calls: list[tuple[int, int]], timed: bool
) -> None:
    (ours, server), (theirs, other) = _greeted(LeanConnection), _greeted(H2Connection)
    own = (NeverIndexedHeaderTuple("grpc-timeout", "29S"),) if timed else ()
    for number, (size, metadata) in enumerate(calls):
        message = bytes([number]) * size
        if theirs.outbound_flow_control_window < size:
            assert ours.begin_call(_SPOKEN, own, message) is None
            return
        head = (*_SPOKEN, ("x-much", "\\" * metadata))
        stream, sent = ours.begin_call(head, own, message)
        assert stream == theirs.get_next_available_stream_id()
        theirs.send_headers(stream, [*head, *own])
        theirs.send_data(stream, message, end_stream=True)
        expected = _told_events(other.receive_data(theirs.data_to_send()))
        assert _told_events(server.receive_data(sent)) == expected
        assert ours.outbound_flow_control_window == theirs.outbound_flow_control_window
        room = theirs.streams[stream].outbound_flow_control_window
        assert ours.streams[stream].outbound_flow_control_window == room
        server.send_headers(stream, [(":status", "200")], end_stream=True)
        ours.receive_data(server.data_to_send())
        assert stream not in ours.streams or ours.streams[stream].closed


def test_a_request_in_one_step_takes_what_waits_to_be_sent_along_in_order() -> None:
    client, server = _greeted(LeanConnection)
    client.ping(b"12345678")
    _, sent = client.begin_call(_SPOKEN, (), b"message")
    assert [type(event) for event in server.receive_data(sent)] == [
        PingReceived,
        RequestReceived,
        DataReceived,
        StreamEnded,
    ]


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        pytest.param({}, 16_385, id="longer than a frame"),
        pytest.param({"INITIAL_WINDOW_SIZE": 99}, 100, id="more than the gateway has room for"),
        pytest.param({"MAX_CONCURRENT_STREAMS": 1}, 1, id="one call too many"),
    ],
)
def test_a_request_that_has_to_wait_or_to_be_cut_is_left_to_h2(
    settings: dict[str, int], size: int
) -> None:
    client, _ = _greeted(LeanConnection, **settings)
    assert client.begin_call(_SPOKEN, (), b"x") is not None
    client.data_to_send()
    assert client.begin_call(_SPOKEN, (), bytes(size)) is None
    assert client.get_next_available_stream_id() == 3
    assert not client.data_to_send()
