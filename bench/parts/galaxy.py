"""A galaxy of 100,000 objects with ten attributes each: start, memory, pages, browsing, lookups.

The simulator runs in a process of its own; times of calls are a client's, over a socket, up to the
decoded reply.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

from zb_mom_ww_mxgateway.galaxy import GalaxyRepositoryClient, ObjectCategory
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenRequest,
    DiscoverHierarchyRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    AttributeDefinition,
    AttributeSet,
    GalaxyDefinition,
    ObjectDefinition,
    ObjectSeries,
)
from zb_mom_ww_mxgateway_sim.galaxy.store import Store

from ..columns import ENVIRONMENTS
from ..context import Context
from ..environments import ROOT
from ..results import Line, one
from ..simulators import columns_here

OBJECTS = 100_000
ATTRIBUTES = 10
ROUNDS = 50
#: Where pages begin, in hundredths of the listing.
OFFSETS = (0, 25, 50, 75, 95)
KEY = "mxgw_bench_secret"


def galaxy() -> GalaxyDefinition:
    """One area with all the objects, so that its children are as many as can be."""
    attributes = AttributeSet(
        AttributeDefinition(
            name=f"Attribute{number}",
            data_type=MxDataType.INTEGER,
            value=0,
            is_historized=number == 1,
        )
        for number in range(1, ATTRIBUTES + 1)
    )
    area = ObjectDefinition(
        tag_name="Area", category=ObjectCategory.AREA, attributes=AttributeSet()
    )
    machine = ObjectDefinition(
        tag_name="Machine_{n:06}",
        template_chain=("$Machine", "$UserDefined"),
        attributes=attributes,
        parent="Area",
        host="Area",
    )
    return GalaxyDefinition(entries=(area, ObjectSeries(pattern=machine, count=None)))


# --- the simulator's process -----------------------------------------------------------------


class Held:
    """Looks how long the event loop does not come round."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def look(self) -> None:
        """Look until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - before - 0.001)


def tell(**facts: float) -> None:
    print(json.dumps(facts), flush=True)


async def serve() -> None:
    """A simulator that answers each line of standard input with what it knows of itself."""
    started = time.perf_counter()
    gateway = SimulatedGateway(api_key=KEY, galaxy=galaxy(), machines=OBJECTS)
    built = time.perf_counter() - started
    async with gateway:
        held = Held()
        looking = asyncio.create_task(held.look())
        tell(port=int(gateway.endpoint.rpartition(":")[2]), built=built)
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            held.longest, started = 0.0, time.perf_counter()
            if line == "deploy":
                await gateway.deploy()
            else:
                await asyncio.to_thread(sys.stdin.readline)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            tell(seconds=time.perf_counter() - started, held=held.longest, peak=peak)
        looking.cancel()


class Process:
    """The simulator's process, as the client's sees it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.parts.galaxy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | environment,
        )
        facts = self.told()
        self.start_seconds = time.perf_counter() - started
        self.build_seconds = facts["built"]
        self.endpoint = f"127.0.0.1:{facts['port']:.0f}"

    def told(self) -> dict[str, float]:
        """What the simulator says next."""
        assert self._process.stdout is not None
        facts: dict[str, float] = json.loads(self._process.stdout.readline())
        return facts

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)

    def close(self) -> None:
        """End the process: it has nothing more to read."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


# --- the client's process --------------------------------------------------------------------


Figures: TypeAlias = dict[tuple[str, str], float]


async def timed(call: Callable[[], Awaitable[object]], rounds: int) -> tuple[float, float]:
    """Call many times; the 50th and 99th percentile in milliseconds.

    The client's garbage is collected between the calls: its pauses are not the simulator's.
    """
    times: list[float] = []
    await call()
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        started = time.perf_counter()
        await call()
        times.append((time.perf_counter() - started) * 1_000)
        gc.enable()
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return cuts[49], cuts[98]


async def tokens(client: GalaxyRepositoryClient) -> list[str]:
    """The page tokens of the whole listing with attributes, in steps of 5,000 objects."""
    found = [""]
    while True:
        page = await client.discover_hierarchy_raw(
            DiscoverHierarchyRequest(page_size=5_000, page_token=found[-1])
        )
        if not page.next_page_token:
            return found
        found.append(page.next_page_token)


async def pages(client: GalaxyRepositoryClient, known: list[str], rounds: int) -> Figures:
    """Ask for pages of 500 here and there, with filters, and for children."""
    calls: dict[str, Callable[[], Awaitable[object]]] = {}
    for offset in OFFSETS:
        token = known[len(known) * offset // 100]
        page = partial(
            client.discover_hierarchy_raw, DiscoverHierarchyRequest(page_size=500, page_token=token)
        )
        reply = await page()
        assert sum(len(shown.attributes) for shown in reply.objects) >= 499 * ATTRIBUTES
        assert reply.total_object_count == OBJECTS + 1
        calls[f"page of 500 with attributes, from {offset} % on"] = page
    for what, request in {
        "first page, glob that 100 objects match": DiscoverHierarchyRequest(tag_name_glob="*123"),
        "first page, glob and template that none match": DiscoverHierarchyRequest(
            tag_name_glob="*1?3x", template_chain_contains=["machine"]
        ),
        "first page, one level, without attributes": DiscoverHierarchyRequest(
            root_tag_name="Area", historized_only=True, include_attributes=False
        ),
    }.items():
        calls[what] = partial(client.discover_hierarchy_raw, request)
    browse = BrowseChildrenRequest(parent_tag_name="Area", include_attributes=False)
    calls["first 500 of 100,000 children"] = partial(client.browse_children_raw, browse)
    one_object = BrowseChildrenRequest(parent_contained_path="area/machine_077777")
    calls["children of an object without any"] = partial(client.browse_children_raw, one_object)
    found: Figures = {}
    for what, call in calls.items():
        found[f"{what}, p50", "ms"], found[f"{what}, p99", "ms"] = await timed(call, rounds)
    return found


def lookups() -> Figures:
    """References to their attributes, in this process."""
    store = Store.build(galaxy(), OBJECTS)
    choose = random.Random(0)
    references = [
        f"machine_{choose.randint(1, OBJECTS):06}.attribute{choose.randint(1, ATTRIBUTES)}"
        for _ in range(20_000)
    ]
    calls: dict[str, Callable[[str], object]] = {
        "reference to attribute": store.attribute,
        "whether a reference is in a subtree": lambda reference: store.within(reference, ("area",)),
    }
    found: Figures = {}
    for what, call in calls.items():
        started = time.perf_counter()
        assert all(call(reference) for reference in references)
        found[what, "µs"] = (time.perf_counter() - started) / len(references) * 1e6
    return found


async def served(process: Process, rounds: int) -> Figures:
    """All that is asked of the simulator."""
    found: Figures = {
        ("process to listening socket", "s"): process.start_seconds,
        ("of which: building the galaxy", "s"): process.build_seconds,
    }
    async with await GalaxyRepositoryClient.connect(
        process.endpoint, api_key=KEY, plaintext=True
    ) as client:
        process.say("watch")
        known = await tokens(client)
        process.say("done")
        large = await asyncio.to_thread(process.told)
        process.say("watch")
        found |= await pages(client, known, rounds)
        process.say("done")
        facts = await asyncio.to_thread(process.told)
        found["longest hold of the simulator's event loop", "ms"] = facts["held"] * 1e3
        found["the same with pages of 5,000", "ms"] = large["held"] * 1e3
        found["peak memory of the simulator", "MiB"] = facts["peak"]
        process.say("deploy")
        facts = await asyncio.to_thread(process.told)
        found["redeploy while running", "s"] = facts["seconds"]
        found["longest hold of the event loop meanwhile", "ms"] = facts["held"] * 1e3
        found["peak memory with two deploys", "MiB"] = facts["peak"]
    return found


def run(context: Context) -> Iterator[Line]:
    """A line for each figure."""
    context.say(f"a galaxy of {OBJECTS:,} objects")
    column = columns_here()[0]
    process = Process(ENVIRONMENTS[column])
    try:
        found = asyncio.run(served(process, 10 if context.quick else ROUNDS))
    finally:
        process.close()
    for (what, unit), figure in (found | lookups()).items():
        yield Line("galaxy", what, unit, {column: one(figure)})


if __name__ == "__main__":
    asyncio.run(serve())
