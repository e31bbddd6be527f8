"""Native values that go into requests, and what shows that all peers have read the same."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import Any, Final, TypeAlias

Value: TypeAlias = bool | int | float | str
#: Handle of an item, and what is written to it.
Write: TypeAlias = tuple[int, Value]

SERVER_HANDLE: Final = 1
PING: Final = "are you there?"
API_KEY: Final = "mxgw_bench_0123456789abcdef"
CALL_TIMEOUT: Final = 30.0
MOMENT: Final = (1_790_000_000, 123_456_000)


def value(number: int) -> Value:
    """Integers, doubles, booleans and texts in turn, each different from its neighbours."""
    match number % 4:
        case 0:
            return number * 100
        case 1:
            return number + 0.5
        case 2:
            return number % 8 == 2
        case _:
            return f"batch {number}"


def tag(number: int) -> str:
    """A reference as plants have them."""
    return f"TestMachine_{number:05}.TestChangingInt"


def tags(number: int) -> list[str]:
    """So many references."""
    return [tag(each) for each in range(1, number + 1)]


def writes(number: int) -> list[Write]:
    """So many writes."""
    return [(each, value(each)) for each in range(1, number + 1)]


def checksum(read: object) -> str:
    """The same text for the same values, whatever types a peer has for them."""
    return hashlib.sha256(repr(_plain(read)).encode()).hexdigest()[:16]


def _plain(read: Any) -> object:
    if isinstance(read, bool | float | str | bytes) or read is None:
        return read
    if isinstance(read, int):  # members of enumerations too
        return int(read)
    if isinstance(read, datetime):
        aware = read if read.tzinfo else read.replace(tzinfo=timezone.utc)
        return int(aware.replace(microsecond=0).timestamp()), read.microsecond * 1000
    assert isinstance(read, list | tuple), type(read)
    return tuple(map(_plain, read))  # pyright: ignore[reportUnknownArgumentType] - of anything
