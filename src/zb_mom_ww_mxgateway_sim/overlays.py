"""What may be wrong with all that is read in a subtree of the galaxy: its quality, its types."""

from __future__ import annotations

from dataclasses import replace

from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType, MxValue

from .galaxy.definition import Scalar
from .galaxy.live import Galaxy, Reading
from .galaxy.store import Store, StoredObject
from .values import mx_value


class Subtree:
    """An object and all below it, as they are deployed now: after a deploy it is looked up again.

    One that is not deployed any more has nothing below it.
    """

    def __init__(self, galaxy: Galaxy, tag_name: str) -> None:
        self._galaxy = galaxy
        self._tag_name = tag_name
        self._store: Store | None = None
        self._root: StoredObject | None = None

    @property
    def root(self) -> StoredObject | None:
        """The object itself; None where it is not deployed."""
        store = self._galaxy.store
        if store is not self._store:
            self._store, self._root = store, store.find(tag_name=self._tag_name)
        return self._root

    def has(self, owner: StoredObject) -> bool:
        """Whether an object is in it."""
        root = self.root
        return root is not None and root.place <= owner.place <= root.last


class Requalified:
    """Another quality; value, time and status stay."""

    def __init__(self, subtree: Subtree, quality: int) -> None:
        self._subtree = subtree
        self._quality = quality

    def covers(self, owner: StoredObject) -> bool:
        """Whether that object is in the subtree."""
        return self._subtree.has(owner)

    def over(self, reading: Reading) -> Reading:
        """The reading with that quality."""
        return replace(reading, quality=self._quality)


class Mistyped:
    """Values of the wrong type: what is no text as its text, texts as their length."""

    def __init__(self, subtree: Subtree) -> None:
        self._subtree = subtree

    def covers(self, owner: StoredObject) -> bool:
        """Whether that object is in the subtree."""
        return self._subtree.has(owner)

    def over(self, reading: Reading) -> Reading:
        """The reading with such a value; one without a value as it is."""
        if reading.value is None:
            return reading
        return replace(reading, value=_mistyped(reading.value))


def _mistyped(value: MxValue) -> MxValue:
    plain, array = from_mx_value(value), value.array_value
    if array is None:
        return mx_value(*_wrong(plain, is_text=value.string_value is not None))
    elements = plain if isinstance(plain, list) else []
    is_text = array.string_values is not None
    _, data_type = _wrong("", is_text=is_text)
    return mx_value([_wrong(element, is_text=is_text)[0] for element in elements], data_type)


def _wrong(plain: object, *, is_text: bool) -> tuple[Scalar, MxDataType]:
    if is_text:
        return len(str(plain)), MxDataType.INTEGER
    return str(plain), MxDataType.STRING
