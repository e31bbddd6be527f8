"""Templates from a galaxy's file, on top of those that every galaxy has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zb_mom_ww_mxgateway.galaxy import ObjectCategory

from .definition import AttributeSet
from .documents import DocumentError, Table, nearest
from .loading_attributes import AttributeReader, Attributes, attribute_set

_NAME: Final = re.compile(r"\$[\w$#]+")
_CATEGORIES: Final[Mapping[str, int]] = {
    member.name.lower().replace("_", "-"): member for member in ObjectCategory
}
#: Templates that are there without being written down; a file may give them attributes.
_BASE: Final[Mapping[str, int]] = {
    "$UserDefined": ObjectCategory.USER_DEFINED,
    "$Area": ObjectCategory.AREA,
    "$WinPlatform": ObjectCategory.PLATFORM,
    "$AppEngine": ObjectCategory.ENGINE,
}


@dataclass(frozen=True, slots=True)
class Template:
    """What objects are made from; ``chain`` is itself and what it is based on, nearest first."""

    chain: tuple[str, ...]
    category: int
    attributes: Attributes
    attribute_set: AttributeSet


class Templates:
    """The templates of one galaxy.

    Raises:
        GalaxyFileError: The table of templates is at fault.
    """

    def __init__(self, table: Table, reader: AttributeReader) -> None:
        self._reader = reader
        self._tables: dict[str, tuple[str, Table]] = {}
        for name in table:
            key = name.casefold()
            if not _NAME.fullmatch(name):
                raise table.error("is no name of a template: that is $ and letters or digits", name)
            if key in self._tables:
                first = self._tables[key][0]
                raise table.error(f"is the same as {first!r}; names match in any case", name)
            self._tables[key] = name, table.table(name)
        self._made = {
            name.casefold(): Template((name,), category, {}, AttributeSet())
            for name, category in _BASE.items()
            if name.casefold() not in self._tables
        }
        for key in self._tables:
            self._make(key)

    def get(self, table: Table, key: str) -> Template:
        """The template that ``table`` names at ``key``.

        Raises:
            GalaxyFileError: There is none of that name.
        """
        name = table.text(key)
        template = self._made.get(name.casefold())
        if template is None:
            raise self._unknown(table, key)
        return template

    def _unknown(self, table: Table, key: str) -> DocumentError:
        name = table.text(key)
        names = [*_BASE, *(name for name, _ in self._tables.values())]
        return table.error(f"there is no template {name!r}{nearest(name, names)}", key)

    def _make(self, key: str) -> None:
        """Make a template, and first what it is based on."""
        chain: list[str] = []
        while key not in self._made:
            name, table = self._tables[key]
            if key in chain:
                raise table.error(f"{name} is based on itself in the end", "based_on")
            chain.append(key)
            if "based_on" not in table:
                break
            key = table.text("based_on").casefold()
            if key not in self._made and key not in self._tables:
                raise self._unknown(table, "based_on")
        for key in reversed(chain):
            self._made[key] = self._read(*self._tables[key])

    def _read(self, name: str, table: Table) -> Template:
        table.allow("based_on", "category", "attributes")
        if "based_on" in table:
            base = self.get(table, "based_on")
        else:
            base = Template((), _BASE.get(name, ObjectCategory.USER_DEFINED), {}, AttributeSet())
        category = base.category
        if isinstance(table.value("category") if "category" in table else None, int):
            category = table.whole("category", least=0, most=255)
        elif "category" in table:
            category = table.choice("category", _CATEGORIES)
        attributes = self._reader.read(table.table("attributes"), base.attributes)
        return Template((name, *base.chain), category, attributes, attribute_set(attributes))
