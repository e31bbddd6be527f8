"""Every message of every contract agrees with google.protobuf: on bytes good and bad, and JSON."""

from __future__ import annotations

import copy
import io
import json
import pickle
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from hypothesis import given, settings, strategies as st

from tests.contracts import Pair, all_pairs
from tests.oracle import (
    any_bytes,
    encoded,
    google_messages,
    google_or_none,
    has_odd_entry,
    rebuilt,
    same,
    with_unknown_fields,
)
from zb_mom_ww_mxgateway_wire.codec import DecodeError

EACH = pytest.mark.parametrize("pair", all_pairs(), ids=lambda pair: pair.name)
ANY_PAIR = st.sampled_from(all_pairs())

#: For properties over all messages at once, whose examples are shared between them.
MANY = settings(max_examples=settings().max_examples * 60)


@EACH
@given(data=st.data())
def test_what_the_oracle_sends_comes_back_from_us_unchanged(
    pair: Pair, data: st.DataObject
) -> None:
    google = data.draw(google_messages(pair.google))
    ours = pair.ours.FromString(encoded(google))
    assert same(pair.google.FromString(bytes(ours)), google)
    assert len(ours) == len(encoded(google))


@EACH
@given(data=st.data())
def test_json_reads_the_same_on_both_sides(pair: Pair, data: st.DataObject) -> None:
    google = data.draw(google_messages(pair.google, in_json=True))
    ours = pair.ours.FromString(encoded(google))
    theirs = json_format.MessageToJson(google, descriptor_pool=pair.pool)
    assert pair.ours.from_json(theirs) == ours
    assert pair.ours.from_json(ours.to_json()) == ours
    parsed = json_format.Parse(ours.to_json(), pair.google(), descriptor_pool=pair.pool)
    assert same(parsed, google)


@MANY
@given(pair=ANY_PAIR, data=st.data())
def test_a_message_built_field_by_field_equals_the_decoded_one(
    pair: Pair, data: st.DataObject
) -> None:
    google = data.draw(google_messages(pair.google))
    built = rebuilt(pair.ours, google)
    assert built == pair.ours.FromString(encoded(google))
    assert same(pair.google.FromString(built.SerializeToString()), google)


def reaches_empty(descriptor: Descriptor, seen: tuple[Descriptor, ...] = ()) -> bool:
    """Whether a message is, or has inside, one without fields."""
    nested = (field.message_type for field in descriptor.fields if field.message_type)
    return not descriptor.fields or any(
        reaches_empty(other, (*seen, descriptor)) for other in nested if other not in seen
    )


@MANY
@given(pair=ANY_PAIR, data=st.data())
def test_any_bytes_are_a_message_for_both_or_for_neither(pair: Pair, data: st.DataObject) -> None:
    sent = data.draw(any_bytes(pair.google))
    google = google_or_none(pair, sent)
    try:
        ours = pair.ours.FromString(sent)
    except DecodeError as error:
        # The oracle refuses field number 0 but in a message that has no fields; we always do.
        odd = "a field number is out of range" in str(error)
        assert google is None or (odd and reaches_empty(pair.google.DESCRIPTOR))
        return
    assert google is not None
    assert has_odd_entry(google) or same(pair.google.FromString(bytes(ours)), google)


@MANY
@given(pair=ANY_PAIR, data=st.data())
def test_reading_two_messages_in_a_row_merges_them_as_the_oracle_does(
    pair: Pair, data: st.DataObject
) -> None:
    first = data.draw(with_unknown_fields(pair.google))
    second = data.draw(with_unknown_fields(pair.google))
    merged = pair.ours.FromString(first).parse(second)
    assert merged == pair.ours.FromString(first + second)
    assert same(pair.google.FromString(bytes(merged)), pair.google.FromString(first + second))


@MANY
@given(pair=ANY_PAIR, data=st.data())
def test_unknown_fields_are_kept_and_sent_again(pair: Pair, data: st.DataObject) -> None:
    sent = data.draw(with_unknown_fields(pair.google))
    ours = pair.ours.FromString(sent)
    assert same(pair.google.FromString(bytes(ours)), pair.google.FromString(sent))


@MANY
@given(pair=ANY_PAIR, data=st.data())
def test_copies_pickles_dicts_and_streams_hold_the_same_message(
    pair: Pair, data: st.DataObject
) -> None:
    ours = pair.ours.FromString(data.draw(with_unknown_fields(pair.google)))
    stream = io.BytesIO()
    ours.dump(stream, delimit=True)
    ours.dump(stream)
    stream.seek(0)
    assert pair.ours().load(stream, size=-1) == ours
    assert pair.ours().load(stream) == ours
    assert copy.copy(ours) == ours
    assert copy.deepcopy(ours) == ours
    assert pickle.loads(pickle.dumps(ours)) == ours
    known = pair.ours().from_pydict(ours.to_pydict())
    assert known.parse(ours.unknown_fields) == ours
    assert len(ours) == len(bytes(ours))


@MANY
@given(pair=ANY_PAIR, data=st.data())
def test_json_of_any_shape_is_a_message_that_can_be_sent_or_refused(
    pair: Pair, data: st.DataObject
) -> None:
    text = data.draw(_json_like(pair))
    try:
        ours = pair.ours.from_json(text)
    except DecodeError:
        return
    # By their bytes: a NaN inside makes a message unequal to itself.
    assert bytes(pair.ours.FromString(bytes(ours))) == bytes(ours)


_TEXTS = st.text(st.characters(), max_size=6)  # with lone surrogates, which JSON can spell
_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_LITERALS = st.sampled_from(("1e999", "-1e999", "9" * 399, "9" * 500, "-0", "-0.0", "1e2", "NaN"))
_STRINGS = st.sampled_from(
    ("NaN", "1", "\ud800", "1.0", "1e3", "1s", "-0.5s", "true", "A", "2026-01-01T00:00:00Z")
)


@st.composite
def _json_like(draw: Any, pair: Pair) -> str:
    """JSON text whose keys are those of the contract's fields, with values of any kind."""
    names = ["value", "@type", "fields", "seconds"]
    for field in pair.google.DESCRIPTOR.fields:
        names += [field.json_name, field.name]
        if field.message_type:
            names += [nested.json_name for nested in field.message_type.fields]
    scalars = st.none() | st.booleans() | _NUMBERS | _TEXTS | _STRINGS
    value = st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(names) | _TEXTS, inner, max_size=3)
        ),
        max_leaves=6,
    )
    text = json.dumps(draw(value))
    return text.replace("null", draw(_LITERALS), 1) if draw(st.booleans()) else text
