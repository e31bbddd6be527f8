"""``python -m bench [PART …]``: measure, and print one table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from . import table
from .context import Context
from .machine import Setting
from .parts import batch, calls, codec, galaxy, generator, memory, simulator, soak, startup
from .results import Line
from .rounds import QUICK, Plan
from .targets import outcomes

#: What is measured when no part is named.
_USUAL: Final[Mapping[str, Callable[[Context], Iterator[Line]]]] = {
    "codec": codec.run,
    "calls": calls.run,
    "simulator": simulator.run,
    "startup": startup.run,
    "batch": batch.run,
    "memory": memory.run,
    "generator": generator.run,
}
#: What takes minutes by itself and has to be asked for.
_LONG: Final[Mapping[str, Callable[[Context], Iterator[Line]]]] = {
    "galaxy": galaxy.run,
    "soak": soak.run,
}


def main() -> None:
    """Measure the parts that are named, or all but the long ones."""
    parts = {**_USUAL, **_LONG}
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure this SDK next to its peers and print one table.",
        epilog=f"Without a name: {', '.join(_USUAL)}. To be asked for: {', '.join(_LONG)}.",
    )
    parser.add_argument("part", nargs="*", metavar="PART", help="what to measure")
    parser.add_argument("--quick", action="store_true", help="a short look: fewer, shorter rounds")
    parser.add_argument(
        "--stock-server", action="store_true", help="let a server of grpc.aio answer the calls"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--markdown", action="store_true", help="print what goes into a document")
    given = parser.parse_args()
    for name in given.part:
        if name not in parts:
            parser.error(f"there is no part {name!r}; there are {', '.join(parts)}")

    setting = Setting.here()
    context = Context(
        QUICK if given.quick else Plan(),
        setting,
        quick=given.quick,
        stock_server=given.stock_server,
    )
    lines: list[Line] = []
    for name in given.part or _USUAL:
        print(f"{name} …", file=sys.stderr, flush=True)
        lines += parts[name](context)
    found = outcomes(lines)
    if given.markdown:
        print(table.markdown(lines, found, setting))
    else:
        print(*setting.sentences(), table.LEGEND, "", table.text(lines, found), sep="\n")
    if given.json:
        given.json.write_text(json.dumps(table.as_json(lines, found, setting), indent=1) + "\n")


if __name__ == "__main__":
    main()
