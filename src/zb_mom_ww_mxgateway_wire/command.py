"""Commands as data: a row for each payload that an invoke rpc carries. The rows are generated."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from .enums import OpenEnum
from .message import Message

Payload = TypeVar("Payload", bound=Message)
Result = TypeVar("Result")
_Payload = TypeVar("_Payload", bound=Message, covariant=True)
_Result = TypeVar("_Result", covariant=True)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One parameter of a command's method.

    ``field`` is the attribute of the payload that it fills; one that is not ``required`` has
    that field's default. ``value`` is true where plain Python values are taken for the contract's
    value message.
    """

    name: str
    field: str
    doc: str
    required: bool = False
    keyword_only: bool = False
    value: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec(Generic[_Payload, _Result]):
    """A command: its method's name, its kind, its payload and the payload of its reply.

    ``member`` and ``reply_member`` are the oneof members of request and reply; a command without a
    reply payload has ``reply_member`` None and ``reply`` NoneType. ``result_field`` names the only
    field of the reply payload, which the method returns. ``bulk_field`` names the repeated
    field that ``max_items`` limits.
    """

    name: str
    kind: OpenEnum
    member: str
    payload: type[_Payload]
    reply_member: str | None
    reply: type[_Result]
    result_field: str | None
    bulk_field: str | None
    max_items: int
    params: tuple[Param, ...]
    doc: str

    def item_count(self, payload: Message) -> int:
        """How many entries a bulk command has; 0 for other commands."""
        entries = getattr(payload, self.bulk_field) if self.bulk_field else ()
        return len(entries) if isinstance(entries, Sized) else 0


def listed(values: Iterable[_T]) -> list[_T]:
    """``values`` as a list; a bare string, and what is none, is left for the codec to refuse."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        return cast("list[_T]", values)
    return list(values)
