"""Listings of a galaxy's objects: what may be asked for, and reading them page by page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, TypedDict, TypeVar, Unpack

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenRequest,
    DiscoverHierarchyRequest,
)
from zb_mom_ww_mxgateway_contracts.google_protobuf import Int32Value

from ..errors import (
    MxGatewayArgumentError,
    MxGatewayGalaxyChangedError,
    MxGatewayProtocolError,
)

T = TypeVar("T")

#: How often a listing starts over because the galaxy was deployed meanwhile.
RESTARTS: Final = 3
#: How many pages without objects a gateway may send in a row; none has a reason to send any.
_EMPTY_PAGES: Final = 100


class ObjectFilters(TypedDict, total=False):
    """Which objects to list, and how. All filters that are given must match."""

    category_ids: Iterable[int]
    """Only objects of one of these categories, see ``ObjectCategory``; none given keeps all."""

    template_chain_contains: Iterable[str]
    """Only objects derived from a template whose name contains one of these texts."""

    tag_name_glob: str
    """Only objects whose whole tag name matches, in any case; ``*`` is any text, ``?`` one
    character.
    """

    include_attributes: bool
    """Whether the objects bring their attributes, which is most of what is sent; default True."""

    alarm_bearing_only: bool
    """Only objects that have an alarm attribute."""

    historized_only: bool
    """Only objects that have a historized attribute."""

    page_size: int
    """Objects a request; 0, the default, leaves it to the gateway (500), which allows 5,000."""


class HierarchyFilters(ObjectFilters, total=False):
    """Which part of the hierarchy to list; at most one root may be given."""

    root_gobject_id: int | None
    """List this object and what is below it."""

    root_tag_name: str | None
    """The same, by tag name."""

    root_contained_path: str | None
    """The same, by the path of names in the tree."""

    max_depth: int | None
    """How many levels below the root: 0 is the root alone; None, the default, is everything.
    Without a root, 0 is the top of the tree.
    """


def hierarchy_request(
    *,
    root_gobject_id: int | None = None,
    root_tag_name: str | None = None,
    root_contained_path: str | None = None,
    max_depth: int | None = None,
    **filters: Unpack[ObjectFilters],
) -> DiscoverHierarchyRequest:
    """The request for ``HierarchyFilters``; ``MxGatewayArgumentError`` for what cannot be."""
    _check_one(
        root_gobject_id=root_gobject_id,
        root_tag_name=root_tag_name,
        root_contained_path=root_contained_path,
    )
    _check_not_negative(max_depth=max_depth or 0)
    return DiscoverHierarchyRequest(
        root_gobject_id=root_gobject_id,
        root_tag_name=root_tag_name,
        root_contained_path=root_contained_path,
        max_depth=None if max_depth is None else Int32Value(value=max_depth),
        **_fields(**filters),
    )


def children_request(
    *,
    parent_gobject_id: int | None = None,
    parent_tag_name: str | None = None,
    parent_contained_path: str | None = None,
    **filters: Unpack[ObjectFilters],
) -> BrowseChildrenRequest:
    """The request for ``ObjectFilters`` below a parent, which raises as ``hierarchy_request``."""
    _check_one(
        parent_gobject_id=parent_gobject_id,
        parent_tag_name=parent_tag_name,
        parent_contained_path=parent_contained_path,
    )
    return BrowseChildrenRequest(
        parent_gobject_id=parent_gobject_id,
        parent_tag_name=parent_tag_name,
        parent_contained_path=parent_contained_path,
        **_fields(**filters),
    )


class _Fields(TypedDict):
    """``ObjectFilters`` as both requests have them."""

    category_ids: list[int]
    template_chain_contains: list[str]
    tag_name_glob: str
    include_attributes: bool | None
    alarm_bearing_only: bool
    historized_only: bool
    page_size: int


def _fields(
    *,
    category_ids: Iterable[int] = (),
    template_chain_contains: Iterable[str] = (),
    tag_name_glob: str = "",
    include_attributes: bool = True,
    alarm_bearing_only: bool = False,
    historized_only: bool = False,
    page_size: int = 0,
) -> _Fields:
    _check_not_negative(page_size=page_size)
    return {
        "category_ids": list(category_ids),
        "template_chain_contains": _texts(template_chain_contains),
        "tag_name_glob": tag_name_glob,
        "include_attributes": None if include_attributes else False,
        "alarm_bearing_only": alarm_bearing_only,
        "historized_only": historized_only,
        "page_size": page_size,
    }


def _check_one(**choices: int | str | None) -> None:
    given = [name for name, value in choices.items() if value is not None]
    if len(given) > 1:
        raise MxGatewayArgumentError(f"{' and '.join(given)} exclude each other; give one of them")


def _check_not_negative(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 0:
            raise MxGatewayArgumentError(f"{name} must not be negative, but is {number}")


def _texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):  # which is iterable too, letter by letter
        raise MxGatewayArgumentError(
            f"template_chain_contains takes a list of texts, not one; write [{texts!r}]"
        )
    return list(texts)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing."""

    items: list[T]
    next_token: str
    #: How many items all pages have; 0 where the gateway does not tell.
    total: int


class Listing(Generic[T]):
    """Reads one listing. A page is asked for when it is wanted, and not before.

    Args:
        ask: Asks for the page of a token, the first one having an empty token.
        attempted: What is listed and where, for the texts of errors.
    """

    def __init__(self, ask: Callable[[str], Awaitable[Page[T]]], attempted: str) -> None:
        self._ask = ask
        self._attempted = attempted
        self._token: str | None = ""
        self._tokens: set[str] = set()
        self._received = 0
        self._empty = 0

    async def next_page(self) -> list[T] | None:
        """The items of the next page; None after the last.

        Raises:
            MxGatewayGalaxyChangedError: The pages before were of an older deploy.
            MxGatewayProtocolError: The gateway would send pages for ever.
        """
        if self._token is None:
            return None
        try:
            page = await self._ask(self._token)
        except MxGatewayArgumentError as error:
            if not self._token:
                raise
            # The same arguments were fine for the page before: it is the token that is not.
            raise MxGatewayGalaxyChangedError(
                f"{self._attempted}: the gateway does not take its page token any more, since the "
                "galaxy was deployed meanwhile; list it anew"
            ) from error
        self._received += len(page.items)
        self._empty = 0 if page.items else self._empty + 1
        self._token = page.next_token or None
        self._check(page)
        return page.items

    def _check(self, page: Page[T]) -> None:
        """Whether the gateway gets on."""
        fault = ""
        if page.next_token in self._tokens:
            fault = "it repeats a page token"
        elif page.total and self._received > page.total:
            fault = f"it sent {self._received} objects and counts {page.total}"
        elif self._empty > _EMPTY_PAGES:
            fault = f"it sent {self._empty} pages without objects in a row"
        if fault:
            raise MxGatewayProtocolError(
                f"{self._attempted}: the gateway does not end the listing: {fault}"
            )
        if page.next_token:
            self._tokens.add(page.next_token)

    async def all(self) -> list[T]:
        """What is left, from all pages."""
        items: list[T] = []
        while (page := await self.next_page()) is not None:
            items += page
        return items


async def read_all(listing: Callable[[], Listing[T]]) -> list[T]:
    """All items of a listing, of one deploy: it starts over when another comes between pages.

    Raises:
        MxGatewayGalaxyChangedError: Deploys come faster than the listing can be read.
    """
    for _ in range(RESTARTS):
        with suppress(MxGatewayGalaxyChangedError):
            return await listing().all()
    return await listing().all()
