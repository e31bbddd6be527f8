"""Text becomes the value that is meant, of every type, exactly or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import struct
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import click
import pytest
from hypothesis import given, strategies as st

from tests.cli.conftest import Run
from tests.sdk.test_values import finite, finite32, int64, moments, text
from zb_mom_ww_mxgateway import MxDataType, MxValue, RawValue, Timestamp, from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_cli.values import (
    TYPES,
    comma_list,
    native_text,
    parse_time,
    parse_value,
    parse_values,
    value_text,
)

int32 = st.integers(-(2**31), 2**31 - 1)
#: What seconds as a double hold to the microsecond.
spans = st.timedeltas(timedelta(days=-99_000), timedelta(days=99_000))
#: What csv keeps as it is: a line's end would end the list.
line = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


def iso(moment: datetime) -> str:
    return moment.isoformat()


def seconds(span: timedelta) -> str:
    return repr(span.total_seconds())


def hexadecimal(data: bytes) -> str:
    return data.hex()


def number(value: float) -> str:
    return repr(value)


#: For each type, values, how they are written, the member of MxValue they travel in and COM's type.
WRITTEN: Final[dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], str], str, str]]] = {
    "bool": (st.booleans(), json.dumps, "bool_value", "VT_BOOL"),
    "int32": (int32, str, "int32_value", "VT_I4"),
    "int64": (int64, str, "int64_value", "VT_I8"),
    "float": (finite32, number, "float_value", "VT_R4"),
    "double": (finite, number, "double_value", "VT_R8"),
    "string": (line, str, "string_value", "VT_BSTR"),
    "time": (moments, iso, "timestamp_value", "VT_DATE"),
    "elapsed-time": (spans, seconds, "double_value", "VT_R8"),
    "reference": (line, str, "string_value", "VT_BSTR"),
    "big-string": (line, str, "string_value", "VT_BSTR"),
    "internationalized-string": (line, str, "string_value", "VT_BSTR"),
    "qualified-enum": (int32, str, "int32_value", "VT_I4"),
    "data-type-enum": (int32, str, "int32_value", "VT_I4"),
    "security-classification-enum": (int32, str, "int32_value", "VT_I4"),
    "data-quality-type": (int32, str, "int32_value", "VT_I4"),
    "qualified-struct": (st.binary(), hexadecimal, "raw_value", "VT_RECORD"),
    "status-type": (st.binary(), hexadecimal, "raw_value", "VT_RECORD"),
    "bytes": (st.binary(), hexadecimal, "raw_value", "VT_RECORD"),
}
TEXTS = {"string", "reference", "big-string", "internationalized-string", "qualified-enum"}
#: Types that JSON has itself; the others are texts there.
OF_JSON = {name for name in WRITTEN if name not in {*TEXTS, "time"} and "bytes" not in name}
names = st.sampled_from(sorted(WRITTEN))


def as_json(name: str, value: Any) -> object:
    """A value as JSON has it."""
    _, written, member, _ = WRITTEN[name]
    if member in ("string_value", "timestamp_value", "raw_value"):
        return written(value)
    return value.total_seconds() if isinstance(value, timedelta) else value


def as_comma_list(texts: Sequence[str]) -> str:
    """Texts as a comma list, those in quotes that need them and some that do not."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow(texts)
    return out.getvalue()


def refusal(
    parse: Callable[[str, str], object], given_text: str, name: str
) -> click.UsageError | None:
    """The error that parsing ends with, if it does."""
    try:
        parse(given_text, name)
    except click.UsageError as error:
        return error
    return None


def in_utc(value: Any) -> Any:
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value


def test_every_data_type_of_the_contract_has_a_type_and_an_array_of_it() -> None:
    sendable = {data_type for data_type in MxDataType if data_type != MxDataType.UNSPECIFIED}
    assert {of.data_type for of in TYPES.values()} == sendable
    assert {name for name in TYPES if name != "null"} == {
        spelled for name in WRITTEN for spelled in (name, f"{name}[]")
    }


@given(names, st.data())
def test_a_value_that_was_written_as_text_comes_back(name: str, data: st.DataObject) -> None:
    values, written, member, variant_type = WRITTEN[name]
    value = data.draw(values)
    made = parse_value(written(value), name)
    assert made.which_kind() == member
    assert (made.data_type, made.variant_type) == (TYPES[name].data_type, variant_type)
    assert from_mx_value(made) == in_utc(value)


