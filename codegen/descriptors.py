""".proto files to a FileDescriptorSet, with comments and line numbers indexed by element.

protoc is the one in grpcio-tools, run in process.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import cast

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc  # pyright: ignore[reportMissingTypeStubs]

from .errors import CodegenError

# grpcio-tools carries no types.
_protoc = cast("Callable[[list[str]], int]", getattr(protoc, "main"))  # noqa: B009

#: A path of field numbers and indexes from the file to an element, as protoc counts them.
ElementPath = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where one file's elements stand, and what their comments say."""

    file: str
    lines: dict[ElementPath, int]
    comments: dict[ElementPath, str]

    def where(self, path: ElementPath) -> str:
        """``file:line`` of an element, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}:{self.lines.get(path, 1)}"

    def comment(self, path: ElementPath) -> str:
        """The comment above an element, or behind it; empty where there is none."""
        return self.comments.get(path, "")


@dataclass(frozen=True, slots=True)
class Contract:
    """The compiled contract: its files in dependency order, and the source of each by name."""

    files: tuple[FileDescriptorProto, ...]
    sources: dict[str, Source]

    def descriptor_set(self) -> bytes:
        """The files without comments as a FileDescriptorSet; the same bytes each time."""
        bare = FileDescriptorSet()
        for file in self.files:
            bare.file.add().CopyFrom(file)
            bare.file[-1].ClearField("source_code_info")
        return bare.SerializeToString(deterministic=True)


def compile_contract(proto_dir: Path) -> Contract:
    """Compile every .proto file under ``proto_dir``."""
    if not proto_dir.is_dir():
        raise CodegenError(f"there is no folder {proto_dir}", hint="name one with --proto-dir")
    names = sorted(path.relative_to(proto_dir).as_posix() for path in proto_dir.rglob("*.proto"))
    if not names:
        raise CodegenError(
            f"no .proto file under {proto_dir}", hint="name a folder with --proto-dir"
        )
    well_known = str(resources.files("grpc_tools") / "_proto")
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch, "contract.binpb")
        arguments = [
            "protoc",
            f"-I{proto_dir}",
            f"-I{well_known}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={output}",
            *names,
        ]
        with _standard_error(Path(scratch, "stderr")) as messages:
            status = _protoc(arguments)
        if status != 0:
            raise CodegenError(
                messages.read_text(errors="replace").strip() or "protoc failed without a word",
                hint="the contract must be valid proto3",
            )
        files = FileDescriptorSet.FromString(output.read_bytes()).file
    return Contract(tuple(files), {file.name: _source(file) for file in files})


def _source(file: FileDescriptorProto) -> Source:
    lines: dict[ElementPath, int] = {}
    comments: dict[ElementPath, str] = {}
    for location in file.source_code_info.location:
        path = tuple(location.path)
        lines.setdefault(path, location.span[0] + 1)
        comment = location.leading_comments or location.trailing_comments
        if comment.strip():
            comments[path] = _tidy(comment)
    return Source(file.name, lines, comments)


def _tidy(comment: str) -> str:
    lines = [line.removeprefix(" ").rstrip() for line in comment.splitlines()]
    return "\n".join(lines).strip("\n")


@contextmanager
def _standard_error(to: Path) -> Generator[Path]:
    """Send file descriptor 2, where protoc's C++ writes its errors, to a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    with to.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield to
        finally:
            os.dup2(kept, 2)
            os.close(kept)
