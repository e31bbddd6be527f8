"""The objects of one deploy, kept in SQLite in tree order: looked up by name, listed by place."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from .definition import AttributeDefinition, AttributeSet, GalaxyDefinition
from .selection import Filters, Listing, Span, View
from .tree import MAX_LEVELS, Kind, Tree

#: Between the names of a contained path (D); so names that have it lie on no path.
SEPARATOR: Final = "/"
#: How many views of narrowed keys are remembered.
_VIEWS: Final = 256
#: Objects that are fetched at once while all alarms are looked at.
_BATCH: Final = 500
#: Of objects whose attributes may not be seen.
_NOTHING: Final = AttributeSet()

_SCHEMA: Final = """
CREATE TABLE object (
    place INTEGER PRIMARY KEY,  -- in tree order, from 0 on
    last INTEGER NOT NULL,      -- the place of the last object below it, or its own
    level INTEGER NOT NULL,     -- 0 for a root
    kind INTEGER NOT NULL,
    key TEXT NOT NULL,          -- the tag name, casefolded
    browse_key TEXT NOT NULL,
    id INTEGER NOT NULL,
    tag_name TEXT NOT NULL,
    contained_name TEXT NOT NULL,
    parent INTEGER NOT NULL,
    host INTEGER NOT NULL,
    area TEXT NOT NULL
)
"""
#: The children of an object are those one level deeper between its place and its last.
_INDEXES: Final = """
CREATE UNIQUE INDEX object_key ON object (key);
CREATE UNIQUE INDEX object_id ON object (id);
CREATE INDEX object_level ON object (level, place);
CREATE INDEX object_browse_key ON object (browse_key, level, place);
"""
_INSERT: Final = "INSERT INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT: Final = (
    "SELECT place, last, level, kind, id, tag_name, contained_name, parent, host, area FROM object"
)
_COUNT: Final = "SELECT count(*) FROM object"
_IDS: Final = "SELECT key, id FROM object WHERE place BETWEEN ? AND ?"
_PLACE: Final = "SELECT place FROM object WHERE key = ?"
#: Of what has a browse name, below an object or at the top.
_CHILDREN: Final = (
    "SELECT place, last FROM object "
    "WHERE browse_key = ? AND level = ? AND place BETWEEN ? AND ? ORDER BY place"
)
_Row: TypeAlias = tuple[int, int, int, int, int, str, str, int, int, str]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object, as it is deployed. ``place`` to ``last`` are it and all below it."""

    gobject_id: int
    tag_name: str
    contained_name: str
    browse_name: str
    parent_gobject_id: int
    is_area: bool
    category_id: int
    host_gobject_id: int
    template_chain: tuple[str, ...]
    attributes: AttributeSet
    place: int
    last: int
    #: How many objects it stands in.
    level: int
    #: The tag name of the nearest area at or above it; empty where there is none.
    area: str

    @property
    def has_children(self) -> bool:
        """Whether anything stands in it."""
        return self.last > self.place


#: An alarm: its object and the attribute that is its condition.
Condition: TypeAlias = tuple[StoredObject, AttributeDefinition]


