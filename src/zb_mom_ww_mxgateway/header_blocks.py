"""hpack that remembers: the headers of nearly every call are those of the one before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from hpack.hpack import Decoder, Encoder
from hpack.struct import HeaderTuple, NeverIndexedHeaderTuple
from hpack.table import HeaderTable
from typing_extensions import override

from .replacing import refuse_strangers, refuse_without

#: Headers of a request, as text or as hpack's.
Headers: TypeAlias = tuple[tuple[str, str] | HeaderTuple, ...]

#: Blocks that are remembered of what is sent, and of what a gateway sent, and the longest of these
#: in bytes: a gateway may not fill the memory.
_SENT: Final = 1024
_RECEIVED: Final = 64
_LONGEST: Final = 512


class _Table(HeaderTable):
    """The table that both ends keep, and what tells whether it is still the same.

    What a block means is the same only while the table is.
    """

    _added = 0

    @override
    def add(self, name: bytes, value: bytes) -> None:
        self._added += 1
        super().add(name, value)

    def state(self) -> tuple[int, int, int]:
        """Equal for equal entries: where none was added, only the oldest can have gone."""
        return self._added, len(self.dynamic_entries), self.maxsize


class RememberingEncoder(Encoder):
    """Encodes headers that it has encoded with the table as it is by looking them up.

    Headers that are never indexed go last: so what differs from call to call, as the time that is
    left, changes neither the table nor what is remembered of the rest.
    """

    def __init__(self) -> None:
        super().__init__()
        self.header_table = self._table = _Table()
        self._blocks: dict[tuple[Any, ...], bytes] = {}
        self._state = self._table.state()

    @override
    def encode(self, headers: Iterable[Any], huffman: bool = True) -> bytes:
        given = list(headers)
        own = [header for header in given if isinstance(header, NeverIndexedHeaderTuple)]
        common = [h for h in given if not isinstance(h, NeverIndexedHeaderTuple)] if own else given
        return self._encoded((True, huffman, *common)) + self._encoded((False, huffman, *own))

    def encode_in_two(self, head: Headers, own: Headers) -> bytes:
        """What ``encode`` makes of ``head``, and of ``own``, which is never indexed, behind it."""
        return self._encoded((True, True, *head)) + self._encoded((False, True, *own))

    def _encoded(self, headers: tuple[Any, ...]) -> bytes:
        """Headers of which all or none are indexed, behind that and whether Huffman is used."""
        table = self._table
        state = table.state()
        if state != self._state or len(self._blocks) >= _SENT:
            self._blocks.clear()
            self._state = state
        block = None if table.resized else self._blocks.get(headers)
        if block is None:
            resized = table.resized  # then the block begins with the new size
            block = super().encode(headers[2:], headers[1])
            if not resized and table.state() == state:
                self._blocks[headers] = block
        return block


class ReceivedHeaders(list[HeaderTuple]):
    """Headers of a block, and the same as text once somebody has made that of them."""

    text: list[Any] | None = None


class RememberingDecoder(Decoder):
    """Decodes a block that it has decoded with the table as it is by looking it up."""

    def __init__(self) -> None:
        super().__init__()
        self.header_table = self._table = _Table()
        self._blocks: dict[tuple[bytes, bool], ReceivedHeaders] = {}
        self._state = self._table.state()

    @override
    def decode(self, data: bytes, raw: bool = False) -> list[HeaderTuple]:
        state = self._table.state()
        if state != self._state or len(self._blocks) >= _RECEIVED:
            self._blocks.clear()
            self._state = state
        headers = self._blocks.get((data, raw))
        if headers is None:
            headers = ReceivedHeaders(super().decode(data, raw))
            if len(data) <= _LONGEST and self._table.state() == state:
                self._blocks[data, raw] = headers
        return headers


refuse_strangers(_Table, RememberingEncoder, RememberingDecoder)
refuse_without(HeaderTable(), "dynamic_entries", "maxsize", "resized")
refuse_without(Encoder(), "header_table")
refuse_without(Decoder(), "header_table")
