"""Dependencies point one way, and betterproto has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent

WIRE = "zb_mom_ww_mxgateway_wire"
CONTRACTS = "zb_mom_ww_mxgateway_contracts"
SDK = "zb_mom_ww_mxgateway"
ALIAS = "mxgateway"
SIM = "zb_mom_ww_mxgateway_sim"
CLI = "zb_mom_ww_mxgateway_cli"

#: Each package and those of ours that it may import.
MAY_IMPORT = {
    WIRE: set[str](),
    CONTRACTS: {WIRE},
    SDK: {WIRE, CONTRACTS},
    ALIAS: {SDK},
    SIM: {WIRE, CONTRACTS, SDK},
    CLI: {WIRE, CONTRACTS, SDK, SIM},
}
BUILD_TIME = {"codegen", "templates", "tests", "bench", "google", "grpc", "grpc_tools", "jinja2"}
#: What an extra brings, and the files that are imported only where it is there.
WITH_AN_EXTRA = {
    (WIRE, "reflection.py"): {"google"},
    (SIM, "discovery.py"): {"google"},
    (CLI, "contract_diff.py"): {"google"},
}
FOLDERS = {
    name: PROJECT / ("generated" if name == CONTRACTS else "src") / name for name in MAY_IMPORT
}


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, at the top or anywhere below."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def imported_roots(folder: Path) -> dict[str, set[str]]:
    """Top-level packages that are imported, by file."""
    return {
        path.relative_to(folder).as_posix(): {name.partition(".")[0] for name in imports(path)}
        for path in sorted(folder.rglob("*.py"))
    }


def test_every_package_of_ours_has_its_place() -> None:
    packages = {
        path.parent.name
        for root in ("src", "generated")
        for path in (PROJECT / root).glob("*/__init__.py")
    }
    assert packages == set(MAY_IMPORT)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    for path, roots in imported_roots(FOLDERS[package]).items():
        assert roots & set(MAY_IMPORT) <= allowed, path


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_nothing_that_is_shipped_imports_what_is_only_there_to_build_it(package: str) -> None:
    for path, roots in imported_roots(FOLDERS[package]).items():
        assert not roots & BUILD_TIME - WITH_AN_EXTRA.get((package, path), set()), path


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_relative_imports_stay_in_their_package(package: str) -> None:
    for path in sorted(FOLDERS[package].rglob("*.py")):
        depth = len(path.relative_to(FOLDERS[package]).parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= depth, path


def test_betterproto_is_imported_by_one_file() -> None:
    importers = [
        f"{package}/{path}"
        for package, folder in FOLDERS.items()
        for path, roots in imported_roots(folder).items()
        if "betterproto" in roots
    ]
    assert importers == [f"{WIRE}/message.py"]


def test_the_generator_imports_of_ours_only_the_runtime() -> None:
    for path, roots in imported_roots(PROJECT / "codegen").items():
        assert roots & set(MAY_IMPORT) <= {WIRE}, path
