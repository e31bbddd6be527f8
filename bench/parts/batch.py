"""Command lines in a batch next to the same lines as processes of their own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Final

from ..columns import ENVIRONMENTS
from ..context import Context
from ..peers.loop import Timed
from ..results import TIMES, Line, a_second
from ..rounds import Figure, alternate
from ..simulators import MXGW, columns_here, opened_session, simulator
from .startup import Fresh

_END: Final = "__MXGW_BATCH_EOR__\n"


@dataclass(frozen=True)
class Batch:
    """Lines of one batch."""

    name: str
    line: str
    environment: Mapping[str, str]
    #: In one batch: enough that its start counts for little.
    lines: int = 500

    def run(self, times: int) -> Timed:
        """Run so many batches; a call is a line."""
        began = time.perf_counter()
        for _ in range(times):
            done = subprocess.run(
                [MXGW, "batch"],
                input=f"{self.line}\n" * self.lines,
                env=os.environ | self.environment,
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout.count(_END) == self.lines
            assert '"error"' not in done.stdout, done.stdout[:1_000]
        return Timed(time.perf_counter() - began, [])


def run(context: Context) -> Iterator[Line]:
    """Lines for both, and how they compare."""
    together: dict[str, Figure] = {}
    single: dict[str, Figure] = {}
    times: dict[str, Figure] = {}
    for column in columns_here():
        context.say(f"batches, {column}")
        with simulator(column) as simulated:
            environment = {**ENVIRONMENTS[column], **simulated.environment}
            line = f"ping --session-id {opened_session(simulated)} --message hi"
            batch = Batch("batch", line, environment)
            command = [MXGW, *line.split(), "--json"]
            alone = Fresh("alone", command, environment, lambda _, took: took)
            measured = alternate([batch, alone], context.plan)
        together[column] = measured.figures(a_second(batch.lines))["batch"]
        single[column] = measured.figures(a_second())["alone"]
        speed = measured.speed("batch", "alone")  # of a batch next to a single line
        times[column] = Figure(*(each * batch.lines for each in astuple(speed)))
    yield Line("batch", "lines in a batch", "lines/s", together)
    yield Line("batch", "lines as processes", "lines/s", single)
    yield Line("batch", "a batch is so many times as fast", TIMES, times)
