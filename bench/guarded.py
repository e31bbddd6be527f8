"""What the guard measures, in one process: work of this SDK over work that stays the same.

Codecs are compared with google.protobuf's on the same messages; what it has no counterpart for,
with a computation of plain Python. Both take turns in blocks of a few milliseconds, and of each
the fastest tenth counts: that is how long it takes when nothing disturbs it, on a busy machine
too. Processor time is measured, not the clock's.

``python -m bench.guarded FOLDER`` prints the ratios as JSON; FOLDER has the modules of protoc.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from zb_mom_ww_mxgateway import from_mx_value, to_mx_value

from . import canned
from .peers import native, ours, ours_codec
from .workers import Server

Work: TypeAlias = Callable[[], object]

#: Seconds of a block, at least, and of all blocks of a pair; there are so many at least.
_BLOCK: Final = 0.004
_ALL: Final = 1.0
_FEWEST: Final = 20


def plain() -> int:
    """What Python does much of in this SDK: calls, attributes, dictionaries, small objects."""
    found: dict[int, object] = {}
    for number in range(500):
        found[number & 63] = _Plain(number, str(number))
    return sum(len(each.text) for each in found.values() if isinstance(each, _Plain))


class _Plain:
    __slots__ = ("number", "text")

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text


def codecs() -> Mapping[str, tuple[Work, Work]]:
    """Codecs and values, by name: the work, and what it is compared with."""
    # Only here, because the modules of protoc are found in a folder that main is told.
    from .peers import protobuf_codec

    messages = canned.messages(results=100, objects=10)
    made: dict[str, tuple[Work, Work]] = {}
    for name, decode in ours_codec.DECODE.items():
        theirs, data = protobuf_codec.DECODE[name], bytes(messages[name])
        made[f"decode {name}"] = (_with(decode, data), _with(theirs, data))
    for name, encode in ours_codec.ENCODE.items():
        made[f"encode {name}"] = (encode, protobuf_codec.ENCODE[name])
    natives = [native.value(number) for number in range(100)]
    values = [to_mx_value(value) for value in natives]
    made["to_mx_value"] = (lambda: [to_mx_value(value) for value in natives], plain)
    made["from_mx_value"] = (lambda: [from_mx_value(value) for value in values], plain)
    return made


def _with(decode: Callable[[bytes], object], data: bytes) -> Work:
    return lambda: decode(data)


def streams(runner: asyncio.Runner, endpoint: str) -> Mapping[str, tuple[Work, Work]]:
    """Events; the server is another process, whose time does not count.

    Single calls are not here: they wait for the scheduler, and differ by a third from run to run.
    """
    count = canned.STREAM_EVENTS
    listening = runner.run(ours.Calls.connect(endpoint, f"events-{count}"))
    return {"event stream": (lambda: runner.run(listening.events(count)), plain)}


def ratio(work: Work, reference: Work) -> float:
    """How long ``work`` takes, in units of ``reference``."""
    times = [_times(work), _times(reference)]
    seconds: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    gc.disable()
    until = time.process_time() + _ALL
    try:
        while sum(map(len, seconds)) < 2 * _FEWEST or time.process_time() < until:
            for each, count, found in zip((work, reference), times, seconds, strict=True):
                found.append(_block(each, count) / count)
    finally:
        gc.enable()
    own, theirs = (statistics.quantiles(found, n=10)[0] for found in seconds)
    return own / theirs


def _block(work: Work, count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        work()
    return time.process_time() - began


def _times(work: Work) -> int:
    """How often the work fits into a block."""
    count = 1
    while (took := _block(work, count)) < _BLOCK / 2:
        count *= 2
    return max(1, round(count * _BLOCK / took))


def main(folder: str) -> None:
    """Print the ratio of each pair."""
    sys.path.append(folder)
    with Server() as server, asyncio.Runner() as runner:
        pairs = {**codecs(), **streams(runner, server.endpoint)}
        print(json.dumps({name: ratio(*pair) for name, pair in pairs.items()}))


if __name__ == "__main__":
    main(sys.argv[1])
