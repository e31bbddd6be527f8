"""The rules of the wire format, one by one: what is accepted, what is refused, what is merged."""

from __future__ import annotations

import copy
import struct
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.contracts import fragments
from tests.oracle import encoded, google_or_none, same, varint
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxCommandRequest
from zb_mom_ww_mxgateway_wire.codec import DecodeError, EncodeError

EMPTY = fragments()["fragments.empty.Empty"]
PLAIN = fragments()["fragments.scalars.Plain"]
PACKED = fragments()["fragments.scalars.Packed"]
REPEATED = fragments()["fragments.scalars.Repeated"]
TREE = fragments()["fragments.recursion.Tree"]
SEVERAL = fragments()["fragments.oneofs.Several"]
VALUES = fragments()["fragments.maps.Values"]
TEN_BYTES = b"\x80" * 9

ACCEPTED = {
    "a varint of ten bytes": (PLAIN, b"\x20" + TEN_BYTES + b"\x01"),
    "a varint with bits beyond the 64th": (PLAIN, b"\x20\x85" + b"\x80" * 8 + b"\x7f"),
    "a packed varint with bits beyond the 64th": (PACKED, b"\x22\x0a" + TEN_BYTES + b"\x02"),
    "an unknown varint of ten bytes": (EMPTY, b"\x08" + TEN_BYTES + b"\x7f"),
    "a 64-bit varint in a 32-bit field": (PLAIN, b"\x18" + b"\xff" * 9 + b"\x01"),
    "a tag longer than needed": (PLAIN, b"\x98\x80\x80\x80\x00\x05"),
    "the largest field number": (EMPTY, b"\xf8\xff\xff\xff\x0f\x05"),
    "a length longer than needed": (PLAIN, b"\x72\x81\x80\x80\x80\x00a"),
    "an unknown group": (EMPTY, b"\x0b\x10\x05\x1b\x1c\x0c"),
    "a known number with another wire type": (PLAIN, b"\x1d\x01\x02\x03\x04"),
    "a packed field that is sent unpacked": (PACKED, b"\x18\x05\x18\x06"),
    "an unpacked field that is sent packed": (REPEATED, b"\x1a\x02\x05\x06\x18\x07"),
    "a bool that is neither 0 nor 1": (PLAIN, b"\x68\x96\x01"),
    "a map entry without key and value": (VALUES, b"\x0a\x00"),
    "a map entry whose key comes last": (VALUES, b"\x0a\x05\x10\x07\x0a\x01a"),
    "a map entry with two values": (VALUES, b"\x0a\x07\x0a\x01a\x10\x07\x10\x08"),
    "a map entry without its message": (VALUES, bytes([0x82, 0x01, 3]) + b"\x0a\x01a"),
}

REFUSED = {
    "a tag that is cut off": (EMPTY, b"\x88"),
    "a varint that is cut off": (PLAIN, b"\x20\x80"),
    "a varint of eleven bytes": (PLAIN, b"\x20" + TEN_BYTES + b"\x80\x00"),
    "an unknown varint of eleven bytes": (EMPTY, b"\x08" + TEN_BYTES + b"\x80\x00"),
    "an unknown varint that is cut off": (EMPTY, b"\x08" + TEN_BYTES),
    "a tag of six bytes": (EMPTY, b"\x88\x80\x80\x80\x80\x00\x05"),
    "a tag beyond 32 bits": (EMPTY, b"\xf8\xff\xff\xff\x1f\x05"),
    "a length of six bytes": (PLAIN, b"\x72\x81\x80\x80\x80\x80\x00a"),
    "an unknown length of six bytes": (EMPTY, b"\x0a\x81\x80\x80\x80\x80\x00a"),
    "a length beyond the end": (PLAIN, b"\x72\x02a"),
    "a length of 4 GB": (PLAIN, b"\x72\xff\xff\xff\xff\x0fa"),
    "an unknown length beyond the end": (EMPTY, b"\x0a\x02a"),
    "a fixed32 that is cut off": (PLAIN, b"\x15\x00\x00\x00"),
    "a double that is cut off": (PLAIN, b"\x09" + b"\x00" * 7),
    "an unknown fixed64 that is cut off": (EMPTY, b"\x09" + b"\x00" * 7),
    "a group that never ends": (EMPTY, b"\x0b\x10\x05"),
    "a group that ends as another": (EMPTY, b"\x0b\x14"),
    "a group's end without its start": (EMPTY, b"\x0c"),
    "wire type 6": (EMPTY, b"\x0e"),
    "wire type 7": (PLAIN, b"\x1f\x00"),
    "a string that is not UTF-8": (PLAIN, b"\x72\x01\xff"),
    "a string with a surrogate": (PLAIN, b"\x72\x03\xed\xa0\x80"),
    "a map key that is not UTF-8": (VALUES, b"\x0a\x03\x0a\x01\xff"),
    "packed doubles with a byte too many": (PACKED, b"\x0a\x09" + b"\x00" * 9),
    "packed varints whose last is cut off": (PACKED, b"\x1a\x02\x05\x80"),
    "a field that reaches out of its message": (TREE, b"\x0a\x02\x0a\x02\x20\x01"),
    # What follows would be a field of the outer message, were the inner one's end not looked at.
    "a varint that reaches out of its message": (TREE, b"\x0a\x02\x20\x80\x08\x05"),
    "a fixed field that reaches out of its map entry": (VALUES, b"\x6a\x04\x15\0\0\0\x08\x05"),
}


