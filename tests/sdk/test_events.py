"""Events and readings: native values, and what makes them good."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway import (
    AlarmProviderModeChanged,
    AlarmTransition,
    AlarmTransitionKind,
    BufferedDataChange,
    BulkReadResult,
    DataChange,
    Event,
    EventGap,
    MxEvent,
    MxEventFamily,
    MxGatewayValueError,
    MxSparseArray,
    MxStatusCategory,
    MxStatusProxy,
    MxValue,
    OperationComplete,
    ReplayGap,
    Timestamp,
    WriteComplete,
    describe_quality,
    is_good_quality,
    to_mx_value,
)
from zb_mom_ww_mxgateway.events import event_of, reading_of
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    OnAlarmProviderModeChangedEvent,
    OnAlarmTransitionEvent,
    OnBufferedDataChangeEvent,
)

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
USABLE = {
    MxStatusCategory.UNSPECIFIED,
    MxStatusCategory.OK,
    MxStatusCategory.PENDING,
    MxStatusCategory.WARNING,
}
TYPES = {
    MxEventFamily.UNSPECIFIED: Event,
    MxEventFamily.ON_DATA_CHANGE: DataChange,
    MxEventFamily.ON_WRITE_COMPLETE: WriteComplete,
    MxEventFamily.OPERATION_COMPLETE: OperationComplete,
    MxEventFamily.ON_BUFFERED_DATA_CHANGE: BufferedDataChange,
    MxEventFamily.ON_ALARM_TRANSITION: AlarmTransition,
    MxEventFamily.ON_ALARM_PROVIDER_MODE_CHANGED: AlarmProviderModeChanged,
}

statuses = st.lists(
    st.builds(
        MxStatusProxy,
        success=st.integers(-1, 1),
        category=st.sampled_from(list(MxStatusCategory)),
        detail=st.sampled_from([0, 6, 1012]),
    ),
    max_size=3,
)


@pytest.mark.parametrize("family", list(MxEventFamily))
def test_every_family_of_the_contract_has_a_type_of_its_own(family: MxEventFamily) -> None:
    event = event_of(MxEvent(family=family))
    assert type(event) is TYPES[family]


def test_a_family_that_this_sdk_does_not_know_is_a_plain_event() -> None:
    event = event_of(MxEvent(family=MxEventFamily(99), worker_sequence=3))
    assert type(event) is Event
    assert (event.family, event.worker_sequence) == (99, 3)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (
            MxEvent(
                family=MxEventFamily.ON_DATA_CHANGE,
                session_id="session-1",
                worker_sequence=3,
                server_handle=1,
                item_handle=2,
                value=to_mx_value(7),
                quality=192,
            ),
            "DataChange(worker_sequence=3, server_handle=1, item_handle=2, value=7, quality=192, "
            "timestamp=None)",
        ),
        (
            MxEvent(
                family=MxEventFamily.ON_WRITE_COMPLETE,
                item_handle=2,
                value=to_mx_value("secret"),
                statuses=[
                    MxStatusProxy(
                        category=MxStatusCategory.SECURITY_ERROR,
                        detail=1012,
                        diagnostic_text="not 'secret'",
                    )
                ],
            ),
            "WriteComplete(worker_sequence=0, server_handle=0, item_handle=2, is_good=False, "
            "error='SECURITY_ERROR, detail 1012 (secured write required)')",
        ),
        (
            MxEvent(family=MxEventFamily.OPERATION_COMPLETE, worker_sequence=4),
            "OperationComplete(worker_sequence=4, server_handle=0, item_handle=0, is_good=True)",
        ),
        (
            MxEvent(family=MxEventFamily.ON_BUFFERED_DATA_CHANGE, quality=192),
            "BufferedDataChange(worker_sequence=0, server_handle=0, item_handle=0, samples=0, "
            "quality=192)",
        ),
        (
            MxEvent(
                family=MxEventFamily.ON_ALARM_TRANSITION,
                on_alarm_transition=OnAlarmTransitionEvent(
                    alarm_full_reference="Galaxy!A.B",
                    transition_kind=AlarmTransitionKind.CLEAR,
                    severity=500,
                ),
            ),
            "AlarmTransition(worker_sequence=0, transition_kind='CLEAR', "
            "alarm_full_reference='Galaxy!A.B', severity=500)",
        ),
        (
            MxEvent(family=MxEventFamily.ON_ALARM_PROVIDER_MODE_CHANGED),
            "AlarmProviderModeChanged(worker_sequence=0, mode='UNSPECIFIED')",
        ),
        (
            MxEvent(replay_gap=ReplayGap(requested_after_sequence=3, oldest_available_sequence=9)),
            "EventGap(requested_after_sequence=3, oldest_available_sequence=9)",
        ),
        (
            MxEvent(worker_sequence=5, value=to_mx_value(1)),
            "Event(worker_sequence=5, family='UNSPECIFIED')",
        ),
    ],
)
def test_an_event_shows_what_it_is_about_and_no_value_of_a_write(raw: MxEvent, shown: str) -> None:
    assert repr(event_of(raw)) == shown


@pytest.mark.parametrize("family", list(MxEventFamily))
@given(
    value=st.one_of(st.text(min_size=200), st.lists(st.integers(-9, 9), min_size=200)),
    statuses=statuses,
)
def test_an_event_shows_itself_shortly_whatever_it_carries(
    family: MxEventFamily, value: str | list[int], statuses: list[MxStatusProxy]
) -> None:
    raw = MxEvent(family=family, value=to_mx_value(value), statuses=statuses)
    assert len(repr(event_of(raw))) < 500


@pytest.mark.parametrize(
    "family", [MxEventFamily.ON_DATA_CHANGE, MxEventFamily.ON_BUFFERED_DATA_CHANGE]
)
def test_an_event_whose_value_has_no_form_in_python_can_be_shown(family: MxEventFamily) -> None:
    raw = MxEvent(
        family=family,
        value=MxValue(sparse_array_value=MxSparseArray()),
        on_buffered_data_change=OnBufferedDataChangeEvent(
            quality_values=to_mx_value([192]).array_value
        ),
    )
    assert "=None" in repr(event_of(raw))


def test_a_data_change_speaks_python() -> None:
    time = Timestamp.from_nanoseconds(1_769_860_800_123_456_700)
    raw = MxEvent(
        family=MxEventFamily.ON_DATA_CHANGE,
        server_handle=1,
        item_handle=2,
        worker_sequence=2**64 - 1,
        value=to_mx_value(21.5),
        quality=192,
        source_timestamp=time,
    )
    event = event_of(raw)
    assert (event.server_handle, event.item_handle) == (1, 2)
    assert event.worker_sequence == 2**64 - 1
    assert (event.value, event.quality, event.is_good) == (21.5, 192, True)
    assert event.timestamp == datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=timezone.utc)
    assert event.timestamp_ns == 1_769_860_800_123_456_700
    assert event.raw is raw


def test_what_is_not_there_is_none() -> None:
    event = event_of(MxEvent(family=MxEventFamily.ON_DATA_CHANGE))
    assert (event.value, event.timestamp, event.timestamp_ns) == (None, None, None)


def test_a_value_without_a_form_in_python_fails_where_it_is_asked_for_and_nowhere_else() -> None:
    value = MxValue(sparse_array_value=MxSparseArray(total_length=1))
    event = event_of(MxEvent(family=MxEventFamily.ON_DATA_CHANGE, value=value, quality=192))
    assert event.quality == 192
    with pytest.raises(MxGatewayValueError):
        _ = event.value


def test_a_time_that_no_calendar_holds_is_a_typed_error() -> None:
    event = event_of(MxEvent(source_timestamp=Timestamp(seconds=2**60)))
    with pytest.raises(MxGatewayValueError, match="no datetime"):
        _ = event.timestamp


@given(quality=st.integers(0, 255), statuses=statuses)
def test_a_data_change_is_good_by_its_first_status_and_then_its_quality(
    quality: int, statuses: list[MxStatusProxy]
) -> None:
    raw = MxEvent(family=MxEventFamily.ON_DATA_CHANGE, quality=quality, statuses=statuses)
    first_usable = not statuses or statuses[0].category in USABLE
    assert event_of(raw).is_good == (first_usable and quality >= 192)


@given(hresult=st.none() | st.integers(-(2**31), 2**31 - 1), statuses=statuses)
def test_a_write_is_complete_when_nothing_says_that_it_failed(
    hresult: int | None, statuses: list[MxStatusProxy]
) -> None:
    raw = MxEvent(
        family=MxEventFamily.ON_WRITE_COMPLETE, hresult=hresult, statuses=statuses, quality=0
    )
    failed = (hresult or 0) < 0 or any(status.category not in USABLE for status in statuses)
    assert event_of(raw).is_good is not failed


def test_success_zero_with_an_unset_category_is_no_failure() -> None:
    raw = MxEvent(family=MxEventFamily.ON_WRITE_COMPLETE, statuses=[MxStatusProxy(success=0)])
    assert event_of(raw).is_good


def test_a_gap_is_no_event_like_others() -> None:
    gap = ReplayGap(requested_after_sequence=5, oldest_available_sequence=2**63)
    event = event_of(MxEvent(replay_gap=gap))
    assert isinstance(event, EventGap)
    assert (event.requested_after_sequence, event.oldest_available_sequence) == (5, 2**63)
    assert not event.is_good
    assert event.value is None


@given(
    rows=st.lists(
        st.tuples(
            st.integers(-(2**31), 2**31 - 1),
            st.integers(0, 255),
            st.integers(0, 10**6).map(lambda microseconds: NOON + timedelta(0, 0, microseconds)),
        ),
        min_size=1,
    )
)
def test_a_buffered_change_has_one_sample_for_each_value(
    rows: list[tuple[int, int, datetime]],
) -> None:
    columns = [to_mx_value(list(column)).array_value for column in zip(*rows, strict=True)]
    body = OnBufferedDataChangeEvent(
        values=columns[0], quality_values=columns[1], timestamp_values=columns[2]
    )
    event = event_of(
        MxEvent(family=MxEventFamily.ON_BUFFERED_DATA_CHANGE, on_buffered_data_change=body)
    )
    assert isinstance(event, BufferedDataChange)
    assert [tuple(sample) for sample in event.samples] == rows
    assert [sample.is_good for sample in event.samples] == [row[1] >= 192 for row in rows]


def test_a_buffered_change_whose_qualities_are_no_numbers_is_refused() -> None:
    one = [to_mx_value(column).array_value for column in ([1], ["good"], [NOON])]
    body = OnBufferedDataChangeEvent(values=one[0], quality_values=one[1], timestamp_values=one[2])
    event = event_of(
        MxEvent(family=MxEventFamily.ON_BUFFERED_DATA_CHANGE, on_buffered_data_change=body)
    )
    assert isinstance(event, BufferedDataChange)
    with pytest.raises(MxGatewayValueError, match="0 of which go together"):
        _ = event.samples


def test_a_buffered_change_with_uneven_columns_is_refused_and_stays_readable_raw() -> None:
    body = OnBufferedDataChangeEvent(values=to_mx_value([1, 2]).array_value)
    event = event_of(
        MxEvent(family=MxEventFamily.ON_BUFFERED_DATA_CHANGE, on_buffered_data_change=body)
    )
    assert isinstance(event, BufferedDataChange)
    with pytest.raises(MxGatewayValueError, match=r"2 values, 0 qualities and 0 times"):
        _ = event.samples
    assert event.raw.on_buffered_data_change == body


def test_an_empty_buffered_change_has_no_samples() -> None:
    event = event_of(MxEvent(family=MxEventFamily.ON_BUFFERED_DATA_CHANGE))
    assert isinstance(event, BufferedDataChange)
    assert event.samples == []


def test_alarm_events_carry_the_contracts_message() -> None:
    transition = OnAlarmTransitionEvent(alarm_full_reference="A.B", severity=500)
    event = event_of(
        MxEvent(family=MxEventFamily.ON_ALARM_TRANSITION, on_alarm_transition=transition)
    )
    assert isinstance(event, AlarmTransition)
    assert event.transition == transition
    change = OnAlarmProviderModeChangedEvent(reason="failover")
    event = event_of(
        MxEvent(
            family=MxEventFamily.ON_ALARM_PROVIDER_MODE_CHANGED,
            on_alarm_provider_mode_changed=change,
        )
    )
    assert isinstance(event, AlarmProviderModeChanged)
    assert event.change == change


def test_a_good_reading_is_true_and_knows_no_error() -> None:
    raw = BulkReadResult(
        tag_address="Tag.A",
        was_successful=True,
        was_cached=True,
        value=to_mx_value("on"),
        quality=192,
        source_timestamp=Timestamp.from_datetime(NOON),
        statuses=[MxStatusProxy(category=MxStatusCategory.OK)],
    )
    reading = reading_of("Tag.A", raw)
    assert reading
    assert reading.is_good
    assert (reading.tag, reading.value, reading.quality) == ("Tag.A", "on", 192)
    assert (reading.timestamp, reading.was_cached, reading.error) == (NOON, True, "")
    assert reading.timestamp_ns == int(NOON.timestamp()) * 10**9
    assert str(reading) == "Tag.A = 'on' at 2026-01-31 12:00:00+00:00"


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (BulkReadResult(error_message="timed out"), "timed out"),
        (BulkReadResult(), "does not say why"),
        (
            BulkReadResult(
                was_successful=True,
                quality=192,
                statuses=[
                    MxStatusProxy(category=MxStatusCategory.CONFIGURATION_ERROR, detail=6),
                    MxStatusProxy(category=MxStatusCategory.OK),
                ],
            ),
            "CONFIGURATION_ERROR, detail 6 (invalid reference)",
        ),
        (BulkReadResult(was_successful=True, quality=24), "quality 24 (communication failure)"),
        (
            BulkReadResult(
                was_successful=True,
                quality=192,
                value=MxValue(sparse_array_value=MxSparseArray(total_length=1)),
            ),
            "sparse",
        ),
        (
            BulkReadResult(
                was_successful=True, quality=192, source_timestamp=Timestamp(seconds=2**60)
            ),
            "no datetime",
        ),
    ],
)
def test_a_reading_that_is_not_good_is_false_and_says_why(raw: BulkReadResult, error: str) -> None:
    reading = reading_of("Tag.A", raw)
    assert not reading
    assert error in reading.error
    assert str(reading) == f"Tag.A: {reading.error}"
    assert reading.raw is raw


@given(quality=st.integers(-(2**31), 2**31 - 1))
def test_every_quality_has_words_and_only_good_ones_are_called_good(quality: int) -> None:
    assert (describe_quality(quality) == f"quality {quality} (good)") == is_good_quality(quality)
