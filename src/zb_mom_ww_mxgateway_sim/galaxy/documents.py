"""TOML files that people write: each error says file, line, key and what to do; none a secret."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from difflib import get_close_matches
from functools import cached_property
from importlib.resources.abc import Traversable
from typing import Final, TypeAlias, TypeVar

from .toml_lines import Path, lines_of

T = TypeVar("T")

#: What ``tomllib`` makes of a value.
TomlValue: TypeAlias = (
    "bool | int | float | str | datetime | date | time | list[TomlValue] | dict[str, TomlValue]"
)

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_KINDS: Final[dict[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "an array",
    dict: "a table",
}


class DocumentError(ValueError):
    """A file cannot be used as it is.

    Attributes:
        file: The file, as it was asked for.
        line: The line at fault, from 1 on; None where the whole file is.
        key: What is at fault, as TOML writes it; elements of arrays count from 1. Empty where no
            key is.
        reason: What is wrong, and what to do.
    """

    def __init__(self, file: str, line: int | None, key: str, reason: str) -> None:
        super().__init__(file, line, key, reason)
        self.file = file
        self.line = line
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.reason) if part)


class Document:
    """One TOML file.

    Args:
        file: Where it is; read at once.
        folder: What paths in it start from.
        error: What its errors are.

    Raises:
        OSError: The file cannot be read.
        DocumentError: It is not TOML.
    """

    def __init__(
        self,
        file: Traversable,
        folder: Traversable,
        error: type[DocumentError] = DocumentError,
    ) -> None:
        self.file = str(file)
        self.folder = folder
        self._error = error
        try:
            # Editors on Windows begin files with a byte order mark, which TOML does not know.
            self._text = file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
            content: dict[str, TomlValue] = tomllib.loads(self._text)
        except UnicodeDecodeError as fault:
            raise self.error(f"is not UTF-8: {fault.reason}; save it as UTF-8") from None
        except RecursionError:
            raise self.error("nests tables or arrays too deeply") from None
        except ValueError as fault:
            raise self._syntax_error(str(fault)) from None
        self.root = Table(self, (), content)

    def error(self, reason: str, path: Path = ()) -> DocumentError:
        """An error at the place of ``path``, or of the nearest that is there above it."""
        line = None
        while path and line is None:
            line = self._lines.get(path)
            if line is None:
                path = path[:-1]
        return self._error(self.file, line, written(path), reason)

    @cached_property
    def _lines(self) -> dict[Path, int]:
        return lines_of(self._text)  # only when something is wrong

    def _syntax_error(self, text: str) -> DocumentError:
        match = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", text)
        if match is None:  # such as a number with thousands of digits
            return self._error(self.file, None, "", f"is not TOML: {text}")
        line = int(match[1]) if match[1] else self._text.count("\n") + 1
        column = f" (column {match[2]})" if match[2] else " (at the end of the file)"
        return self._error(self.file, line, "", f"is not TOML: {text[: match.start()]}{column}")


def written(path: Path) -> str:
    """A path as people write it: ``templates."$Tank".attributes.Level``, ``objects[1].parent``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """A question whether one of the ``known`` names was meant, as it is spelled there; empty where
    none is like it, and no single one begins with it.
    """
    key = name.casefold()
    by_key = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(key, by_key, n=1)
    longer = [candidate for candidate in by_key if key and candidate.startswith(key)]
    if not close and len(longer) == 1:
        close = longer
    return f"; did you mean {by_key[close[0]]!r}?" if close else ""


class Table:
    """One table of a document. What is asked for and is not as it must be raises a DocumentError.

    For the getters: without ``default``, the key must be there; what they raise names no value,
    but those of numbers and choices.
    """

    def __init__(self, document: Document, path: Path, content: Mapping[str, TomlValue]) -> None:
        self.document = document
        self.path = path
        self._content = content

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def error(self, reason: str, *path: str | int) -> DocumentError:
        """An error at a key of this table, or at the table itself."""
        return self.document.error(reason, (*self.path, *path))

    def allow(self, *keys: str) -> None:
        """Refuse every other key."""
        for key in self._content:
            if key not in keys:
                question = nearest(key, keys) or f"; there are {', '.join(keys)}"
                raise self.error(f"is not known here{question}", key)

    def value(self, key: str) -> TomlValue:
        """What is at a key, whatever it is."""
        if key not in self._content:
            raise self.error(f"{key!r} is missing")
        return self._content[key]

    def flag(self, key: str, default: bool | None = None) -> bool:
        """True or false."""
        if default is not None and key not in self:
            return default
        value = self.value(key)
        if not isinstance(value, bool):
            raise self._wrong_type(key, bool)
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A text."""
        if default is not None and key not in self:
            return default
        value = self.value(key)
        if not isinstance(value, str):
            raise self._wrong_type(key, str)
        return value

    def whole(
        self, key: str, default: int | None = None, *, least: int = -(2**31), most: int = 2**31 - 1
    ) -> int:
        """A whole number from ``least`` to ``most``."""
        if default is not None and key not in self:
            return default
        number = self.value(key)
        if isinstance(number, bool) or not isinstance(number, int):
            raise self._wrong_type(key, int)
        if not least <= number <= most:
            raise self.error(f"must be from {least} to {most}, but is {_shown(number)}", key)
        return number

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        least: float = -math.inf,
        above: float = -math.inf,
        most: float = math.inf,
        below: float = math.inf,
    ) -> float:
        """A finite number within these limits; ``above`` and ``below`` are out of them."""
        if default is not None and key not in self:
            return default
        number = self.value(key)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise self._wrong_type(key, float)
        limits = (
            ("finite", _is_finite(number)),
            (f"at least {least}", number >= least),
            (f"above {above}", number > above),
            (f"at most {most}", number <= most),
            (f"below {below}", number < below),
        )
        for limit, kept in limits:
            if not kept:
                raise self.error(f"must be {limit}, but is {_shown(number)}", key)
        return float(number)

    def choice(self, key: str, choices: Mapping[str, T], default: T | None = None) -> T:
        """What a name stands for."""
        if default is not None and key not in self:
            return default
        name = self.text(key)
        if name not in choices:
            question = nearest(name, choices)
            raise self.error(f"{name!r} is not one of {', '.join(choices)}{question}", key)
        return choices[name]

    def table(self, key: str) -> Table:
        """A table; an empty one where there is none."""
        value = self.value(key) if key in self else {}
        if not isinstance(value, dict):
            raise self._wrong_type(key, dict)
        return Table(self.document, (*self.path, key), value)

    def tables(self, key: str) -> list[Table]:
        """The tables of an array of them; none where there is no such key."""
        entries = self.value(key) if key in self else []
        if not isinstance(entries, list):
            raise self._wrong_type(key, list)
        found: list[Table] = []
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise self.error("must be a table", key, index)
            found.append(Table(self.document, (*self.path, key, index), entry))
        return found

    def _wrong_type(self, key: str, wanted: type) -> DocumentError:
        found = kind_of(self._content[key])
        return self.error(f"must be {_KINDS[wanted]}, not {found}", key)


def kind_of(value: TomlValue) -> str:
    """What a value is, in words."""
    return _KINDS.get(type(value), "a date or a time")


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number that no float holds
        return False


def _shown(number: float) -> str:
    # Digits without end are of no use, and Python refuses to print them.
    return str(number) if not isinstance(number, int) or abs(number) < 10**20 else "far more"
