"""Pages of a listing: what is on one, and the token that leads to the next."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from .selection import Filters, Listing
from .store import Store, StoredObject

#: Objects on a page when the request does not say, and the most there can be.
PAGE_SIZE: Final = 500
MAX_PAGE_SIZE: Final = 5_000

#: Objects that one statement fetches, before other tasks have their turn.
_BATCH: Final = 500
_TOKEN: Final = re.compile(r"(\d{1,10})-(\d{1,10})-([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Query:
    """What a page token is bound to: what was asked, but for the page, and who may see what."""

    rpc: str
    #: The root or parent; None for the whole tree or its roots.
    gobject_id: int | None
    depth: int | None
    filters: Filters
    with_attributes: bool
    #: What the API key is narrowed to.
    roots: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: behind the place ``after``, of a listing with ``total`` objects."""

    after: int
    total: int


@dataclass(frozen=True, slots=True)
class Page:
    """The objects of one page, how many all pages have, and where the next begins, if any."""

    objects: list[StoredObject]
    total: int
    following: Position | None


class Tokens:
    """Page tokens: opaque, and good for their own query and deploy alone."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def token(self, deploy: int, query: Query, position: Position | None) -> str:
        """The token of a page; empty where there is none.

        Args:
            deploy: The sequence of the deploy that the listing is of.
            query: What is listed.
            position: Where the page begins.
        """
        if position is None:
            return ""
        bound = f"{deploy} {position!r} {query!r}".encode()
        seal = hmac.new(self._secret, bound, hashlib.sha256).hexdigest()[:32]
        return f"{position.after}-{position.total}-{seal}"

    def position(self, deploy: int, query: Query, token: str) -> Position | None:
        """Where the page of a token begins; None for the first page, which has no token.

        INVALID_ARGUMENT for a token of an older deploy, another filter or another parent.
        """
        if not token:
            return None
        match = _TOKEN.fullmatch(token)
        position = Position(int(match[1]), int(match[2])) if match else None
        if not hmac.compare_digest(self.token(deploy, query, position).encode(), token.encode()):
            raise GRPCError(
                Status.INVALID_ARGUMENT,
                "the page token is not of this query, or the galaxy was deployed since; ask again "
                "without a page token",
            )
        return position


def checked_size(page_size: int) -> int:
    """How many objects a page may have: 500 by default (0), at most 5,000 (D)."""
    if page_size < 0:
        raise GRPCError(Status.INVALID_ARGUMENT, f"page_size {page_size} is negative")
    return min(page_size, MAX_PAGE_SIZE) or PAGE_SIZE


async def page(store: Store, listing: Listing, start: Position | None, size: int) -> Page:
    """One page of a listing. Other tasks have their turn between any two statements.

    Args:
        store: What is listed; stays as it is.
        listing: Which objects are listed.
        start: Where the page begins; None for the first, before which all are counted.
        size: The most objects that the page may have, above 0.
    """
    total = await _count(store, listing) if start is None else start.total
    after = -1 if start is None else start.after
    objects: list[StoredObject] = []
    while len(objects) <= size and (span := next(listing.slices(after), None)) is not None:
        # One more than asked for tells whether another page follows.
        wanted = min(_BATCH, size + 1 - len(objects))
        batch = store.listed(listing, span, wanted)
        objects += batch
        after = batch[-1].place if len(batch) == wanted else span.last
        await asyncio.sleep(0)
    following = Position(objects[size - 1].place, total) if len(objects) > size else None
    return Page(objects[:size], total, following)


async def _count(store: Store, listing: Listing) -> int:
    total = 0
    for span in listing.slices():
        total += store.count(listing, span)
        await asyncio.sleep(0)
    return total