@given(names, st.data())
def test_an_array_comes_back_from_a_comma_list_and_from_json(
    name: str, data: st.DataObject
) -> None:
    values, written, member, variant_type = WRITTEN[name]
    items = data.draw(st.lists(values, max_size=5))
    listed = parse_value(as_comma_list([written(item) for item in items]), f"{name}[]")
    from_json = parse_value(json.dumps([as_json(name, item) for item in items]), f"{name}[]")
    for made in (listed, from_json):
        assert made.array_value is not None
        assert made.array_value.which_values() == f"{member}s"
        assert made.variant_type == f"VT_ARRAY|{variant_type}"
        assert made.array_value.variant_type == variant_type
        assert made.data_type == made.array_value.element_data_type == TYPES[name].data_type
        assert from_mx_value(made) == [in_utc(item) for item in items]


@given(names, st.integers(1, 3), st.integers(1, 3), st.data())
def test_nested_json_is_an_array_of_more_dimensions(
    name: str, rows: int, columns: int, data: st.DataObject
) -> None:
    row = st.lists(WRITTEN[name][0], min_size=columns, max_size=columns)
    items = data.draw(st.lists(row, min_size=rows, max_size=rows))
    nested = [[as_json(name, item) for item in row] for row in items]
    made = parse_value(json.dumps(nested), f"{name}[]")
    assert made.array_value is not None
    assert list(made.array_value.dimensions) == [rows, columns]
    assert from_mx_value(made) == [[in_utc(item) for item in row] for row in items]


@given(names, st.data())
def test_values_of_a_bulk_come_back_from_a_comma_list_and_from_json(
    name: str, data: st.DataObject
) -> None:
    values, written, _, _ = WRITTEN[name]
    items = data.draw(st.lists(values, min_size=1, max_size=5))
    listed = as_comma_list([written(item) for item in items])
    from_json = json.dumps([as_json(name, item) for item in items])
    for given_text in (listed, from_json):
        found = [from_mx_value(made) for made in parse_values(given_text, name)]
        assert found == [in_utc(item) for item in items]
    arrays = json.dumps([[as_json(name, item)] for item in items])
    found = [from_mx_value(made) for made in parse_values(arrays, f"{name}[]")]
    assert found == [[in_utc(item)] for item in items]


def test_arrays_of_a_bulk_are_comma_lists_in_quotes_or_nested_json() -> None:
    for given_text in ('"1,2",3,"[4,5]"', "[[1,2],[3],[4,5]]"):
        made = parse_values(given_text, "int32[]")
        assert [from_mx_value(value) for value in made] == [[1, 2], [3], [4, 5]]


@pytest.mark.parametrize("name", TYPES)
def test_null_is_a_null_of_the_type_but_for_texts(name: str) -> None:
    made = parse_value("null", name)
    if name.removesuffix("[]") in TEXTS:
        expected: object = ["null"] if name.endswith("[]") else "null"
        assert from_mx_value(made) == expected
    else:
        assert made == to_mx_value(None, data_type=TYPES[name].data_type)
    assert [value.is_null for value in parse_values("[null]", name)] == [True]


