"""How long it takes to generate the package from the contract, as a process of its own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator

from ..columns import INTERPRETED
from ..context import Context
from ..environments import ROOT
from ..results import Line, line
from ..rounds import alternate
from .startup import Fresh


def run(context: Context) -> Iterator[Line]:
    """One line."""
    context.say("generating")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "codegen", "generate"]
        command += ["--proto-dir", str(ROOT / "proto"), "--out", folder]
        fresh = Fresh(INTERPRETED, command, {}, lambda _, seconds: seconds)
        measured = alternate([fresh], context.plan)
    yield line("generator", "python -m codegen generate", "s", measured, lambda seconds: seconds)
