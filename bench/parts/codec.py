"""Decoding into native values and encoding from them, message by message, without a network.

A decoded message is read whole: every field becomes a Python value, as google.protobuf makes its
values only when they are asked for. What is encoded is built from native values each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..canned import write_messages
from ..context import Context, agreed
from ..results import Line, line, microseconds
from ..rounds import alternate

#: The cases of the workers, and what they are called in the table.
CASES: Final = {
    "decode bulk_read_reply": "decode BulkReadReply of 1,000",
    "decode mx_event": "decode MxEvent",
    "decode hierarchy": "decode DiscoverHierarchyReply, 100 objects of 10 attributes",
    "decode ping_reply": "decode the reply to a ping",
    "encode write_bulk": "encode write_bulk of 1,000",
    "encode mx_event": "encode MxEvent",
    "encode ping": "encode ping",
}


def run(context: Context) -> Iterator[Line]:
    """A line for each message."""
    folder = write_messages()
    with context.workers(codecs=True) as workers:
        for case, what in CASES.items():
            context.say(what)
            kind, _, name = case.partition(" ")
            arguments = {"file": str(folder / name)} if kind == "decode" else {}
            checks = [(worker.name, worker.prepare(case, **arguments)) for worker in workers]
            agreed(what, checks)
            yield line("codec", what, "µs", alternate(workers, context.plan), microseconds())
