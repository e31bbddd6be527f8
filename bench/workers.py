"""The processes: workers that are told what to run and for how often, and the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from .canned import write_answers
from .columns import COMPILED, ENVIRONMENTS, INTERPRETED
from .environments import BETTERPROTO, BETTERPROTO2, PROTOBUF, ROOT, Peer
from .peers.loop import CORES, Timed


class Process:
    """A program that answers each line with one."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # It ends when it has nothing more to read.
        self._process.__exit__(kind, error, traceback)

    def heard(self) -> str:
        """The next line that it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args!r} ended; what it says of that is above")
        return line

    def asked(self, line: str) -> str:
        """What it answers to a line."""
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        return self.heard()


class Worker(Process):
    """One of the columns of the table."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        cores = _cores()[:-1]
        pinned = {CORES: " ".join(map(str, cores))} if cores else {}
        super().__init__(command, {**environment, **pinned})
        self.name = name
        self.about: dict[str, Any] = json.loads(self.heard())

    def prepare(self, case: str, **arguments: object) -> str:
        """Get ready for a case, and say what all workers have to agree on."""
        check: str = json.loads(self.asked(json.dumps({"prepare": case, **arguments})))["check"]
        return check

    def run(self, times: int) -> Timed:
        """Run the case so many times."""
        return Timed(**json.loads(self.asked(json.dumps({"run": times}))))


def _ours(column: str) -> Worker:
    return Worker(column, [sys.executable, "-m", "bench.peers.ours"], ENVIRONMENTS[column])


def theirs(peer: Peer) -> Worker:
    """The worker of a peer, in the environment of that."""
    peer.ready()
    return Worker(
        peer.name,
        [str(peer.python), "-m", *peer.worker],
        {"PYTHONPATH": str(peer.code)},
    )


def start(*, codecs: bool = False) -> list[Worker]:
    """The workers, in the order of the columns; ``codecs`` are those that have no client.

    Where nothing is compiled there is no worker of that name.
    """
    workers = [_ours(COMPILED)]
    if not workers[0].about["compiled"]:
        with workers.pop():
            print("the codecs are not compiled here", file=sys.stderr)
    workers += [_ours(INTERPRETED), theirs(PROTOBUF)]
    if codecs:
        workers += [theirs(BETTERPROTO), theirs(BETTERPROTO2)]
    return workers


class Server(Process):
    """The server of canned answers, on a core of its own where there are several."""

    def __init__(self, *, stock: bool = False) -> None:
        cores = _cores()
        core = [str(cores[-1])] if len(cores) > 1 else []
        served = [str(write_answers()), *core]
        if stock:
            python = str(PROTOBUF.ready().python)
            super().__init__([python, "-m", "bench.peers.stock_server", *served], {})
        else:
            super().__init__([sys.executable, "-m", "bench.server", *served], {})
        self.endpoint = f"127.0.0.1:{int(self.heard())}"

    def cpu_seconds(self) -> float:
        """The processor time that it has taken."""
        return float(self.asked("cpu"))


def _cores() -> list[int]:
    """The cores that may be used, where processes can be bound to some at all."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
