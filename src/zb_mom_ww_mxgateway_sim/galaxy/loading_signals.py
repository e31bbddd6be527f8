"""Signals from a galaxy's file: seconds become ticks, recordings are read from CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType

from .definition import DATA_TYPES
from .documents import DocumentError, Table, nearest
from .loading_values import (
    NUMBER_TYPES,
    TYPE_NAMES,
    WHOLE_TYPES,
    WrongValueError,
    greatest,
    scalar_of_text,
)
from .signals import (
    GOOD,
    Changing,
    Counter,
    Ramp,
    RandomWalk,
    Replay,
    Signal,
    SignalValue,
    Sine,
    Toggle,
)

#: The longest time in a signal, in seconds: a year.
LONGEST: Final = 366 * 86_400.0
#: Qualities have eight bits: two of good, bad or uncertain, six of details.
_GREATEST_QUALITY: Final = 255

_COLUMNS: Final = ("time", "value", "quality")


class GalaxyFileError(DocumentError):
    """A galaxy's file, or a recording that it names, cannot be used as it is."""


def ticks(seconds: float, change_interval: float) -> int:
    """The ticks in so many seconds, rounded up; at least 1."""
    return max(1, _tick_after(seconds, change_interval))


def _tick_after(seconds: float, change_interval: float) -> int:
    """The first tick at or after a time."""
    # Of floats, 1.1 / 0.1 is 11.000000000000002, and the eleventh tick is meant.
    return math.ceil(round(seconds / change_interval, 6))


class SignalReader:
    """Reads signals of a galaxy that ticks every ``change_interval`` seconds."""

    def __init__(self, change_interval: float) -> None:
        self._change_interval = change_interval
        every_type = frozenset(DATA_TYPES)
        self._kinds: Mapping[str, _Kind] = {
            "static": _Kind(_static, every_type),
            "changing": _Kind(_changing, WHOLE_TYPES),
            "ramp": _Kind(partial(self._cycle, Ramp), NUMBER_TYPES),
            "sine": _Kind(partial(self._cycle, Sine), NUMBER_TYPES),
            "random-walk": _Kind(self._random_walk, NUMBER_TYPES),
            "counter": _Kind(self._counter, NUMBER_TYPES),
            "toggle": _Kind(self._toggle, frozenset({MxDataType.BOOLEAN})),
            "replay": _Kind(self._replay, every_type - {MxDataType.TIME}),
        }

    def read(self, table: Table, data_type: MxDataType) -> Signal | None:
        """The signal that a table describes, for an attribute of that type; None for static.

        Raises:
            GalaxyFileError: It describes none.
        """
        kind = table.choice("kind", self._kinds)
        if data_type not in kind.data_types:
            fitting = [name for name, other in self._kinds.items() if data_type in other.data_types]
            raise table.error(
                f"{table.text('kind')!r} makes no values of type {TYPE_NAMES[data_type]}; take one "
                f"of {', '.join(fitting)}",
                "kind",
            )
        return kind.read(table, data_type)

    def _cycle(self, kind: type[Ramp | Sine], table: Table, data_type: MxDataType) -> Signal:
        table.allow("kind", "min", "max", "period", "every", "phase")
        low, high = _range(table, data_type)
        return kind(
            low=low,
            high=high,
            period=self._ticks(table, "period"),
            every=self._ticks(table, "every", 0.0),
            is_whole=data_type in WHOLE_TYPES,
            phase=_phase(table),
        )

    def _random_walk(self, table: Table, data_type: MxDataType) -> Signal:
        table.allow("kind", "min", "max", "period", "every")
        low, high = _range(table, data_type)
        return RandomWalk(
            low=low,
            high=high,
            period=self._ticks(table, "period"),
            every=self._ticks(table, "every", 0.0),
            is_whole=data_type in WHOLE_TYPES,
        )

    def _counter(self, table: Table, data_type: MxDataType) -> Signal:
        table.allow("kind", "min", "max", "step", "every")
        is_whole = data_type in WHOLE_TYPES
        low, high = _range(table, data_type, 0, 2**31 - 1)
        if is_whole:
            step: float = table.whole("step", 1, least=1)
        else:
            step = table.number("step", 1.0, above=0, most=high - low)
            if (high - low) / step > 2**53:  # floats tell no more steps apart
                raise table.error("is too small for the way from min to max", "step")
        return Counter(
            low=low,
            high=high,
            step=step,
            every=self._ticks(table, "every", 0.0),
            is_whole=is_whole,
        )

    def _toggle(self, table: Table, data_type: MxDataType) -> Signal:
        table.allow("kind", "period", "on", "phase")
        seconds = table.number("period", above=0, most=LONGEST)
        on = table.number("on", seconds / 2, above=0, below=seconds)
        period = max(2, ticks(seconds, self._change_interval))
        return Toggle(
            period=period,
            on=min(ticks(on, self._change_interval), period - 1),
            phase=_phase(table),
        )

    def _replay(self, table: Table, data_type: MxDataType) -> Signal:
        table.allow("kind", "file")
        name = table.text("file")
        file = table.document.folder.joinpath(name)
        try:
            content = file.read_bytes()
        except OSError as error:
            raise table.error(f"cannot read {file}: {error.strerror}", "file") from None
        return _Recording(str(file), content, self._change_interval).replay(data_type)

    def _ticks(self, table: Table, key: str, default: float | None = None) -> int:
        if default is not None and key not in table:
            return ticks(default, self._change_interval)
        return ticks(table.number(key, above=0, most=LONGEST), self._change_interval)


