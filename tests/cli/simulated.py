"""A simulator in a process of its own with options of one's choice, and its log."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.conftest import SIMULATE


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
    """Run a simulator, which logs everything as JSON, while a block does."""
    watched = ["--log-format", "json", "--log-level", "debug"]
    with (
        log_file.open("wb") as log,
        subprocess.Popen(
            [*SIMULATE, *watched, *map(str, options)],
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
