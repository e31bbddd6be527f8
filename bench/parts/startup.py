"""How long it takes to import the SDK, and for the command line to say little."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..columns import ENVIRONMENTS, REFERENCE
from ..context import Context
from ..environments import PROTOBUF
from ..peers.loop import Timed
from ..results import TIMES, Line, line, milliseconds
from ..rounds import Figure, alternate
from ..simulators import MXGW, columns_here, opened_session, simulator

PART: Final = "startup"
_IMPORT: Final = (
    "import time; began = time.perf_counter(); import {modules}; print(time.perf_counter() - began)"
)
_SDK: Final = "zb_mom_ww_mxgateway"
_STUBS: Final = "grpc.aio, mxaccess_gateway_pb2_grpc, galaxy_repository_pb2_grpc"


@dataclass(frozen=True)
class Fresh:
    """A command that is run as a new process each time."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    #: The seconds of a run, from what it printed and how long the process took.
    seconds: Callable[[str, float], float]

    def run(self, times: int) -> Timed:
        """Run so many processes, one after another."""
        each = [self._once() for _ in range(times)]
        return Timed(sum(each), each)

    def _once(self) -> float:
        began = time.perf_counter()
        done = subprocess.run(
            self.command,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return self.seconds(done.stdout, time.perf_counter() - began)


def _printed(output: str, _: float) -> float:
    return float(output)


def _taken(_: str, seconds: float) -> float:
    return seconds


def run(context: Context) -> Iterator[Line]:
    """Lines for imports and for commands."""
    columns = columns_here()
    yield from _imports(context, columns)
    with simulator(columns[0]) as simulated:
        session = opened_session(simulated)
        commands = {
            "mxgw-py --help": [MXGW, "--help"],
            "mxgw-py version": [MXGW, "version"],
            "mxgw-py ping, with the call": [MXGW, "ping", "--session-id", session],
            "python -c pass, for comparison": [sys.executable, "-c", "pass"],
        }
        for what, command in commands.items():
            context.say(what)
            fresh = [
                Fresh(name, command, {**ENVIRONMENTS[name], **simulated.environment}, _taken)
                for name in columns
            ]
            yield line(PART, what, "ms", alternate(fresh, context.plan), milliseconds)


def _imports(context: Context, columns: Sequence[str]) -> Iterator[Line]:
    context.say("imports")
    sdk = [sys.executable, "-c", _IMPORT.format(modules=_SDK)]
    stubs = [str(PROTOBUF.ready().python), "-c", _IMPORT.format(modules=_STUBS)]
    fresh = [Fresh(name, sdk, ENVIRONMENTS[name], _printed) for name in columns]
    fresh.append(Fresh(REFERENCE, stubs, {"PYTHONPATH": str(PROTOBUF.code)}, _printed))
    measured = alternate(fresh, context.plan)
    yield line(PART, "import", "ms", measured, milliseconds)
    ratios = {
        name: Figure.of(
            [
                own / theirs
                for own, theirs in zip(
                    measured.seconds[name], measured.seconds[REFERENCE], strict=True
                )
            ]
        )
        for name in columns
    }
    yield Line(PART, "import over that of protobuf", TIMES, ratios)
