"""How long the command line takes to say little, against an interpreter that does nothing.

Run with ``python -m bench.startup``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

RUNS: Final = 20
MXGW: Final = str(Path(sys.executable).with_name("mxgw-py"))
COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "mxgw-py --help": [MXGW, "--help"],
    "mxgw-py version": [MXGW, "version"],
    "mxgw-py ping --help": [MXGW, "ping", "--help"],
}


def main() -> None:
    """Print the median of each command in milliseconds."""
    for name, command in COMMANDS.items():
        median = statistics.median(_seconds(command) for _ in range(RUNS))
        print(f"{name:<22}{median * 1000:>6.0f} ms")


def _seconds(command: Sequence[str]) -> float:
    begun = perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return perf_counter() - begun


if __name__ == "__main__":
    main()
