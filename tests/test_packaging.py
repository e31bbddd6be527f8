"""The wheel holds the runtime packages and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "mxgateway",
    "zb_mom_ww_mxgateway",
    "zb_mom_ww_mxgateway_cli",
    "zb_mom_ww_mxgateway_contracts",
    "zb_mom_ww_mxgateway_sim",
    "zb_mom_ww_mxgateway_wire",
}


def test_the_wheel_holds_the_runtime_packages_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {Path(name).suffix for name in names if ".dist-info" not in name} == {
        ".py",
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
