"""What a gateway counts, and how Prometheus reads it."""

from __future__ import annotations

import re
from collections import Counter as Tally
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from grpclib.const import Status
from hypothesis import given, strategies as st
from prometheus_client.parser import text_string_to_metric_families

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxEventFamily,
    ProtocolStatusCode,
    SessionState,
)
from zb_mom_ww_mxgateway_sim.operations.metrics import BOUNDS, Metrics, Snapshot
from zb_mom_ww_mxgateway_sim.operations.observer import Closing, Faulting, Observer
from zb_mom_ww_mxgateway_sim.operations.prometheus import Exposition

QUIET: Final = Snapshot(
    sessions={},
    commands_pending=0,
    events_queued=0,
    event_streams=0,
    alarms_active=0,
    galaxy_objects=0,
    galaxy_attributes=0,
    faults_active=0,
)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(metrics: Metrics, now: Snapshot = QUIET) -> Samples:
    """Every sample of a scrape, as Prometheus' own parser reads it."""
    text = Exposition(metrics, lambda: now).text().decode()
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, "each series once"
            samples[key] = sample.value
    return samples


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_the_names_are_pinned() -> None:
    text = Exposition(Metrics(), lambda: QUIET).text().decode()
    assert re.findall(r"^# TYPE (\S+ \S+)$", text, re.M) == [
        "mxgateway_sessions_opened_total counter",
        "mxgateway_sessions_closed_total counter",
        "mxgateway_sessions_faulted_total counter",
        "mxgateway_calls_total counter",
        "mxgateway_commands_total counter",
        "mxgateway_events_total counter",
        "mxgateway_event_queue_overflows_total counter",
        "mxgateway_galaxy_deploys_total counter",
        "mxgateway_command_duration_seconds histogram",
        "mxgateway_sessions gauge",
        "mxgateway_commands_pending gauge",
        "mxgateway_events_queued gauge",
        "mxgateway_event_streams gauge",
        "mxgateway_alarms_active gauge",
        "mxgateway_galaxy_objects gauge",
        "mxgateway_galaxy_attributes gauge",
        "mxgateway_faults_active gauge",
    ]


@given(st.lists(st.tuples(st.sampled_from(["Invoke", "OpenSession"]), st.sampled_from(Status))))
def test_calls_are_counted_by_rpc_and_grpc_status(calls: list[tuple[str, Status]]) -> None:
    observer = Observer()
    for rpc, status in calls:
        observer.call_ended(rpc, "ops", status, 0.1, "because")
    samples = scraped(observer.metrics)
    for (rpc, status), count in Tally(calls).items():
        assert value(samples, "mxgateway_calls_total", rpc=rpc, status=status.name) == count
    assert sum(v for (name, _), v in samples.items() if name == "mxgateway_calls_total") == len(
        calls
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "ping"]),
            st.sampled_from(ProtocolStatusCode),
            st.one_of(st.floats(0, 100), st.sampled_from(BOUNDS)),
        )
    )
)
def test_commands_are_counted_by_protocol_status_and_sorted_by_their_duration(
    commands: list[tuple[str, ProtocolStatusCode, float]],
) -> None:
    observer = Observer()
    for command, status, seconds in commands:
        observer.command_answered("session-1", command, status, seconds)
    samples = scraped(observer.metrics)
    for (command, status), count in Tally((c, s) for c, s, _ in commands).items():
        labels = {"command": command, "status": status.name}
        assert value(samples, "mxgateway_commands_total", **labels) == count
    for command in {command for command, _, _ in commands}:
        durations = [seconds for name, _, seconds in commands if name == command]
        name = "mxgateway_command_duration_seconds"
        assert value(samples, f"{name}_count", command=command) == len(durations)
        assert value(samples, f"{name}_sum", command=command) == pytest.approx(sum(durations))
        for bound in (*BOUNDS, float("inf")):
            limit = "+Inf" if bound == float("inf") else f"{bound:g}"
            within = sum(seconds <= bound for seconds in durations)
            assert value(samples, f"{name}_bucket", command=command, le=limit) == within


def test_what_happens_to_sessions_events_and_the_galaxy_is_counted() -> None:
    observer = Observer()
    for number in range(3):
        observer.session_opened(f"session-{number}", "ops", "")
    observer.session_closed("session-0", Closing.CLIENT)
    observer.session_faulted("session-1", Faulting.OVERFLOW)
    observer.queue_overflowed("session-1", 10_001)
    for family in (MxEventFamily.ON_DATA_CHANGE, 1, MxEventFamily.ON_WRITE_COMPLETE):
        observer.event_raised(MxEventFamily(family))
    observer.galaxy_deployed(10, 100)
    observer.fault_began("freeze")
    observer.fault_ended("freeze")
    observer.gateway_started("127.0.0.1:5000", 10, 100)
    observer.gateway_closed("127.0.0.1:5000")
    samples = scraped(observer.metrics)
    assert value(samples, "mxgateway_sessions_opened_total") == 3
    assert value(samples, "mxgateway_sessions_closed_total", reason="client") == 1
    assert value(samples, "mxgateway_sessions_faulted_total", reason="event_queue_overflow") == 1
    assert value(samples, "mxgateway_event_queue_overflows_total") == 1
    assert value(samples, "mxgateway_events_total", family="ON_DATA_CHANGE") == 2
    assert value(samples, "mxgateway_events_total", family="ON_WRITE_COMPLETE") == 1
    assert value(samples, "mxgateway_galaxy_deploys_total") == 1


def test_what_stands_is_read_at_each_scrape() -> None:
    now = replace(
        QUIET,
        sessions={SessionState.READY: 2, SessionState.FAULTED: 1},
        commands_pending=1,
        events_queued=2,
        event_streams=3,
        alarms_active=4,
        galaxy_objects=5,
        galaxy_attributes=6,
        faults_active=7,
    )
    samples = scraped(Metrics(), now)
    assert value(samples, "mxgateway_sessions", state="READY") == 2
    assert value(samples, "mxgateway_sessions", state="FAULTED") == 1
    read = ("commands_pending", "events_queued", "event_streams", "alarms_active")
    read += ("galaxy_objects", "galaxy_attributes", "faults_active")
    assert [value(samples, f"mxgateway_{name}") for name in read] == [1, 2, 3, 4, 5, 6, 7]


def test_counters_without_labels_are_there_before_anything_happens() -> None:
    samples = scraped(Metrics())
    assert value(samples, "mxgateway_sessions_opened_total") == 0
    assert value(samples, "mxgateway_galaxy_deploys_total") == 0


def test_two_gateways_count_apart() -> None:
    one, other = Observer(), Observer()
    one.galaxy_deployed(1, 1)
    assert value(scraped(one.metrics), "mxgateway_galaxy_deploys_total") == 1
    assert value(scraped(other.metrics), "mxgateway_galaxy_deploys_total") == 0


def test_only_one_file_imports_prometheus_client() -> None:
    folder = Path(__file__).parents[2] / "src" / "zb_mom_ww_mxgateway_sim"
    importing = re.compile(r"^\s*(from|import) prometheus_client", re.M)
    found = [p.name for p in folder.rglob("*.py") if importing.search(p.read_text("utf-8"))]
    assert found == ["prometheus.py"]
