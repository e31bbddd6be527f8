"""What moves the conditions of alarms by itself: numbers that cross limits, and the script."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .clock import Clock, Timer
from .galaxy.definition import AlarmStep, Threshold
from .galaxy.live import GOOD, Galaxy


def crossed_limit(threshold: Threshold, number: float, *, before: bool) -> float | None:
    """The limit beyond which ``number`` is; None while the condition is false.

    A condition that was true ``before`` becomes false once the number is back within the limits by
    the deadband.

    >>> high = Threshold(attribute="Level", above=90, deadband=2)
    >>> [crossed_limit(high, 89, before=before) for before in (False, True)]
    [None, 90]
    """
    slack = threshold.deadband if before else 0.0
    if threshold.above is not None and number > threshold.above - slack:
        return threshold.above
    if threshold.below is not None and number < threshold.below + slack:
        return threshold.below
    return None


class Limit:
    """The limit on a number of one object. It writes the condition as the plant would, whenever the
    number says something else than the condition does.

    D: what somebody else writes to the condition stands until the number next changes; and a number
    whose quality is not good decides nothing.
    """

    def __init__(
        self, galaxy: Galaxy, condition: str, threshold: Threshold, is_true: Callable[[], bool]
    ) -> None:
        self.threshold = threshold
        self.index: int | None = None
        self._galaxy = galaxy
        self._condition = condition
        self._number = galaxy.resolve(f"{condition.partition('.')[0]}.{threshold.attribute}")
        self._is_true = is_true
        galaxy.watch(self._number, self)

    def changed(self) -> None:
        """Set the condition by the number's new value."""
        galaxy, number = self._galaxy, self._galaxy.value(self._number.attribute)
        before = self._is_true()
        if (
            isinstance(number, int | float)
            and (crossed_limit(self.threshold, number, before=before) is None) is before
            and galaxy.read(self._number).quality >= GOOD
        ):
            galaxy.write(galaxy.resolve(self._condition), not before, galaxy.clock.now())

    def stop(self) -> None:
        """Set it no more."""
        self._galaxy.unwatch(self._number, self)


class Script:
    """Plays the steps of a script, each at its time from now on; those of one moment in order.

    Args:
        clock: Whose time it is.
        steps: In the order of their times.
        period: Seconds after which they begin anew, more than the last one's; None plays them once.
        play: Called with each step.
    """

    def __init__(
        self,
        clock: Clock,
        steps: Sequence[AlarmStep],
        period: float | None,
        play: Callable[[AlarmStep], None],
    ) -> None:
        self._clock = clock
        self._steps = steps
        self._period = period
        self._play = play
        self._start = clock.time()
        self._played = 0
        self._timer: Timer | None = None
        if steps:
            self._wait()

    def stop(self) -> None:
        """Play no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        """Wait for the next step. Its time counts from the start, so that delays do not add up."""
        rounds, number = divmod(self._played, len(self._steps))
        if rounds and self._period is None:
            return
        due = self._start + rounds * (self._period or 0.0) + self._steps[number].at
        self._timer = self._clock.call_later(due - self._clock.time(), self._turn)

    def _turn(self) -> None:
        step = self._steps[self._played % len(self._steps)]
        self._played += 1
        self._play(step)
        self._wait()
