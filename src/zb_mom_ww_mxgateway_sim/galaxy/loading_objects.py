"""Objects from a galaxy's file: single ones and series, each in its place in the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from .definition import AttributeSet, ObjectDefinition, ObjectSeries
from .documents import Table, nearest
from .loading_attributes import (
    PLACEHOLDER,
    AttributeReader,
    attribute_set,
    check_pattern,
)
from .loading_templates import Templates
from .tree import MAX_LEVELS

#: What ``count`` says for as many objects as the gateway has machines.
MACHINES: Final = "machines"
#: The most objects in a series of a fixed number.
MAX_COUNT: Final = 1_000_000

#: How many machines are looked at where any number of them must be right: names of further ones
#: differ in digits alone.
_SAMPLE: Final = 3
_NAME: Final = re.compile(r"(?=.*[^\W\d_])[\w$#]+")
_NUMBERED: Final = re.compile(r".*[0-9]")


@dataclass(slots=True, eq=False)
class _Entry:
    """One table of objects."""

    table: Table
    pattern: ObjectDefinition
    #: How many; None for machines, 1 for a single object.
    count: int | None = 1
    is_series: bool = False
    #: The entries in which its objects stand.
    parents: dict[_Entry, None] = field(default_factory=dict["_Entry", None])

    @property
    def is_machines(self) -> bool:
        return self.count is None

    def objects(self) -> Iterator[ObjectDefinition]:
        """Its objects; of machines only some."""
        if self.is_series:
            return ObjectSeries(pattern=self.pattern, count=self.count).objects(_SAMPLE)
        return iter([self.pattern])

    def machine(self, key: str) -> bool:
        """Whether one of its machines has that casefolded tag name, if there are enough."""
        tag_name = self.pattern.tag_name
        parts = [re.escape(part.casefold()) for part in PLACEHOLDER.split(tag_name)]
        match = re.fullmatch("([0-9]{1,9})".join(parts), key)
        number = int(match[1]) if match else 0
        return number > 0 and tag_name.format(n=number).casefold() == key

    def made(self) -> ObjectDefinition | ObjectSeries:
        if self.is_series:
            return ObjectSeries(pattern=self.pattern, count=self.count)
        return self.pattern


class Objects:
    """The objects of one galaxy.

    Raises:
        GalaxyFileError: One of the tables is at fault, or their names do not fit together.
    """

    def __init__(self, tables: list[Table], templates: Templates, reader: AttributeReader) -> None:
        self._templates = templates
        self._reader = reader
        entries = [self._entry(table) for table in tables]
        self._machines = [entry for entry in entries if entry.is_machines]
        self._by_name: dict[str, _Entry] = {}
        for entry in entries:
            self._name(entry)
        for entry in entries:
            self._place(entry)
        self._check_hosts(entries)
        self._check_browse_names(entries)
        #: Each after what it stands in, else in the order of the file.
        self.entries = tuple(entry.made() for entry in _sorted(entries))

    def attributes(self, tag_name: str) -> AttributeSet | None:
        """The attributes of an object that is always there; None for no such object."""
        entry = self._by_name.get(tag_name.casefold())
        return None if entry is None or entry.is_machines else entry.pattern.attributes

    def nearest(self, tag_name: str) -> str:
        """A question whether another object was meant."""
        entries = dict.fromkeys(self._by_name.values())
        return nearest(tag_name, (made.tag_name for entry in entries for made in entry.objects()))

    def _entry(self, table: Table) -> _Entry:
        table.allow(
            "tag_name",
            "template",
            "parent",
            "else_parent",
            "host",
            "contained_name",
            "count",
            "attributes",
        )
        is_series = "count" in table
        count: int | None = 1
        if is_series:
            is_text = isinstance(table.value("count"), str)
            count = None if is_text else table.whole("count", least=1, most=MAX_COUNT)
            if is_text and table.text("count") != MACHINES:
                raise table.error(f'must be a whole number, or "{MACHINES}"', "count")
            check_pattern(table, "tag_name")
            if "else_parent" in table:
                raise table.error("is for single objects, and this is a series", "else_parent")
        template = self._templates.get(table, "template")
        attributes = template.attribute_set
        if "attributes" in table:
            own = self._reader.read(table.table("attributes"), template.attributes)
            attributes = attribute_set(own)
        pattern = ObjectDefinition(
            tag_name=table.text("tag_name"),
            category=template.category,
            template_chain=template.chain,
            attributes=attributes,
            parent=_reference(table, "parent", is_series=is_series),
            host=_reference(table, "host", is_series=is_series),
            contained_name=_reference(table, "contained_name", is_series=is_series),
            else_parent=_reference(table, "else_parent", is_series=False),
        )
        entry = _Entry(table, pattern, count, is_series)
        first = next(entry.objects())
        names = {"tag_name": first.tag_name}
        if "contained_name" in table:
            names["contained_name"] = first.contained_name
        for key, name in names.items():
            if not _NAME.fullmatch(name):
                raise table.error(
                    "is no name: it has letters, digits, _, $ and #, at least one of them a "
                    "letter; a dot separates objects from attributes",
                    key,
                )
        if pattern.contained_name and not pattern.parent:
            raise table.error("needs a parent, in which it is the name", "contained_name")
        has_patterns = any(attribute.is_pattern for attribute in attributes.attributes)
        if has_patterns and not _NUMBERED.fullmatch(first.tag_name):
            raise table.error(
                "needs a number at its end, which stands in the pattern of an attribute",
                "tag_name",
            )
        return entry

    def _name(self, entry: _Entry) -> None:
        others = [other for other in self._machines if other is not entry]
        names = [made.tag_name for made in entry.objects()]
        if entry.is_machines:  # X{n} and X{n:03} are the same from X100 on
            names += [entry.pattern.tag_name.format(n=10**digits) for digits in range(1, 9)]
        for name in names:
            key = name.casefold()
            is_taken = self._by_name.setdefault(key, entry) is not entry
            if is_taken or any(other.machine(key) for other in others):
                raise entry.table.error(
                    f"{name!r} is the name of another object too; tag names are unique, "
                    "in any case",
                    "tag_name",
                )

    def _find(self, name: str) -> _Entry | None:
        key = name.casefold()
        found = self._by_name.get(key)
        if found is not None:
            return found
        return next((entry for entry in self._machines if entry.machine(key)), None)

    def _place(self, entry: _Entry) -> None:
        """Find what the objects of an entry stand in, which must be there."""
        pattern, table = entry.pattern, entry.table
        if not pattern.parent:
            if pattern.else_parent:
                raise table.error("needs a parent, for when that is missing", "else_parent")
            return
        may_be_missing = False
        for made in entry.objects():
            parent = self._known(entry, "parent", made.parent)
            entry.parents[parent] = None
            may_be_missing = may_be_missing or self._may_be_missing(entry, "parent", parent)
        if pattern.else_parent:
            parent = self._known(entry, "else_parent", pattern.else_parent)
            entry.parents[parent] = None
            if parent.is_machines:
                raise table.error("must always be there, and machines may not be", "else_parent")
            if not may_be_missing:
                raise table.error("is for objects in machines; the parent is there", "else_parent")
        elif may_be_missing:
            raise table.error(
                "is a machine, and there may be too few of them; say with else_parent what a "
                "single object stands in then",
                "parent",
            )

    def _known(self, entry: _Entry, key: str, name: str) -> _Entry:
        found = self._find(name)
        if found is None:
            raise entry.table.error(f"there is no object {name!r}{self.nearest(name)}", key)
        return found

    def _may_be_missing(self, entry: _Entry, key: str, named: _Entry) -> bool:
        """Whether what an entry names is a machine that need not be there when the entry is."""
        same = {"parent": entry.pattern.parent, "host": entry.pattern.host}[key].casefold()
        return named.is_machines and not (
            entry.is_machines and same == named.pattern.tag_name.casefold()
        )

    def _check_hosts(self, entries: list[_Entry]) -> None:
        hosts: dict[_Entry, _Entry] = {}
        for entry in entries:
            for made in entry.objects() if entry.pattern.host else ():
                host = hosts[entry] = self._known(entry, "host", made.host)
                if self._may_be_missing(entry, "host", host):
                    raise entry.table.error("is a machine, and there may be too few", "host")
        for entry in entries:
            seen = {entry}
            place = hosts.get(entry)
            while place is not None:
                if place in seen:
                    name = entry.pattern.tag_name
                    raise entry.table.error(f"{name} is hosted by itself in the end", "host")
                seen.add(place)
                place = hosts.get(place)

    def _check_browse_names(self, entries: list[_Entry]) -> None:
        taken: dict[tuple[str, str], str] = {}
        for entry in entries:
            for made in entry.objects():
                key = made.parent.casefold(), made.browse_name.casefold()
                other = taken.setdefault(key, made.tag_name)
                if other != made.tag_name:
                    raise entry.table.error(
                        f"{made.tag_name} and {other} are both called {made.browse_name!r} in "
                        f"{made.parent or 'the tree'}; rename one of them",
                        "contained_name" if made.contained_name else "tag_name",
                    )


def _reference(table: Table, key: str, *, is_series: bool) -> str:
    """A name, which in a series may have the number of its object in it."""
    name = table.text(key, "")
    if is_series and "{" in name:
        check_pattern(table, key)
    return name


def _sorted(entries: list[_Entry]) -> list[_Entry]:
    """The entries, each after those in which it stands."""
    levels: dict[_Entry, int] = {}  # filled in the order that is wanted
    within: list[_Entry] = []

    def place(entry: _Entry) -> None:
        if entry in levels:
            return
        name = entry.pattern.tag_name
        if entry in within:
            raise entry.table.error(f"{name} stands in itself in the end", "parent")
        within.append(entry)
        if len(within) <= MAX_LEVELS:  # deeper is too deep, whatever comes
            for parent in entry.parents:
                place(parent)
        within.pop()
        level = max((levels.get(parent, MAX_LEVELS) for parent in entry.parents), default=-1) + 1
        if level >= MAX_LEVELS:
            raise entry.table.error(f"{name} stands more than {MAX_LEVELS} levels deep", "parent")
        levels[entry] = level

    for entry in entries:
        place(entry)
    return list(levels)
