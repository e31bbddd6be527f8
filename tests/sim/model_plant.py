"""The model's plant: what is deployed, where references lead, what they read as, who may log in.

Plain Python, and nothing of the simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .model_values import Value

INVALID_ARGUMENT = 0x80070057 - 2**32
NOT_AUTHENTICATED = 0x80004021 - 2**32


class Status(NamedTuple):
    """Category and detail of an MXSTATUS."""

    category: str
    detail: int = 0


OK = Status("OK")
WRONG = Status("CONFIGURATION_ERROR")
INVALID_REFERENCE = Status("CONFIGURATION_ERROR", 6)
BARE_ARRAY = Status("CONFIGURATION_ERROR", 1003)
FORBIDDEN = Status("SECURITY_ERROR")
SECURED_WRITE = Status("SECURITY_ERROR", 1012)
VERIFIED_WRITE = Status("SECURITY_ERROR", 1013)


class CallFailedError(Exception):
    """The call ends with a gRPC status, whose name is the text."""


class RefusedError(Exception):
    """MXAccess refuses the command: protocol status MXACCESS_FAILURE."""

    def __init__(self, hresult: int = INVALID_ARGUMENT, status: Status = WRONG) -> None:
        self.hresult = hresult
        self.status = status


@dataclass(frozen=True)
class Attribute:
    """What is deployed under a name."""

    data_type: str
    value: Value
    security: str = "OPERATE"


@dataclass(frozen=True)
class Target:
    """Where a reference leads: a name, and what of it."""

    name: str
    index: int | None = None
    whole: bool = False


@dataclass(frozen=True)
class Reading:
    """A present value, or what is wrong; ``time`` in nanoseconds where somebody wrote the value."""

    status: Status
    data_type: str = ""
    value: Value | None = None
    time: int | None = None

    @property
    def quality(self) -> int:
        """Good quality is 192, configuration error 4."""
        return 192 if self.status == OK else 4


@dataclass(frozen=True, eq=False)
class Watcher:
    """Who is told when an attribute, or its element ``index``, changes."""

    index: int | None
    #: Takes the number of a deploy that tells it in any order, else 0.
    tell: Callable[[int], None]


class Plant:
    """What is deployed, and who watches it."""

    def __init__(self, deployed: dict[str, Attribute]) -> None:
        self.now = 0.0
        self.deployed = deployed
        self.values: dict[str, tuple[Value, int | None]] = {}
        self.watched: dict[str, list[Watcher]] = {}
        self._deploys = 0

    def target(self, reference: str, *, appends: bool = True) -> Target:
        """``Attr[]`` is the whole array, ``Attr[n]`` one element, n from 1; ``[0]`` is invalid.

        Where the gateway ``appends`` it, the bare name of a known array gets ``[]``.
        """
        text = reference.lower()
        name, bracket, rest = text.partition("[")
        if not bracket:
            known = self.deployed.get(name)
            return Target(name, whole=appends and known is not None and _is_array(known.value))
        if rest == "]":
            return Target(name, whole=True)
        number = rest.removesuffix("]")
        if rest.endswith("]") and number.isdecimal() and number[0] != "0":
            return Target(name, index=int(number))
        return Target(text)

    def read(self, target: Target) -> Reading:
        """The present value."""
        attribute = self.deployed.get(target.name)
        if attribute is None:
            return Reading(INVALID_REFERENCE)
        value, time = self.values.get(target.name, (attribute.value, None))
        if not isinstance(value, tuple):
            if target.whole or target.index is not None:
                return Reading(INVALID_REFERENCE)
        elif target.index is not None:
            if target.index > len(value):
                return Reading(INVALID_REFERENCE)
            value = value[target.index - 1]
        elif not target.whole:
            return Reading(BARE_ARRAY)
        return Reading(OK, attribute.data_type, value, time)

    def write(self, target: Target, value: Value, time: int) -> None:
        """A whole array is replaced and resized; an element is replaced."""
        before, _ = self.values.get(target.name, (self.deployed[target.name].value, None))
        if target.index is not None and isinstance(before, tuple):
            assert not isinstance(value, tuple)
            value = (*before[: target.index - 1], value, *before[target.index :])
        self.values[target.name] = value, time
        for watcher in list(self.watched.get(target.name, ())):
            if target.index is None or watcher.index in (None, target.index):
                watcher.tell(0)

    def deploy(self, deployed: dict[str, Attribute]) -> None:
        """Items of removed objects go to configuration error, those of new ones get values."""
        self._deploys += 1
        changed = self.deployed.keys() ^ deployed.keys()
        self.deployed = deployed
        for name in changed:
            self.values.pop(name, None)
            for watcher in list(self.watched.get(name, ())):
                watcher.tell(self._deploys)


def _is_array(value: Value) -> bool:
    return isinstance(value, tuple)


@dataclass(frozen=True)
class Users:
    """Who may log in."""

    is_secured: bool
    by_name: dict[str, tuple[str, int]]
    by_guid: dict[str, int]

    def log_in(self, name: str, password: str) -> int:
        """The user's positive id."""
        if not self.is_secured:
            return 1
        if name not in self.by_name or self.by_name[name][0] != password:
            raise RefusedError
        return self.by_name[name][1]
