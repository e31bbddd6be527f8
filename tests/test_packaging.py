"""The wheel holds the runtime packages and nothing else, compiled codecs where they can be made."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hatch_build import CompileError, compile_modules

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "mxgateway",
    "zb_mom_ww_mxgateway",
    "zb_mom_ww_mxgateway_cli",
    "zb_mom_ww_mxgateway_contracts",
    "zb_mom_ww_mxgateway_sim",
    "zb_mom_ww_mxgateway_wire",
}


def built(folder: Path, **environment: str) -> Path:
    """The wheel of the project."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_runtime_packages_and_nothing_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(built(tmp_path, MXGW_PURE="1")) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {Path(name).suffix for name in names if ".dist-info" not in name} == {
        ".py",
        ".pxd",  # the types of what is compiled, held against it
        ".typed",
        ".binpb",
        ".json",
        ".toml",  # the simulator's default galaxy
    }
    for package in PACKAGES:
        assert f"{package}/py.typed" in names
    modules = {
        path.relative_to(root).as_posix()
        for root in (ROOT / "src", ROOT / "generated")
        for path in root.rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == modules


@pytest.mark.skipif(sys.platform == "win32", reason="CC names the compiler elsewhere")
def test_without_a_compiler_the_wheel_is_one_for_every_machine(tmp_path: Path) -> None:
    wheel = built(tmp_path, CC=str(tmp_path / "none"), MXGW_PURE="")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if "compiled/" in name]


def test_what_cannot_be_compiled_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def f(:\n")
    with pytest.raises(CompileError, match=r"broken\.py"):
        compile_modules(tmp_path, [Path("broken.py")], tmp_path / "out")
