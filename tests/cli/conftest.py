"""Command lines, run in this process or against a simulator in another one, as a user starts it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.simulated import SIMULATE as SIMULATE, simulated
from zb_mom_ww_mxgateway_cli.__main__ import run
from zb_mom_ww_mxgateway_cli.known_names import VARIABLE as NAMES
from zb_mom_ww_mxgateway_cli.profiles import VARIABLE as PROFILES

#: Variables by which a developer's terminal and shell would have a say in what is printed.
TERMINALS = ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES")


@dataclass(frozen=True)
class Outcome:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        assert self.err.count("\n") == 1, self
        return json.loads(self.err)


Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def nothing_of_the_developers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No profile, no cache, no setting and no width of the terminal of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("MXGATEWAY_")]:
        monkeypatch.delenv(name)
    for name in TERMINALS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv(PROFILES, str(tmp_path / "config.toml"))
    monkeypatch.setenv(NAMES, str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Endpoint and key of a running simulator."""
    with simulated(tmp_path_factory.mktemp("simulator") / "log") as running:
        yield running.ready


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line as it is given."""

    def call(*arguments: str | Path) -> Outcome:
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return call


@pytest.fixture
def mxgw(simulator: dict[str, str], cli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line against the simulator, which the environment names."""
    monkeypatch.setenv("MXGATEWAY_ENDPOINT", simulator["endpoint"])
    monkeypatch.setenv("MXGATEWAY_API_KEY", simulator["apiKey"])

    def call(*arguments: str, plaintext: bool = True) -> Outcome:
        return cli(*arguments, *(["--plaintext"] if plaintext else []))

    return call


@pytest.fixture
def session_id(mxgw: Run) -> Iterator[str]:
    """A session with one registration, server handle 1."""
    opened = mxgw("open-session", "--json").json["sessionId"]
    mxgw("register", "--session-id", opened, "--client-name", "tests")
    yield opened
    mxgw("close-session", "--session-id", opened)
