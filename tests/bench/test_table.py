"""The table, and what has to be reached."""

from __future__ import annotations

import json

import pytest

from bench import table
from bench.machine import Setting
from bench.results import Line, one
from bench.rounds import Figure
from bench.targets import TARGETS, outcomes

SETTING = Setting(2, "a processor", "a system", "CPython 3.11.7", {"protobuf": {"grpcio": "1.2"}})
PING = Line(
    "calls",
    "ping",
    "calls/s",
    {"interpreted": one(1234.5), "protobuf": one(2000)},
    {"interpreted": Figure(0.617, 0.6, 0.65)},
    0.125,
)
IMPORT = Line(
    "startup",
    "import over that of protobuf",
    "times",
    {"compiled": one(1.3), "interpreted": one(1.31)},
)

#: Those of the lines above.
WANTED = [target for target in TARGETS if target.what in (PING.what, IMPORT.what)]


def test_the_text_shows_figures_speeds_and_the_server_under_their_heads() -> None:
    heads, row = table.text([PING], []).splitlines()
    assert row.split()[:5] == ["calls", "ping", "calls/s", "1,234", "2,000"]
    assert row.endswith("0.62 (0.60 to 0.65)     12%")
    assert heads.index("interpreted") + len("interpreted") == row.index("1,234") + len("1,234")


def test_columns_that_nobody_is_in_are_left_out() -> None:
    heads, row = table.text([Line("a", "b", "s", {"compiled": one(2.0)})], []).splitlines()
    assert heads.split() == ["part", "case", "unit", "compiled"]
    assert row.split() == ["a", "b", "s", "2"]


def test_numbers_have_three_digits_that_count() -> None:
    told = [table.number(each) for each in (0.01234, 1.5, 12.345, 123.45, 1234567.8)]
    assert told == ["0.0123", "1.5", "12.3", "123", "1,234,568"]


def test_markdown_is_two_tables_whose_rows_all_have_as_many_cells() -> None:
    told = table.markdown([PING, IMPORT], outcomes([PING, IMPORT], WANTED), SETTING).splitlines()
    assert told[:2] == [
        "- 2 cores of a processor, a system, CPython 3.11.7",
        "- protobuf: grpcio 1.2",
    ]
    first, second = (
        [line.count("|") for line in block.splitlines()]
        for block in "\n".join(told[3:]).split("\n\n")
    )
    assert len(first) == 2 + 2
    assert len(second) == 2 + 3
    assert len(set(first)) == len(set(second)) == 1


def test_json_can_be_read_and_has_the_spread() -> None:
    made = json.loads(json.dumps(table.as_json([PING], outcomes([PING], WANTED), SETTING)))
    assert made["setting"]["versions"] == {"protobuf": {"grpcio": "1.2"}}
    assert made["lines"][0]["speeds"]["interpreted"] == {"median": 0.617, "low": 0.6, "high": 0.65}
    assert made["lines"][0]["server"] == 0.125
    assert made["targets"][0]["reached"] is False


def test_a_speed_has_to_be_as_large_as_wanted_and_a_cost_as_small() -> None:
    reached = {
        (each.target.what, each.column): each.reached for each in outcomes([PING, IMPORT], WANTED)
    }
    assert reached == {
        ("ping", "interpreted"): False,
        ("import over that of protobuf", "compiled"): True,
        ("import over that of protobuf", "interpreted"): False,
    }


def test_a_part_that_lacks_the_line_of_a_target_is_an_error() -> None:
    with pytest.raises(LookupError, match="calls has no line 'read_bulk of 1,000'"):
        outcomes([PING])


def test_parts_that_were_not_measured_have_no_outcomes() -> None:
    assert not outcomes([Line("generator", "generate", "s", {"interpreted": one(1.0)})])
