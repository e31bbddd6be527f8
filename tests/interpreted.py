"""Runs the tests of codecs and values with the codecs interpreted; arguments are pytest's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def main() -> int:
    values = sorted(map(str, TESTS.glob("sdk/test_values*.py")))
    command = [sys.executable, "-m", "pytest", *sys.argv[1:], str(TESTS / "wire"), *values]
    return subprocess.run(command, env={**os.environ, "MXGW_PURE": "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
