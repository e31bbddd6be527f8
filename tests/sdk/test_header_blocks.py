"""Blocks of headers that are remembered are to any peer what hpack makes of them."""

from __future__ import annotations

from hpack import Decoder, Encoder, HeaderTuple, NeverIndexedHeaderTuple
from hypothesis import example, given, strategies as st

from zb_mom_ww_mxgateway.header_blocks import RememberingDecoder, RememberingEncoder

_NAMES = st.sampled_from([b":path", b"x-a", b"authorization", b"grpc-timeout", b"x-long"])
_VALUES = st.sampled_from([b"", b"/one", b"/two", b"29S", b"trailers", b"v" * 90, b"w" * 5_000])
_HEADERS = st.lists(
    st.builds(
        lambda kind, name, value: kind(name, value),
        st.sampled_from([HeaderTuple, NeverIndexedHeaderTuple]),
        _NAMES,
        _VALUES,
    ),
    max_size=6,
)
#: Blocks of headers, and in between new sizes of the table that both ends keep.
_STEPS = st.lists(_HEADERS | st.sampled_from([0, 60, 200, 4_096]), min_size=1, max_size=30)


def _told(headers: list[HeaderTuple]) -> list[tuple[bytes, bytes, bool]]:
    return sorted((*header, header.indexable) for header in headers)


#: In the table, and in none.
_INDEXED, _STATIC = [HeaderTuple(b"x-a", b"/one")], [HeaderTuple(b":method", b"POST")]


@given(_STEPS)
@example([_INDEXED, 0, 4_096, _STATIC, _INDEXED])  # the table is emptied, and nothing is added
def test_headers_that_repeat_themselves_mean_to_any_peer_what_was_said(
    steps: list[list[HeaderTuple] | int],
) -> None:
    encoder, peer = RememberingEncoder(), Decoder(max_header_list_size=10**6)
    for step in steps:
        if isinstance(step, int):
            if step != encoder.header_table_size:  # hpack forgets a change that is said twice
                encoder.header_table_size = step
        else:
            for _ in range(3):  # remembered from the second or third time on
                received = list(peer.decode(encoder.encode(step), raw=True))
                assert sorted(map(tuple, received)) == sorted(map(tuple, step))


@given(_STEPS)
def test_headers_of_any_peer_are_understood_as_hpack_does(
    steps: list[list[HeaderTuple] | int],
) -> None:
    peer, plain, remembering = Encoder(), Decoder(max_header_list_size=10**6), RememberingDecoder()
    remembering.max_header_list_size = plain.max_header_list_size
    for step in steps:
        if isinstance(step, int):
            if step != peer.header_table_size:
                peer.header_table_size = step
        else:
            for _ in range(3):
                block = peer.encode(step)
                assert _told(remembering.decode(block, raw=True)) == _told(
                    list(plain.decode(block, raw=True))
                )


#: Pieces of blocks: sizes of the table, headers in it, headers that go into it or do not.
_PIECES = st.sampled_from(
    [
        *(b"\x20", b"\x3f\x00", b"\x3f\x21", b"\x3f\xe1\x1f"),
        *(b"\x88", b"\xbe", b"\xbf", b"\xff\x00", b"\x80"),
        *(b"\x40\x01a\x01b", b"\x7e\x01d", b"\x00\x01e\x01f", b"\x10\x01e\x01f"),
    ]
) | st.binary(max_size=4)
_BLOCKS = st.lists(_PIECES, max_size=3).map(b"".join)


def _outcome(decoder: Decoder, block: bytes, *, raw: bool) -> object:
    try:
        return [(*header, header.indexable) for header in decoder.decode(block, raw=raw)]
    except Exception as error:
        return type(error)


@given(
    st.lists(_BLOCKS, min_size=1, max_size=4).flatmap(
        lambda blocks: st.lists(st.sampled_from(blocks), max_size=16)
    ),
    st.booleans(),
)
@example(blocks=[b"\x40\x01a\x01b", b"\xbe", b"\xbe", b"\x20\x3f\xe1\x1f", b"\xbe"], raw=True)
def test_whatever_any_peer_sends_is_taken_or_refused_as_hpack_does(
    blocks: list[bytes], raw: bool
) -> None:
    plain, remembering = Decoder(), RememberingDecoder()
    for block in blocks:
        assert _outcome(remembering, block, raw=raw) == _outcome(plain, block, raw=raw)


def test_a_header_that_is_never_to_be_indexed_is_in_no_table_and_told_apart_from_an_equal_one() -> (
    None
):
    encoder, peer = RememberingEncoder(), Decoder()
    never, indexed = NeverIndexedHeaderTuple(b"x-a", b"1"), HeaderTuple(b"x-a", b"1")
    for sent in (never, never, indexed, indexed):
        (received,) = peer.decode(encoder.encode([sent]), raw=True)
        assert received == sent
        assert received.indexable == sent.indexable
        assert bool(peer.header_table.dynamic_entries) == (sent is indexed)


def test_what_a_peer_sends_over_and_over_does_not_fill_the_memory() -> None:
    decoder = RememberingDecoder()
    for number in range(1_000):
        block = b"\x00\x03x-a" + bytes([3]) + b"%03d" % number
        assert decoder.decode(block, raw=True) == [(b"x-a", b"%03d" % number)]
    assert len(decoder._blocks) <= 64


def test_of_what_a_peer_sends_only_short_blocks_are_remembered() -> None:
    decoder = RememberingDecoder()
    for length in (512, 513):
        value = "v" * (length - 9)  # behind five bytes of kind and lengths, and four of name
        block = Encoder().encode([NeverIndexedHeaderTuple("x-ab", value)], huffman=False)
        assert len(block) == length
        for _ in range(2):
            assert list(map(tuple, decoder.decode(block))) == [("x-ab", value)]
        assert [len(kept) for kept, _ in decoder._blocks] == [512]


def test_what_differs_from_call_to_call_does_not_fill_the_memory() -> None:
    encoder, peer = RememberingEncoder(), Decoder()
    for number in range(3_000):
        own = (NeverIndexedHeaderTuple("x-line", str(number)),)
        block = encoder.encode_in_two((("x-a", "1"),), own)
        assert peer.decode(block) == [("x-a", "1"), *own]
        assert len(encoder._blocks) <= 1_024
