"""The command line as processes: the simulator's start and end, the demo, the module form."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.installed import MXGW, environment
from tests.cli.simulated import SIMULATE, simulated
from tests.cli.terminal import Terminal


def _signal_tests() -> list[signal.Signals]:
    """Windows can only kill a process by force; its Ctrl-C needs a console of its own."""
    return [] if os.name == "nt" else [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", _signal_tests())
def test_the_simulator_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen(SIMULATE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        host, port = ready["endpoint"].split(":")
        with socket.create_connection((host, int(port))) as connection:
            assert connection.recv(1)  # the server's settings: it has the connection
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"Traceback" not in errors
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_a_port_that_is_taken_is_one_line_and_no_trace() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [MXGW, "simulate", "--port", port], capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert port in done.stderr


def test_the_demo_does_the_main_job_and_leaves_nothing_running() -> None:
    done = subprocess.run([MXGW, "demo"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("OnWriteComplete") == 2
    assert "10 of 10 tags" in done.stdout
    assert done.stdout.count(" true") == 10
    port = int(done.stdout.split("127.0.0.1:")[1].split(",")[0])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_the_module_form_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zb_mom_ww_mxgateway_cli", "version", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["gatewayProtocolVersion"] == 3


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")
def test_a_password_is_asked_for_at_the_terminal_and_not_echoed(
    simulator: dict[str, str], session_id: str
) -> None:
    user = ["--server-handle", "1", "--user-name", "op", "--plaintext"]
    command = [MXGW, "authenticate-user", "--session-id", session_id, *user]
    with Terminal(command, environment(simulator["endpoint"], simulator["apiKey"])) as terminal:
        shown = terminal.wait_for("Password: ")
        terminal.type("topsecret")
        shown += terminal.rest()
    assert terminal.process.returncode == 0
    assert "topsecret" not in shown
    assert "user_id=1" in shown


@pytest.mark.skipif(os.name == "nt", reason="Windows can only kill a process by force")
@pytest.mark.parametrize("number", _signal_tests())
def test_a_stream_that_is_ended_shows_what_came_and_leaves_nothing_open(
    simulator: dict[str, str], session_id: str, mxgw: Run, number: signal.Signals
) -> None:
    handles = ["--session-id", session_id, "--server-handle", "1"]
    mxgw("subscribe-bulk", *handles, "--items", "TestMachine_001.TestChangingInt")
    with subprocess.Popen(
        [MXGW, "stream-events", "--session-id", session_id, "--plaintext"],
        env=environment(simulator["endpoint"], simulator["apiKey"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
    events = [json.loads(line) for line in (first + rest).splitlines()]
    assert all(event["family"] == "MX_EVENT_FAMILY_ON_DATA_CHANGE" for event in events)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert b"Traceback" not in errors
    assert mxgw("stream-events", "--session-id", session_id, "--max-events", "1").code == 0


def test_the_simulator_takes_no_key_unasked_and_shows_none_from_the_environment(
    tmp_path: Path,
) -> None:
    given = {"MXGATEWAY_API_KEY": "mxgw_real_topsecret"}
    for arguments, shown in (([], True), (["--api-key-env", "MXGATEWAY_API_KEY"], False)):
        with simulated(tmp_path / "log", *arguments, environment=given) as gateway:
            assert "topsecret" not in str(gateway.ready)
            assert ("apiKey" in gateway.ready) is shown


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")
def test_a_password_prompt_ends_on_ctrl_c() -> None:
    user = ["--server-handle", "1", "--user-name", "op", "--plaintext"]
    with Terminal([MXGW, "authenticate-user", "--session-id", "s", *user], os.environ) as terminal:
        terminal.wait_for("Password: ")
        terminal.press("\x03")
        assert "Traceback" not in terminal.rest()
    assert terminal.process.returncode == 130
