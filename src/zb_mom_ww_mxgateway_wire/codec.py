"""What all codecs share: their errors, their limits, and the door into a generated one.

What they are made of is in ``decoding.py`` and ``encoding.py``.
"""

from __future__ import annotations

import gc
import struct
from collections.abc import Callable
from typing import Final, TypeVar

#: How deep messages may nest, the limit of every protobuf implementation.
MAX_DEPTH: Final = 100

#: The largest finite 32-bit float.
FLOAT_MAX: Final = float.fromhex("0x1.fffffep+127")

#: From how many bytes on decoding makes so many objects that collecting garbage in between would
#: take longer than the decoding: all of it is alive.
_LARGE: Final = 16_384

_M = TypeVar("_M")

#: What is generated for each message to be read: buffer, first position, end, how many messages
#: may still nest, message to merge into.
Decoder = Callable[[bytes, int, int, int, _M | None], _M]

#: What is generated for each message to be sent: the bytes before it, message, name for errors,
#: how many messages may still nest.
Encoder = Callable[[bytearray, _M, str, int], None]


class DecodeError(ValueError):
    """Bytes or JSON that are no valid message of the type asked for."""


class EncodeError(ValueError):
    """A field holds a value that its type cannot carry. The text names the field, not the value."""


def truncated() -> DecodeError:
    """The error for a length that reaches past the end of its message."""
    return DecodeError("the message ends in the middle of a field")


def too_deep() -> DecodeError:
    """The error for messages nested deeper than ``MAX_DEPTH``."""
    return DecodeError(f"messages are nested deeper than {MAX_DEPTH} levels")


def guarded(name: str, decode: Decoder[_M], data: bytes, into: _M | None = None) -> _M:
    """Decode ``data`` as message ``name``; whatever is wrong with it becomes a ``DecodeError``."""
    paused = len(data) >= _LARGE and gc.isenabled()
    try:
        if paused:
            gc.disable()
        return decode(data, 0, len(data), MAX_DEPTH, into)
    except DecodeError as error:
        raise DecodeError(f"cannot decode {name}: {error}") from None
    except (IndexError, struct.error):
        raise DecodeError(f"cannot decode {name}: {truncated()}") from None
    except UnicodeDecodeError:
        raise DecodeError(f"cannot decode {name}: a string field is not valid UTF-8") from None
    finally:
        if paused:
            gc.enable()