@pytest.mark.parametrize(("pair", "data"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_the_oracle_accepts_we_accept_with_the_same_meaning(pair: Any, data: bytes) -> None:
    google = pair.google.FromString(data)
    assert same(pair.google.FromString(bytes(pair.ours.FromString(data))), google)


@pytest.mark.parametrize(("pair", "data"), REFUSED.values(), ids=REFUSED)
def test_what_the_oracle_refuses_we_refuse_naming_the_message(pair: Any, data: bytes) -> None:
    assert google_or_none(pair, data) is None
    with pytest.raises(DecodeError, match=f"^cannot decode {pair.name}: "):
        pair.ours.FromString(data)


@pytest.mark.parametrize("data", [b"\x00\x00", b"\x80\x00\x00", b"\x02\x00", b"\x03\x04"])
def test_field_number_0_is_refused_as_the_oracle_refuses_it(data: bytes) -> None:
    """The oracle lets it pass in a message without fields alone; we refuse it there too."""
    assert google_or_none(PLAIN, data) is None
    for pair in (PLAIN, EMPTY):
        with pytest.raises(DecodeError, match="a field number is out of range"):
            pair.ours.FromString(data)


@pytest.mark.parametrize("inside", [b"\x00\x01", b"\x02\x01a", b"\x05abcd", b"\x03\x04"])
def test_inside_an_unknown_group_no_number_is_looked_at_as_the_oracle_looks_at_none(
    inside: bytes,
) -> None:
    data = b"\xfb\x07" + inside + b"\xfc\x07"
    assert google_or_none(PLAIN, data) is not None
    assert PLAIN.ours.FromString(data).unknown_fields == data


@pytest.mark.parametrize("name", ["Plain", "Optional", "Repeated", "Packed", "NotPacked", "OneOf"])
@given(number=st.integers(0, 2**64 - 1) | st.sampled_from((2**31, 2**32 - 1, 2**32, 2**63)))
def test_a_varint_of_any_size_is_cut_to_its_fields_type_as_the_oracle_cuts_it(
    name: str, number: int
) -> None:
    pair = fragments()[f"fragments.scalars.{name}"]
    for field in pair.google.DESCRIPTOR.fields:
        data = varint(field.number << 3) + varint(number)
        google = pair.google.FromString(data)
        assert same(pair.google.FromString(bytes(pair.ours.FromString(data))), google)


def nested(depth: int, tags: tuple[bytes, ...]) -> bytes:
    """``depth`` messages, each in the one before, by the given tags in turn."""
    data = b""
    for level in reversed(range(depth)):
        data = tags[level % len(tags)] + varint(len(data)) + data
    return data


# A map's entry is a message of its own, so a map's value lies two levels down.
NESTING = {
    "fields": (b"\x0a",),
    "lists": (b"\x12",),
    "oneofs": (b"\x2a",),
    "maps": (b"\x1a", b"\x12"),
}


@pytest.mark.parametrize("tags", NESTING.values(), ids=NESTING)
def test_a_hundred_levels_are_accepted_and_one_more_is_not(tags: tuple[bytes, ...]) -> None:
    hundred = nested(100, tags)
    assert same(TREE.google.FromString(bytes(TREE.ours.FromString(hundred))),
                TREE.google.FromString(hundred))  # fmt: skip
    one_more = nested(101, tags)
    assert google_or_none(TREE, one_more) is None
    with pytest.raises(DecodeError, match="nested deeper than 100 levels"):
        TREE.ours.FromString(one_more)


@pytest.mark.parametrize(("levels", "inside"), [(100, False), (99, True)])
def test_unknown_groups_count_as_levels(levels: int, inside: bool) -> None:
    def message(groups: int) -> bytes:
        body = b"\x3b" * groups + b"\x3c" * groups
        return b"\x0a" + varint(len(body)) + body if inside else body

    assert TREE.ours.FromString(message(levels)) is not None
    assert google_or_none(TREE, message(levels)) is not None
    assert google_or_none(TREE, message(levels + 1)) is None
    with pytest.raises(DecodeError, match="nested deeper than 100 levels"):
        TREE.ours.FromString(message(levels + 1))


def test_a_message_that_holds_itself_is_an_error_and_no_crash() -> None:
    tree = TREE.ours()
    tree.left = tree
    with pytest.raises(EncodeError, match=r"Tree\.left: .*deeper than 100 levels"):
        bytes(tree)


@pytest.mark.parametrize("depth", [100, 101])
def test_what_is_sent_nests_no_deeper_than_what_is_taken(depth: int) -> None:
    tree = TREE.ours()
    for _ in range(depth):
        tree = TREE.ours(left=tree)
    if depth == 100:
        assert TREE.ours.FromString(bytes(tree)) == tree
    else:
        with pytest.raises(EncodeError, match="deeper than 100"):
            bytes(tree)


def test_16_megabytes_of_unknown_fields_are_decoded_and_kept() -> None:
    unknown = b"\x78\x01" * (8 * 2**20)
    assert EMPTY.ours.FromString(unknown).unknown_fields == unknown


def test_a_submessage_that_comes_twice_is_merged() -> None:
    first = TREE.google(leaf=1)
    first.left.leaf = 5
    first.left.children.add(leaf=6)
    second = TREE.google()
    second.left.children.add(leaf=7)
    second.left.named["x"].leaf = 8
    both = encoded(first) + encoded(second)
    tree = TREE.ours.FromString(both)
    assert [child.leaf for child in tree.left.children] == [6, 7]
    assert (tree.leaf, tree.left.leaf, tree.left.named["x"].leaf) == (1, 5, 8)
    assert same(TREE.google.FromString(bytes(tree)), TREE.google.FromString(both))


def test_a_map_entry_that_comes_twice_is_replaced_and_not_merged() -> None:
    one, other = TREE.google(), TREE.google()
    one.named["x"].leaf = 1
    other.named["x"].children.add()
    both = encoded(one) + encoded(other)
    assert TREE.ours.FromString(both).named["x"] == TREE.ours(children=[TREE.ours()])
    assert same(TREE.google.FromString(bytes(TREE.ours.FromString(both))),
                TREE.google.FromString(both))  # fmt: skip


@given(st.lists(st.sampled_from(("nothing", "choice", "text", "raw", "flag")), min_size=1))
def test_of_a_oneofs_members_on_the_wire_the_last_wins(order: list[str]) -> None:
    parts = {
        "nothing": SEVERAL.google(nothing={}),
        "choice": SEVERAL.google(choice=1),
        "text": SEVERAL.google(text="t"),
        "raw": SEVERAL.google(raw=b"r"),
        "flag": SEVERAL.google(flag=False),
    }
    data = b"".join(encoded(parts[name]) for name in order)
    google = SEVERAL.google.FromString(data)
    ours: Any = SEVERAL.ours.FromString(data)
    assert ours.which_first() == google.WhichOneof("first")
    assert ours.which_second() == google.WhichOneof("second")
    assert same(SEVERAL.google.FromString(bytes(ours)), google)


def test_a_oneofs_message_is_merged_only_while_it_is_the_one_that_is_set() -> None:
    a = SEVERAL.google(nested={"before": 1})
    b = SEVERAL.google(nested={"after": 2})
    raw = SEVERAL.google(raw=b"x")
    kept: Any = SEVERAL.ours.FromString(encoded(a) + encoded(b))
    assert (kept.nested.before, kept.nested.after) == (1, 2)
    begun: Any = SEVERAL.ours.FromString(encoded(a) + encoded(raw) + encoded(b))
    assert (begun.nested.before, begun.nested.after) == (0, 2)


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=8, max_size=8))
def test_floats_keep_every_value_and_the_sign_of_zero(four: bytes, eight: bytes) -> None:
    ours: Any = PLAIN.ours.FromString(b"\x15" + four + b"\x09" + eight)
    assert struct.pack("<f", ours.float_value) == struct.pack("<f", struct.unpack("<f", four)[0])
    assert struct.pack("<d", ours.double_value) == eight
    again: Any = PLAIN.ours.FromString(bytes(ours))
    assert repr(again) == repr(ours)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_decoded(kind: Any) -> None:
    assert PLAIN.ours.FromString(kind(b"\x18\x05")).int32_value == 5


@pytest.mark.timeout(60)
def test_a_sub_message_repeated_with_unknown_fields_is_merged_in_linear_time() -> None:
    """A few seconds; were what it has copied at each merge, it would take minutes."""
    inner = b"\xf8\x07\x01"  # field 127, which no message has
    count = 2_000_000
    data = (b"\x1a" + bytes([len(inner)]) + inner) * count
    request = MxCommandRequest.FromString(data)
    assert request.command is not None
    assert request.command.unknown_fields == inner * count


def test_a_copy_does_not_share_the_unknown_fields_that_grow() -> None:
    inner = b"\xf8\x07\x01"
    merged = MxCommandRequest.FromString((b"\x1a\x03" + inner) * 2).command
    assert merged is not None
    twin = copy.copy(merged)
    merged.parse(inner)
    assert twin.unknown_fields == inner * 2
    assert merged.unknown_fields == inner * 3


@pytest.mark.parametrize("data", [5, "text", None, [1]])
def test_what_is_no_bytes_is_refused_and_never_taken_for_zeros(data: Any) -> None:
    with pytest.raises(DecodeError, match="expected bytes"):
        MxCommandRequest.FromString(data)
