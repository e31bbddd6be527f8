"""The public surface as mypy and pyright see it, both strict; ``typing/surface.py`` says how."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.contracts import PROJECT

SURFACE = PROJECT / "tests" / "typing" / "surface.py"


def test_mypy_agrees(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--config-file",
         os.devnull, "--cache-dir", str(tmp_path), str(SURFACE)],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": os.pathsep.join([f"{PROJECT}/src", f"{PROJECT}/generated"])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Success: no issues found" in done.stdout, done.stdout


def test_pyright_agrees(tmp_path: Path) -> None:
    config = tmp_path / "pyrightconfig.json"
    shutil.copy(SURFACE, tmp_path)  # pyright takes no path from elsewhere
    settings = {
        "include": [SURFACE.name],
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
        "enableTypeIgnoreComments": False,
        "pythonVersion": "3.11",
        "extraPaths": [str(PROJECT / "src"), str(PROJECT / "generated")],
    }
    config.write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "-p", str(config), "--pythonpath", sys.executable],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("0 errors, 0 warnings, 0 informations"), done.stdout
