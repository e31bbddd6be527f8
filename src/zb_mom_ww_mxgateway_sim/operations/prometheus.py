"""Metrics in the format that Prometheus reads. Needs the extra ``sim``; nothing else does here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from .metrics import BOUNDS, GAUGES, SESSIONS, Description, Histogram, Metrics, Snapshot, shown

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_LIMITS: Final = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]


class Exposition:
    """The metrics of one gateway, in a registry of their own."""

    def __init__(self, metrics: Metrics, snapshot: Callable[[], Snapshot]) -> None:
        self._metrics = metrics
        self._snapshot = snapshot
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def text(self) -> bytes:
        """What a scrape gets, as ``CONTENT_TYPE``."""
        return generate_latest(self.registry)

    def describe(self) -> Iterator[Metric]:
        """Nothing: names cannot clash in a registry of one, and nothing need be read yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The metrics now; prometheus_client asks for it."""
        for counter in self._metrics.counters:
            name, text, labels = _described(counter.description)
            counted = CounterMetricFamily(name, text, labels=labels)
            for values, count in counter.read().items():
                counted.add_metric(values, count)
            yield counted
        yield _histogram(self._metrics.command_durations)
        now = self._snapshot()
        name, text, labels = _described(SESSIONS)
        sessions = GaugeMetricFamily(name, text, labels=labels)
        for state, number in now.sessions.items():
            sessions.add_metric(shown((state,)), number)
        yield sessions
        for description, read in GAUGES:
            yield GaugeMetricFamily(description.name, description.text, read(now))


def _histogram(histogram: Histogram) -> Metric:
    name, text, labels = _described(histogram.description)
    family = HistogramMetricFamily(name, text, labels=labels)
    for label, durations in histogram.read().items():
        buckets = list(zip(_LIMITS, accumulate(durations.counts), strict=True))
        family.add_metric([label], buckets, durations.sum)
    return family


def _described(description: Description) -> tuple[str, str, tuple[str, ...]]:
    return description.name, description.text, description.labels
