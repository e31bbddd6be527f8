"""``python -m bench.guard``: whether anything has become slower than the committed baseline.

What is compared are ratios of ``guarded.py``, which mean the same on every machine. They differ
between versions of Python and their protobuf, so that each minor version has a baseline of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from .columns import ENVIRONMENTS
from .environments import CACHE, ROOT
from .simulators import columns_here

#: By name of what is measured.
Ratios: TypeAlias = Mapping[str, float]
#: By minor version of Python and column.
Baselines: TypeAlias = Mapping[str, Mapping[str, Ratios]]

BASELINE: Final = Path(__file__).with_name("baseline.json")
#: A ratio may be so many times the baseline's: docs/benchmarks.md has how far noise takes it.
MARGIN: Final = 1.3
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Verdict:
    """One ratio next to the baseline."""

    name: str
    baseline: float
    found: float

    @property
    def change(self) -> float:
        """How many times as long it takes."""
        return self.found / self.baseline

    def slower(self, margin: float = MARGIN) -> bool:
        """Whether that is beyond the margin."""
        return self.change > margin

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.found:.3f} of its reference, was {self.baseline:.3f}, "
            f"{self.change:.2f} times as long (at most {MARGIN:g})"
        )


def compare(baseline: Ratios, found: Ratios) -> list[Verdict]:
    """What both have, as the baseline orders it."""
    return [Verdict(name, was, found[name]) for name, was in baseline.items() if name in found]


def unguarded(baseline: Ratios, found: Ratios) -> list[str]:
    """What only one of the two has: a case that came, went or changed its name."""
    return sorted(baseline.keys() ^ found.keys())


def measure(column: str) -> Ratios:
    """The ratios of one of our columns."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.guarded", str(_stubs())],
        env=os.environ | ENVIRONMENTS[column],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    ratios: Ratios = json.loads(done.stdout)
    return ratios


def _stubs() -> Path:
    """Modules that protoc makes, in this environment and for its protobuf."""
    folder = CACHE / f"guard-py{PYTHON}"
    folder.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    proto = ROOT / "proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{proto}", f"--python_out={folder}"]
    command += ["mxaccess_gateway.proto", "galaxy_repository.proto"]
    subprocess.run(command, check=True)
    return folder


def faster(first: Ratios, second: Ratios) -> Ratios:
    """The smaller ratio of each, of two measurements of the same."""
    return {name: min(found, second[name]) for name, found in first.items()}


def updated(known: Baselines, column: str, found: Ratios) -> Baselines:
    """``known`` with what was found; other columns and versions of Python stay as they are."""
    rounded = {name: round(each, 4) for name, each in found.items()}
    return {**known, PYTHON: {**known.get(PYTHON, {}), column: rounded}}


def judged(column: str, baseline: Ratios, found: Ratios) -> tuple[bool, list[str]]:
    """Whether all is well, and what to say about it."""
    if not baseline:
        return True, [f"{column}: no baseline for Python {PYTHON} to compare with; see --update"]
    verdicts = compare(baseline, found)
    said = [f"{column}: slower: {verdict}" for verdict in verdicts if verdict.slower()]
    said += [
        f"{column}: {name} is in the baseline or measured, not in both; see --update"
        for name in unguarded(baseline, found)
    ]
    if said:
        return False, said
    worst = max(verdicts, key=lambda verdict: verdict.change)
    return True, [f"{column}: {len(verdicts)} figures hold; nearest to the margin is {worst}"]


def main() -> int:
    """Compare all columns that there are, or write the baseline."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write what is found as the baseline")
    given = parser.parse_args()
    known: Baselines = json.loads(BASELINE.read_text())
    well = True
    for column in columns_here():
        found = measure(column)
        if given.update:
            known = updated(known, column, found)
            continue
        baseline = known.get(PYTHON, {}).get(column, {})
        good, said = judged(column, baseline, found)
        if not good:  # what noise did once it hardly does twice
            good, said = judged(column, baseline, faster(found, measure(column)))
        well &= good
        print(*said, sep="\n", flush=True)
    if given.update:
        BASELINE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
