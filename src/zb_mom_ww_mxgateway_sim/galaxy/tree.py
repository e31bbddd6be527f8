"""The tree of a galaxy: every object of a definition in its place, ready to be stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from zb_mom_ww_mxgateway.galaxy import ObjectCategory

from .definition import AttributeSet, ObjectDefinition

#: How deep objects may stand in objects (D); real galaxies stay far below.
MAX_LEVELS: Final = 64

#: The parent of what has none.
_ROOT: Final = -1

#: For each object on it: whether it is no area, its browse name in any case, and its id.
_Path: TypeAlias = tuple[bool | str | int, ...]
_NO_PATH: Final[_Path] = ()

#: What is stored of an object: place, last, level, kind, key, browse key, id, tag name, contained
#: name, the parent's and the host's id, area.
Row: TypeAlias = tuple[int, int, int, int, str, str, int, str, str, int, int, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """What objects have in common that come from one template."""

    category_id: int
    template_chain: tuple[str, ...]
    attributes: AttributeSet

    @property
    def is_area(self) -> bool:
        """Whether these are areas."""
        return self.category_id == ObjectCategory.AREA


class Tree:
    """The objects of one deploy, read once: what is known of each stands in columns.

    There is nothing for every single object that the garbage collector would walk through: it
    would hold up every thread, also the one that serves calls while another deploy is made.

    Args:
        objects: In the order of their definition, each after its parent; hosts may come later.
        ids: The ids of all objects that ever were deployed, by the casefolded tag name.
        next_id: The first id that no object ever had.

    Raises:
        ValueError: A tag name is taken or cannot be one; a parent is not defined before, or a host
            nowhere; or objects stand in each other more than ``MAX_LEVELS`` deep.
    """

    def __init__(
        self, objects: Iterable[ObjectDefinition], ids: Mapping[str, int], next_id: int
    ) -> None:
        #: What the kinds of objects are the numbers of.
        self.kinds: list[Kind] = []
        self.next_id = next_id
        self._ids = ids
        self._numbers: dict[Kind, int] = {}
        #: Where an object stands in the columns, by its casefolded tag name.
        self._index: dict[str, int] = {}
        self._kind: list[int] = []
        self._id: list[int] = []
        self._tag_name: list[str] = []
        self._contained_name: list[str] = []
        self._parent: list[int] = []
        self._host: list[str] = []
        self._area: list[str] = []
        self._level: list[int] = []
        #: The path from the root on, by which the whole tree is sorted.
        self._path: list[_Path] = []
        for definition in objects:
            self._add(definition)
        for tag_name, host in zip(self._tag_name, self._host, strict=True):
            if host and host.casefold() not in self._index:
                raise ValueError(
                    f"the host of object {tag_name!r} is {host!r}: no object is called that"
                )
        #: The ids of objects that were deployed once and are no more.
        self.former = {key: known for key, known in ids.items() if key not in self._index}
        #: How many characters the longest tag name has.
        self.longest = max(map(len, self._index), default=0)
        self.attribute_count = sum(
            len(self.kinds[kind].attributes.attributes) for kind in self._kind
        )

    def _add(self, definition: ObjectDefinition) -> None:
        tag_name = definition.tag_name
        key = tag_name.casefold()
        if not tag_name or "." in tag_name or "\0" in tag_name:
            raise ValueError(f"{tag_name!r} cannot be a tag name: it is empty or has a dot or NUL")
        if key in self._index:
            raise ValueError(f"two objects are called {tag_name!r} (in any case)")
        parent, level, area, path = _ROOT, 0, "", _NO_PATH
        if definition.parent:
            parent = self._index.get(definition.parent.casefold(), _ROOT)
            if parent == _ROOT:
                raise ValueError(
                    f"the parent of object {tag_name!r} is {definition.parent!r}: no object before "
                    "it is called that"
                )
            level, area, path = self._level[parent] + 1, self._area[parent], self._path[parent]
        if level >= MAX_LEVELS:
            raise ValueError(f"object {tag_name!r} stands more than {MAX_LEVELS} levels deep")
        gobject_id = self._ids.get(key)
        if gobject_id is None:
            gobject_id = self.next_id
            self.next_id += 1
        contained = definition.contained_name
        browse_key = contained.casefold() if contained else key
        self._index[key] = len(self._id)
        self._kind.append(self._kind_of(definition))
        self._id.append(gobject_id)
        self._tag_name.append(tag_name)
        self._contained_name.append(contained)
        self._parent.append(parent)
        self._host.append(definition.host)
        self._area.append(tag_name if definition.is_area else area)
        self._level.append(level)
        self._path.append((*path, not definition.is_area, browse_key, gobject_id))

    def _kind_of(self, definition: ObjectDefinition) -> int:
        kind = Kind(definition.category, definition.template_chain, definition.attributes)
        number = self._numbers.setdefault(kind, len(self.kinds))
        if number == len(self.kinds):
            self.kinds.append(kind)
        return number

    def rows(self) -> Iterator[Row]:
        """All objects in tree order: parents before what is below them, siblings sorted."""
        order = sorted(range(len(self._id)), key=self._path.__getitem__)
        last = [0] * len(order)
        for place in range(len(order) - 1, -1, -1):
            index = order[place]
            last[index] = max(last[index], place)
            parent = self._parent[index]
            if parent != _ROOT:
                last[parent] = max(last[parent], last[index])
        keys = list(self._index)
        for place, index in enumerate(order):
            parent, host = self._parent[index], self._host[index]
            contained = self._contained_name[index]
            yield (
                place,
                last[index],
                self._level[index],
                self._kind[index],
                keys[index],
                contained.casefold() or keys[index],
                self._id[index],
                self._tag_name[index],
                contained,
                0 if parent == _ROOT else self._id[parent],
                self._id[self._index[host.casefold()]] if host else 0,
                self._area[index],
            )