@given(st.sampled_from(sorted(TYPES)), st.text())
def test_any_text_is_a_value_or_a_usage_error_that_does_not_show_it(name: str, secret: str) -> None:
    for parse in (parse_value, parse_values):
        error = refusal(parse, f"{secret}topsecret{secret}", name)
        if error is not None:
            assert "topsecret" not in error.format_message()
            assert error.__cause__ is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("bool", "yes"), ("bool[]", "[1]"), ("bool[]", '["true"]'), ("bool", ""),
        ("int32", "2147483648"), ("int32", "1_000"), ("int32", "1.0"), ("int32", "٣"),
        ("int32[]", "[1.0]"), ("int32[]", "[true]"), ("int32[]", '["1"]'), ("int32[]", "1,,2"),
        ("int64", str(2**63)), ("int32", "9" * 5_000), ("int32[]", f"[{'9' * 5_000}]"),
        ("float", "1e39"), ("double", "1e999"), ("double", "nan"), ("double", "1_0"),
        ("double[]", "[NaN]"), ("double[]", "[1e999]"), ("double", "infinity"), ("double", "."),
        ("string[]", "[1]"), ("string[]", "[null]"), ("string[]", '["\\ud800"]'),
        ("string", "\ud800"), ("string[]", '["a"'),
        ("time", "2026-01-01T00:00:00"), ("time", "2026-01-01T00:00:00.0123456789Z"),
        ("time", "0001-01-01T00:00:00+14:00"), ("time", "2026-01-01T00:00:00+01:00:00.5"),
        ("time[]", "[0]"), ("elapsed-time", "1 s"), ("elapsed-time", "inf"),
        ("bytes", "abc"), ("bytes[]", "[1]"), ("qualified-enum[]", '[1, "a"]'),
        ("data-type-enum", "Integer"), ("int32[]", "[[1,2],[3]]"), ("int32[]", "[1,[2]]"),
        ("int32[]", "[" * 61 + "1" + "]" * 61), ("int32[]", "[" * 100_000),
        ("null", "0"), ("null", "None"),
    ],
)  # fmt: skip
def test_what_is_not_of_its_type_is_refused_with_what_is_taken(name: str, wrong: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        parse_value(wrong, name)
    assert f"--value is not of type {name}, which takes {TYPES[name].accepts}" in str(caught.value)


def test_the_value_of_a_bulk_that_is_wrong_is_named_by_its_position() -> None:
    for given_text in ("1,2,x", '[1,2,"x"]'):
        with pytest.raises(click.UsageError, match="--values: item 3 is not of type int32"):
            parse_values(given_text, "int32")
    for given_text in ("[1,2", "[" * 100_000):
        with pytest.raises(click.UsageError, match="--values begins as a JSON array and is none"):
            parse_values(given_text, "int32")


@given(st.integers(0, 10**9 - 1), st.sampled_from([".", ","]))
def test_a_time_keeps_its_nanoseconds(nanos: int, sign: str) -> None:
    made = parse_time(f"2026-01-31T13:00:00{sign}{nanos:09}+01:00").timestamp_value
    assert made is not None
    assert made.to_nanoseconds() == 1_769_860_800 * 10**9 + nanos


def test_a_number_of_a_set_is_no_text_and_a_text_is_no_number() -> None:
    assert from_mx_value(parse_value("7", "qualified-enum")) == 7
    assert from_mx_value(parse_value("Open", "qualified-enum")) == "Open"
    assert from_mx_value(parse_value('["7"]', "qualified-enum[]")) == ["7"]


def test_a_float_is_the_nearest_of_32_bits() -> None:
    (single,) = struct.unpack("<f", struct.pack("<f", 0.1))
    assert from_mx_value(parse_value("0.1", "float")) == single
    assert not math.isclose(single, 0.1, rel_tol=1e-12)


@given(st.lists(line, min_size=1))
def test_quotes_keep_what_a_comma_list_would_part(texts: list[str]) -> None:
    assert comma_list(as_comma_list(texts)) == texts


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (to_mx_value(True), "true"),
        (to_mx_value("1"), "'1'"),
        (to_mx_value([1.5, 2.0]), "[1.5, 2.0]"),
        (to_mx_value([[1], [2]]), "[[1], [2]]"),
        (to_mx_value(None), "null"),
        (to_mx_value(timedelta(minutes=1)), "60.0 s"),
        (to_mx_value(datetime(2026, 1, 31, 12, tzinfo=timezone.utc)), "2026-01-31T12:00:00Z"),
        (to_mx_value(b"\x01\xff"), "0x01ff"),
        (MxValue(raw_diagnostic="no converter"), "(no converter)"),
        (MxValue(timestamp_value=Timestamp(seconds=10**15)), "(no value that Python has)"),
    ],
)
def test_people_read_values_as_they_are_written(value: MxValue, shown: str) -> None:
    assert value_text(value) == shown


@given(st.sampled_from(["bool", "int32", "double", "bytes"]), st.data())
def test_what_people_read_can_be_written_again(name: str, data: st.DataObject) -> None:
    value = data.draw(WRITTEN[name][0])
    shown = native_text(from_mx_value(parse_value(WRITTEN[name][1](value), name)))
    again = from_mx_value(parse_value(shown.removeprefix("0x"), name))
    assert again == (RawValue(value) if isinstance(value, bytes) else value)


@given(text)
def test_text_for_people_is_on_one_line(value: str) -> None:
    assert len(value_text(to_mx_value(value)).splitlines()) == 1


@pytest.mark.parametrize(
    ("tag", "name", "values"),
    [
        ("TestMachine_001.TestChangingInt", "int32", "7"),
        ("TestChildObject.TestStringArray[]", "string[]", '["a","b,c"]'),
        ("TestChildObject.TestStringArray[]", "string[]", 'a,"b,c"'),
    ],
)
def test_a_write_reaches_the_gateway_as_the_type_that_was_named(
    mxgw: Run, session_id: str, tag: str, name: str, values: str
) -> None:
    common = ["--session-id", session_id, "--server-handle", "1"]
    mxgw("subscribe-bulk", *common, "--items", tag)
    item = [*common, "--item-handle", "1"]
    assert mxgw("write", *item, "--type", name, "--value", values).code == 0
    drained = mxgw("drain-events", "--session-id", session_id, "--json").json["drainEvents"]
    (outcome,) = [event for event in drained["events"] if "onWriteComplete" in event]
    assert outcome["statuses"][0]["category"] == "MX_STATUS_CATEGORY_OK"
