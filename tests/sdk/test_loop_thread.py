"""The thread under the blocking classes: calls from anywhere, Ctrl-C, and an end without leaks."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from grpclib.const import Status

from zb_mom_ww_mxgateway import (
    MxGatewayArgumentError,
    MxGatewaySessionClosedError,
    MxGatewayTimeoutError,
    sync,
)
from zb_mom_ww_mxgateway.loop_thread import LoopThread


def test_a_blocking_call_on_the_loop_itself_is_refused_rather_than_hung() -> None:
    thread = LoopThread("tests")

    async def nested() -> None:
        async def call() -> None:
            raise AssertionError

        thread.run("inner", call)

    try:
        with pytest.raises(MxGatewayArgumentError, match="inner: a blocking call"):
            thread.run("outer", nested)
    finally:
        thread.stop()
        thread.stop()


def test_stopping_the_loop_ends_what_runs_on_it() -> None:
    thread = LoopThread("tests")
    cleaned = threading.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(thread.run, "long", long)
        time.sleep(0.05)
        thread.stop()
        with pytest.raises(MxGatewaySessionClosedError, match="long: this client was closed"):
            running.result()
    assert cleaned.is_set()


def winding_down(thread: LoopThread) -> threading.Event:
    """Keeps a loop busy with its end for a while; the event says that it has begun."""
    begun = threading.Event()
    running: list[asyncio.Task[None]] = []

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            begun.set()
            await asyncio.sleep(0.2)

    async def start() -> None:
        running.append(asyncio.create_task(slow_to_end()))
        await asyncio.sleep(0)

    thread.run("start", start)
    return begun


def test_a_call_that_comes_while_the_loop_ends_is_refused_rather_than_hung() -> None:
    thread = LoopThread("tests")
    begun = winding_down(thread)

    def late() -> Coroutine[Any, Any, None]:
        begun.wait()
        return asyncio.sleep(3600)

    errors: list[str] = []

    def call() -> None:
        try:
            thread.run("late", late)
        except MxGatewaySessionClosedError as error:
            errors.append(str(error))

    calling = threading.Thread(target=call, daemon=True)
    calling.start()
    thread.stop()
    calling.join(10)
    assert errors == ["late: this client was closed; connect a new one"]


def test_everybody_who_stops_the_loop_waits_for_its_end() -> None:
    before = set(threading.enumerate())
    thread = LoopThread("tests")
    [served] = set(threading.enumerate()) - before
    begun = winding_down(thread)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(thread.stop)
        begun.wait()
        thread.stop()
        assert not served.is_alive()
        first.result()


def test_stopping_the_loop_ends_generators_that_nobody_took_to_their_end() -> None:
    thread = LoopThread("tests")
    cleaned = threading.Event()

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            cleaned.set()

    stream = sync.Stream(thread, numbers())
    assert next(stream) == 1
    thread.stop()
    assert cleaned.is_set()


def test_a_limit_of_the_call_is_told_from_the_limit_of_the_wait() -> None:
    thread = LoopThread("tests")

    async def late() -> AsyncGenerator[int, None]:
        raise MxGatewayTimeoutError("the call did not end", status=Status.DEADLINE_EXCEEDED)
        yield 1

    try:
        with pytest.raises(MxGatewayTimeoutError, match="the call did not end"):
            sync.Stream(thread, late()).next(timeout=10)
    finally:
        thread.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="a test cannot press Ctrl-C there")
def test_ctrl_c_cancels_the_call_that_is_waited_for() -> None:
    thread = LoopThread("tests")
    cancelled = threading.Event()
    me = threading.get_ident()

    async def long() -> None:
        asyncio.get_running_loop().call_later(0.1, signal.pthread_kill, me, signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    try:
        with pytest.raises(KeyboardInterrupt):
            thread.run("long", long)
        assert cancelled.wait(5)
    finally:
        thread.stop()
