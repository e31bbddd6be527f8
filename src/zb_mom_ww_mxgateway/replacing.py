"""The guard over every method that the SDK replaces in grpclib, h2 and hpack."""

from __future__ import annotations

from typing import Final

#: The versions that the replaced methods were read in.
_READ_IN: Final = {"grpclib": "0.4.9", "h2": "4.4.1", "hpack": "4.2.0"}


def refuse_strangers(*replacing: type) -> None:
    """Refuse a library that no longer calls what is replaced of it: our limits would be gone.

    Args:
        replacing: Classes whose methods marked ``@override`` have to be in their first base.

    Raises:
        ImportError: One of them is not.
    """
    for ours in replacing:
        theirs = ours.__mro__[1]
        library = theirs.__module__.partition(".")[0]
        for name, member in vars(ours).items():
            if getattr(member, "__override__", False) and not hasattr(theirs, name):
                from importlib.metadata import version  # it takes long, and nobody else needs it

                raise ImportError(
                    f"{library} {version(library)} has no {theirs.__name__}.{name}, which this SDK "
                    f"replaces; install {library} {_READ_IN[library]}"
                )
