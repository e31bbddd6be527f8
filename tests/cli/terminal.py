"""A program at a pseudo-terminal, as somebody sits before it."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

PATIENCE = 20.0


class Terminal:
    """A process whose three streams are one terminal of 40 rows."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path | None = None,
        columns: int = 100,
    ) -> None:
        assert sys.platform != "win32"
        import fcntl
        import termios

        self._screen, other = os.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=other,
            stdout=other,
            stderr=other,
            # Its size is that of the terminal, whatever the environment says.
            env={"TERM": "xterm-256color"}
            | {name: environment[name] for name in environment if name != "COLUMNS"},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(other)
        self._seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._screen)

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        os.write(self._screen, f"{line}\n".encode())

    def press(self, keys: str) -> None:
        """Press keys; ``\\x03`` is Ctrl-C."""
        os.write(self._screen, keys.encode())

    def wait_for(self, text: str) -> str:
        """What comes up to and with ``text``."""
        end = time.monotonic() + PATIENCE
        while text not in self._seen:
            assert self._read(end), f"no {text!r} in {self._seen!r}"
        found, text, self._seen = self._seen.partition(text)
        return found + text

    def rest(self) -> str:
        """What comes until the program ends."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        self.process.wait(PATIENCE)
        return self._seen

    def _read(self, end: float) -> bool:
        """Read once; False at the end of the program, or of patience."""
        if not select.select([self._screen], [], [], max(0, end - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # the other side is closed
            return False
        self._seen += data.decode(errors="replace")
        return bool(data)
