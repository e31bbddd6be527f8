"""``mxgw-py read``: values with quality and time, by tag."""

from __future__ import annotations

import io
import json
import os
import signal
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.cli.conftest import Run
from tests.cli.everyday import GATEWAY, connection, environment
from tests.cli.golden import assert_golden
from tests.cli.installed import MXGW
from tests.cli.metrics import open_sessions
from tests.cli.terminal import Terminal
from zb_mom_ww_mxgateway import MxDataType, MxValue, Timestamp, to_mx_value
from zb_mom_ww_mxgateway_cli.read import json_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import FloatArray, MxArray
from zb_mom_ww_mxgateway_sim.faults import BadQuality, DelayFirstValues, RefuseCalls
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

pytestmark = GATEWAY

SINGLES = (
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)


@pytest.fixture
def simulator(mxgw_gateway: RunningGateway) -> dict[str, str]:
    """The gateway that ``mxgw`` talks to."""
    return connection(mxgw_gateway)


def test_json_is_pinned(mxgw: Run) -> None:
    read = mxgw("read", "Tank.Level", "Tank.Limits", "No.Such", "Tank.Filled", "--json")
    assert_golden("read", read)


def test_the_order_of_tags_is_kept_and_one_that_fails_leaves_the_others_alone(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    tags = ["Tank.Weight", "No.Such", "Tank.Level", "Tank.Weight"]
    read = mxgw("read", *tags, "--json")
    assert read.code == 6
    assert [row["tag"] for row in read.json] == tags
    assert [row["value"] for row in read.json] == [0.1, None, 42, 0.1]
    assert [bool(row["error"]) for row in read.json] == [False, True, False, False]
    assert open_sessions(mxgw_gateway) == 0


def test_bad_quality_is_said_as_a_number_and_in_words(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    with mxgw_gateway.fault(BadQuality(tag_name="Tank", quality=24)):
        as_json = mxgw("read", "Tank.Level", "--json")
        for_people = mxgw("read", "Tank.Level", "--output", "table")
    assert as_json.code == for_people.code == 6
    (row,) = as_json.json
    assert (row["value"], row["quality"], row["isGood"]) == (42, 24, False)
    header, line = for_people.out.splitlines()
    assert header.split() == ["tag", "value", "quality", "timestamp"]
    assert "24 (communication failure)" in line


def test_tags_come_from_a_file_and_from_standard_input(
    mxgw: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tags.txt"
    file.write_text("\ufeff# what to read\nTank.Level\n\n  Tank.Open  \n", encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO("Tank.Weight\n#Tank.Mode\n"))
    read = mxgw("read", "Tank.Contents", f"@{file}", "-", "--json")
    assert read.code == 0
    tags = [row["tag"] for row in read.json]
    assert tags == ["Tank.Contents", "Tank.Level", "Tank.Open", "Tank.Weight"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff", b"# nothing\n"])
def test_a_file_without_tags_is_a_usage_error(
    mxgw: Run, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "tags.txt"
    if content is not None:
        file.write_bytes(content)
    assert mxgw("read", f"@{file}").code == 2
    assert mxgw("read", "").code == 2
    assert mxgw("read").code == 2


def test_timeout_is_how_long_a_value_may_take(mxgw: Run, mxgw_gateway: RunningGateway) -> None:
    with mxgw_gateway.fault(DelayFirstValues(seconds=600)):
        read = mxgw("read", "Tank.Level", "--timeout", "1.5", "--json")
    assert read.code == 6
    (row,) = read.json
    assert row["value"] is row["quality"] is row["timestamp"] is None
    assert row["error"]


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_wait_for_standard_input(
    mxgw_gateway: RunningGateway, number: signal.Signals, code: int
) -> None:
    command = [MXGW, "read", "Tank.Level", "-"]
    with Terminal(command, environment(mxgw_gateway)) as terminal:
        terminal.wait_for("Ctrl-D")
        terminal.process.send_signal(number)
        assert "Traceback" not in terminal.rest()
    assert terminal.process.returncode == code


def test_a_value_that_comes_too_late_names_the_option_for_more_time(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    with mxgw_gateway.fault(DelayFirstValues(seconds=600)):
        read = mxgw("read", "Tank.Level", "--timeout", "1", "--json")
    assert "allow a longer --timeout" in read.json[0]["error"]


def test_people_are_told_what_looks_tags_up_where_one_is_not_there(mxgw: Run) -> None:
    for_people = mxgw("read", "Tank.Level", "Tank_*.Level", "--output", "table")
    assert for_people.code == 6
    assert for_people.err.count("mxgw-py find") == for_people.err.count("\n") == 1
    assert mxgw("read", "Tank.Level", "--output", "table").err == ""
    assert mxgw("read", "No.Such", "--json").err == ""


def test_csv_has_a_line_for_each_tag(mxgw: Run) -> None:
    read = mxgw("read", "Tank.Level", "Tank.Limits", "--output", "csv")
    header, level, limits = read.out.splitlines()
    assert header.startswith("tag,value,quality,isGood,timestamp")
    assert level.startswith("Tank.Level,42,192,true,")
    assert limits.startswith('Tank.Limits,"[10.0, 90.0]",192,true,')


def test_what_refuses_all_of_it_has_its_exit_code(mxgw: Run, mxgw_gateway: RunningGateway) -> None:
    key = mxgw_gateway.run(lambda gateway: gateway.add_api_key(scopes=["session:open"]))
    denied = mxgw("read", "Tank.Level", "--api-key", key, "--json")
    assert (denied.code, denied.out) == (4, "")
    assert key not in denied.err
    with mxgw_gateway.fault(RefuseCalls(rpc="OpenSession")):
        assert mxgw("read", "Tank.Level").code == 3


def test_a_gateway_that_asks_for_a_key_is_answered_with_where_to_give_one(
    mxgw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MXGATEWAY_API_KEY")
    denied = mxgw("read", "Tank.Level")
    assert denied.code == 4
    assert "no API key was given" in denied.err
    assert "--api-key or MXGATEWAY_API_KEY" in denied.err


# Values as JSON


def as_text(value: Any) -> str:
    """``value`` as strict JSON, which has no NaN."""
    return json.dumps(value, allow_nan=False)


@given(st.one_of(*SINGLES, *(st.lists(single, min_size=1) for single in SINGLES)))
def test_values_are_the_same_in_json(value: Any) -> None:
    shown = json.loads(as_text(json_value(to_mx_value(value))))
    assert shown == value
    assert type(shown) is type(value)


@given(st.integers(1, 4), st.integers(0, 4), st.integers(1, 3), st.data())
def test_dimensions_are_lists_in_lists(
    first: int, second: int, third: int, data: st.DataObject
) -> None:
    innermost = st.lists(st.integers(0, 9), min_size=third, max_size=third)
    rows = st.lists(innermost, min_size=second, max_size=second)
    value = data.draw(st.lists(rows, min_size=first, max_size=first))
    shown = json_value(to_mx_value(value, data_type=MxDataType.INTEGER))
    assert shown == (value if second else [])


@given(st.datetimes(timezones=st.just(timezone.utc)), st.timedeltas(timedelta(0), timedelta(9)))
def test_times_are_iso_8601_and_spans_are_seconds(moment: datetime, span: timedelta) -> None:
    shown = json_value(to_mx_value(moment))
    assert isinstance(shown, str)
    assert datetime.fromisoformat(shown) == moment
    assert json_value(to_mx_value([span])) == [span.total_seconds()]


def test_nanoseconds_and_the_digits_of_32_bits_are_not_lost_or_made_up() -> None:
    time = Timestamp(seconds=0, nanos=1)
    assert json_value(MxValue(timestamp_value=time)) == "1970-01-01T00:00:00.000000001Z"
    assert json_value(to_mx_value(0.1, data_type=MxDataType.FLOAT)) == 0.1


def test_what_json_has_not_gets_a_form_that_it_has() -> None:
    odd = [float("nan"), float("inf"), float("-inf")]
    array = MxValue(array_value=MxArray(dimensions=[3], float_values=FloatArray(values=odd)))
    assert as_text(json_value(array)) == '["NaN", "Infinity", "-Infinity"]'
    assert json_value(to_mx_value(b"\x00\xff")) == "AP8="
    assert json_value(to_mx_value(None)) is json_value(None) is json_value(MxValue()) is None


def test_elements_are_not_lost_where_the_dimensions_are_wrong() -> None:
    values = FloatArray(values=[1.0, 2.0])
    array = MxValue(array_value=MxArray(dimensions=[3, 3], float_values=values))
    assert json_value(array) == [1.0, 2.0]
