"""Tag subtrees that an API key is narrowed to. Commands ask here, so that all refuse alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway.errors import MxGatewayArgumentError

#: How much of a reference, and how many subtrees, a refusal repeats.
_SHOWN_CHARACTERS: Final = 100
_SHOWN_ROOTS: Final = 5


class Tree(Protocol):
    """The objects of a galaxy, as far as subtrees need them."""

    def within(self, reference_or_tag_name: str, roots: tuple[str, ...], /) -> bool:
        """Whether it leads to one of the objects called ``roots``, or to what is below one.

        D: what names no object is in no subtree, and an unknown root has none. Whether the object
        has the attribute makes no difference.
        """
        ...


class AccessDenied(GRPCError):  # noqa: N818 - an answer to the client, not an error here
    """The key is narrowed to other subtrees: PERMISSION_DENIED for a single command or call.

    A bulk command catches it and makes ``text`` the error of that entry.
    """

    def __init__(self, text: str) -> None:
        super().__init__(Status.PERMISSION_DENIED, text)
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Which subtrees a key may browse, read and write.

    Args:
        browse: Tag names of objects; the key sees the metadata of these and of all below them.
            None is the whole galaxy, an empty tuple is nothing.
        read: The same for adding, advising and reading items, and for seeing alarms.
        write: The same for writing items, and for acknowledging alarms.

    Raises:
        MxGatewayArgumentError: One cannot be the tag name of an object.
    """

    browse: tuple[str, ...] | None = None
    read: tuple[str, ...] | None = None
    write: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for roots in (self.browse, self.read, self.write):
            for root in roots or ():
                check_root(root)

    @classmethod
    def of(
        cls,
        *,
        browse: Iterable[str] | None = None,
        read: Iterable[str] | None = None,
        write: Iterable[str] | None = None,
    ) -> Access:
        """The same from any iterables of tag names; a str is not taken for one of letters.

        Raises:
            TypeError: One of them is a str.
            MxGatewayArgumentError: One cannot be the tag name of an object.
        """
        return cls(browse=_roots(browse), read=_roots(read), write=_roots(write))

    def may_browse(self, tree: Tree, name: str) -> bool:
        """Whether the metadata of the object or attribute ``name`` may be seen."""
        return self.browse is None or tree.within(name, self.browse)

    def may_read(self, tree: Tree, reference: str) -> bool:
        """Whether ``reference`` may be added, advised and read, and its alarms be seen."""
        return self.read is None or tree.within(reference, self.read)

    def may_write(self, tree: Tree, reference: str) -> bool:
        """Whether ``reference`` may be written, and its alarms be acknowledged."""
        return self.write is None or tree.within(reference, self.write)

    def require_browse(self, tree: Tree, name: str) -> None:
        """``AccessDenied`` unless the metadata of ``name`` may be seen."""
        if not self.may_browse(tree, name):
            raise _denied("browse", name, self.browse)

    def require_read(self, tree: Tree, reference: str) -> None:
        """``AccessDenied`` unless ``reference`` may be read."""
        if not self.may_read(tree, reference):
            raise _denied("read", reference, self.read)

    def require_write(self, tree: Tree, reference: str) -> None:
        """``AccessDenied`` unless ``reference`` may be written. D: it may be without being read,
        but an item has to be added first, which is reading.
        """
        if not self.may_write(tree, reference):
            raise _denied("write", reference, self.write)


#: Of a key that is not narrowed.
EVERYTHING: Final = Access()


def _roots(names: Iterable[str] | None) -> tuple[str, ...] | None:
    if isinstance(names, str):
        raise TypeError(f"tag names are given as a list, as in [{names!r}]")
    return None if names is None else tuple(names)


def check_root(name: str) -> None:
    """Refuse what names no object: a key narrowed to it could do nothing, and nobody would say so.

    Raises:
        MxGatewayArgumentError: It cannot be the tag name of an object.
    """
    tag_name, dot, _ = name.partition(".")
    if dot or not name.strip():
        advice = f"; give the object, {tag_name!r}" if tag_name.strip() else ""
        raise MxGatewayArgumentError(
            f"{name!r} is no tag name of an object: a key is narrowed to objects and all below "
            f"them, not to attributes{advice}"
        )


def _denied(act: str, name: str, roots: tuple[str, ...] | None) -> AccessDenied:
    """The same words whether ``name`` exists or not: a refusal must not tell that."""
    allowed = roots or ()
    shown = ", ".join(allowed[:_SHOWN_ROOTS]) or "nothing"
    if len(allowed) > _SHOWN_ROOTS:
        shown += f" and {len(allowed) - _SHOWN_ROOTS} more"
    if len(name) > _SHOWN_CHARACTERS:
        name = name[:_SHOWN_CHARACTERS] + "…"
    return AccessDenied(f"the API key may not {act} {name!r}: it is narrowed to {shown}")
