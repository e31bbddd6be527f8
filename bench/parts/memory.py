"""What 100,000 advised items cost the client, in bytes of Python's memory for each.

A client subscribes and keeps the results, as a program does to know its handles; then it also
keeps the last event of each item. ``tracemalloc`` counts, in a process of its own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Final

from zb_mom_ww_mxgateway import Event, GatewayClient
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import SubscribeResult

from ..canned import SUBSCRIBED
from ..columns import ENVIRONMENTS
from ..context import Context
from ..environments import ROOT
from ..peers import native
from ..results import Line, one
from ..simulators import columns_here
from ..workers import Server

ITEMS: Final = 100_000


def run(context: Context) -> Iterator[Line]:
    """Lines for what is kept."""
    context.say("memory of advised items")
    found: dict[str, dict[str, float]] = {}
    with Server() as server:
        for column in columns_here():
            done = subprocess.run(
                [sys.executable, "-m", "bench.parts.memory", server.endpoint],
                env=os.environ | ENVIRONMENTS[column],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            found[column] = json.loads(done.stdout)
    for what in next(iter(found.values())):
        figures = {column: one(each[what]) for column, each in found.items()}
        yield Line("memory", what, "bytes", figures)


async def _measure(endpoint: str) -> None:
    client = await GatewayClient.connect(endpoint, api_key=native.API_KEY, plaintext=True)
    async with client:
        subscribing = client.session(f"subscribe_bulk-{SUBSCRIBED}")
        results: list[SubscribeResult] = []
        await subscribing.subscribe_bulk(native.SERVER_HANDLE, native.tags(SUBSCRIBED))
        gc.collect()
        tracemalloc.start()
        empty = tracemalloc.get_traced_memory()[0]
        for _ in range(ITEMS // SUBSCRIBED):
            tags = native.tags(SUBSCRIBED)
            results += await subscribing.subscribe_bulk(native.SERVER_HANDLE, tags)
            del tags
        gc.collect()
        subscribed = tracemalloc.get_traced_memory()[0]
        events: list[Event] = []
        for _ in range(ITEMS // SUBSCRIBED):
            session = client.session(f"events-{SUBSCRIBED}")
            async with session.stream_events() as stream:
                events += [event async for event in stream]
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    assert len(results) == len(events) == ITEMS
    print(
        json.dumps(
            {
                "advised item": (subscribed - empty) / ITEMS,
                "last event of an item, kept": (kept - subscribed) / ITEMS,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(_measure(sys.argv[1]))
