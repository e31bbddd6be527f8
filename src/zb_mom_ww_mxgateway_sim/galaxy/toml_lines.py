"""Where the keys of a TOML document stand. ``tomllib`` tells syntax errors' lines and no others."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import Final, TypeAlias

#: Where something is in a document: names of tables and keys; elements of arrays count from 0.
Path: TypeAlias = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_NAME: Final = re.compile(r"""[^ \t\n.=\]"'#]+""")
#: What a value of one line is: a number, a time (which may have a blank in it), true or false.
_PLAIN: Final = re.compile(r"[^,\]}#\n]+")
_STRING: Final = re.compile(
    r'''
      """ (?:\\.|[^\\])*? """ "{0,2}  # up to two more quotes are the last of the text
    | \'\'\' .*? \'\'\' '{0,2}
    | " (?:\\.|[^"\\])* "
    | ' [^']* '
    ''',
    re.VERBOSE | re.DOTALL,
)


def lines_of(text: str) -> dict[Path, int]:
    """The lines, from 1 on, on which each table, key and element of an array is first named.

    Args:
        text: What ``tomllib.loads`` takes, with ``\\n`` at the ends of lines. Anything else has
            lines too, but who knows which.

    Raises:
        RecursionError: Values are nested deeper than ``tomllib`` takes.
    """
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


class _Scanner:
    """Goes through a document once. It knows that the syntax is right, and checks nothing."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        #: How many tables each array of tables has so far.
        self._tables: dict[Path, int] = {}

    def scan(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            if self._take("[["):
                table = self._header(is_array=True)
            elif self._take("["):
                table = self._header(is_array=False)
            else:
                self._pair(table)

    def _header(self, *, is_array: bool) -> Path:
        """The table that is opened; what it is in may be the last one of an array of tables."""
        keys = self._keys()
        path: Path = ()
        for place, (key, line) in enumerate(keys, 1):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if is_array and place == len(keys):
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
                self.lines.setdefault(path, line)
        self._skip(_SPACE)
        self._at += 2 if is_array else 1
        return path

    def _pair(self, table: Path) -> None:
        path = table
        for key, line in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._take("=")
        self._skip(_SPACE)
        self._value(path)

    def _keys(self) -> list[tuple[str, int]]:
        """The parts of a dotted key, with the line of each."""
        keys: list[tuple[str, int]] = []
        while not keys or self._take("."):
            self._skip(_SPACE)
            line = self._line()
            quoted = self._text[self._at : self._at + 1] in ("'", '"')
            found = self._match(_STRING if quoted else _NAME)
            keys.append((tomllib.loads(f"key = {found}")["key"] if quoted else found, line))
            self._skip(_SPACE)
        return keys

    def _value(self, path: Path) -> None:
        if self._take("["):
            index = 0
            while not self._ended("]"):
                self.lines[*path, index] = self._line()
                self._value((*path, index))
                index += 1
        elif self._take("{"):
            while not self._ended("}"):
                self._pair(path)
        elif self._text[self._at] in ("'", '"'):
            self._match(_STRING)
        else:
            self._match(_PLAIN)

    def _ended(self, bracket: str) -> bool:
        """Whether that bracket is next, behind a comma or none."""
        self._skip(_BLANK)
        self._take(",")
        self._skip(_BLANK)
        return self._take(bracket)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        self._match(pattern)
        return self._at

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"no TOML at line {self._line()}")
        self._at = match.end()
        return match[0]

    def _take(self, what: str) -> bool:
        found = self._text.startswith(what, self._at)
        self._at += len(what) if found else 0
        return found

    def _line(self) -> int:
        return bisect_right(self._ends, self._at - 1) + 1
