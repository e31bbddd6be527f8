"""Command lines in a batch next to the same lines as processes of their own.

Both talk to one simulator and take turns, so that whatever else the machine does slows both. Of the
processes a sample is run and its time extrapolated to all lines; said so in what is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

MXGW = str(Path(sys.executable).with_name("mxgw-py"))
#: What a batch is to be faster by.
WANTED = 20


def batch(line: str, lines: int) -> float:
    """Seconds for all lines in one batch."""
    begun = time.perf_counter()
    done = subprocess.run(
        [MXGW, "batch"], input=f"{line}\n" * lines, capture_output=True, text=True, check=True
    )
    taken = time.perf_counter() - begun
    assert done.stdout.count("__MXGW_BATCH_EOR__\n") == lines
    assert '"error"' not in done.stdout, done.stdout[:1_000]
    return taken


def processes(line: str, number: int) -> float:
    """Seconds for so many processes, one after another."""
    begun = time.perf_counter()
    for _ in range(number):
        subprocess.run([MXGW, *line.split(), "--json"], capture_output=True, check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Measure in turns and print a row for each turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000)
    parser.add_argument("--sample", type=int, default=10, help="processes in each turn")
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()

    simulate = [MXGW, "simulate", "--port", "0", "--json"]
    with subprocess.Popen(
        simulate, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as simulator:
        assert simulator.stdout is not None
        try:
            ready = json.loads(simulator.stdout.readline())
            os.environ["MXGATEWAY_ENDPOINT"] = ready["endpoint"]
            os.environ["MXGATEWAY_API_KEY"] = ready["apiKey"]
            os.environ["MXGATEWAY_PLAINTEXT"] = "1"
            opened = subprocess.run(
                [MXGW, "open-session", "--json"], capture_output=True, text=True, check=True
            )
            line = f"ping --session-id {json.loads(opened.stdout)['sessionId']} --message hi"
            factors = [_turn(line, given.lines, given.sample) for _ in range(given.turns)]
        finally:
            simulator.terminate()
    factor = statistics.median(factors)
    print(f"a batch of {given.lines:,} lines is {factor:.0f} times as fast (wanted: {WANTED})")
    sys.exit(factor < WANTED)


def _turn(line: str, lines: int, sample: int) -> float:
    alone = processes(line, sample) / sample
    together = batch(line, lines)
    factor = alone * lines / together
    print(
        f"{lines:,} lines in a batch {together:6.2f} s; as processes {alone * lines:7.1f} s, "
        f"extrapolated from {sample} of {alone * 1000:.0f} ms; {factor:.0f} times"
    )
    return factor


if __name__ == "__main__":
    main()
