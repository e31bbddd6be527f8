"""What a person, a log or a tool that prints tracebacks with their locals would see of an error."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

import zb_mom_ww_mxgateway

SECRET = "topsecret"
KEY = f"mxgw_test_{SECRET}"
_OURS = Path(zb_mom_ww_mxgateway.__file__).parent


def links(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came from."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        link = rest.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            yield link
            rest += [link.__cause__, link.__context__]


def secrets_seen_in(error: BaseException, secret: str = SECRET) -> list[str]:
    """Where a secret shows: texts, attributes, and the locals of every frame but the tests'."""
    shown: dict[str, str] = {}
    for link in links(error):
        name = type(link).__name__
        shown[f"text of {name}"] = f"{link} {link!r} {link.args!r} {vars(link)!r}"
        for frame, line in traceback.walk_tb(link.__traceback__):
            path = Path(frame.f_code.co_filename)
            generated = frame.f_code.co_filename == "<string>"  # by dataclasses
            if generated or path.is_relative_to(_OURS) or "site-packages" in path.parts:
                where = f"{path.name}:{line} of {name}"
                shown |= {f"{where}: {k}": repr(v) for k, v in frame.f_locals.items()}
    return [where for where, text in shown.items() if secret in text]
