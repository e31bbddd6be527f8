"""Compiles the codecs while a wheel is built or the project is installed editable.

They go into a package of their own, ``zb_mom_ww_mxgateway_compiled``, where
``zb_mom_ww_mxgateway_wire/compiled.py`` finds them. Without a C compiler, and with ``MXGW_PURE=1``,
there is none, and the wheel is one for every machine.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import source_hash
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE: Final = "zb_mom_ww_mxgateway_compiled"

#: What is compiled, below each source root: all of it that has types for C beside it.
PACKAGES: Final = {"src": "zb_mom_ww_mxgateway_wire", "generated": "zb_mom_ww_mxgateway_contracts"}

DIRECTIVES: Final = {
    "language_level": 3,
    # Types are those of the .pxd files: what an annotation calls int has no bounds.
    "annotation_typing": False,
    # No position is below zero; those beyond the end are checked.
    "wraparound": False,
    # Python calls few of the functions, and those by position.
    "binding": False,
    "always_allow_keywords": False,
    "emit_code_comments": False,
}


class CompileError(Exception):
    """There is no compiler, or it refuses."""


class CompileCodecs(BuildHookInterface[Any]):
    """Adds the compiled codecs to a wheel."""

    _scratch: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of the wheel are gathered."""
        if self.target_name != "wheel" or os.environ.get("MXGW_PURE", "0") not in ("", "0"):
            return
        self._scratch = Path(tempfile.mkdtemp())
        try:
            compiled = compile_codecs(Path(self.root), self._scratch)
        except CompileError as error:
            self.app.display_warning(f"the codecs will be interpreted: {error}")
            return
        if version == "editable":
            build_data["force_include_editable"][str(compiled)] = PACKAGE
        else:
            build_data["force_include"][str(compiled)] = PACKAGE
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what compiling left."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def compile_codecs(root: Path, scratch: Path) -> Path:
    """Compile the codecs of the project in ``root``; returns the package that came out."""
    sources, out = scratch / "sources", scratch / PACKAGE
    for folder, package in PACKAGES.items():
        shutil.copytree(
            root / folder / package,
            sources / package,
            ignore=shutil.ignore_patterns("*.so", "*.pyd"),
        )
    types = sorted(path.relative_to(sources) for path in sources.rglob("*.pxd"))
    hashes = {
        path.as_posix(): source_hash((sources / path).read_bytes()).hex()
        for name in types
        for path in (name, name.with_suffix(".py"))
    }
    modules = [name.with_suffix(".py") for name in types if name.stem != "native"]
    # The runtime before what is made of it: it is small, and shows soon that there is no compiler.
    for package in PACKAGES.values():
        compile_modules(sources, [path for path in modules if path.parts[0] == package], out)
    compiled = {"suffix": EXTENSION_SUFFIXES[0], "sources": hashes}
    (out / "compiled.json").write_text(json.dumps(compiled, indent=2) + "\n", encoding="utf-8")
    return out


def compile_modules(
    sources: Path, modules: Sequence[Path], out: Path, *, options: Sequence[str] = ("-O1", "-g0")
) -> None:
    """Compile modules, named by their paths below ``sources``, into the same folders of ``out``.

    Raises:
        CompileError: Cython, setuptools or a C compiler is missing, or one of them refuses.
    """
    try:
        from Cython.Build import cythonize
        from Cython.Compiler.Errors import CompileError as CythonError
        from setuptools import Distribution, Extension
        from setuptools.errors import BaseError, CCompilerError
    except ImportError as error:
        raise CompileError(f"{error.name} is missing") from error
    here, out = Path.cwd(), out.resolve()
    try:
        os.chdir(sources)  # Cython names modules by where they are
        extensions = cythonize(
            [
                Extension(
                    ".".join(module.with_suffix("").parts),
                    [str(module)],
                    extra_compile_args=[] if sys.platform == "win32" else list(options),
                )
                for module in modules
            ],
            compiler_directives=DIRECTIVES,
            quiet=True,
        )
        command = Distribution({"name": PACKAGE, "ext_modules": extensions}).get_command_obj(
            "build_ext"
        )
        command.build_lib, command.build_temp = str(out), "objects"
        command.parallel = os.cpu_count()
        command.ensure_finalized()
        command.run()
    except (CythonError, BaseError, CCompilerError, OSError) as error:
        raise CompileError(str(error)) from error
    finally:
        os.chdir(here)