class _Kind(NamedTuple):
    """A kind of signal: what reads it, and the types of attributes that it can move."""

    read: Callable[[Table, MxDataType], Signal | None]
    data_types: frozenset[MxDataType]


def _static(table: Table, data_type: MxDataType) -> None:
    table.allow("kind")


def _changing(table: Table, data_type: MxDataType) -> Signal:
    table.allow("kind", "span")
    return Changing(table.whole("span", Changing().span, least=10))


def _range(
    table: Table, data_type: MxDataType, low: float | None = None, high: float | None = None
) -> tuple[float, float]:
    """``min`` and ``max``, whole numbers for a type of these."""
    if data_type in WHOLE_TYPES:
        least: float = table.whole("min", None if low is None else int(low))
        most: float = table.whole("max", None if high is None else int(high))
    else:
        end = greatest(data_type)
        least = table.number("min", low, least=-end, most=end)
        most = table.number("max", high, least=-end, most=end)
    if least >= most:
        raise table.error(f"must be below max, but {least} is not below {most}", "min")
    return least, most


def _phase(table: Table) -> float | None:
    return table.number("phase", least=0, below=1) if "phase" in table else None


class _Recording:
    """A CSV with the columns ``time`` and ``value``, and perhaps ``quality``."""

    def __init__(self, file: str, content: bytes, change_interval: float) -> None:
        self._file = file
        self._content = content
        self._change_interval = change_interval

    def replay(self, data_type: MxDataType) -> Replay:
        """What it has recorded, for an attribute of that type.

        Raises:
            GalaxyFileError: It has recorded nothing, or something else.
        """
        times: list[float] = []
        rows: dict[int, tuple[SignalValue, int]] = {}
        for line, cells in self._rows():
            times.append(self._time(cells["time"], line, times))
            row = self._value(cells["value"], line, data_type), self._quality(cells, line)
            # Of rows before the same tick, the last one is what that tick sees.
            rows[_tick_after(times[-1], self._change_interval)] = row
        if not rows:
            raise self._error(None, "", "has no rows")
        qualities = tuple(quality for _, quality in rows.values())
        return Replay(
            ticks=tuple(rows),
            values=tuple(value for value, _ in rows.values()),
            qualities=() if set(qualities) == {GOOD} else qualities,
        )

    def _rows(self) -> list[tuple[int, dict[str, str]]]:
        """The cells of each row by column, with the line on which it begins."""
        try:
            text = self._content.decode("utf-8-sig")
        except UnicodeDecodeError as fault:
            raise self._error(None, "", f"is not UTF-8: {fault.reason}") from None
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        columns: list[str] | None = None
        rows: list[tuple[int, dict[str, str]]] = []
        line = 1
        try:
            for cells in reader:
                if columns is None:
                    columns = self._columns([cell.strip() for cell in cells], line)
                elif cells:
                    if len(cells) != len(columns):
                        count = f"has {len(cells)} cells, but there are {len(columns)} columns"
                        raise self._error(line, "", count)
                    rows.append((line, dict(zip(columns, cells, strict=True))))
                line = reader.line_num + 1
        except csv.Error as fault:
            raise self._error(line, "", f"is not CSV: {fault}") from None
        return rows

    def _columns(self, names: list[str], line: int) -> list[str]:
        for name in names:
            if name not in _COLUMNS:
                question = nearest(name, _COLUMNS) or f"; there are {', '.join(_COLUMNS)}"
                raise self._error(line, name, f"is no column{question}")
        if len(set(names)) < len(names):
            raise self._error(line, "", "names a column twice")
        for name in ("time", "value"):
            if name not in names:
                raise self._error(line, name, "is missing; the first line names the columns")
        return names

    def _time(self, text: str, line: int, before: list[float]) -> float:
        try:
            time = scalar_of_text(text, MxDataType.DOUBLE)
        except WrongValueError:
            time = -1
        if not isinstance(time, int | float) or not 0 <= time <= LONGEST:
            raise self._error(line, "time", f"must be a number of seconds, at most {LONGEST:.0f}")
        if not before and time != 0:
            raise self._error(line, "time", "must be 0 in the first row")
        if before and time <= before[-1]:
            raise self._error(line, "time", f"must rise, but {time} is not after {before[-1]}")
        return float(time)

    def _value(self, text: str, line: int, data_type: MxDataType) -> SignalValue:
        try:
            value = scalar_of_text(text, data_type)
        except WrongValueError as fault:
            raise self._error(line, "value", str(fault)) from None
        assert not isinstance(value, Timestamp)  # no text becomes one
        return value

    def _quality(self, cells: Mapping[str, str], line: int) -> int:
        text = cells.get("quality", "").strip()
        quality = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
        if not text:
            return GOOD
        if not 0 <= quality <= _GREATEST_QUALITY:
            raise self._error(
                line, "quality", f"must be from 0 to {_GREATEST_QUALITY}, or empty for {GOOD}"
            )
        return quality

    def _error(self, line: int | None, column: str, reason: str) -> GalaxyFileError:
        return GalaxyFileError(self._file, line, column, reason)
