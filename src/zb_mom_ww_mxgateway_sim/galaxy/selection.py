"""Which objects a listing has: what is asked for, what the caller may see, where they stand."""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .tree import Kind

#: How many places one statement looks at, so that it takes a millisecond or two and no more.
SLICE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Filters:
    """Which objects are asked for; all that is given must match. Names match in any case (D).

    Equal ones are printed alike: the tuples are sorted and have nothing twice.

    Args:
        category_ids: Only objects of one of these.
        templates: Only objects with a template whose name contains one of these; casefolded.
        tag_name_glob: Only objects with such a tag name; casefolded, empty for any.
        alarm_bearing_only: Only objects with an alarm.
        historized_only: Only objects with an attribute that the historian keeps.
    """

    category_ids: tuple[int, ...] = ()
    templates: tuple[str, ...] = ()
    tag_name_glob: str = ""
    alarm_bearing_only: bool = False
    historized_only: bool = False

    def match(self, kind: Kind) -> bool:
        """Whether objects of that kind match, apart from their tag names."""
        if self.category_ids and kind.category_id not in self.category_ids:
            return False
        chain = [template.casefold() for template in kind.template_chain]
        if self.templates and not any(t in name for t in self.templates for name in chain):
            return False
        if self.alarm_bearing_only and not kind.attributes.has_alarm:
            return False
        return not self.historized_only or kind.attributes.has_history

    def glob(self, longest: int) -> str | None:
        """What SQLite's GLOB understands, where no tag name is longer than ``longest`` characters.

        None where no tag name can match. SQLite refuses very long patterns, and stops at NUL.
        """
        pattern = self.tag_name_glob or "*"
        if len(pattern.replace("*", "")) > longest or "\0" in pattern:
            return None
        # "[" means nothing here, other than to SQLite.
        return re.sub(r"\*+", "*", pattern).replace("[", "[[]")


@dataclass(frozen=True, slots=True)
class Span:
    """Places next to each other, both ends included."""

    first: int
    last: int
    #: Whether it only leads to what may be seen, so that its attributes may not.
    on_the_way: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What somebody may see of the tree: spans that do not overlap, in tree order."""

    spans: tuple[Span, ...]

    @classmethod
    def of(cls, spans: Iterable[Span]) -> View:
        """The view of spans that are subtrees, or single places on the way to them."""
        kept: list[Span] = []
        for span in sorted(spans, key=lambda span: (span.first, -span.last, span.on_the_way)):
            if not kept or span.first > kept[-1].last:  # or it is in the one before
                kept.append(span)
        return cls(tuple(kept))

    def span_of(self, place: int) -> Span | None:
        """The span that a place is in; None for what is not to be seen."""
        return next(_between(self.spans, place, place), None)

    def between(self, first: int, last: int) -> tuple[Span, ...]:
        """What of it is in such a part of the tree."""
        return tuple(_between(self.spans, first, last))


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects to be listed in tree order. It is looked through slice by slice.

    Args:
        spans: Where they stand.
        shallowest: Only from that level on; 0 is the roots'.
        deepest: Only down to that level; None is all levels.
        kinds: Only of these kinds, by their numbers; None is all kinds.
        glob: Only with such a casefolded tag name, as SQLite has it.
    """

    spans: tuple[Span, ...]
    shallowest: int = 0
    deepest: int | None = None
    kinds: tuple[int, ...] | None = None
    glob: str = "*"

    @property
    def is_everything(self) -> bool:
        """Whether it has whatever stands in its spans."""
        unbound = self.shallowest == 0 and self.deepest is None
        return unbound and self.kinds is None and self.glob == "*"

    def slices(self, after: int = -1) -> Iterator[Span]:
        """What is behind the place ``after``, in parts that a short statement looks through."""
        for span in _between(self.spans, after + 1, sys.maxsize):
            for first in range(span.first, span.last + 1, SLICE):
                yield Span(first, min(span.last, first + SLICE - 1), span.on_the_way)


def _between(spans: Sequence[Span], first: int, last: int) -> Iterator[Span]:
    """The parts of ``spans``, which are in order, that are in such a part of the tree."""
    start = bisect_right(spans, first, key=lambda span: span.first) - 1
    for index in range(max(start, 0), len(spans)):
        span = spans[index]
        if span.first > last:
            return
        low, high = max(span.first, first), min(span.last, last)
        if low <= high:
            yield Span(low, high, span.on_the_way)
