"""Simulators in processes of their own, as a user starts them, with options of one's choice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIMULATE = [sys.executable, "-m", "zb_mom_ww_mxgateway_cli", "simulate", "--port", "0", "--json"]


@dataclass(frozen=True)
class Simulated:
    """A simulator that runs: what it printed, and where its log goes."""

    ready: dict[str, str]
    log_file: Path

    @property
    def endpoint(self) -> str:
        return self.ready["endpoint"]

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def events(self, name: str) -> int:
        """How often something is in the log."""
        return sum(json.loads(line)["event"] == name for line in self.log.splitlines())


@contextmanager
def simulated(
    log_file: Path, *options: str | Path, environment: dict[str, str] | None = None
) -> Generator[Simulated]:
    """Run a simulator, which logs as JSON, while a block does; it must end cleanly."""
    with (
        log_file.open("wb") as log,
        subprocess.Popen(
            [*SIMULATE, "--log-format", "json", "--log-level", "debug", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **(environment or {})},
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        found = Simulated(json.loads(line or "{}"), log_file)
        try:
            assert line, found.log
            yield found
        finally:
            process.terminate()
    assert process.returncode == 0 or os.name == "nt"  # which only kills by force
