"""What ends a command from outside: signals, a closed terminal, standard streams that are closed,
full, or no longer read."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tests.cli.everyday import GATEWAY, environment
from tests.cli.installed import MXGW
from tests.cli.metrics import open_sessions, wait_until_counted
from zb_mom_ww_mxgateway_cli.bounds import bounded
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

pytestmark = [
    GATEWAY,
    pytest.mark.skipif(os.name == "nt", reason="Windows has neither these signals nor /dev/full"),
]

WATCH = ["watch", "Tank.Ticks", "--output", "jsonl"]
SMOKE = ["smoke", "--item", "Tank.Level", "--max-events", "1000", "--timeout", "60"]


def start(
    gateway: RunningGateway, *arguments: str, through: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """The installed program in a process of its own, whose streams are pipes."""
    return subprocess.Popen(
        [*through, MXGW, *arguments],
        env=environment(gateway),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# Signals


@pytest.mark.parametrize("arguments", [WATCH, SMOKE, ["batch"]], ids=lambda given: given[0])
def test_a_terminal_that_is_closed_leaves_no_session_behind(
    mxgw_gateway: RunningGateway, arguments: list[str]
) -> None:
    with start(mxgw_gateway, *arguments) as process:
        if arguments == ["batch"]:
            assert process.stdin is not None
            process.stdin.write(" ".join(WATCH) + "\n")
            process.stdin.flush()
        wait_until_counted(mxgw_gateway, "mxgateway_events_total")
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (129, "")
    assert open_sessions(mxgw_gateway) == 0


@pytest.mark.parametrize("arguments", [WATCH, ["batch"]], ids=lambda given: given[0])
def test_signals_that_were_to_be_ignored_are_ignored(
    mxgw_gateway: RunningGateway, arguments: list[str]
) -> None:
    ignoring = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]
    with start(mxgw_gateway, *arguments, through=ignoring) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if arguments == ["batch"]:
            process.stdin.write(" ".join(WATCH) + "\n")
            process.stdin.flush()
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGHUP)
        rows = [json.loads(process.stdout.readline()) for _ in range(20)]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert [row["sequence"] - first["sequence"] for row in rows] == list(range(1, 21))
    assert (process.returncode, errors) == (143, "")


@pytest.mark.parametrize("arguments", [WATCH, ["batch"]], ids=lambda given: given[0])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_presses_ctrl_c_again_and_again_does_not_disturb_the_end(
    mxgw_gateway: RunningGateway, arguments: list[str], number: signal.Signals, code: int
) -> None:
    with start(mxgw_gateway, *arguments) as process:
        if arguments == ["batch"]:
            assert process.stdin is not None
            process.stdin.write(" ".join(WATCH) + "\n")
            process.stdin.flush()
        assert process.stdout is not None
        assert process.stdout.readline()
        for _ in range(200):
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.002)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (code, "")
    assert open_sessions(mxgw_gateway) == 0


NEVER_CLOSES = """
import asyncio
from zb_mom_ww_mxgateway_cli import running, signals

signals._PATIENCE = 0.0

async def main():
    try:
        print("runs", flush=True)
        await asyncio.Event().wait()
    finally:
        print("closes", flush=True)
        await asyncio.Event().wait()

running.run_async(main())
"""


def test_closing_that_does_not_come_to_an_end_is_ended_by_one_more_signal() -> None:
    with subprocess.Popen([sys.executable, "-c", NEVER_CLOSES], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for said in (b"runs\n", b"closes\n"):
            assert process.stdout.readline() == said
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143


# Readers who leave


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["galaxy-watch"], 1),
        (["deploys"], 1),
        (["stream-alarms", "--filter-prefix", "none"], 2),
        (["alarms", "--follow", "--filter-prefix", "none", "--output", "csv"], 1),
        (["alarms", "--follow", "--filter-prefix", "none", "--json"], 0),
    ],
)
def test_a_closed_pipe_ends_a_stream_in_which_nothing_more_comes(
    mxgw_gateway: RunningGateway, arguments: list[str], lines: int
) -> None:
    with start(mxgw_gateway, *arguments) as process:
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_closed_pipe_ends_the_events_of_a_session_that_has_none(
    mxgw_gateway: RunningGateway,
) -> None:
    with start(mxgw_gateway, "open-session", "--json") as opening:
        session = json.loads(opening.communicate(timeout=20)[0])["sessionId"]
    with start(mxgw_gateway, "stream-events", "--session-id", session) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


# Standard streams that are closed or full


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("version >&-", 0, ""),
        ("version >&- 2>&-", 0, ""),
        ("version >&- 2>&- <&-", 0, ""),
        ("batch <&-", 0, ""),
        ("no-such-command 2>&-", 2, ""),
        ("read - <&-", 2, "no tag"),
        ("write A.B=1 C.D=2 <&-", 2, "no terminal"),
        ("read Tank.Level --api-key prompt <&-", 2, "no terminal"),
    ],
)
def test_a_standard_stream_that_is_closed_is_one_that_nobody_uses(
    mxgw_gateway: RunningGateway, line: str, code: int, said: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" {line}', MXGW],
        env=environment(mxgw_gateway),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "table"])
@pytest.mark.parametrize("command", ["version", "read Tank.Level", "watch Tank.Level"])
def test_output_that_cannot_be_written_is_one_line_and_a_failure(
    mxgw_gateway: RunningGateway, command: str, form: str
) -> None:
    bounds = " --max-events 1" if command.startswith("watch") else ""
    done = subprocess.run(
        ["sh", "-c", f'"$0" {command}{bounds} --output {form} >/dev/full', MXGW],
        env=environment(mxgw_gateway),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "the output cannot be written: No space left on device" in done.stderr
    assert open_sessions(mxgw_gateway) == 0


@pytest.mark.parametrize("form", ["", " --json"])
def test_an_error_that_nobody_can_be_told_still_has_its_exit_code(
    mxgw_gateway: RunningGateway, form: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(
            [MXGW, *f"read --no-such{form}".split()],
            env=environment(mxgw_gateway),
            stderr=nobody,
            stdout=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, b"")


# A backlog, in which nothing is ever waited for


async def at_once(count: int) -> AsyncGenerator[int]:
    """What has come before anybody asks for it."""
    for number in range(count):
        yield number


@given(st.integers(0, 50), st.none() | st.integers(1, 50))
async def test_a_stream_gives_its_first_items_in_their_order(count: int, most: int | None) -> None:
    found = [item async for item in bounded(at_once(count), most, None, 60.0)]
    assert found == list(range(count))[:most]


async def test_the_time_of_a_stream_runs_out_also_in_a_backlog() -> None:
    assert [item async for item in bounded(at_once(1_000), None, 1e-9)] == []


async def test_a_stream_is_cancelled_also_in_a_backlog() -> None:
    seen: list[int] = []

    async def follow() -> None:
        async for item in bounded(at_once(1_000), None):
            seen.append(item)
            if item == 3:
                asyncio.get_running_loop().call_soon(task.cancel)

    task = asyncio.create_task(follow())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(seen) < 10
