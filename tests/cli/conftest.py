"""A simulator in a process of its own, as a user starts it, and a way to run command lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zb_mom_ww_mxgateway_cli.__main__ import run

SIMULATE = [sys.executable, "-m", "zb_mom_ww_mxgateway_cli", "simulate", "--port", "0", "--json"]


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
    """No profile, no cache and no setting of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("MXGATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MXGATEWAY_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MXGATEWAY_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def simulator() -> Iterator[dict[str, str]]:
    """Endpoint and key of a running simulator."""
    with subprocess.Popen(SIMULATE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


@pytest.fixture
def mxgw(
    simulator: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run a command line against the simulator, which the environment names."""
    monkeypatch.setenv("MXGATEWAY_ENDPOINT", simulator["endpoint"])
    monkeypatch.setenv("MXGATEWAY_API_KEY", simulator["apiKey"])

    def call(*arguments: str, plaintext: bool = True) -> Outcome:
        code = run([*arguments, *(["--plaintext"] if plaintext else [])])
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return call


@pytest.fixture
def session_id(mxgw: Run) -> Iterator[str]:
    """A session with one registration, server handle 1."""
    opened = mxgw("open-session", "--json").json["sessionId"]
    mxgw("register", "--session-id", opened, "--client-name", "tests")
    yield opened
    mxgw("close-session", "--session-id", opened)