class Store:
    """The objects of one deploy; they never change. ``build`` makes one.

    Threads may share it: the one that builds the next deploy takes the ids from here. Its memory is
    given back by ``close``, or when nobody has it any more.
    """

    def __init__(self, tree: Tree) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._close = weakref.finalize(self, self._db.close)
        self._turn = threading.Lock()  # SQLite has its own, but not in every build
        self._kinds: Sequence[Kind] = tree.kinds
        self._next_id = tree.next_id
        self._former = tree.former
        self._longest = tree.longest
        self._views: dict[tuple[str, ...], View] = {}
        #: The object that was last looked up by a reference, or had an alarm; with its key.
        self._recent: tuple[str, StoredObject | None] = ("", None)
        self._db.execute(_SCHEMA)
        self._db.execute("BEGIN")
        inserted = self._db.executemany(_INSERT, tree.rows())
        self._db.execute("COMMIT")
        self._db.executescript(_INDEXES)
        #: How many objects there are.
        self.object_count: Final = max(inserted.rowcount, 0)
        #: The whole tree.
        self.everything: Final = (Span(0, self.object_count - 1),)
        #: How many attributes all of them have.
        self.attribute_count: Final = tree.attribute_count

    @classmethod
    def build(
        cls, definition: GalaxyDefinition, machines: int, *, before: Store | None = None
    ) -> Store:
        """Store the objects of a definition; may run in a thread of its own.

        Args:
            definition: What is deployed.
            machines: How many machines there are.
            before: The deploy before. Objects that it or an earlier one had keep their ids, as an
                object that is undeployed stays in its galaxy.

        Raises:
            ValueError: The definition contradicts itself; the text names the object.
        """
        ids = {} if before is None else before._ids()
        next_id = 1 if before is None else before._next_id
        return cls(Tree(definition.objects(machines), ids, next_id))

    def close(self) -> None:
        """Give the memory back; again is harmless."""
        self._close()

    def _ids(self) -> dict[str, int]:
        """The ids of everything that is deployed or ever was, by the casefolded tag name."""
        ids = dict(self._former)
        for span in Listing(self.everything).slices():
            rows = self._rows(_IDS, span.first, span.last)
            ids.update(rows)
        return ids

    def _rows(self, statement: str, *values: int | str) -> list[Any]:
        with self._turn:
            return self._db.execute(statement, values).fetchall()

    # --- one object -----------------------------------------------------------------------------

    def find(
        self,
        *,
        gobject_id: int | None = None,
        tag_name: str | None = None,
        contained_path: str | None = None,
    ) -> StoredObject | None:
        """The object with that id, tag name or path, whichever is given; None if there is none.

        Names match in any case. A path is the browse names from a root on, with ``/`` between (D).
        """
        if gobject_id is not None:
            return self._one("id = ?", gobject_id)
        if tag_name is not None:
            return self._one("key = ?", tag_name.casefold())
        places = self._at((contained_path or "").strip(SEPARATOR).casefold().split(SEPARATOR))
        return self._one("place = ?", places[0]) if places else None

    def _one(self, condition: str, value: int | str) -> StoredObject | None:
        rows: list[_Row] = self._rows(f"{_SELECT} WHERE {condition}", value)
        return self._object(rows[0]) if rows else None

    def _at(self, path: Sequence[str]) -> list[int]:
        """The places of all objects on that path: siblings may share a browse name."""
        if len(path) > MAX_LEVELS:
            return []
        found: list[tuple[int, int]] = [(0, self.object_count)]
        for level, name in enumerate(path):
            found = [
                pair
                for first, last in found
                for pair in self._rows(_CHILDREN, name, level, first, last)
            ]
        return [place for place, _ in found]

    def attribute(self, reference: str) -> Condition | None:
        """The object and the attribute of ``tag_name.Attribute``, in any case; None if there is
        none. What follows the first dot is the attribute's name; brackets belong to no name.
        """
        tag_name, _, name = reference.partition(".")
        key = tag_name.casefold()
        recent, found = self._recent
        if key != recent:  # whoever uses one attribute of an object often uses the next
            found = self._one("key = ?", key)
            self._recent = key, found
        attribute = None if found is None else found.attributes.find(name)
        return None if found is None or attribute is None else (found, attribute)

    def within(self, reference_or_tag_name: str, roots: tuple[str, ...]) -> bool:
        """Whether it leads to one of the objects called ``roots``, or to what is below one.

        D: no object is in no subtree, and an unknown root has none. Which attribute a reference
        names, and whether there is one, makes no difference.
        """
        key = reference_or_tag_name.partition(".")[0].casefold()
        places: list[tuple[int]] = self._rows(_PLACE, key)
        span = self.view(roots).span_of(places[0][0]) if places else None
        return span is not None and not span.on_the_way

    def _object(self, row: _Row, *, without_attributes: bool = False) -> StoredObject:
        place, last, level, number, gobject_id, tag_name, contained, parent, host, area = row
        kind = self._kinds[number]
        return StoredObject(
            gobject_id=gobject_id,
            tag_name=tag_name,
            contained_name=contained,
            browse_name=contained or tag_name,
            parent_gobject_id=parent,
            is_area=kind.is_area,
            category_id=kind.category_id,
            host_gobject_id=host,
            template_chain=kind.template_chain,
            attributes=_NOTHING if without_attributes else kind.attributes,
            place=place,
            last=last,
            level=level,
            area=area,
        )

    # --- alarms ---------------------------------------------------------------------------------

    def alarms(self) -> Iterator[Condition]:
        """Every alarm in tree order, fetched as they are taken."""
        return self._conditions(lambda attributes: attributes.has_alarm)

    def driven_alarms(self) -> Iterator[Condition]:
        """The alarms that come without a write: by a number, a signal, or true from the start."""
        for stored, condition in self._conditions(lambda attributes: attributes.has_driven_alarm):
            if condition.is_driven:
                yield stored, condition

    def _conditions(self, wanted: Callable[[AttributeSet], bool]) -> Iterator[Condition]:
        kinds = self._numbers(lambda kind: wanted(kind.attributes))
        listing = Listing(self.everything, kinds=kinds)
        for span in listing.slices():
            while batch := self.listed(listing, span, _BATCH):
                span = Span(batch[-1].place + 1, span.last)
                for stored in batch:
                    self._recent = stored.tag_name.casefold(), stored
                    for attribute in stored.attributes.attributes:
                        if attribute.alarm is not None:
                            yield stored, attribute

    # --- listings -------------------------------------------------------------------------------

    def view(self, roots: tuple[str, ...] | None) -> View:
        """What a key sees that is narrowed to the objects called ``roots``; None is everything."""
        if roots is None:
            return View(self.everything)
        known = self._views.get(roots)
        if known is None:
            if len(self._views) >= _VIEWS:
                self._views.clear()
            known = self._views[roots] = self._narrowed(roots)
        return known

    def _narrowed(self, roots: tuple[str, ...]) -> View:
        spans: list[Span] = []
        for name in roots:
            node = self.find(tag_name=name)
            if node is not None:
                spans.append(Span(node.place, node.last))
            while node is not None and node.parent_gobject_id:
                node = self.find(gobject_id=node.parent_gobject_id)
                if node is not None:
                    spans.append(Span(node.place, node.place, on_the_way=True))
        return View.of(spans)

    def listing(
        self,
        *,
        root: StoredObject | None,
        shallowest: int,
        deepest: int | None,
        filters: Filters,
        view: View,
    ) -> Listing:
        """What a listing has.

        Args:
            root: Only it and what is below it; None is the whole tree.
            shallowest: Only from that level on, counted from the top of the whole tree.
            deepest: Only down to that level; None is all levels.
            filters: Only what matches.
            view: Only what the caller may see.
        """
        glob = filters.glob(self._longest)
        if glob is None:
            return Listing(spans=())
        first, last = (0, self.object_count - 1) if root is None else (root.place, root.last)
        # D: an object whose attributes are not to be seen has none for filters either.
        by_attributes = filters.alarm_bearing_only or filters.historized_only
        spans = view.between(first, last)
        return Listing(
            spans=tuple(s for s in spans if not (by_attributes and s.on_the_way)),
            shallowest=shallowest,
            deepest=deepest,
            kinds=self._numbers(filters.match),
            glob=glob,
        )

    def _numbers(self, wanted: Callable[[Kind], bool]) -> tuple[int, ...] | None:
        """The numbers of the kinds that are wanted; None for all of them."""
        found = tuple(number for number, kind in enumerate(self._kinds) if wanted(kind))
        return None if len(found) == len(self._kinds) else found

    def count(self, listing: Listing, span: Span) -> int:
        """How many objects of a listing are in one of its slices."""
        if listing.is_everything:
            return span.last - span.first + 1
        condition, values = _condition(listing, span.first, span.last)
        found: list[tuple[int]] = self._rows(f"{_COUNT} WHERE {condition}", *values)
        return found[0][0]

    def listed(self, listing: Listing, span: Span, limit: int) -> list[StoredObject]:
        """The first ``limit`` objects of a listing in one of its slices.

        Those on the way to what a key may see have no attributes.
        """
        condition, values = _condition(listing, span.first, span.last)
        rows: list[_Row] = self._rows(
            f"{_SELECT} WHERE {condition} ORDER BY place LIMIT ?", *values, limit
        )
        return [self._object(row, without_attributes=span.on_the_way) for row in rows]


def _condition(listing: Listing, first: int, last: int) -> tuple[str, tuple[int | str, ...]]:
    """What of a listing is between two places, in SQL, with the values of its parameters."""
    terms, values = ["place BETWEEN ? AND ?"], [first, last]
    if listing.shallowest == listing.deepest:
        terms.append("level = ?")
        values.append(listing.shallowest)
    else:
        # "+" keeps SQLite from an index that is not in tree order, which it would have to sort.
        if listing.shallowest:
            terms.append("+level >= ?")
            values.append(listing.shallowest)
        if listing.deepest is not None:
            terms.append("+level <= ?")
            values.append(listing.deepest)
    more: list[str] = []
    if listing.kinds is not None:
        terms.append("kind IN (SELECT value FROM json_each(?))")
        more.append(json.dumps(listing.kinds))
    if listing.glob != "*":
        terms.append("+key GLOB ?")
        more.append(listing.glob)
    return " AND ".join(terms), (*values, *more)
