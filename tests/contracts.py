"""The contracts that tests run over: the real one, and the fragments, generated once per session.

Each of their messages comes as a pair: our class, and google.protobuf's for the same descriptor.
"""

from __future__ import annotations

import atexit
import importlib
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from codegen.generate import render_contract, write
from zb_mom_ww_mxgateway_wire.compiled import codec_kind
from zb_mom_ww_mxgateway_wire.fields import REGISTRY

from .compiling import compile_beside

PROJECT = Path(__file__).parent.parent
PROTO = PROJECT / "proto"
FRAGMENTS = Path(__file__).parent / "codegen" / "fragments"
REAL = "zb_mom_ww_mxgateway_contracts"


@dataclass(frozen=True)
class Pair:
    """One message of a contract: our class, and google.protobuf's."""

    ours: type[Any]
    google: type[Any]
    pool: DescriptorPool

    @property
    def name(self) -> str:
        return str(self.ours.__proto_name__)


@dataclass(frozen=True)
class Contract:
    """A generated package, its folder, its descriptors in a pool of their own, and its messages."""

    root: str
    folder: Path
    pool: DescriptorPool
    pairs: dict[str, Pair]

    def __getitem__(self, name: str) -> Pair:
        return self.pairs[name]

    def module(self, name: str) -> Any:
        """A module of the generated package, such as ``fragments_maps.messages``."""
        return importlib.import_module(f"{self.root}.{name}")


def descriptor_set(folder: Path) -> FileDescriptorSet:
    """The descriptor set that the package in ``folder`` was generated from."""
    return FileDescriptorSet.FromString((folder / "contract.binpb").read_bytes())


def load(root: str) -> Contract:
    """Import the generated package ``root``, all of it, and pair its messages."""
    package = importlib.import_module(root)
    assert package.__file__ is not None
    folder = Path(package.__file__).parent
    for path in sorted(folder.glob("*/__init__.py")):
        importlib.import_module(f"{root}.{path.parent.name}")
    files = descriptor_set(folder).file
    pool = DescriptorPool()
    for file in files:
        pool.Add(file)
    pairs = {
        descriptor.full_name: Pair(
            REGISTRY[root, descriptor.full_name], message_factory.GetMessageClass(descriptor), pool
        )
        for file in files
        if file.syntax == "proto3"
        for descriptor in _messages(pool.FindFileByName(file.name).message_types_by_name.values())
    }
    return Contract(root, folder, pool, pairs)


def _messages(descriptors: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        if not descriptor.GetOptions().map_entry:
            yield descriptor
            yield from _messages(descriptor.nested_types)


def generate(proto_dir: Path, out: Path) -> Contract:
    """Generate the package of ``proto_dir`` below ``out`` and load it."""
    root, files = render_contract(proto_dir)
    write(files, root, out)
    return _load_from(out, root)


def _load_from(folder: Path, root: str) -> Contract:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    return load(root)


@cache
def real() -> Contract:
    """The contract of the gateway."""
    return load(REAL)


@cache
def fragments() -> Contract:
    """One package for each awkward case, generated for this session.

    Its codecs are compiled if those of the real contract are.
    """
    folder = tempfile.mkdtemp(prefix="fragments-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root, files = render_contract(FRAGMENTS)
    write(files, root, Path(folder))
    if codec_kind(REAL) == "compiled":
        compile_beside(files, Path(folder))
    return _load_from(Path(folder), root)


def all_pairs() -> list[Pair]:
    """Every message of both contracts."""
    return [*fragments().pairs.values(), *real().pairs.values()]
