"""Which codecs run is told rightly, and compiled ones never stand in for other sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zb_mom_ww_mxgateway_wire import decoding
from zb_mom_ww_mxgateway_wire.compiled import codec_kind

PROJECT = Path(__file__).parent.parent.parent
WIRE, CONTRACTS = "zb_mom_ww_mxgateway_wire", "zb_mom_ww_mxgateway_contracts"
LOOK = f"""\
from importlib import import_module
from {WIRE}.compiled import codec_kind
codec = import_module("{CONTRACTS}.mxaccess_gateway_v1.codec")
decoding = import_module("{WIRE}.decoding")
for name, module in (("{CONTRACTS}", codec), ("{WIRE}", decoding)):
    loaded = "interpreted" if module.__file__.endswith(".py") else "compiled"
    assert loaded == codec_kind(name), (module.__file__, codec_kind(name))
    print(loaded)
"""


def kinds(*sources: Path, **environment: str) -> list[str]:
    """How the codecs of the contract and those below them run in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={
            **os.environ,
            "MXGW_PURE": "",
            "PYTHONPATH": os.pathsep.join(map(str, sources)),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


built = pytest.mark.skipif(
    "interpreted" in kinds(), reason="nothing is compiled from these sources: make compile"
)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of what was compiled."""
    for folder, package in (("src", WIRE), ("generated", CONTRACTS)):
        shutil.copytree(PROJECT / folder / package, tmp_path / package)
    return tmp_path


def test_the_environment_has_them_interpreted() -> None:
    assert kinds(MXGW_PURE="1") == ["interpreted", "interpreted"]


@built
@pytest.mark.parametrize("unset", ["", "0"])
def test_nothing_in_the_environment_has_them_compiled(unset: str, sources: Path) -> None:
    assert kinds(sources, MXGW_PURE=unset) == ["compiled", "compiled"]


def test_what_runs_here_is_what_is_told() -> None:
    interpreted = str(decoding.__file__).endswith(".py")
    assert codec_kind(WIRE) == ("interpreted" if interpreted else "compiled")


@built
@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (f"{CONTRACTS}/mxaccess_gateway_v1/codec.py", ["interpreted", "compiled"]),
        (f"{CONTRACTS}/google_protobuf/codec.pxd", ["interpreted", "compiled"]),
        (f"{WIRE}/encoding.py", ["interpreted", "interpreted"]),
        (f"{WIRE}/native.pxd", ["interpreted", "interpreted"]),
    ],
)
def test_sources_that_changed_since_are_interpreted(
    changed: str, found: list[str], sources: Path
) -> None:
    with (sources / changed).open("a") as file:
        file.write("\n")
    assert kinds(sources) == found


@built
def test_sources_that_are_gone_are_not_stood_in_for(sources: Path) -> None:
    shutil.rmtree(sources / CONTRACTS / "mxaccess_worker_v1")
    assert kinds(sources) == ["interpreted", "compiled"]
