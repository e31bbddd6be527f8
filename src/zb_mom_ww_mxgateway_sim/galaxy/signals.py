"""Signals: what moves attributes. A value depends on the signal, the key of its attribute (made of
seed and name) and k alone, so the same seed gives the same values in the same order.

The galaxy ticks: k counts the ticks, and all times in here are numbers of ticks.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

#: The OPC quality of a value that may be used.
GOOD: Final = 192

#: What a signal makes of an attribute, by the type of that.
SignalValue: TypeAlias = bool | int | float | str

_MASK: Final = 2**64 - 1
#: The golden ratio's 64 bits, and two more odd numbers without a pattern: those of splitmix64.
_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB

#: A sum of many layers of noise stays near its middle; so much wider it uses the range well.
_SPREAD: Final = 2.2


def signal_key(seed: int, reference: str) -> int:
    """What tells the signals of one galaxy apart: 64 bits, of the attribute's full name."""
    digest = hashlib.blake2b(f"{seed}:{reference}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


class Signal(Protocol):
    """A sequence of values, each a bool, an int, a float or a str by the attribute's type."""

    __slots__ = ()

    def value(self, k: int, key: int) -> SignalValue:
        """The ``k``-th value, from 0 on, for the attribute with that key."""
        ...

    def quality(self, k: int, key: int) -> int:
        """The OPC quality of the ``k``-th value."""
        return GOOD

    def moves(self, k: int, key: int) -> bool:
        """Whether the ``k``-th value is a new one, to be told to those who watch."""
        return k == 0 or (self.value(k, key), self.quality(k, key)) != (
            self.value(k - 1, key),
            self.quality(k - 1, key),
        )


@dataclass(frozen=True, slots=True)
class Changing(Signal):
    """A ramp over whole numbers that repeats; each attribute has its own start and stride, and two
    values in a row always differ.
    """

    span: int = 10_000

    def value(self, k: int, key: int) -> int:
        """The ``k``-th value, from 0 to ``span`` - 1."""
        start = (key >> 32) % self.span
        stride = 1 + ((key >> 24) & 0xFF) % 9
        return (start + k * stride) % self.span

    def moves(self, k: int, key: int) -> bool:
        """Always."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wave(Signal):
    """A number that comes and goes between ``low`` and ``high``.

    Args:
        low: The least value.
        high: The greatest value.
        period: Ticks after which it repeats (a random walk: after which it is somewhere else).
        every: Ticks from one new value to the next.
        is_whole: Whether values are rounded to whole numbers, as ``low`` and ``high`` are then.
    """

    low: float
    high: float
    period: int
    every: int = 1
    is_whole: bool = False

    def value(self, k: int, key: int) -> int | float:
        """The ``k``-th value, from ``low`` to ``high``."""
        height = self._height(k - k % self.every, key)
        # Weighted, as ``high - low`` may be more than a float can hold.
        number = min(max((1 - height) * self.low + height * self.high, self.low), self.high)
        return round(number) if self.is_whole else number

    def _height(self, k: int, key: int) -> float:
        """How high it is at tick ``k``: 0 at ``low``, 1 at ``high``."""
        raise NotImplementedError


def _place(k: int, key: int, period: int, phase: float | None) -> int:
    """The tick within the period at which an attribute is."""
    return (k + ((key >> 16) if phase is None else int(phase * period))) % period


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp(_Wave):
    """A straight rise from ``low`` to ``high`` in each period, then a fall at once.

    ``phase`` is where in its period it starts, from 0 up to but not including 1; None gives each
    attribute a place of its own.
    """

    phase: float | None = None

    def _height(self, k: int, key: int) -> float:
        return _place(k, key, self.period, self.phase) / max(1, self.period - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sine(_Wave):
    """A sine wave.

    ``phase`` is where in its period it starts, from 0, the middle and rising, up to but not
    including 1; None gives each attribute a place of its own.
    """

    phase: float | None = None

    def _height(self, k: int, key: int) -> float:
        turn = _place(k, key, self.period, self.phase) / self.period
        return 0.5 + 0.5 * math.sin(2 * math.pi * turn)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomWalk(_Wave):
    """A walk without a pattern, small steps often and large ones seldom, that never repeats.

    It is a sum of layers of noise. A layer has a random height at each multiple of its length and
    straight lines between; its length is half that of the layer before, from ``period`` down, and
    its weight the root of that, which is what the parts of a random walk weigh. So any value is
    found in as many steps as ``period`` has binary digits. What leaves the range comes back in.
    """

    def _height(self, k: int, key: int) -> float:
        total, weights, weight, length, layer = 0.0, 0.0, 1.0, self.period, 0
        while length:
            cell, place = divmod(k, length)
            before, after = _noise(key, layer, cell), _noise(key, layer, cell + 1)
            total += weight * (before + (after - before) * place / length)
            weights += weight
            weight, length, layer = weight * math.sqrt(0.5), length // 2, layer + 1
        spread = 0.5 + (total / weights - 0.5) * _SPREAD
        folded = abs(spread) % 2  # reflected at both ends of the range
        return 2 - folded if folded > 1 else folded


def _noise(key: int, layer: int, cell: int) -> float:
    """From 0 to 1, without a pattern: splitmix64 of what it is asked for."""
    mixed = (key + layer * _MIX_1 + (cell + 1) * _GOLDEN) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * _MIX_1) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * _MIX_2) & _MASK
    return (mixed ^ (mixed >> 31)) / _MASK


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter(Signal):
    """Counts up from ``low`` and begins there again once the next value would be above ``high``.

    Args:
        low: The first value.
        high: What no value is above.
        step: What is added each time; positive.
        every: Ticks from one value to the next.
        is_whole: Whether it counts in whole numbers, as ``low`` and ``step`` are then.
    """

    low: float = 0
    high: float = 2**31 - 1
    step: float = 1
    every: int = 1
    is_whole: bool = True

    def value(self, k: int, key: int) -> int | float:
        """The ``k``-th value, the same for every attribute."""
        # Of floats, 0.3 / 0.1 is 2.9999999999999996, and three steps are meant.
        steps = int((self.high - self.low) / self.step + 1e-9) + 1
        number = min(self.low + k // self.every % steps * self.step, self.high)
        return int(number) if self.is_whole else float(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Toggle(Signal):
    """On for a part of each period, then off.

    Args:
        period: Ticks after which it repeats; at least 2.
        on: Ticks of each period for which it is true; less than ``period``.
        phase: Where in its period it starts, from 0 up to but not including 1; None gives each
            attribute a place of its own.
    """

    period: int
    on: int
    phase: float | None = None

    def value(self, k: int, key: int) -> bool:
        """The ``k``-th value."""
        return _place(k, key, self.period, self.phase) < self.on


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay(Signal):
    """What was recorded, again and again: the tick after the last row is tick 0 of the next round.

    Args:
        ticks: When each row comes, the first at 0, rising.
        values: The value of each row, which stays until the next.
        qualities: Its OPC quality; empty where all are good.
    """

    ticks: tuple[int, ...]
    values: tuple[SignalValue, ...]
    qualities: tuple[int, ...] = ()

    def value(self, k: int, key: int) -> SignalValue:
        """The ``k``-th value, the same for every attribute."""
        return self.values[self._row(k)]

    def quality(self, k: int, key: int) -> int:
        """The OPC quality of the ``k``-th value."""
        return self.qualities[self._row(k)] if self.qualities else GOOD

    def _row(self, k: int) -> int:
        return bisect_right(self.ticks, k % (self.ticks[-1] + 1)) - 1
