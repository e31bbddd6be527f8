"""Timestamps, durations, Any and field masks, against google.protobuf's own."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.protobuf import duration_pb2, field_mask_pb2, json_format, timestamp_pb2
from hypothesis import given, strategies as st

from tests.contracts import fragments
from zb_mom_ww_mxgateway_wire.codec import DecodeError, EncodeError

GOOGLE = fragments().module("google_protobuf.messages")
SCALARS = fragments().module("fragments_scalars")

SECOND = 1_000_000_000
FIRST, LAST = -62_135_596_800, 253_402_300_799
LONGEST = 315_576_000_000
NANOS = st.integers(0, SECOND - 1) | st.sampled_from((0, 1, 999_999_999, 100, 120_000, 5_000_000))
SECONDS = st.integers(FIRST, LAST) | st.sampled_from((FIRST, LAST, -1, 0, 1))
SPANS = st.integers(-LONGEST * SECOND, LONGEST * SECOND) | st.integers(-SECOND, SECOND)
AWARE = st.datetimes(timezones=st.just(timezone.utc) | st.just(ZoneInfo("Europe/Berlin")))


@given(SECONDS, NANOS)
def test_a_timestamp_is_exact_to_the_nanosecond_in_json(seconds: int, nanos: int) -> None:
    ours = GOOGLE.Timestamp(seconds=seconds, nanos=nanos)
    theirs = timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)
    assert ours.to_json() == json_format.MessageToJson(theirs)
    assert GOOGLE.Timestamp.from_json(ours.to_json()) == ours
    assert GOOGLE.Timestamp.from_nanoseconds(ours.to_nanoseconds()) == ours
    assert ours.to_nanoseconds() == theirs.ToNanoseconds()


@given(SPANS)
def test_a_duration_is_exact_to_the_nanosecond_in_json(span: int) -> None:
    ours = GOOGLE.Duration.from_nanoseconds(span)
    theirs = duration_pb2.Duration()
    theirs.FromNanoseconds(span)
    assert bytes(ours) == theirs.SerializeToString()
    assert ours.to_json() == json_format.MessageToJson(theirs)
    assert GOOGLE.Duration.from_json(ours.to_json()) == ours
    assert ours.to_nanoseconds() == span


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(FIRST - 1, 0), (FIRST - 1, 999_999_999), (LAST + 1, 0), (0, -1), (0, SECOND)],
)
def test_a_timestamp_beyond_years_1_to_9999_has_no_json(seconds: int, nanos: int) -> None:
    theirs = timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)
    with pytest.raises(ValueError):
        json_format.MessageToJson(theirs)
    ours = GOOGLE.Timestamp(seconds=seconds, nanos=nanos)
    with pytest.raises(EncodeError, match="outside years 1 to 9999"):
        ours.to_json()
    with pytest.raises(ValueError, match="outside years 1 to 9999"):
        ours.to_datetime()
    assert GOOGLE.Timestamp.FromString(bytes(ours)) == ours


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(LONGEST + 1, 0), (-LONGEST - 1, 0), (0, SECOND), (0, -SECOND), (1, -1), (-1, 1)],
)
def test_a_duration_beyond_its_range_or_of_two_signs_has_no_json(seconds: int, nanos: int) -> None:
    theirs = duration_pb2.Duration(seconds=seconds, nanos=nanos)
    with pytest.raises(ValueError):
        json_format.MessageToJson(theirs)
    with pytest.raises(EncodeError, match="Duration"):
        GOOGLE.Duration(seconds=seconds, nanos=nanos).to_json()


TIMES = [
    "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+02:00", "2024-02-29T23:59:59.123456789-23:59",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "0001-01-01T01:00:00+01:00",
]  # fmt: skip
NO_TIMES = [
    "", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-02-30T12:00:00Z",
    "2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z", "2026-01-31T12:00:00.1234567890Z",
    "2026-01-31T12:00:00+1:00", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    "10000-01-01T00:00:00Z", "2026-01-31T12:00:00.Z", "٢٠٢٦-01-31T12:00:00Z",
]  # fmt: skip


@pytest.mark.parametrize("text", TIMES)
def test_times_are_read_as_the_oracle_reads_them(text: str) -> None:
    theirs = json_format.Parse(f'"{text}"', timestamp_pb2.Timestamp())
    assert bytes(GOOGLE.Timestamp.from_json(f'"{text}"')) == theirs.SerializeToString()


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match=r"Timestamp"):
        GOOGLE.Timestamp.from_json(f'"{text}"')


@pytest.mark.parametrize(
    "text", ["1s", "-1s", "0.5s", "-0.5s", "-0s", "1.000000001s", "315576000000s"]
)
def test_spans_are_read_as_the_oracle_reads_them(text: str) -> None:
    theirs = json_format.Parse(f'"{text}"', duration_pb2.Duration())
    assert bytes(GOOGLE.Duration.from_json(f'"{text}"')) == theirs.SerializeToString()


@pytest.mark.parametrize(
    "text",
    ["", "1", "s", "1.s", ".5s", "1m", "+1s", "1 s", "1.0000000001s", "315576000001s", "1e3s"],
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match=r"Duration"):
        GOOGLE.Duration.from_json(f'"{text}"')


@given(AWARE)
def test_a_datetime_goes_through_a_timestamp_unchanged(moment: datetime) -> None:
    try:
        utc = moment.astimezone(timezone.utc)
    except OverflowError:
        return
    stamp = GOOGLE.Timestamp.from_datetime(moment)
    assert stamp.to_datetime() == utc
    assert stamp.ToDatetime() == utc.replace(tzinfo=None)
    assert stamp.ToDatetime(tzinfo=timezone.utc) == utc
    theirs = timestamp_pb2.Timestamp()
    theirs.FromDatetime(moment)
    assert bytes(stamp) == theirs.SerializeToString()


@given(SECONDS, NANOS)
def test_a_datetime_is_cut_to_the_microsecond_towards_the_past(seconds: int, nanos: int) -> None:
    stamp = GOOGLE.Timestamp(seconds=seconds, nanos=nanos)
    assert stamp.to_datetime().microsecond == nanos // 1_000
    assert GOOGLE.Timestamp.from_datetime(stamp.to_datetime()).seconds == seconds


def test_a_datetime_comes_in_the_zone_asked_for() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    moment = GOOGLE.Timestamp.from_json('"2026-07-01T10:00:00Z"').to_datetime(berlin)
    assert moment.isoformat() == "2026-07-01T12:00:00+02:00"


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="a naive datetime names no point in time"):
        GOOGLE.Timestamp.from_datetime(datetime(2026, 1, 1))


def test_now_is_now() -> None:
    before = datetime.now(timezone.utc)
    assert before <= GOOGLE.Timestamp.now().to_datetime() <= datetime.now(timezone.utc)


@given(st.timedeltas(timedelta(seconds=-LONGEST), timedelta(seconds=LONGEST)))
def test_a_timedelta_goes_through_a_duration_unchanged(span: timedelta) -> None:
    duration = GOOGLE.Duration.from_timedelta(span)
    assert duration.to_timedelta() == duration.ToTimedelta() == span
    theirs = duration_pb2.Duration()
    theirs.FromTimedelta(span)
    assert bytes(duration) == theirs.SerializeToString()


def test_a_timedelta_is_cut_to_the_microsecond_towards_zero() -> None:
    assert GOOGLE.Duration.from_nanoseconds(1_999).to_timedelta() == timedelta(microseconds=1)
    assert GOOGLE.Duration.from_nanoseconds(-1_999).to_timedelta() == timedelta(microseconds=-1)
    assert GOOGLE.Duration(nanos=-500_000_000).to_timedelta() == timedelta(seconds=-0.5)


def test_any_carries_a_message_with_its_name() -> None:
    plain = SCALARS.Plain(int32_value=5)
    packed = GOOGLE.Any.pack(plain)
    assert packed.type_url == "type.googleapis.com/fragments.scalars.Plain"
    assert packed.unpack() == plain
    assert packed.to_dict() == {"@type": packed.type_url, "int32Value": 5}


@pytest.mark.parametrize("action", ["unpack", "to_json"])
def test_any_of_a_type_that_the_contract_lacks_is_an_error_with_its_name(action: str) -> None:
    with pytest.raises(ValueError, match=r"no type 'other\.Thing'"):
        getattr(GOOGLE.Any(type_url="x/other.Thing"), action)()


NO_ANYS: list[Any] = [
    5,
    {"a": 1},
    {"@type": 5},
    {"@type": "x/other.Thing"},
    {"@type": "x/fragments.scalars.Plain", "a": 1},
    {"@type": "x/google.protobuf.Duration"},
    {"@type": "x/google.protobuf.Duration", "value": "1s", "a": 1},
]


@pytest.mark.parametrize("value", NO_ANYS, ids=repr)
def test_json_that_is_no_any_is_refused(value: Any) -> None:
    with pytest.raises(DecodeError):
        GOOGLE.Any.from_dict(value)


@pytest.mark.parametrize("paths", [["a_b.c", "d"], [], ["a"], ["foo_bar.baz_qux"]])
def test_a_field_mask_is_one_string_of_camel_case_paths(paths: list[str]) -> None:
    theirs = json_format.MessageToJson(field_mask_pb2.FieldMask(paths=paths))
    assert GOOGLE.FieldMask(paths=paths).to_json() == theirs
    assert GOOGLE.FieldMask.from_json(theirs) == GOOGLE.FieldMask(paths=paths)


@pytest.mark.parametrize("path", ["fooBar", "foo_", "foo__bar", "foo_1", "_Foo"])
def test_a_path_that_camel_case_cannot_say_has_no_json(path: str) -> None:
    with pytest.raises(ValueError):
        json_format.MessageToJson(field_mask_pb2.FieldMask(paths=[path]))
    with pytest.raises(EncodeError, match=r"FieldMask\.paths"):
        GOOGLE.FieldMask(paths=[path]).to_json()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_json_cannot_say_is_refused(number: float) -> None:
    with pytest.raises(EncodeError, match=r"google\.protobuf\.Value\.number_value"):
        GOOGLE.Value(number_value=number).to_json()


def test_a_message_that_is_no_object_in_json_has_no_dict() -> None:
    with pytest.raises(TypeError, match="is no object in JSON; use to_json"):
        GOOGLE.Int64Value(value=1).to_dict()
