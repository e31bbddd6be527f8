"""Compiles the codecs of a contract that tests made, once for all processes of a run."""

from __future__ import annotations

import hashlib
import shutil
import sysconfig
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from hatch_build import compile_modules

PROJECT = Path(__file__).parent.parent
#: Compiling takes half a minute: what came of it is kept.
KEPT = PROJECT / "build" / "compiled"
#: Seconds to wait for another process that compiles.
PATIENCE = 180
WIRE = PROJECT / "src" / "zb_mom_ww_mxgateway_wire"


def compile_beside(files: Mapping[str, bytes], folder: Path) -> None:
    """Compile the codecs of generated ``files`` in ``folder`` and put each beside its source."""
    kept = KEPT / _fingerprint(files)
    making = kept.with_suffix(".making")
    kept.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2 * PATIENCE):
        if kept.exists():
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            return
        try:
            making.mkdir()
        except FileExistsError:  # another process is at it, or was ended in the middle
            with suppress(FileNotFoundError):
                if time.time() - making.stat().st_mtime > PATIENCE:
                    shutil.rmtree(making, ignore_errors=True)
            time.sleep(1)
            continue
        _make(folder, making, kept)
    raise AssertionError(f"nobody finishes {making}; remove it and try again")


def _make(folder: Path, making: Path, kept: Path) -> None:
    try:
        if not kept.exists():
            modules = [path.relative_to(folder) for path in folder.rglob("codec.py")]
            compile_modules(folder, modules, making, options=("-O0", "-g0"))
            making.rename(kept)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _fingerprint(files: Mapping[str, bytes]) -> str:
    """What the outcome depends on, as a name."""
    by = sysconfig.get_config_var("EXT_SUFFIX"), version("cython")
    found = hashlib.sha256(repr(by).encode())
    for path in (PROJECT / "hatch_build.py", *sorted(WIRE.glob("*.p*"))):
        found.update(path.read_bytes())
    for name, content in sorted(files.items()):
        found.update(name.encode() + content)
    return found.hexdigest()[:16]
