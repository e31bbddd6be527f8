"""``mxgw-py watch``: rows where they are piped, a table at a terminal, and nothing left behind."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import click
import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from tests.cli.conftest import Run
from tests.cli.everyday import GATEWAY, connection, environment
from tests.cli.golden import assert_golden
from tests.cli.installed import MXGW
from tests.cli.metrics import open_sessions, wait_until_counted
from tests.cli.screen import screen_lines
from tests.cli.terminal import Terminal
from zb_mom_ww_mxgateway import (
    Event,
    MxEvent,
    MxEventFamily,
    ReplayGap,
    Stream,
    Timestamp,
)
from zb_mom_ww_mxgateway.events import event_of
from zb_mom_ww_mxgateway.streams import Reader
from zb_mom_ww_mxgateway_cli.read import Shown
from zb_mom_ww_mxgateway_cli.watch import changes
from zb_mom_ww_mxgateway_cli.watch_view import BARS, View, sparkline
from zb_mom_ww_mxgateway_sim.faults import BadQuality, CrashWorker
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

pytestmark = GATEWAY

on_unix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither these signals nor ptys")

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture
def simulator(mxgw_gateway: RunningGateway) -> dict[str, str]:
    """The gateway that ``mxgw`` talks to."""
    return connection(mxgw_gateway)


def start(gateway: RunningGateway, *arguments: str) -> subprocess.Popen[bytes]:
    """Watch in a process of its own, whose streams are pipes."""
    return subprocess.Popen(
        [MXGW, "watch", *arguments],
        env=environment(gateway),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


# Rows


def test_json_is_pinned(mxgw: Run) -> None:
    assert_golden("watch", mxgw("watch", "Tank.Level", "No.Such", "--max-events", "2", "--json"))


def test_a_pipe_gets_a_row_for_each_change_in_their_order(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    watched = mxgw("watch", "Tank.Ticks", "Tank.Level", "--max-events", "5")
    assert (watched.code, watched.err) == (0, "")
    rows = [json.loads(line) for line in watched.out.splitlines()]
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["tag"] for row in rows].count("Tank.Level") == 1
    ticks = [row["value"] for row in rows if row["tag"] == "Tank.Ticks"]
    assert len(set(ticks)) == 4
    assert all(row["isGood"] and row["quality"] == 192 and row["timestamp"] for row in rows)
    assert open_sessions(mxgw_gateway) == 0


def test_each_form_has_the_same_rows(mxgw: Run) -> None:
    watch = ["watch", "Tank.Level", "--max-events", "1", "--output"]
    (as_json,) = mxgw(*watch, "json").json["changes"]
    (as_csv,) = csv.DictReader(io.StringIO(mxgw(*watch, "csv").out))
    line = mxgw(*watch, "table").out
    assert as_json.keys() == as_csv.keys()
    assert (as_json["tag"], as_json["value"]) == ("Tank.Level", 42)
    assert (as_csv["tag"], as_csv["value"], as_csv["sequence"]) == ("Tank.Level", "42", "1")
    assert re.fullmatch(r"\S+Z  Tank\.Level  42  192 \(good\)\n", line)


def test_a_time_ends_it_as_a_number_does_and_is_no_failure(mxgw: Run) -> None:
    for limit in ("--duration", "--timeout"):
        watched = mxgw("watch", "Tank.Level", limit, "1.5", "--json")
        assert watched.code == 0
        assert len(watched.json["changes"]) == 1


def test_what_is_not_good_says_why(mxgw: Run, mxgw_gateway: RunningGateway) -> None:
    with mxgw_gateway.fault(BadQuality(tag_name="Tank", quality=8)):
        watched = mxgw("watch", "Tank.Level", "No.Such", "--max-events", "2", "--json")
    bad, no_such = watched.json["changes"]
    assert (bad["value"], bad["isGood"], bad["error"]) == (42, False, "quality 8 (not connected)")
    assert "invalid reference" in no_such["error"]
    assert watched.code == 6


def test_tags_that_do_not_exist_are_its_end_where_there_is_no_other(mxgw: Run) -> None:
    watched = mxgw("watch", "No.Such", "Tank.Lebel", "--output", "table")
    assert watched.code == 6
    assert watched.out.count("CONFIGURATION_ERROR") == 2
    assert "mxgw-py find" in watched.err


def test_tags_that_the_key_may_not_read_are_said_and_the_others_are_watched(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    key = mxgw_gateway.run(lambda gateway: gateway.add_api_key(read=["Inner"]))
    tags = ["Tank.Level", "Inner.Level"]
    watched = mxgw("watch", *tags, "--max-events", "1", "--api-key", key, "--json")
    denied, seen = watched.json["changes"]
    assert (denied["tag"], denied["sequence"], denied["isGood"]) == ("Tank.Level", None, False)
    assert (seen["tag"], seen["value"]) == ("Inner.Level", 42)
    assert watched.code == 6


def test_none_that_may_be_watched_is_the_end(mxgw: Run, mxgw_gateway: RunningGateway) -> None:
    key = mxgw_gateway.run(lambda gateway: gateway.add_api_key(read=["Inner"]))
    assert mxgw("watch", "Tank.Level", "--api-key", key).code == 6


@pytest.mark.mxgw_gateway(galaxy=Path(__file__).with_name("meters.toml"))
def test_a_thousand_tags_are_watched_by_one_session(mxgw: Run, tmp_path: Path) -> None:
    tags = [f"Meter_{number:04}.Ticks" for number in range(1, 1001)]
    file = tmp_path / "tags.txt"
    file.write_text("\n".join(tags), encoding="utf-8")
    watched = mxgw("watch", f"@{file}", "--max-events", "4000", "--json")
    rows = watched.json["changes"]
    assert [row["sequence"] for row in rows] == list(range(1, 4001))
    assert {row["tag"] for row in rows} == set(tags)


# What ends it


@on_unix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_signal_ends_it_and_nothing_is_left_or_lost(
    mxgw_gateway: RunningGateway, number: signal.Signals, code: int, form: str
) -> None:
    with start(mxgw_gateway, "Tank.Level", "--output", form) as process:
        wait_until_counted(mxgw_gateway, "mxgateway_events_total")
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    # The signal may be quicker than the first event; what is printed is whole in any case.
    printed = [json.loads(line) for line in out.splitlines()]
    rows = printed[0]["changes"] if form == "json" else printed
    assert all(row["value"] == 42 for row in rows)
    assert (process.returncode, errors.strip()) == (code, b"")
    assert open_sessions(mxgw_gateway) == 0


@on_unix
@pytest.mark.parametrize("tag", ["Tank.Ticks", "Tank.Level"])
def test_a_closed_pipe_ends_it_also_when_nothing_more_comes(
    mxgw_gateway: RunningGateway, tag: str
) -> None:
    with start(mxgw_gateway, tag) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["tag"] == tag
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert open_sessions(mxgw_gateway) == 0


@on_unix
def test_a_worker_that_crashes_is_a_failure_and_not_the_end_of_the_stream(
    mxgw_gateway: RunningGateway,
) -> None:
    with start(mxgw_gateway, "Tank.Level") as process:
        assert process.stdout is not None
        process.stdout.readline()
        mxgw_gateway.strike(CrashWorker())
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 3
    assert errors.count(b"\n") == 1
    assert open_sessions(mxgw_gateway) == 0


def fed(events: Sequence[MxEvent]) -> Stream[Event]:
    """A stream of the SDK that has these events and then ends, as when the session is closed."""

    async def source() -> AsyncGenerator[MxEvent, None]:
        for event in events:
            yield event

    return Stream(lambda: Reader(source(), event_of))


async def test_missing_events_are_said_and_the_end_of_the_session_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gap = MxEvent(replay_gap=ReplayGap(requested_after_sequence=1, oldest_available_sequence=9))
    change = MxEvent(family=MxEventFamily.ON_DATA_CHANGE, worker_sequence=9)
    done = MxEvent(family=MxEventFamily.ON_WRITE_COMPLETE, worker_sequence=10)
    following = changes(fed([gap, change, done]), None, None)
    assert (await anext(following)).worker_sequence == 9
    with pytest.raises(click.ClickException, match="closed the session"):
        await anext(following)
    assert capsys.readouterr().err.startswith("events are missing")


# At a terminal


@on_unix
def test_a_terminal_shows_tags_with_their_values_until_ctrl_c(
    mxgw_gateway: RunningGateway,
) -> None:
    command = [MXGW, "watch", "Tank.Contents", "Tank.Ticks", "No.Such"]
    with Terminal(command, environment(mxgw_gateway)) as terminal:
        shown = terminal.wait_for("Water")
        assert "Tank.Contents" in shown
        shown += terminal.wait_for("█")  # a trend has begun
        terminal.press("\x03")
        shown += terminal.rest()
    assert terminal.process.returncode == 130
    assert "192 (good)" in shown
    assert "CONFIGURATION_ERROR" in shown
    assert "Traceback" not in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor is there again
    assert open_sessions(mxgw_gateway) == 0


@on_unix
def test_a_terminal_without_colors_or_movement_gets_lines(mxgw_gateway: RunningGateway) -> None:
    command = [MXGW, "watch", "Tank.Contents", "--max-events", "1"]
    dumb = {**environment(mxgw_gateway), "TERM": "dumb"}
    with Terminal(command, dumb) as terminal:
        shown = terminal.rest()
    assert "\x1b" not in shown
    assert "Tank.Contents  Water  192 (good)" in shown


@on_unix
def test_no_color_is_heeded(mxgw_gateway: RunningGateway) -> None:
    command = [MXGW, "watch", "No.Such", "--max-events", "1"]
    with Terminal(command, {**environment(mxgw_gateway), "NO_COLOR": "1"}) as terminal:
        shown = terminal.rest()
    assert "No.Such" in shown
    assert "\x1b[31m" not in shown


@on_unix
def test_a_narrow_terminal_has_tags_and_values_whole_and_nothing_twice(
    mxgw_gateway: RunningGateway,
) -> None:
    command = [MXGW, "watch", "Tank.Contents", "Tank.Ticks", "No.Such"]
    with Terminal(command, environment(mxgw_gateway), columns=40) as terminal:
        shown = terminal.wait_for("invalid")
        terminal.press("\x03")
        shown += terminal.rest()
    lines = screen_lines(shown, 40)
    assert [line.split()[0] for line in lines[:4]] == [
        "tag",
        "Tank.Contents",
        "Tank.Ticks",
        "No.Such",
    ]
    assert lines[1].split()[1] == "Water"
    assert "invalid reference" in " ".join(line.strip() for line in lines[4:])
    assert [line for line in lines if line.startswith("tag")] == lines[:1]


@on_unix
def test_a_table_as_wide_as_the_terminal_is_not_twice_there_after_ctrl_c(
    mxgw_gateway: RunningGateway,
) -> None:
    # With the quality the table has 37 columns, and ^C would stand in the next line.
    command = [MXGW, "watch", "Tank.Contents", "Tank.Ticks"]
    with Terminal(command, environment(mxgw_gateway), columns=37) as terminal:
        shown = terminal.wait_for("Water")
        terminal.press("\x03")
        shown += terminal.rest()
    assert [line.split()[0] for line in screen_lines(shown, 37) if line] == [
        "tag",
        "Tank.Contents",
        "Tank.Ticks",
    ]


@given(st.integers(1, 200), st.text("abc", min_size=1, max_size=60), st.text("xyz", max_size=45))
def test_what_is_left_out_goes_from_the_right(width: int, tag: str, value: str) -> None:
    view = View([tag])
    view.show(Shown(tag, value, 192, None, ""))
    header, *_ = lines = drawn(view, width=width).splitlines()
    assert all(len(line) <= width for line in lines)
    columns = header.split()
    if width >= max(len(tag), 3) + 2 + max(min(len(value), 40), 8):
        assert columns == ["tag", "value", "quality", "age", "rate", "trend"][: len(columns)]
        assert tag in lines[1]
        assert value[:39] in lines[1]
    elif width >= 10:
        assert columns == ["tag", "value"]
        assert "".join(letter for line in lines[1:] for letter in line if letter in "abc") == tag


def drawn(view: View, height: int = 40, width: int = 120, *, trend: bool = True) -> str:
    """What a terminal shows of a view."""
    screen = Console(file=io.StringIO(), width=width, height=height)
    screen.print(view.picture(width, height, trend=trend))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_age_and_rate_are_those_of_the_changes() -> None:
    now = 1_000.0
    view = View(["A.B"], clock=lambda: now)
    assert "no value yet" in drawn(view)
    for second in range(5):
        now = 1_000.0 + second / 2
        view.show(Shown("A.B", second, 192, Timestamp(seconds=999), ""))
    now = 1_004.0
    assert re.search(r"A\.B +4 +192 \(good\) +5\.0 s +1\.0/s +▁", drawn(view))
    now += 3_600
    assert re.search(r"1 h +0\.0/s", drawn(view))


def test_tags_that_do_not_fit_are_counted() -> None:
    view = View([f"Tag{number}.A" for number in range(1_234)])
    shown = drawn(view, height=13)
    assert len(shown.splitlines()) < 13
    assert "Tag9.A" in shown
    assert "10 of 1,234 tags" in shown


def test_texts_of_the_plant_cannot_move_the_cursor_or_color_the_screen() -> None:
    view = View(["A.B"])
    view.show(Shown("A.B", "\x1b[2J[red]:smile:\n\u202e", 192, None, ""))
    shown = drawn(view)
    assert r"\x1b[2J[red]:smile:\n\u202e" in shown
    assert len(shown.splitlines()) == 2


@given(st.lists(FLOATS | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40))
def test_a_sparkline_has_a_bar_for_each_number_from_the_least_to_the_greatest(
    numbers: list[float],
) -> None:
    bars = sparkline(numbers)
    assert len(bars) == len(numbers)
    heights = [BARS.index(bar) for bar in bars]
    if min(numbers) / 2 < max(numbers) / 2:
        assert min(heights) == 0
        assert max(heights) == len(BARS) - 1
    ordered = [height for _, height in sorted(zip(numbers, heights, strict=True))]
    assert ordered == sorted(ordered)


def test_no_numbers_have_no_sparkline() -> None:
    assert sparkline([]) == ""
