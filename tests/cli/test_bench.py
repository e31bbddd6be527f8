"""The measurements: what they print, what they count, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import time
from typing import Any

import numpy as np
import pytest
from grpclib.const import Status
from hypothesis import given, strategies as st

from tests.cli.conftest import Run
from tests.cli.installed import MXGW
from tests.cli.metrics import counted, open_sessions, wait_until_counted
from zb_mom_ww_mxgateway_cli.__main__ import run
from zb_mom_ww_mxgateway_cli.percentiles import percentile, summary
from zb_mom_ww_mxgateway_sim.faults import BadQuality, DelayReplies, FaultSession, RefuseCalls
from zb_mom_ww_mxgateway_sim.limits import Limits
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

QUICK = ("--duration-seconds", "0.4", "--warmup-seconds", "0.1")
MEASURE = ("--warmup-seconds", "0", "--duration-seconds")
LATENCY = {"p50", "p95", "p99", "max", "mean"}
TIMES = st.lists(st.floats(0, 1e6), min_size=2, max_size=50)


def at(gateway: RunningGateway, command: str, *arguments: str) -> list[str]:
    return [
        command,
        *("--endpoint", gateway.endpoint, "--api-key", gateway.api_key, "--plaintext"),
        *arguments,
    ]


def test_bulk_reads_are_measured_in_the_shape_of_all_clients(mxgw: Run) -> None:
    shown = mxgw("bench-read-bulk", *QUICK, "--bulk-size", "3", "--json")
    assert (shown.code, shown.err) == (0, "")
    found: dict[str, Any] = shown.json
    assert set(found) == {
        "language",
        "durationMs",
        "totalCalls",
        "successfulCalls",
        "failedCalls",
        "totalReadResults",
        "cachedReadResults",
        "callsPerSecond",
        "latencyMs",
    }
    assert set(found["latencyMs"]) == LATENCY
    assert found["language"] == "python"
    assert found["durationMs"] >= 400
    assert found["totalCalls"] == found["successfulCalls"] > 0
    assert found["failedCalls"] == 0
    assert found["totalReadResults"] == found["cachedReadResults"] == 3 * found["totalCalls"]
    assert found["callsPerSecond"] == pytest.approx(
        found["totalCalls"] / found["durationMs"] * 1000, rel=0.01
    )


def test_events_are_measured(mxgw: Run) -> None:
    shown = mxgw(
        "bench-stream-events", "--duration-seconds", "1.5", "--warmup-seconds", "0.1", "--json"
    )
    assert (shown.code, shown.err) == (0, "")
    found = shown.json
    assert set(found) == {
        "language",
        "durationMs",
        "totalEvents",
        "failedEvents",
        "missedEvents",
        "eventsPerSecond",
        "latencyMs",
    }
    assert set(found["latencyMs"]) == LATENCY
    assert found["totalEvents"] > 0
    assert (found["failedEvents"], found["missedEvents"]) == (0, 0)


@pytest.mark.parametrize("command", ["bench-read-bulk", "bench-stream-events"])
@pytest.mark.mxgw_gateway(operations_port=0)
def test_a_measurement_leaves_no_session_and_no_subscription(
    mxgw_gateway: RunningGateway, command: str
) -> None:
    assert run(at(mxgw_gateway, command, *QUICK, "--warmup-seconds", "0")) in (0, 1)
    assert left(mxgw_gateway) == (0, 1)


def left(gateway: RunningGateway) -> tuple[int, int]:
    """Sessions that are still open, and bulks that were un-subscribed."""
    return (
        open_sessions(gateway),
        counted(gateway, "mxgateway_commands_total", command="unsubscribe_bulk", status="OK"),
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows can only kill a process by force")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("command", "labels", "metric"),
    [
        ("bench-read-bulk", {"command": "read_bulk"}, "mxgateway_commands_total"),
        ("bench-stream-events", {}, "mxgateway_event_streams"),
    ],
)
@pytest.mark.mxgw_gateway(operations_port=0)
def test_an_interrupted_measurement_un_subscribes_and_closes_its_session(
    mxgw_gateway: RunningGateway,
    command: str,
    labels: dict[str, str],
    metric: str,
    number: signal.Signals,
    code: int,
) -> None:
    with subprocess.Popen(
        [MXGW, *at(mxgw_gateway, command, "--json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        # Behind the subscription: it is what is measured.
        wait_until_counted(mxgw_gateway, metric, **labels)
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    assert (process.returncode, out, errors.strip()) == (code, b"", b"")
    assert left(mxgw_gateway) == (0, 1)


@pytest.mark.mxgw_gateway(operations_port=0)
def test_a_tag_that_cannot_be_subscribed_is_said_and_nothing_is_measured(
    mxgw_gateway: RunningGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = mxgw_gateway.run(lambda gateway: gateway.add_api_key(read=["TestMachine_001"]))
    arguments = at(mxgw_gateway, "bench-read-bulk", *QUICK, "--json")
    assert run([narrow if text == mxgw_gateway.api_key else text for text in arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "TestMachine_002.TestChangingInt cannot be subscribed" in printed.err
    assert left(mxgw_gateway) == (0, 1)


@pytest.mark.mxgw_gateway(operations_port=0)
def test_calls_that_fail_are_counted_and_told(mxgw_gateway: RunningGateway) -> None:
    # Subscribing has to succeed first, so the fault comes while the process measures.
    with subprocess.Popen(
        [MXGW, *at(mxgw_gateway, "bench-read-bulk", *MEASURE, "2", "--json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until_counted(mxgw_gateway, "mxgateway_commands_total", command="read_bulk")
        refused = RefuseCalls(status=Status.UNAVAILABLE, message="a pause", rpc="Invoke")
        with mxgw_gateway.run(lambda gateway: gateway.fault(refused)):
            time.sleep(0.3)
        out, errors = process.communicate(timeout=30)
    found = json.loads(out)
    assert process.returncode == 6
    assert found["failedCalls"] > 0
    assert found["totalCalls"] == found["failedCalls"] + found["successfulCalls"]
    assert found["totalReadResults"] == 6 * found["successfulCalls"]
    assert f"{found['failedCalls']} calls failed" in errors
    assert "a pause" in errors


@pytest.mark.mxgw_gateway(operations_port=0, change_interval=0.02, limits=Limits(event_queue=50))
def test_bulk_reads_go_on_however_many_events_the_session_has(
    mxgw_gateway: RunningGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(at(mxgw_gateway, "bench-read-bulk", *MEASURE, "1", "--json")) == 0
    printed = capsys.readouterr()
    assert counted(mxgw_gateway, "mxgateway_events_total") > 50
    assert (json.loads(printed.out)["failedCalls"], printed.err) == (0, "")


@pytest.mark.mxgw_gateway(operations_port=0)
def test_why_the_session_is_lost_while_reads_are_measured_is_said(
    mxgw_gateway: RunningGateway,
) -> None:
    command = at(mxgw_gateway, "bench-read-bulk", *MEASURE, "2", "--json")
    with subprocess.Popen(
        [MXGW, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until_counted(mxgw_gateway, "mxgateway_commands_total", command="read_bulk")
        mxgw_gateway.strike(FaultSession())
        out, errors = process.communicate(timeout=30)
    assert process.returncode not in (0, None)
    assert json.loads(out)["failedCalls"] > 0
    assert "a fault was injected" in errors
    assert errors.count("events ended before the measurement") == 1


@pytest.mark.mxgw_gateway(operations_port=0, limits=Limits(command_timeout=0.2))
def test_latency_covers_calls_that_failed(mxgw_gateway: RunningGateway) -> None:
    # The gateway gives these up after 0.2 s; those that do not fail take milliseconds.
    late = DelayReplies(seconds=5, rpc="Invoke")
    command = at(mxgw_gateway, "bench-read-bulk", *MEASURE, "2", "--json")
    with subprocess.Popen(
        [MXGW, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until_counted(mxgw_gateway, "mxgateway_commands_total", command="read_bulk")
        with mxgw_gateway.fault(late):
            time.sleep(1.2)
        out, errors = process.communicate(timeout=30)
    found = json.loads(out)
    assert found["failedCalls"] > 0, errors
    assert found["latencyMs"]["max"] >= 190


def test_events_that_say_that_something_is_wrong_are_counted(
    mxgw_gateway: RunningGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    with mxgw_gateway.run(lambda gateway: gateway.fault(BadQuality(tag_name="TestMachine_001"))):
        code = run(at(mxgw_gateway, "bench-stream-events", *MEASURE, "1.5", "--bulk-size", "1"))
    found = json.loads(capsys.readouterr().out)
    assert code == 6
    assert found["failedEvents"] == found["totalEvents"] > 0
    assert found["latencyMs"] == dict.fromkeys(LATENCY, 0.0)


@given(TIMES, st.integers(1, 99))
def test_percentiles_are_those_of_numpy(times: list[float], percent: int) -> None:
    found = percentile(sorted(times), percent)
    assert found == pytest.approx(float(np.percentile(times, percent)))


@given(TIMES)
def test_percentiles_are_those_of_the_standard_library(times: list[float]) -> None:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    found = summary(times)
    expected = {
        "p50": cuts[49],
        "p95": cuts[94],
        "p99": cuts[98],
        "max": max(times),
        "mean": statistics.fmean(times),
    }
    assert found == pytest.approx(expected, abs=0.001)


@given(st.floats(0, 1e6))
def test_of_one_time_every_percentile_is_that_time(time: float) -> None:
    assert set(summary([time]).values()) == {round(time, 3)}


def test_of_no_time_everything_is_0() -> None:
    assert summary([]) == dict.fromkeys(LATENCY, 0.0)
