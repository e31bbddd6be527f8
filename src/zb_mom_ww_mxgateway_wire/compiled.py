"""Which codecs run: those that were compiled when the package was installed, or interpreted ones.

Compiled codecs are C extensions, in a package of their own, of the same code under the same names:
their folder goes first in the search path of the packages they belong to. Nothing but speed depends
on the choice. Sources that changed since they were compiled, as they do where the package is
installed editable, are interpreted.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableSequence
from functools import cache
from importlib.util import find_spec, source_hash
from typing import Final, Literal

#: Set to anything but 0 in the environment, codecs are interpreted.
PURE_VARIABLE: Final = "MXGW_PURE"

_WIRE: Final = os.path.dirname(__file__)


def search_path(package: str, path: MutableSequence[str]) -> list[str]:
    """Where ``package`` has its modules, given where it has its sources."""
    folder = _compiled_folder(os.path.dirname(path[0]) if "." in package else path[0])
    return [*path] if folder is None else [os.path.join(folder, *package.split(".")), *path]


def codec_kind(package: str) -> Literal["compiled", "interpreted"]:
    """How the codecs below a top-level package run; nothing of it is imported."""
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    compiled = places and _compiled_folder(next(iter(places)))
    return "compiled" if compiled else "interpreted"


@cache
def _compiled_folder(sources: str) -> str | None:
    """Where the codecs of the package in ``sources`` are compiled; None to interpret them."""
    if os.environ.get(PURE_VARIABLE, "0") not in ("", "0"):
        return None
    if sources != _WIRE and _compiled_folder(_WIRE) is None:
        return None  # compiled code calls other compiled code alone
    spec = find_spec("zb_mom_ww_mxgateway_compiled")
    places = spec.submodule_search_locations if spec else None
    for folder in places or ():  # none: there was no C compiler
        # What was installed from one wheel belongs together; elsewhere sources may have changed.
        if os.path.dirname(folder) == os.path.dirname(sources) or _are_unchanged(folder, sources):
            return folder
    return None


def _are_unchanged(folder: str, sources: str) -> bool:
    """Whether the files of a package are those of its name that were compiled."""
    root, package = os.path.split(sources)
    try:
        for name, known in _read_json(os.path.join(folder, "sources.json")).items():
            if name.startswith(f"{package}/"):
                with open(os.path.join(root, *name.split("/")), "rb") as file:
                    if source_hash(file.read()).hex() != known:
                        return False
    except (OSError, ValueError):
        return False
    return True


def _read_json(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8") as file:
        hashes: dict[str, str] = json.load(file)
    return hashes
