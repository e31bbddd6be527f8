"""A simulator in a process of its own, for the parts that measure it or need one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .columns import COMPILED, ENVIRONMENTS, INTERPRETED
from .peers.native import API_KEY

MXGW: Final = str(Path(sys.executable).with_name("mxgw-py"))


def columns_here() -> list[str]:
    """Which of our columns there are: compiled only where something is."""
    look = (
        "from zb_mom_ww_mxgateway_wire.compiled import codec_kind\n"
        "print(codec_kind('zb_mom_ww_mxgateway_contracts'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", look],
        env=os.environ | ENVIRONMENTS[COMPILED],
        capture_output=True,
        text=True,
        check=True,
    )
    return [COMPILED, INTERPRETED] if done.stdout.strip() == "compiled" else [INTERPRETED]


@dataclass(frozen=True)
class Simulator:
    """One that runs."""

    pid: int
    endpoint: str
    #: ``host:port`` of its metrics.
    metrics: str

    @property
    def environment(self) -> dict[str, str]:
        """What commands need to find it."""
        return {
            "MXGATEWAY_ENDPOINT": self.endpoint,
            "MXGATEWAY_API_KEY": API_KEY,
            "MXGATEWAY_PLAINTEXT": "1",
        }


@contextmanager
def simulator(column: str, *options: str) -> Generator[Simulator]:
    """A simulator with options of ``mxgw-py simulate``, while the block runs."""
    command = [MXGW, "simulate", "--port", "0", "--metrics-port", "0", "--json"]
    command += ["--api-key", "env:MXGW_BENCH_KEY", *options]
    environment = os.environ | ENVIRONMENTS[column] | {"MXGW_BENCH_KEY": API_KEY}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            yield Simulator(process.pid, ready["endpoint"], ready["metrics"])
        finally:
            process.terminate()


def opened_session(simulated: Simulator) -> str:
    """The id of a session that was opened there and stays open."""
    done = subprocess.run(
        [MXGW, "open-session", "--json"],
        env=os.environ | simulated.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    session: str = json.loads(done.stdout)["sessionId"]
    return session
