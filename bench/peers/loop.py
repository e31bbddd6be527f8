"""The loop of a worker: it prepares a case, and runs rounds of it when told.

Each line of standard input is a JSON object and is answered by one: ``{"prepare": name, …}`` with
what the case read or made, for the check, and ``{"run": times}`` with how long that took. The
worker stays alive between rounds, so that nobody pays for a start or a warm-up.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from .native import checksum


@dataclass(frozen=True)
class Timed:
    """How long a round took, and each of its calls where they were timed, in seconds."""

    seconds: float
    each: list[float]


@dataclass(frozen=True)
class Case:
    """What to repeat, after a look at what it does."""

    #: Values that all workers have to agree on.
    check: str
    run: Callable[[int], Timed]
    close: Callable[[], None] = lambda: None


#: The variable that says which cores the worker may use: not the server's.
CORES: Final = "MXGW_BENCH_CORES"
#: Makes a case from the arguments that came with its name.
Prepare: TypeAlias = Callable[..., Case]


def serve(about: Mapping[str, object], cases: Mapping[str, Prepare]) -> None:
    """Say hello with ``about``, then do as told until the input ends."""
    if cores := os.environ.get(CORES):
        os.sched_setaffinity(0, set(map(int, cores.split())))
    _say(about)
    case: Case | None = None
    for line in sys.stdin:
        told: dict[str, Any] = json.loads(line)
        if "run" in told:
            assert case is not None
            timed = case.run(told["run"])
            _say({"seconds": timed.seconds, "each": timed.each})
        else:
            if case is not None:
                case.close()
            case = cases[told.pop("prepare")](**told)
            _say({"check": case.check})


def _say(what: Mapping[str, object]) -> None:
    print(json.dumps(what), flush=True)


def _repeated(call: Callable[[], object], check: str) -> Case:
    """A case of a function that takes so little that only all of its calls can be timed."""

    def run(times: int) -> Timed:
        started = time.perf_counter()
        for _ in range(times):
            call()
        return Timed(time.perf_counter() - started, [])

    return Case(check, run)


def codec(
    decode: Mapping[str, Callable[[bytes], object]], encode: Mapping[str, Callable[[], bytes]]
) -> dict[str, Prepare]:
    """The cases of a codec, from its functions by message."""
    decoding = {f"decode {name}": _decoding(function) for name, function in decode.items()}
    encoding = {f"encode {name}": _encoding(function) for name, function in encode.items()}
    return decoding | encoding


def _decoding(decode: Callable[[bytes], object]) -> Prepare:
    """A case of a function that turns bytes from a file into native values."""

    def prepare(file: str) -> Case:
        with open(file, "rb") as opened:
            data = opened.read()
        return _repeated(lambda: decode(data), checksum(decode(data)))

    return prepare


def _encoding(encode: Callable[[], bytes]) -> Prepare:
    """A case of a function that turns native values into bytes, which are compared as they are."""
    return lambda: _repeated(encode, encode().hex())


def blocking(call: Callable[[], object], close: Callable[[], None]) -> Case:
    """A case of a call, each timed by itself."""

    def run(times: int) -> Timed:
        each: list[float] = []
        started = before = time.perf_counter()
        for _ in range(times):
            call()
            now = time.perf_counter()
            each.append(now - before)
            before = now
        return Timed(before - started, each)

    return Case(checksum(call()), run, close)


def awaited(
    runner: asyncio.Runner,
    call: Callable[[], Awaitable[object]],
    close: Callable[[], Coroutine[Any, Any, None]],
    in_flight: int = 1,
    frozen: bool = False,
) -> Case:
    """A case of an asynchronous call, so many of them under way at a time.

    ``frozen`` takes what was there before out of garbage collection, with ``gc.freeze``.
    """

    async def repeat(times: int, each: list[float]) -> None:
        before = time.perf_counter()
        for _ in range(times):
            await call()
            now = time.perf_counter()
            each.append(now - before)
            before = now

    async def rounds(times: int) -> Timed:
        each: list[float] = []
        share = max(1, times // in_flight)
        started = time.perf_counter()
        if in_flight == 1:
            await repeat(times, each)
        else:
            await asyncio.gather(*(repeat(share, each) for _ in range(in_flight)))
        return Timed(time.perf_counter() - started, each)

    async def once() -> object:
        return await call()

    def finish() -> None:
        gc.unfreeze()
        runner.run(close())

    checked = checksum(runner.run(once()))
    if frozen:
        gc.collect()
        gc.freeze()
    return Case(checked, lambda times: runner.run(rounds(times)), finish)
