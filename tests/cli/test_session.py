"""Events as people read them, and the ends that a stream of them has."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from tests.cli.conftest import Run
from zb_mom_ww_mxgateway import (
    AlarmProviderMode,
    AlarmTransitionKind,
    MxEvent,
    MxEventFamily,
    MxStatusCategory,
    MxStatusProxy,
    MxValue,
    OnAlarmProviderModeChangedEvent,
    OnAlarmTransitionEvent,
    ReplayGap,
    Timestamp,
    to_mx_value,
)
from zb_mom_ww_mxgateway_cli.session import event_line
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import OnBufferedDataChangeEvent

NOON = Timestamp.from_nanoseconds(1_769_860_800_500_000_000)
FAILED = MxStatusProxy(category=MxStatusCategory.SECURITY_ERROR, detail=1012)


def array(*values: Any) -> MxValue:
    return to_mx_value(list(values))


def buffered(qualities: list[int]) -> OnBufferedDataChangeEvent:
    times = array(*[NOON] * 2)
    return OnBufferedDataChangeEvent(
        values=array(1.5, 2.5).array_value,
        quality_values=array(*qualities).array_value,
        timestamp_values=times.array_value,
    )


def of_item(family: MxEventFamily, **more: Any) -> MxEvent:
    return MxEvent(
        worker_sequence=7,
        server_handle=1,
        item_handle=3,
        source_timestamp=NOON,
        family=family,
        **more,
    )


LINES = {
    "7  12:00:00.500  ON_DATA_CHANGE  server 1 item 3  = true  quality 192 (good)": of_item(
        MxEventFamily.ON_DATA_CHANGE, value=to_mx_value(True), quality=192
    ),
    "7  12:00:00.500  ON_WRITE_COMPLETE  server 1 item 3  SECURITY_ERROR, detail 1012 (secured "
    "write required)  HRESULT 0x80070005 (-2147024891)": of_item(
        MxEventFamily.ON_WRITE_COMPLETE,
        statuses=[FAILED],
        hresult=-2147024891,
    ),
    "7  12:00:00.500  OPERATION_COMPLETE  server 1 item 3": of_item(
        MxEventFamily.OPERATION_COMPLETE
    ),
    "7  12:00:00.500  ON_BUFFERED_DATA_CHANGE  server 1 item 3  2 values  12:00:00.500 = 1.5  "
    "12:00:00.500 = 2.5 quality 24 (communication failure)": of_item(
        MxEventFamily.ON_BUFFERED_DATA_CHANGE,
        on_buffered_data_change=buffered([192, 24]),
    ),
    "7  12:00:00.500  ON_BUFFERED_DATA_CHANGE  server 1 item 3  a buffered data change has 2 "
    "values, 1 qualities and 2 times, 1 of which go together; its raw event has them as they "
    "came": of_item(
        MxEventFamily.ON_BUFFERED_DATA_CHANGE,
        on_buffered_data_change=buffered([192]),
    ),
    "7  12:00:00.500  ON_ALARM_TRANSITION  ACKNOWLEDGE Galaxy!Farm.Tank.High  severity 500  value "
    "95.0  limit 90.0  by op  comment 'on my way'  The tank is full  degraded, from SUBTAG": (
        MxEvent(
            worker_sequence=7,
            source_timestamp=NOON,
            family=MxEventFamily.ON_ALARM_TRANSITION,
            on_alarm_transition=OnAlarmTransitionEvent(
                alarm_full_reference="Galaxy!Farm.Tank.High",
                transition_kind=AlarmTransitionKind.ACKNOWLEDGE,
                severity=500,
                current_value=to_mx_value(95.0),
                limit_value=to_mx_value(90.0),
                operator_user="op",
                operator_comment="on my way",
                description="The tank is full",
                degraded=True,
                source_provider=AlarmProviderMode.SUBTAG,
            ),
        )
    ),
    "7  12:00:00.500  ON_ALARM_PROVIDER_MODE_CHANGED  SUBTAG  since 2026-01-31T12:00:00.500Z  the "
    "alarm manager is gone": MxEvent(
        worker_sequence=7,
        worker_timestamp=NOON,
        family=MxEventFamily.ON_ALARM_PROVIDER_MODE_CHANGED,
        on_alarm_provider_mode_changed=OnAlarmProviderModeChangedEvent(
            mode=AlarmProviderMode.SUBTAG, since=NOON, reason="the alarm manager is gone"
        ),
    ),
    "0  GAP  events after 4 are gone; the next is 9: read values anew": MxEvent(
        replay_gap=ReplayGap(requested_after_sequence=4, oldest_available_sequence=9)
    ),
}


@pytest.mark.parametrize("line", LINES)
def test_every_family_of_events_has_a_line_that_says_what_happened(line: str) -> None:
    assert event_line(LINES[line]) == line


def test_a_family_and_a_time_that_nobody_knows_are_shown_too() -> None:
    event = MxEvent(family=MxEventFamily(99), source_timestamp=Timestamp(seconds=10**15))
    assert event_line(event).startswith("0  no time  ")
    assert "99" in event_line(event)


@pytest.mark.parametrize("limit", ["--duration", "--timeout"])
def test_a_stream_ends_when_its_time_is_over(mxgw: Run, session_id: str, limit: str) -> None:
    ended = mxgw("stream-events", "--session-id", session_id, limit, "0.2", "--json")
    assert (ended.code, ended.json) == (0, {"events": []})


def test_the_shorter_of_two_times_ends_a_stream(mxgw: Run, session_id: str) -> None:
    stream = ["stream-events", "--session-id", session_id]
    assert mxgw(*stream, "--duration", "0.2", "--timeout", "600").code == 0
    assert mxgw(*stream, "--duration", "600", "--timeout", "0.2").code == 0


def test_alarms_of_a_session_are_in_the_csv_of_its_events(mxgw: Run, session_id: str) -> None:
    mxgw("subscribe-alarms", "--session-id", session_id, "--subscription-expression", "Galaxy!")
    tag = "TestMachine_001.MachineCode"
    common = ["--session-id", session_id, "--server-handle", "1"]
    mxgw("subscribe-bulk", *common, "--items", tag)
    stream = ["stream-events", "--session-id", session_id, "--max-events", "1"]
    rows = list(csv.DictReader(mxgw(*stream, "--output", "csv").out.splitlines()))
    assert len(rows) == 1
    assert {"onAlarmTransition", "onBufferedDataChange", "replayGap"} < rows[0].keys()


def test_smoke_shows_people_a_line_for_each_event(mxgw: Run) -> None:
    item = "TestMachine_001.TestChangingInt"
    shown = mxgw("smoke", "--item", item, "--max-events", "2", "--output", "table")
    assert shown.code == 0
    first, second = shown.out.splitlines()
    assert first.startswith("1  ")
    assert second.startswith("2  ")
    assert all("ON_DATA_CHANGE  server 1 item 1  = " in line for line in (first, second))
