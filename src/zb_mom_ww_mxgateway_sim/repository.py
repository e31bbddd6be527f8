"""The galaxy as the Galaxy Repository shows it: a tree of objects with their attributes.

Every attribute has the reference under which sessions find it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from zb_mom_ww_mxgateway.galaxy import ObjectCategory, SecurityClassification
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenRequest,
    DiscoverHierarchyRequest,
    GalaxyAttribute,
    GalaxyObject,
)

from .galaxy import Attribute, Galaxy, Security
from .values import NATIVE_TYPES

#: Between the names of a contained path (D).
SEPARATOR: Final = "/"

_SECURITY: Final = {
    Security.OPERATE: SecurityClassification.OPERATE,
    Security.SECURED_WRITE: SecurityClassification.SECURED_WRITE,
    Security.VERIFIED_WRITE: SecurityClassification.VERIFIED_WRITE,
    Security.VIEW_ONLY: SecurityClassification.VIEW_ONLY,
}
#: The category of every simulated attribute (D).
_ATTRIBUTE_CATEGORY: Final = 10

_PLANT, _PLATFORM, _ENGINE, _AREA, _CHILD, _MACHINES = 1, 2, 3, 4, 5, 1_000


def objects_of(galaxy: Galaxy) -> Iterator[GalaxyObject]:
    """The objects of a galaxy; each keeps its id from deploy to deploy.

    TestPlant, an area, holds TestPlatform, TestEngine and the area TestArea, which holds the
    machines. The first of these contains TestChildObject under the name ChildObject.
    """
    attributes: dict[str, list[GalaxyAttribute]] = {}
    for attribute in galaxy.attributes():
        tag_name, _, name = attribute.name.partition(".")
        attributes.setdefault(tag_name, []).append(_described(attribute, name))
    area, template = ObjectCategory.AREA, "$Area"
    yield _object(_PLANT, "TestPlant", area, template, parent=0, host=_ENGINE)
    yield _object(
        _PLATFORM, "TestPlatform", ObjectCategory.PLATFORM, "$WinPlatform", parent=_PLANT, host=0
    )
    yield _object(
        _ENGINE, "TestEngine", ObjectCategory.ENGINE, "$AppEngine", parent=_PLANT, host=_PLATFORM
    )
    yield _object(_AREA, "TestArea", area, template, parent=_PLANT, host=_ENGINE)
    container = _AREA
    for tag_name, listed in attributes.items():
        number = tag_name.removeprefix("TestMachine_")
        if number != tag_name:
            container = _MACHINES + 1
            gobject_id, parent, templates = _MACHINES + int(number), _AREA, ["$TestMachine"]
        else:
            gobject_id, parent, templates = _CHILD, container, ["$TestChildObject"]
        yield _object(
            gobject_id,
            tag_name,
            ObjectCategory.USER_DEFINED,
            *templates,
            "$UserDefined",
            parent=parent,
            host=_AREA,
            contained_name="ChildObject" if parent not in (_PLANT, _AREA) else "",
            attributes=listed,
        )


def _object(
    gobject_id: int,
    tag_name: str,
    category: ObjectCategory,
    *templates: str,
    parent: int,
    host: int,
    contained_name: str = "",
    attributes: Iterable[GalaxyAttribute] = (),
) -> GalaxyObject:
    return GalaxyObject(
        gobject_id=gobject_id,
        tag_name=tag_name,
        contained_name=contained_name,
        browse_name=contained_name or tag_name,
        parent_gobject_id=parent,
        is_area=category is ObjectCategory.AREA,
        category_id=category,
        hosted_by_gobject_id=host,
        template_chain=list(templates),
        attributes=list(attributes),
    )


def _described(attribute: Attribute, name: str) -> GalaxyAttribute:
    is_array = isinstance(attribute.value, list)
    return GalaxyAttribute(
        attribute_name=name,
        full_tag_reference=f"{attribute.name}[]" if is_array else attribute.name,
        mx_data_type=NATIVE_TYPES[attribute.data_type],
        data_type_name=attribute.data_type.name.title().replace("_", ""),
        is_array=is_array,
        array_dimension=len(attribute.value) if isinstance(attribute.value, list) else 0,
        array_dimension_present=is_array,
        mx_attribute_category=_ATTRIBUTE_CATEGORY,
        security_classification=_SECURITY[attribute.security],
        is_historized=attribute.is_historized,
        is_alarm=attribute.is_alarm,
    )


@dataclass(frozen=True, slots=True)
class Filters:
    """Which objects are asked for; all that is given must match. Equal ones are printed alike."""

    category_ids: tuple[int, ...] = ()
    templates: tuple[str, ...] = ()
    tag_name_glob: str = ""
    alarm_bearing_only: bool = False
    historized_only: bool = False

    @classmethod
    def of(cls, request: DiscoverHierarchyRequest | BrowseChildrenRequest) -> Filters:
        """The filters of a request."""
        return cls(
            category_ids=tuple(sorted(set(request.category_ids))),
            templates=tuple(sorted({t.casefold() for t in request.template_chain_contains})),
            tag_name_glob=request.tag_name_glob.casefold(),
            alarm_bearing_only=request.alarm_bearing_only,
            historized_only=request.historized_only,
        )

    def keep(self, nodes: Iterable[Node]) -> list[Node]:
        """Those of ``nodes`` that match, in their order. Names match in any case (D)."""
        # "[" means nothing in these patterns, other than in fnmatch's.
        glob = re.compile(fnmatch.translate(self.tag_name_glob.replace("[", "[[]") or "*"))
        return [node for node in nodes if self._matches(node.object, glob)]

    def _matches(self, candidate: GalaxyObject, glob: re.Pattern[str]) -> bool:
        if self.category_ids and candidate.category_id not in self.category_ids:
            return False
        if not glob.match(candidate.tag_name.casefold()):
            return False
        chain = [template.casefold() for template in candidate.template_chain]
        if self.templates and not any(t in name for t in self.templates for name in chain):
            return False
        if self.alarm_bearing_only and not any(a.is_alarm for a in candidate.attributes):
            return False
        return not self.historized_only or any(a.is_historized for a in candidate.attributes)


@dataclass(slots=True, eq=False)
class Node:
    """An object in its place; its children are in the order in which trees show them."""

    object: GalaxyObject
    children: list[Node] = field(default_factory=list["Node"])


class Repository:
    """The objects of one deploy, by their place in the tree and by their names."""

    def __init__(self, objects: Iterable[GalaxyObject]) -> None:
        nodes = {entry.gobject_id: Node(entry) for entry in objects}
        top = Node(GalaxyObject())
        for node in nodes.values():
            nodes.get(node.object.parent_gobject_id, top).children.append(node)
        for node in (top, *nodes.values()):
            node.children.sort(key=_place)
        #: What has no parent in the tree.
        self.roots = top.children
        self.object_count = len(nodes)
        self.attribute_count = sum(len(node.object.attributes) for node in nodes.values())
        self._by_id = nodes
        self._by_tag_name = {node.object.tag_name.casefold(): node for node in nodes.values()}
        self._by_path = dict(_with_paths(self.roots))

    def find(
        self,
        *,
        gobject_id: int | None = None,
        tag_name: str | None = None,
        contained_path: str | None = None,
    ) -> Node | None:
        """The object with that id, tag name or path, whichever is given; None if there is none.

        Names match in any case. A path is the browse names from a root on, with ``/`` between (D).
        """
        if gobject_id is not None:
            return self._by_id.get(gobject_id)
        if tag_name is not None:
            return self._by_tag_name.get(tag_name.casefold())
        return self._by_path.get((contained_path or "").strip(SEPARATOR).casefold())


def below(nodes: Iterable[Node], depth: int | None) -> Iterator[Node]:
    """``nodes`` and what is at most ``depth`` levels below them, parents before their children."""
    waiting = [(node, 0) for node in reversed(list(nodes))]
    while waiting:
        node, level = waiting.pop()
        yield node
        if depth is None or level < depth:
            waiting += [(child, level + 1) for child in reversed(node.children)]


def _place(node: Node) -> tuple[bool, str, int]:
    """Areas come first; then by name in any case."""
    shown = node.object
    return not shown.is_area, shown.browse_name.casefold(), shown.gobject_id


def _with_paths(roots: Iterable[Node]) -> Iterator[tuple[str, Node]]:
    waiting = [(node.object.browse_name.casefold(), node) for node in roots]
    while waiting:
        path, node = waiting.pop()
        yield path, node
        for child in node.children:
            waiting.append((f"{path}{SEPARATOR}{child.object.browse_name.casefold()}", child))
