"""The guard over all that the SDK replaces, or takes without leave, in grpclib, h2 and hpack."""

from __future__ import annotations

from typing import Final

#: The versions that the replaced methods were read in.
_READ_IN: Final = {"grpclib": "0.4.9", "h2": "4.4.1", "hpack": "4.2.0"}


def refuse_strangers(*replacing: type) -> None:
    """Refuse a library that no longer calls what is replaced of it: our limits would be gone.

    Args:
        replacing: Classes whose members marked ``@override`` have to be in their first base.

    Raises:
        ImportError: One of them is not.
    """
    for ours in replacing:
        for name, member in vars(ours).items():
            method = getattr(member, "fget", member)  # that of a property is the one marked
            if getattr(method, "__override__", False):
                refuse_without(ours.__mro__[1], name)


def refuse_without(theirs: object, *names: str) -> None:
    """Refuse a library that no longer has what we take of it: calls would end in AttributeError.

    Args:
        theirs: A class of the library or, for what only objects have, one of its objects.
        names: What has to be there.

    Raises:
        ImportError: One of them is not.
    """
    kind = theirs if isinstance(theirs, type) else type(theirs)
    library = kind.__module__.partition(".")[0]
    for name in names:
        if not hasattr(theirs, name):
            from importlib.metadata import version  # it takes long, and nobody else needs it

            raise ImportError(
                f"{library} {version(library)} has no {kind.__name__}.{name}, which this SDK "
                f"builds on; install {library} {_READ_IN[library]}"
            )
