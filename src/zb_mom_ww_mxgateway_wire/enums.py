"""Open enums: a number that the contract does not name yet survives decode, encode and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar, Self, TypeVar

from .decoding import to_int32

_E = TypeVar("_E", bound="OpenEnum")


class OpenEnum(IntEnum):
    """An enum of the contract. ``Kind(99)`` gives a member named ``UNKNOWN_99`` for any int32.

    Python names leave out the prefix that all values of an enum share; ``proto_name`` has it.
    """

    __proto_full_name__: ClassVar[str] = ""
    __proto_prefix__: ClassVar[str] = ""
    __proto_renames__: ClassVar[Mapping[str, str]] = {}

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        """The name; the number for a spec with an integer's code, such as ``d`` or ``04x``."""
        return format(int(self) if spec[-1:] in set("bcdoxXn") else self.name, spec)

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or not -(2**31) <= value < 2**31:
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}".replace("-", "MINUS_")
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether the contract that the SDK was generated from names this number."""
        return self._value_ in type(self)._value2member_map_

    @property
    def proto_name(self) -> str:
        """The value's name as the contract spells it; for an unknown number, the digits."""
        if not self.is_known:
            return str(int(self))
        return self.__proto_renames__.get(self._name_, self.__proto_prefix__ + self._name_)

    @classmethod
    def from_proto_name(cls, name: str) -> Self:
        """The member of that name in the contract, aliases included; ``KeyError`` for none."""
        for python_name, member in cls.__members__.items():
            if cls.__proto_renames__.get(python_name, cls.__proto_prefix__ + python_name) == name:
                return member
        raise KeyError(name)


class Members(dict[int, _E]):
    """Varint to member, unknown numbers included; quicker to ask than the enum itself."""

    def __init__(self, enum: type[_E]) -> None:
        super().__init__((int(member), member) for member in enum)
        self._enum = enum

    def __missing__(self, varint: int) -> _E:
        # Not kept: a peer must not be able to fill our memory with made-up numbers.
        return self._enum(to_int32(varint))
