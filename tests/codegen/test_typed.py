"""The package generated from every fragment passes mypy and pyright, both strict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts import PROJECT, fragments

#: What a user's code may expect of the types, as type checkers see it.
USE = """\
from fragment_contracts.fragments_enums.enums import Sparse
from fragment_contracts.fragments_maps.messages import Values
from fragment_contracts.fragments_oneofs.messages import Several
from fragment_contracts.fragments_scalars.messages import Optional, Plain
from typing_extensions import assert_type

assert_type(Plain().int32_value, int)
assert_type(Optional().string_value, str | None)
assert_type(Several().nested, Several | None)
assert_type(Several.FromString(b""), Several)
assert_type(Values().of_bytes, dict[str, bytes])
assert_type(Sparse(5), Sparse)
assert_type(Plain().to_json(), str)
"""


@pytest.fixture(scope="module")
def folder() -> Path:
    contract = fragments()
    (contract.folder.parent / "use.py").write_text(USE)
    return contract.folder.parent


def test_mypy_has_no_complaint(folder: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unreachable", "--config-file",
         os.devnull, "--cache-dir", str(tmp_path), "-p", "fragment_contracts", "-m", "use"],
        cwd=folder, env={**os.environ, "MYPYPATH": f"{folder}{os.pathsep}{PROJECT / 'src'}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_has_no_complaint(folder: Path) -> None:
    config = folder / "pyrightconfig.json"
    config.write_text(
        json.dumps(
            {
                "include": ["fragment_contracts", "use.py"],
                "typeCheckingMode": "strict",
                "pythonVersion": "3.11",
                "extraPaths": [str(folder), str(PROJECT / "src")],
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "-p", str(config), "--pythonpath", sys.executable],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
