"""An API key is in no output and no log, however it is given and whatever goes wrong."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.cli.installed import MXGW
from tests.cli.simulated import Simulated, simulated
from tests.cli.terminal import Terminal
from zb_mom_ww_mxgateway_cli.__main__ import run

SECRET = "topsecret0123456789"
KEY = f"mxgw_tester_{SECRET}"
WRONG = f"mxgw_nobody_{SECRET}"
TAG = "TestMachine_001.MachineCode"
SESSION = ["--session-id", "session-" + "0" * 32]

#: Command lines of every kind of end, by their exit codes; connected ones get a connection.
CONNECTED: Sequence[tuple[list[str], int]] = (
    (["open-session"], 0),
    (["read", TAG], 0),
    (["read", "No.Such"], 6),
    (["smoke", "--item", TAG], 0),
    (["doctor"], 0),
    (["doctor", "--item", "No.Such"], 1),
    (["smoke", "--item", "No.Such"], 1),
    (["ping", *SESSION], 1),
    (["ping", *SESSION, KEY], 2),
    (["ping", "--server-name-override", KEY], 2),
    (["info", TAG], 0),
    (["watch", TAG, "--max-events", "1"], 0),
    (["write", f"{TAG}=x", "--dry-run"], 0),
    (["browse"], 0),
    (["galaxy-last-deploy"], 0),
    (["deploys", "--max-events", "1"], 0),
    (["alarms"], 0),
    (["ack", "nobody"], 6),
    (["stream-alarms", "--max-messages", "1"], 0),
    (["bench-read-bulk", "--duration-seconds", "0.1", "--warmup-seconds", "0"], 0),
    (["simulate", "redeploy"], 0),
    (["contract", "diff"], 0),
)
UNCONNECTED: Sequence[tuple[list[str], int]] = (
    (["version"], 0),
    (["config", "show"], 0),
    (["config", "show", "tester"], 0),
    (["config", "set", "tester", "timeout=20"], 0),
    (["config", "set", "tester", f"api-key={KEY}", "ca-file=a", "plaintext=true"], 2),
    (["config", "set", "tester", f"apikey={KEY}"], 2),
    (["config", "set", "tester", KEY], 2),
    (["config", "set", KEY, "timeout=x"], 2),
    (["config", "set", "other", f"endpoint={KEY}:5000", f"ca-file={KEY}"], 0),
    (["config", "show", "other"], 0),
    (["config", "set", KEY, "timeout=5"], 0),
    (["config", "use", KEY], 0),
    (["config", "show"], 0),
    (["config", "use", "--none"], 0),
    (["config", "unset", KEY], 0),
    (["config", "use", KEY], 2),
    (["doctor", "--endpoint", f"{KEY}:5000", "--plaintext", "--timeout", "5"], 3),
    (["config", "unset", "tester", KEY], 2),
    (["help", KEY], 2),
    ([KEY], 2),
    (["open-session", f"--apikey={KEY}"], 2),
    (["open-session", "--api-key-env", KEY], 2),
    (["open-session", "--profile", KEY], 2),
    (["open-session", "--endpoint", KEY], 2),
    (["open-session", "--endpoint", f"{KEY}@gateway:1", "--plaintext"], 2),
    (["open-session", "--api-key", f"{KEY} {KEY}"], 2),
    (["open-session", "--timeout", KEY], 2),
    (["simulate", "--machines", KEY], 2),
    (["simulate", "--no-auth", "--api-key", KEY], 2),
    (["simulate", "--tls-cert", "none.pem", "--api-key", KEY], 2),
    (["simulate", "keys", "revoke", "--file", "none.json", KEY], 2),
)


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """A simulator that takes the key and logs every call."""
    log = tmp_path_factory.mktemp("secrets") / "log"
    with simulated(log, "--api-key", KEY) as found:
        yield found
        assert found.events("call.ended")
        assert SECRET not in found.log
        assert SECRET not in json.dumps(found.ready)


Way = Callable[[str, Path, pytest.MonkeyPatch], list[str]]


def _file(folder: Path, key: str) -> str:
    (folder / "key.txt").write_text(f"{key}\n", encoding="utf-8")
    return "file:key.txt"


def _environment(variable: str, *arguments: str) -> Way:
    def way(key: str, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
        patch.setenv(variable, key)
        return list(arguments)

    return way


def _profile(key: str, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    assert run(["config", "set", "tester", f"api-key={key}"]) == 0
    assert run(["config", "use", "tester"]) == 0
    return []


#: Each way to give a key, as the arguments that go with it.
WAYS: Mapping[str, Way] = {
    "flag": lambda key, folder, patch: ["--api-key", key],
    "variable": _environment("MXGATEWAY_API_KEY"),
    "named variable": _environment("OTHER", "--api-key-env", "OTHER"),
    "env:": _environment("OTHER", "--api-key", "env:OTHER"),
    "file:": lambda key, folder, patch: ["--api-key", _file(folder, key)],
    "profile": _profile,
}


@pytest.mark.parametrize("form", ["json", "table"])
@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_in_no_output_and_no_log(
    gateway: Simulated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    way: str,
    form: str,
) -> None:
    caplog.set_level(logging.DEBUG, "zb_mom_ww_mxgateway")
    assert run(["config", "set", "tester", f"endpoint={gateway.endpoint}", "plaintext=true"]) == 0
    given = WAYS[way](KEY, tmp_path, monkeypatch)
    at = ["--endpoint", gateway.endpoint, "--plaintext", *given]
    codes: list[tuple[list[str], int, int]] = []
    for arguments, expected in CONNECTED:
        codes.append((arguments, run([*arguments, *at, "--output", form]), expected))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        nobody = f"127.0.0.1:{listening.getsockname()[1]}"
        silent = ["--endpoint", nobody, "--plaintext", *given, "--timeout", "0.2"]
        codes.append((["silent"], run(["open-session", *silent, "--output", form]), 5))
    # A key of a profile goes with its endpoint alone, so this one is given to it.
    if way == "profile":
        assert run(["config", "set", "tester", f"endpoint={nobody}"]) == 0
    unreachable = ["--endpoint", nobody, "--plaintext", *given, "--output", form]
    codes.append((["unreachable"], run(["open-session", *unreachable]), 3))
    printed = capsys.readouterr()
    assert [(arguments, code) for arguments, code, _ in codes] == [
        (arguments, expected) for arguments, _, expected in codes
    ]
    assert len(printed.out) > 1_000
    assert len(printed.err) > 500
    for text in (printed.out, printed.err, caplog.text, gateway.log):
        assert SECRET not in text


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_key_is_in_no_output_and_no_log(
    gateway: Simulated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    way: str,
) -> None:
    assert run(["config", "set", "tester", f"endpoint={gateway.endpoint}"]) == 0
    at = ["--plaintext", *WAYS[way](WRONG, tmp_path, monkeypatch), "--endpoint", gateway.endpoint]
    for command in (["open-session"], ["doctor"], ["ping", *SESSION]):
        assert run([*command, *at]) == 4
    printed = capsys.readouterr()
    for text in (printed.out, printed.err, gateway.log):
        assert SECRET not in text


@pytest.mark.parametrize("form", ["json", "table"])
def test_a_key_in_the_wrong_place_is_in_no_output(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert run(["config", "set", "tester", f"api-key={KEY}"]) == 0
    for arguments, expected in UNCONNECTED:
        takes_form = arguments[0] not in ("help", KEY)
        code = run([*arguments, *(["--output", form] if takes_form else [])])
        printed = capsys.readouterr()
        assert SECRET not in printed.out + printed.err, arguments
        assert (arguments, code) == (arguments, expected), printed.err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["ping", "--message", "my", SECRET, "recipe"], "arguments: 2 too many"),
        (["ping", "--message", "my", f"{SECRET} recipe"], "argument: 1 too many"),
        (["config", "path", SECRET], "argument: 1 too many"),
    ],
)
def test_words_too_many_may_be_a_secret_and_are_counted(
    capsys: pytest.CaptureFixture[str], line: list[str], says: str
) -> None:
    assert run([*line, *(SESSION if line[0] == "ping" else [])]) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert SECRET not in printed.err
    assert "recipe" not in printed.err


def test_a_simulator_shows_no_key_that_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(KEY, encoding="utf-8")
    environment = {"OTHER": KEY}
    for number, given in enumerate(
        (
            ["--api-key", KEY],
            ["--api-key", "env:OTHER"],
            ["--api-key-env", "OTHER"],
            ["--api-key", f"file:{tmp_path / 'key.txt'}"],
        )
    ):
        log = tmp_path / f"log{number}"
        with simulated(log, *given, environment=environment) as gateway:
            assert gateway.ready.keys() == {"endpoint"}
            at = ["--endpoint", gateway.endpoint, "--plaintext", "--api-key", KEY]
            assert run(["open-session", *at]) == 0
        assert SECRET not in gateway.log


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")
def test_a_key_that_is_asked_for_is_not_echoed(gateway: Simulated) -> None:
    at = ["--endpoint", gateway.endpoint, "--plaintext", "--api-key", "prompt"]
    with Terminal([MXGW, "doctor", *at], os.environ) as terminal:
        shown = terminal.wait_for("API key: ")
        terminal.type(KEY)
        shown += terminal.rest()
    assert terminal.process.returncode == 0
    assert "clock" in shown
    assert SECRET not in shown


def test_nobody_is_asked_for_a_key_where_there_is_no_terminal() -> None:
    done = subprocess.run(
        [MXGW, "open-session", "--api-key", "prompt"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no terminal to ask at" in done.stderr
