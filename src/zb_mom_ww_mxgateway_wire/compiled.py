"""Which codecs run: those that were compiled when the package was installed, or interpreted ones.

Compiled codecs are C extensions, in a package of their own, of the same code under the same names:
their folder goes first in the search path of the packages they belong to. Nothing but speed depends
on the choice. Sources that are not those that were compiled are interpreted.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableSequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
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
        if _are_of(folder, sources):
            return folder
    return None


def _are_of(folder: str, sources: str) -> bool:
    """Whether what is in ``folder`` was compiled for this Python from ``sources`` as they are."""
    root, package = os.path.split(sources)
    try:
        with open(os.path.join(folder, "compiled.json"), encoding="utf-8") as file:
            compiled = json.load(file)
        of_package = {
            name: known
            for name, known in compiled["sources"].items()
            if name.startswith(f"{package}/")
        }
        return (
            compiled["suffix"] == EXTENSION_SUFFIXES[0]
            and bool(of_package)
            and all(_hash(os.path.join(root, name)) == known for name, known in of_package.items())
        )
    except (OSError, ValueError):
        return False


def _hash(path: str) -> str:
    with open(path, "rb") as file:
        return source_hash(file.read()).hex()
