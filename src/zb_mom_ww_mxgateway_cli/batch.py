"""``mxgw-py batch``: command lines from standard input, one after another, over one connection."""

from __future__ import annotations

import asyncio
import io
import os
import shlex
import sys
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, Final

import click

from .connection import shared_connection, with_connection_options
from .exits import FAILURE, INTERRUPTED, OK, USAGE
from .output import batched, end_of_line, fail
from .shared import SHARED

#: Ends what is printed for a line.
END_OF_LINE: Final = "__MXGW_BATCH_EOR__"
_CHUNK: Final = 65_536
#: Bytes of a line: more than a shell takes, and what can be taken apart within a second or so.
_LONGEST: Final = 1 << 20


@click.command(epilog="Example: echo 'smoke --item TestMachine_001.MachineCode' | mxgw-py batch")
@with_connection_options
def batch(**given: Any) -> int:
    """Run command lines from standard input over one connection.

    One line is one command without "mxgw-py", quoted as a shell's on every system. For each line
    its results are printed, as JSON unless it asks for another --output, and then a line that is
    exactly __MXGW_BATCH_EOR__. An error is printed as {"error": TEXT, "exitCode": CODE, "type":
    "error"}, and the next line runs. A line that is empty, or begins with #, does nothing; it has
    its end as well. Connection options that are given here are those of all lines that have none.

    The batch ends with its input, with Ctrl-C or SIGTERM, or when nobody reads its output.
    """
    if SHARED.get() is not None:
        raise click.UsageError("a batch cannot run in a batch")
    lines = Lines(sys.stdin.fileno())
    with shared_connection(**given) as shared, batched(), _nothing_to_read():
        while shared.ended is None:
            try:
                line = shared.run(lines.next())
            except asyncio.CancelledError:
                break
            if line is None:
                return OK
            if _run(line) == INTERRUPTED and shared.ended is None:
                asked = "it asks something, and in a batch nobody answers; say it with options"
                fail(asked, "UsageError", USAGE, as_json=True)
            end_of_line(END_OF_LINE)
        return OK if shared.ended is None else shared.ended


class Lines:
    """The lines that come from a file descriptor, without keeping the event loop from its work.

    A thread reads. Nobody has to wait for it: where nothing more comes, it ends with the process.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._whole: deque[bytes] = deque()
        self._rest = b""
        self._ended = False

    async def next(self) -> bytes | None:
        """The next line without its end; None behind the last. What is too long is cut."""
        while not self._whole and not self._ended:
            chunk = await self._read()
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            self._whole.extend(whole)
            self._rest = self._rest[: _LONGEST + 1]  # enough to tell that it is too long
            if not chunk:
                self._ended = True
                if self._rest:
                    self._whole.append(self._rest)
        return self._whole.popleft() if self._whole else None

    async def _read(self) -> bytes:
        """What comes next; empty at the end."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[bytes] = loop.create_future()

        def give(chunk: bytes) -> None:
            if not found.done():
                found.set_result(chunk)

        def read() -> None:
            try:
                chunk = os.read(self._descriptor, _CHUNK)
            except OSError:
                chunk = b""
            with suppress(RuntimeError):  # the batch was ended meanwhile, and its loop with it
                loop.call_soon_threadsafe(give, chunk)

        # os.read and not sys.stdin, whose lock a waiting thread would hold when Python ends.
        Thread(target=read, name="batch input", daemon=True).start()
        return await found


def split(line: bytes) -> list[str]:
    """The arguments of a line, quoted as a shell's; none for a line that is empty or a comment.

    Raises:
        click.UsageError: It is too long, no UTF-8 text, or a quote is not closed.
    """
    if len(line) > _LONGEST:
        raise click.UsageError(f"the line has more than {_LONGEST} bytes")
    try:
        text = line.decode("utf-8-sig").strip()
        return [] if text.startswith("#") else shlex.split(text)
    except UnicodeDecodeError:
        raise click.UsageError("the line is not text in UTF-8") from None
    except ValueError as error:
        raise click.UsageError(f"the line cannot be read: {error}") from None


def _run(line: bytes) -> int:
    """Run one line; its exit code. Whatever is wrong with it is printed, and ends it alone."""
    from .__main__ import run

    try:
        arguments = split(line)
        if arguments:
            _check(arguments)
            return run(arguments)
    except click.UsageError as error:
        return fail(error.format_message(), "UsageError", USAGE, as_json=True)
    except BrokenPipeError:
        raise
    except Exception as error:
        # Its text may hold anything, so it is not shown: a trace shows it to who asks for it.
        return fail(
            f"{type(error).__name__}, which is a fault of mxgw-py; run the line without a batch "
            "to see where it comes from",
            type(error).__name__,
            FAILURE,
            as_json=True,
        )
    return OK


def _check(arguments: Sequence[str]) -> None:
    """Refuse to simulate: it would go on until Ctrl-C, and that ends the batch."""
    command, *rest = arguments
    if command != "simulate":
        return
    from .simulate import simulate

    if not rest or rest[0] not in (*simulate.commands, "--help", "-h"):
        raise click.UsageError("a batch cannot simulate a gateway; start 'simulate' beside it")


@contextmanager
def _nothing_to_read() -> Generator[None]:
    """Leave standard input to the batch: a command that reads it finds its end."""
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before
