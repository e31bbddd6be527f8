"""The few steps that a compiled codec takes through CPython's C interface: ``native.pxd`` has them.

Both files say the same: this one is what interpreted codecs use.
"""

from __future__ import annotations

import struct
from typing import Final

#: An instance without ``__init__``: what the wire does not bring, the class's defaults hold.
new: Final = object.__new__

#: The same for a message of scalars alone. Compiled, garbage collection passes it by: its fields
#: lead back to nothing, and half of a large reply are such messages.
new_leaf: Final = object.__new__

#: Set an attribute past what ``__setattr__`` of its class does.
put: Final = object.__setattr__

_FLOAT: Final = struct.Struct("<f")
_DOUBLE: Final = struct.Struct("<d")


def read_float(data: bytes, pos: int) -> float:
    """Four bytes as a float."""
    return float(_FLOAT.unpack_from(data, pos)[0])


def read_double(data: bytes, pos: int) -> float:
    """Eight bytes as a double."""
    return float(_DOUBLE.unpack_from(data, pos)[0])


def write_float(out: bytearray, value: float) -> None:
    """Append a float as four bytes; ``OverflowError`` for one that needs more."""
    out += _FLOAT.pack(value)


def write_double(out: bytearray, value: float) -> None:
    """Append a float as eight bytes."""
    out += _DOUBLE.pack(value)
