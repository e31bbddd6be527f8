"""``batch``: many lines over one connection, none of which ends it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from threading import Thread
from typing import IO, Any

import click
import pytest
from hypothesis import given, strategies as st

from tests.cli.conftest import Outcome, Run
from tests.cli.installed import MXGW
from tests.cli.metrics import counted
from zb_mom_ww_mxgateway_cli.__main__ import run
from zb_mom_ww_mxgateway_cli.batch import END_OF_LINE, Lines, split
from zb_mom_ww_mxgateway_sim.faults import RefuseConnections
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

NO_SIGNALS = pytest.mark.skipif(os.name == "nt", reason="Windows can only kill a process by force")


@contextmanager
def standard_input(data: bytes) -> Generator[None]:
    """Has the data as what ``sys.stdin`` reads."""
    before = sys.stdin
    with tempfile.TemporaryFile("w+b") as file:
        file.write(data)
        file.seek(0)
        sys.stdin = os.fdopen(os.dup(file.fileno()), encoding="utf-8")
        try:
            yield
        finally:
            sys.stdin.close()
            sys.stdin = before


def answers(printed: str) -> list[list[Any]]:
    """What was printed for each line."""
    *lines, rest = printed.split(f"{END_OF_LINE}\n")
    assert rest == "", "nothing is printed behind the last mark"
    return [[json.loads(text) for text in line.splitlines()] for line in lines]


def batch(mxgw: Run, *lines: str, options: tuple[str, ...] = ()) -> list[list[Any]]:
    with standard_input("\n".join(lines).encode()):
        outcome: Outcome = mxgw("batch", *options)
    assert (outcome.code, outcome.err) == (0, "")
    found = answers(outcome.out)
    assert len(found) == len(lines)
    return found


@contextmanager
def driven(gateway: RunningGateway, *options: str) -> Generator[subprocess.Popen[str]]:
    """The installed program as a driver has it, which talks back and forth with it."""
    command = [MXGW, "batch", "--endpoint", gateway.endpoint, "--plaintext", *options]
    with subprocess.Popen(
        command,
        env={**os.environ, "MXGATEWAY_API_KEY": gateway.api_key},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[str], line: str) -> list[Any]:
    """One line's answer, before anything else is sent."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    printed = list(iter(process.stdout.readline, f"{END_OF_LINE}\n"))
    return [json.loads(text) for text in printed]


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, and standard error."""
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors


def test_each_line_prints_its_json_and_then_the_mark(mxgw: Run) -> None:
    opened, version = batch(mxgw, "open-session", "version")
    assert version[0]["gatewayProtocolVersion"] == 3
    session = f"--session-id {opened[0]['sessionId']}"
    registered, closed = batch(
        mxgw, f"register {session} --client-name 'two words'", f"close-session {session}"
    )
    assert registered[0]["register"] == {"serverHandle": 1}
    assert closed[0]["finalState"] == "SESSION_STATE_CLOSED"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ping --session-id 'x", "No closing quotation"),
        ("no-such-command", "No such command"),
        ("ping", "Missing option '--session-id'"),
        ("ping --session-id nobody", "there is no session 'nobody'"),
        ("open-session --plaintext --tls", "exclude each other"),
        ("open-session --ca-file 'a\0b' --tls", ""),
        ("batch", "a batch cannot run in a batch"),
        ("simulate --port 0", "a batch cannot simulate"),
        ("read -", ""),
        ("version --api-key prompt", "No such option"),
        ("open-session --api-key prompt", "no terminal to ask at"),
    ],
)
def test_a_bad_line_is_an_error_among_the_results_and_never_ends_the_batch(
    mxgw: Run, line: str, said: str
) -> None:
    (error,), (version,) = batch(mxgw, line, "version")
    assert set(error) == {"error", "exitCode", "type"}
    assert (error["type"], error["exitCode"] > 0) == ("error", True)
    assert said in error["error"]
    assert "gatewayProtocolVersion" in version


def test_a_fault_of_the_program_ends_its_line_alone_and_shows_no_values(
    mxgw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> str:
        raise KeyError("topsecret")

    monkeypatch.setattr("zb_mom_ww_mxgateway_cli.version.installed", broken)
    (error,), (opened,) = batch(mxgw, "version", "open-session")
    assert "KeyError" in error["error"]
    assert "topsecret" not in error["error"]
    assert opened["sessionId"]


def test_a_line_that_asks_something_is_an_error(mxgw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "zb_mom_ww_mxgateway_cli.version.installed", partial(click.confirm, err=True)
    )
    with standard_input(b"version\nopen-session\n"):
        asked, opened = mxgw("batch").out.split(f"{END_OF_LINE}\n")[:2]
    assert "nobody answers" in json.loads(asked.splitlines()[-1])["error"]
    assert json.loads(opened)["sessionId"]


def test_lines_that_are_empty_or_comments_do_nothing_and_have_their_mark(mxgw: Run) -> None:
    assert batch(mxgw, "", "   ", "# version", "\r", "version")[:4] == [[], [], [], []]


def test_a_line_without_an_end_is_the_last_one(mxgw: Run) -> None:
    with standard_input(b"version\nversion"):
        assert len(answers(mxgw("batch").out)) == 2


def test_no_input_is_no_line(mxgw: Run) -> None:
    with standard_input(b""):
        assert mxgw("batch") == Outcome(0, "", "")


def test_a_line_that_is_no_text_is_an_error(mxgw: Run) -> None:
    with standard_input(b"version \xff\xfe\nversion\n"):
        (error,), (version,) = answers(mxgw("batch").out)
    assert "UTF-8" in error["error"]
    assert "client" in version


def test_a_line_may_ask_for_another_form(mxgw: Run) -> None:
    with standard_input(b"version --output csv\n"):
        shown = mxgw("batch").out.splitlines()
    assert shown[0] == "client,codec,gatewayProtocolVersion"
    assert shown[2:] == [END_OF_LINE]


def test_an_error_of_the_batch_itself_is_no_line(mxgw: Run) -> None:
    with standard_input(b"version\n"):
        outcome = mxgw("batch", "--tls")
    assert (outcome.code, outcome.out) == (2, "")
    assert "exclude each other" in outcome.err


def test_options_of_the_batch_are_those_of_lines_that_have_no_others(
    mxgw_gateway: RunningGateway,
    simulator: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MXGATEWAY_ENDPOINT", "localhost:1")
    monkeypatch.setenv("MXGATEWAY_API_KEY", "mxgw_environment_topsecret")
    monkeypatch.setenv("FIRST", mxgw_gateway.api_key)
    monkeypatch.setenv("OTHER", simulator["apiKey"])
    other = f"--endpoint {simulator['endpoint']} --plaintext --api-key env:OTHER"
    lines = ["open-session", f"open-session {other}", "open-session --tls"]
    with standard_input("\n".join(lines).encode()):
        code = run(
            ["batch", "--endpoint", mxgw_gateway.endpoint, "--plaintext", "--api-key-env", "FIRST"]
        )
    printed = capsys.readouterr()
    (opened,), (elsewhere,), (refused,) = answers(printed.out)
    assert (code, printed.err) == (0, "")
    assert opened["sessionId"] != elsewhere["sessionId"]
    assert refused["exitCode"] == 3, "a line that asks for TLS gets no plaintext"
    for key in ("topsecret", mxgw_gateway.api_key, simulator["apiKey"]):
        assert key not in printed.out + printed.err


def test_a_key_of_the_batch_and_its_plaintext_are_for_the_endpoint_of_the_batch_alone(
    mxgw_gateway: RunningGateway,
    simulator: dict[str, str],
    cli: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Both take the key of the batch: one that goes with a line to the other would be let in.
    key = simulator["apiKey"]
    mxgw_gateway.run(lambda gateway: gateway.add_api_key(key))
    monkeypatch.setenv("OWN", key)
    here, there = simulator["endpoint"], mxgw_gateway.endpoint
    lines = [
        f"open-session --endpoint {there} --plaintext",
        f"open-session --endpoint {there} --timeout 5",
        f"open-session --endpoint {there} --plaintext --api-key env:OWN",
        f"open-session --endpoint {here}",
        "open-session",
    ]
    for endpoint in ("typed", "in the environment"):
        typed = ["--endpoint", here] if endpoint == "typed" else []
        monkeypatch.setenv("MXGATEWAY_ENDPOINT", there if typed else here)
        with standard_input("\n".join(lines).encode()):
            outcome = cli("batch", *typed, "--plaintext", "--api-key", "env:OWN")
        (without_key,), (secured,), *opened = answers(outcome.out)
        assert (without_key["exitCode"], secured["exitCode"]) == (4, 3)
        assert all(reply["sessionId"] for (reply,) in opened)


@pytest.mark.parametrize("option", [["--api-key", "env:WRONG"], ["--api-key-env", "WRONG"]])
def test_a_line_whose_key_is_not_accepted_says_that_it_is_the_key_of_the_batch(
    mxgw: Run, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    monkeypatch.setenv("WRONG", "mxgw_wrong_wrongwrong")
    with standard_input(b"open-session"):
        ((refused,),) = answers(mxgw("batch", *option).out)
    assert refused["exitCode"] == 4
    assert refused["error"].endswith("the key is that of the batch")


def test_a_line_of_any_length_is_an_error_and_the_next_one_runs(mxgw: Run) -> None:
    lines = ["x" * 3_000_000, "version", "y" * 100_000, f"help {'z' * 100_000}", "version"]
    (long,), (version,), (unknown,), (nothing,), (last,) = batch(mxgw, *lines)
    assert "more than 1048576 bytes" in long["error"]
    assert unknown["error"].startswith("No such command 'yyy")
    assert nothing["error"].startswith("there is no command or topic 'zzz")
    assert len(unknown["error"]) < 200
    assert len(nothing["error"]) < 300
    assert version == last


def test_one_connection_serves_all_lines(mxgw_gateway: RunningGateway) -> None:
    with driven(mxgw_gateway) as process:
        (opened,) = ask(process, "open-session")
        with mxgw_gateway.run(lambda gateway: gateway.fault(RefuseConnections())):
            session = f"--session-id {opened['sessionId']}"
            for number in range(5):
                (reply,) = ask(process, f"ping {session} --message {number}")
                assert reply["protocolStatus"] == {"code": "PROTOCOL_STATUS_CODE_OK"}
            (refused,) = ask(process, f"ping {session} --timeout 7")
            assert refused["exitCode"] == 3, "other options are another connection"
        (again,) = ask(process, f"ping {session} --timeout 7")
        assert again["sessionId"] == opened["sessionId"]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def test_a_connection_that_was_not_used_for_long_goes_when_there_are_too_many(
    mxgw_gateway: RunningGateway,
) -> None:
    with driven(mxgw_gateway) as process:
        for seconds in range(10, 19):
            assert ask(process, f"query-active-alarms --timeout {seconds} --filter-prefix x") == [
                []
            ]
        with mxgw_gateway.run(lambda gateway: gateway.fault(RefuseConnections())):
            assert ask(process, "query-active-alarms --timeout 18 --filter-prefix x") == [[]]
            (refused,) = ask(process, "query-active-alarms --timeout 10 --filter-prefix x")
            assert refused["exitCode"] == 3
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


@NO_SIGNALS
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("line", ["", "alarms --follow"])
def test_a_signal_ends_the_batch_whether_it_waits_or_works(
    mxgw_gateway: RunningGateway, number: signal.Signals, code: int, line: str
) -> None:
    with driven(mxgw_gateway) as process:
        assert ask(process, "version")
        assert process.stdin is not None
        assert process.stdout is not None
        if line:
            process.stdin.write(f"{line} --output jsonl\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith("{"), "an alarm of the plant"
        process.send_signal(number)
        assert ended(process) == (code, "")


@NO_SIGNALS
@pytest.mark.mxgw_gateway(operations_port=0)
def test_a_reader_who_leaves_ends_the_batch_before_the_next_line(
    mxgw_gateway: RunningGateway,
) -> None:
    lines = ["version", *["open-session"] * 50]
    with driven(mxgw_gateway) as process:
        assert ask(process, "version")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write("\n".join(lines))
        process.stdin.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(20) == 0
    assert counted(mxgw_gateway, "mxgateway_sessions_opened_total") == 0


#: Everything that quotes, and nothing that a shell expands.
QUOTING = st.text(alphabet="ab \t'\"\\", max_size=12)


@pytest.mark.skipif(os.name == "nt", reason="there is no shell to compare with")
@given(QUOTING)
def test_lines_are_quoted_as_in_a_shell(text: str) -> None:
    script = 'printf "%s\\0" "$@"'
    shell = subprocess.run(
        ["sh", "-c", f"set -- {text}\n[ $# = 0 ] || {script}"], capture_output=True, check=False
    )
    if shell.returncode != 0:
        with pytest.raises(click.UsageError):
            split(text.encode())
    elif not text.rstrip().endswith("\\"):  # joins the next line, and lines here are single
        assert split(text.encode()) == shell.stdout.decode().split("\0")[:-1]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"))))
def test_quoted_arguments_arrive_as_they_are(arguments: list[str]) -> None:
    line = f"command {shlex.join(arguments)}"
    assert split(line.encode()) == ["command", *arguments]


@given(st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_lines_are_whole_however_they_come(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[a:b] for a, b in pairwise(places)]
    read, write = os.pipe()

    def send(pipe: IO[bytes]) -> None:
        with pipe:
            for chunk in chunks:
                pipe.write(chunk)
                pipe.flush()

    async def receive() -> list[bytes]:
        lines = Lines(read)
        found: list[bytes] = []
        while (line := await lines.next()) is not None:
            found.append(line)
        return found

    sender = Thread(target=send, args=(os.fdopen(write, "wb"),))
    sender.start()
    found = asyncio.run(receive())
    sender.join()
    os.close(read)
    expected = data.split(b"\n")
    assert found == (expected[:-1] if expected[-1] == b"" else expected)
