"""Objects and their attributes as the Galaxy service shows them."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import GalaxyAttribute, GalaxyObject

from .definition import DATA_TYPES, AttributeDefinition, AttributeSet
from .store import StoredObject

#: The category of every simulated attribute (D).
_ATTRIBUTE_CATEGORY: Final = 10


class Showing:
    """Makes the messages, with the attributes encoded already.

    Attributes of objects of one kind differ in the tag name alone, at the start of their
    references. Where tag names are of the same length, so is everything else: what stands between
    the tag names is encoded once.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[AttributeSet, dict[int, list[bytes]]] = WeakKeyDictionary()

    def shown(self, stored: StoredObject, *, with_attributes: bool) -> GalaxyObject:
        """An object, with its attributes or without; good for sending and nothing else."""
        shown = GalaxyObject(
            gobject_id=stored.gobject_id,
            tag_name=stored.tag_name,
            contained_name=stored.contained_name,
            browse_name=stored.browse_name,
            parent_gobject_id=stored.parent_gobject_id,
            is_area=stored.is_area,
            category_id=stored.category_id,
            hosted_by_gobject_id=stored.host_gobject_id,
            template_chain=list(stored.template_chain),
        )
        if with_attributes:
            tag_name = stored.tag_name.encode()
            # Where a message keeps what it sends on as it is.
            shown.unknown_fields = tag_name.join(self._between(stored.attributes, len(tag_name)))
        return shown

    def _between(self, attributes: AttributeSet, length: int) -> list[bytes]:
        """Encoded attributes, cut where a tag name of ``length`` bytes belongs."""
        known = self._known.setdefault(attributes, {})
        if length not in known:
            known[length] = _cut(
                _encoded(attributes, "a" * length), _encoded(attributes, "b" * length)
            )
        return known[length]


def _cut(one: bytes, other: bytes) -> list[bytes]:
    """What is the same in both, which differ in the tag names alone, piece by piece."""
    pieces = [bytearray()]
    differed = False
    for mine, others in zip(one, other, strict=True):
        if mine == others:
            pieces[-1].append(mine)
        elif not differed:
            pieces.append(bytearray())
        differed = mine != others
    return [bytes(piece) for piece in pieces]


def _encoded(attributes: AttributeSet, tag_name: str) -> bytes:
    described = [_described(attribute, tag_name) for attribute in attributes.attributes]
    return bytes(GalaxyObject(attributes=described))


def _described(attribute: AttributeDefinition, tag_name: str) -> GalaxyAttribute:
    native, name = DATA_TYPES[attribute.data_type]
    value = attribute.value
    return GalaxyAttribute(
        attribute_name=attribute.name,
        full_tag_reference=f"{tag_name}.{attribute.name}{'[]' if attribute.is_array else ''}",
        mx_data_type=native,
        data_type_name=name,
        is_array=attribute.is_array,
        array_dimension=len(value) if isinstance(value, list) else 0,
        array_dimension_present=attribute.is_array,
        mx_attribute_category=_ATTRIBUTE_CATEGORY,
        security_classification=attribute.security,
        is_historized=attribute.is_historized,
        is_alarm=attribute.alarm is not None,
    )
