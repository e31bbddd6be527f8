"""The whole way from a folder of .proto files to a tree of generated files, and its comparison."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import ir
from .build import build
from .commands import with_commands
from .conventions import read_conventions
from .descriptors import Contract, compile_contract
from .render import render


def load_schema(proto_dir: Path) -> ir.Schema:
    """The schema of the contract in ``proto_dir``."""
    return _load(proto_dir)[1]


def render_contract(proto_dir: Path) -> tuple[str, dict[str, bytes]]:
    """The generated package's name, and its files by path."""
    contract, schema = _load(proto_dir)
    return schema.root, render(schema, contract.descriptor_set())


def _load(proto_dir: Path) -> tuple[Contract, ir.Schema]:
    contract = compile_contract(proto_dir)
    conventions = read_conventions(proto_dir)
    return contract, with_commands(build(contract, conventions), conventions)


def write(files: Mapping[str, bytes], root: str, out: Path) -> list[str]:
    """Make ``out/root`` hold exactly ``files``; returns what changed. Untouched files stay so."""
    changed: list[str] = []
    for path, content in files.items():
        target = out / path
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            changed.append(path)
    for path in _strays(files, root, out):
        (out / path).unlink()
        if all(left.name == "__pycache__" for left in (out / path).parent.iterdir()):
            shutil.rmtree((out / path).parent)
        changed.append(path)
    return changed


def differences(files: Mapping[str, bytes], root: str, out: Path) -> Iterator[str]:
    """Lines of a unified diff from what lies in ``out`` to what would be generated."""
    for path, content in files.items():
        target = out / path
        if not target.exists():
            yield f"{path}: is missing"
            continue
        found = target.read_bytes()
        if found == content:
            continue
        if path.endswith(".py"):
            before = found.decode(errors="replace").splitlines()
            after = content.decode().splitlines()
            if before == after:
                yield f"{path}: the same lines with other line ends"
            names = (f"{path} (is)", f"{path} (should be)")
            yield from difflib.unified_diff(before, after, *names, lineterm="")
        else:
            yield f"{path}: differs ({len(found)} bytes, should be {len(content)})"
    for path in _strays(files, root, out):
        yield f"{path}: should not be there"


def _strays(files: Mapping[str, bytes], root: str, out: Path) -> list[str]:
    """Files in the generated package that nothing generates any more."""
    found = (
        path.relative_to(out).as_posix()
        for path in sorted((out / root).rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    )
    return [path for path in found if path not in files]
