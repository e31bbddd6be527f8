"""The names that a galaxy was seen to have, kept in a file for completion: no values, no keys."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import GalaxyObject

#: Names another folder than the user's cache folder; empty keeps nothing.
VARIABLE: Final = "MXGATEWAY_CACHE_DIR"
#: As much is kept for a gateway. It is read whole at each press of Tab, within some 20 ms.
MAX_BYTES: Final = 4_000_000


class Seen:
    """What one command saw of a galaxy. It stops growing at ``MAX_BYTES``."""

    def __init__(self) -> None:
        #: A line for each object by its tag name: the tag name and its attributes, between tabs.
        self.lines: dict[str, str] = {}
        #: Whether this was the whole galaxy, so that what is known besides is gone.
        self.whole = False
        self._size = 0

    def add(self, found: GalaxyObject) -> None:
        """Take the names of an object and of the attributes that came with it."""
        start = f"{found.tag_name}."
        references = (attribute.full_tag_reference for attribute in found.attributes)
        names = [r.removeprefix(start) for r in references if r.startswith(start)]
        if found.tag_name.isprintable():
            self.add_line("\t".join([found.tag_name, *filter(str.isprintable, names)]))

    def add_line(self, line: str) -> None:
        """Take a line as the file has it, if the object is new and there is room."""
        tag_name = line.partition("\t")[0]
        size = len(line.encode()) + 1
        if tag_name and tag_name not in self.lines and self._size + size <= MAX_BYTES:
            self.lines[tag_name] = line
            self._size += size

    def with_older(self, lines: list[str]) -> Seen:
        """This and what was known before; what is listed without attributes keeps known ones."""
        older = {line.partition("\t")[0]: line for line in lines}
        both = Seen()
        for tag_name, line in self.lines.items():
            both.add_line(line if "\t" in line else older.get(tag_name, line))
        if not self.whole:
            for line in lines:
                both.add_line(line)
        return both


@contextmanager
def remembering(endpoint: str) -> Generator[Seen]:
    """Keep what is added to the ``Seen`` that this gives, however the block ends.

    A file that cannot be read counts as empty, one that cannot be written stays as it was: no
    command fails for want of completion.
    """
    seen = Seen()
    try:
        yield seen
    finally:
        file = _file(endpoint)
        if file is not None and seen.lines:
            with suppress(OSError):
                _replace(file, "\n".join(seen.with_older(known_lines(endpoint)).lines.values()))


def known_lines(endpoint: str) -> list[str]:
    """What is known of the galaxy behind a gateway, a line for each object; the newest first."""
    file = _file(endpoint)
    if file is None:
        return []
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES).decode().split("\n")
    except (OSError, UnicodeDecodeError):
        return []


def known_objects(endpoint: str, incomplete: str) -> list[str]:
    """The tag names that begin with ``incomplete``, in any case, in their order."""
    return _fitting((line.partition("\t")[0] for line in known_lines(endpoint)), incomplete)


def known_references(endpoint: str, incomplete: str) -> list[str]:
    """What ``incomplete`` may become on its way to a reference, in any case, in its order.

    Tag names, as long as several fit; the references of an object when it is the only one that
    fits, or when a dot says that its name is complete.
    """
    parts = (line.partition("\t") for line in known_lines(endpoint))
    objects = {name: attributes for name, _, attributes in parts}
    tag_name, dot, _ = incomplete.partition(".")
    tags = _fitting(objects, tag_name)
    if dot:
        tags = [tag for tag in tags if tag.casefold() == tag_name.casefold()]
    if len(tags) != 1:
        return tags
    (tag,) = tags
    attributes = objects[tag].split("\t") if objects[tag] else []
    return _fitting((f"{tag}.{name}" for name in attributes), incomplete) or ([] if dot else tags)


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    # What is printable is asked again: it goes to a terminal, and others may write files too.
    start = incomplete.casefold()
    fitting = (name for name in names if name.casefold().startswith(start))
    return sorted(name for name in fitting if name and name.isprintable())


def _file(endpoint: str) -> Path | None:
    """Where the names of a gateway's galaxy are; None if nothing is to be kept."""
    folder = os.environ.get(VARIABLE)
    if folder == "":
        return None
    # Its hash, because an endpoint has characters that file names may not have.
    name = sha256(endpoint.casefold().rpartition("://")[2].encode(errors="replace")).hexdigest()[
        :32
    ]
    if folder is None:
        from platformdirs import user_cache_path

        return user_cache_path("mxgw-py", appauthor=False) / f"{name}.names"
    return Path(folder) / f"{name}.names"


def _replace(file: Path, text: str) -> None:
    """Write a file that others may read at the same time: they get the old one or the new one."""
    import tempfile  # here, as completing does not need it

    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, written = tempfile.mkstemp(dir=file.parent)  # which only the user may read
    try:
        with open(descriptor, "wb") as opened:
            opened.write(text.encode())
        os.replace(written, file)
    except BaseException:
        os.unlink(written)
        raise
