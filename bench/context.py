"""What every part is given."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from . import workers
from .machine import Setting
from .rounds import Plan


@dataclass(frozen=True)
class Context:
    """How long to measure, and where to note what took part."""

    plan: Plan
    setting: Setting
    quick: bool = False
    #: Whether calls go to a server of grpc.aio.
    stock_server: bool = False

    def say(self, what: str) -> None:
        """Tell whoever waits what is measured now."""
        print(f"  {what}", file=sys.stderr, flush=True)

    @contextmanager
    def workers(self, *, codecs: bool = False) -> Generator[list[workers.Worker]]:
        """The workers, while the block runs."""
        with ExitStack() as running:
            started = [running.enter_context(each) for each in workers.start(codecs=codecs)]
            for worker in started:
                self.setting.note(worker.name, worker.about)
            yield started


class DisagreementError(Exception):
    """Workers that have read or made different values from the same."""


def agreed(case: str, checks: Iterable[tuple[str, str]]) -> None:
    """See to it that all workers say the same.

    Raises:
        DisagreementError: They do not.
    """
    found = dict(checks)
    if len(set(found.values())) > 1:
        told: Sequence[str] = [f"{name} {check[:60]}" for name, check in found.items()]
        raise DisagreementError(f"{case}: the workers disagree: {', '.join(told)}")
