"""Times of many calls in five numbers, as every client of the gateway gives them."""

from __future__ import annotations

from collections.abc import Sequence


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value below which ``percent`` of the others lie, by linear interpolation.

    Args:
        ordered: Values in rising order; of none it is 0.
        percent: 0 to 100.
    """
    if not ordered:
        return 0.0
    position = (len(ordered) - 1) * percent / 100
    index = int(position)
    below, above = ordered[index], ordered[min(index + 1, len(ordered) - 1)]
    return below + (above - below) * (position - index)


def summary(milliseconds: Sequence[float]) -> dict[str, float]:
    """``p50``, ``p95``, ``p99``, ``max`` and ``mean``, to the microsecond; of none, all are 0."""
    ordered = sorted(milliseconds)
    found = {f"p{percent}": percentile(ordered, percent) for percent in (50, 95, 99)}
    found["max"] = ordered[-1] if ordered else 0.0
    found["mean"] = sum(ordered) / len(ordered) if ordered else 0.0
    return {name: round(value, 3) for name, value in found.items()}
