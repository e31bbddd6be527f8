"""The model's values: as they travel, as attributes hold them, and what fits into what.

Plain Python, and nothing of the simulator.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import timedelta

#: What an attribute holds; times are nanoseconds since 1970, time spans are seconds.
Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]

#: The member of MxValue in which a value of each data type travels.
MEMBERS = {
    "BOOLEAN": "bool_value",
    "INTEGER": "int32_value",
    "FLOAT": "float_value",
    "DOUBLE": "double_value",
    "STRING": "string_value",
    "TIME": "timestamp_value",
    "ELAPSED_TIME": "double_value",
    "REFERENCE": "string_value",
    "QUALIFIED_ENUM": "int32_value",
    "INTERNATIONALIZED_STRING": "string_value",
    "BIG_STRING": "string_value",
}
NUMBERS = {"int32_value", "int64_value", "float_value", "double_value"}
#: In seconds: 2.7 million years, as much as clients' types hold.
LONGEST_SPAN = timedelta.max.total_seconds()


@dataclass(frozen=True)
class Single:
    """One value on its way: the member of MxValue that holds it; no member for no value."""

    member: str
    value: Scalar | bytes | None


@dataclass(frozen=True)
class Many:
    """An array on its way; ``member`` is that of one element."""

    member: str
    values: tuple[Scalar, ...]
    dimensions: tuple[int, ...]


@dataclass(frozen=True)
class Sparse:
    """An array of which some elements are named."""

    element_type: str
    length: int
    elements: tuple[tuple[int, Single | Many], ...]

    def is_malformed(self) -> bool:
        """Index ≥ total_length, a repeated index, a non-scalar element: INVALID_ARGUMENT. So is a
        type without a default.
        """
        indexes = [index for index, _ in self.elements]
        return (
            self.element_type not in MEMBERS
            or any(index >= self.length for index in indexes)
            or len(set(indexes)) < len(indexes)
            or any(not isinstance(value, Single) or not value.member for _, value in self.elements)
        )

    def expanded(self) -> list[Single]:
        """Positions not named become the default (false, 0, "", epoch), not the old value."""
        member = MEMBERS[self.element_type]
        defaults: dict[str, Scalar] = {"bool_value": False, "string_value": ""}
        full = [Single(member, defaults.get(member, 0))] * self.length
        for index, value in self.elements:
            assert isinstance(value, Single)
            full[index] = value
        return full


Sent = Single | Many | Sparse


class UnfitError(Exception):
    """The attribute does not take the value."""


def fitted(sent: Sent, data_type: str, *, whole: bool) -> Value:
    """What an attribute of ``data_type`` holds once ``sent`` is written to it.

    An array for a whole array, which takes over its length; else a single value.
    """
    if isinstance(sent, Single):
        if whole:
            raise UnfitError
        return _scalar(sent, data_type)
    if not whole:
        raise UnfitError
    if isinstance(sent, Sparse):
        return tuple(_scalar(element, data_type) for element in sent.expanded())
    if sent.dimensions not in ((), (len(sent.values),)):
        raise UnfitError
    return tuple(_scalar(Single(sent.member, value), data_type) for value in sent.values)


def _scalar(sent: Single, data_type: str) -> Scalar:
    """Numbers are coerced where no value is lost; other types take their own kind alone."""
    value = sent.value
    if value is None or isinstance(value, bytes):
        raise UnfitError
    member = MEMBERS[data_type]
    if member not in NUMBERS:
        if sent.member != member:
            raise UnfitError
        return value
    if sent.member not in NUMBERS or isinstance(value, str) or not math.isfinite(value):
        raise UnfitError
    if member == "int32_value":
        if value != math.floor(value) or not -(2**31) <= value < 2**31:
            raise UnfitError
        return int(value)
    made = float(value)
    if data_type == "ELAPSED_TIME" and abs(made) > LONGEST_SPAN:
        raise UnfitError
    if data_type == "FLOAT":
        made = _to_32_bits(made)
        # That a number with a fraction is rounded is no loss that anybody would refuse.
        if isinstance(value, float):
            return made
    if made != value:
        raise UnfitError
    return made


def _to_32_bits(value: float) -> float:
    try:
        (made,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        raise UnfitError from None
    return float(made)
