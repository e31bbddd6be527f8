"""Decoding much pauses garbage collection, and leaves it as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import BulkReadReply, BulkReadResult
from zb_mom_ww_mxgateway_wire.codec import DecodeError
from zb_mom_ww_mxgateway_wire.compiled import codec_kind

RESULTS = 5_000
LARGE = bytes(BulkReadReply(results=[BulkReadResult(tag_address="Tag")] * RESULTS))


@pytest.fixture(autouse=True)
def collection() -> Iterator[None]:
    """Collection as it was, whatever a test does to it."""
    assert gc.isenabled()
    yield
    gc.enable()


def test_nothing_is_collected_while_a_large_message_is_decoded() -> None:
    generations: list[int] = []

    def collected(phase: str, info: dict[str, int]) -> None:
        generations.append(info["generation"])

    gc.collect()
    gc.callbacks.append(collected)
    try:
        reply = BulkReadReply.FromString(LARGE)
        during = list(generations)
    finally:
        gc.callbacks.remove(collected)
    assert len(reply.results) == RESULTS > 2 * gc.get_threshold()[0]
    # One may be due when it goes on again, and begin before the callback is gone.
    assert during in ([], [0, 0])


def test_collection_goes_on_after_a_large_message() -> None:
    BulkReadReply.FromString(LARGE)
    assert gc.isenabled()


def test_collection_goes_on_after_a_large_message_that_is_none() -> None:
    with pytest.raises(DecodeError):
        BulkReadReply.FromString(LARGE + b"\x0a")
    assert gc.isenabled()


def test_collection_that_was_off_stays_off() -> None:
    gc.disable()
    BulkReadReply.FromString(LARGE)
    assert not gc.isenabled()


def test_compiled_collection_passes_by_messages_of_scalars() -> None:
    compiled = codec_kind("zb_mom_ww_mxgateway_contracts") == "compiled"
    assert gc.is_tracked(Timestamp.FromString(b"\x08\x01")) is not compiled
    assert gc.is_tracked(BulkReadReply.FromString(b""))
