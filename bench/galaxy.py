"""A galaxy of 100,000 objects with ten attributes each: start, memory, pages, browsing, lookups.

`python bench/galaxy.py` prints one table. The simulator runs in a process of its own; times of
calls are a client's, over a socket, up to the decoded reply.
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
from collections.abc import Awaitable, Callable
from functools import partial

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

    def __init__(self) -> None:
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, __file__, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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


def line(what: str, *figures: str) -> None:
    print(f"{what:52}" + "".join(f"{figure:>14}" for figure in figures))


async def timed(what: str, call: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> None:
    """Call many times and print the 50th and 99th percentile.

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
    line(what, f"{cuts[49]:.1f} ms", f"{cuts[98]:.1f} ms")


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


async def pages(client: GalaxyRepositoryClient, known: list[str]) -> None:
    """Ask for pages of 500 here and there, with filters, and for children."""
    for offset in OFFSETS:
        token = known[len(known) * offset // 100]

        page = partial(
            client.discover_hierarchy_raw, DiscoverHierarchyRequest(page_size=500, page_token=token)
        )
        reply = await page()
        assert sum(len(shown.attributes) for shown in reply.objects) >= 499 * ATTRIBUTES
        assert reply.total_object_count == OBJECTS + 1
        await timed(f"page of 500 with attributes, from {offset} % on", page)
    for what, request in {
        "first page, glob that 100 objects match": DiscoverHierarchyRequest(tag_name_glob="*123"),
        "first page, glob and template that none match": DiscoverHierarchyRequest(
            tag_name_glob="*1?3x", template_chain_contains=["machine"]
        ),
        "first page, one level, without attributes": DiscoverHierarchyRequest(
            root_tag_name="Area", historized_only=True, include_attributes=False
        ),
    }.items():
        await timed(what, partial(client.discover_hierarchy_raw, request))
    browse = BrowseChildrenRequest(parent_tag_name="Area", include_attributes=False)
    await timed("first 500 of 100,000 children", partial(client.browse_children_raw, browse))
    one = BrowseChildrenRequest(parent_contained_path="area/machine_077777")
    await timed("children of an object without any", partial(client.browse_children_raw, one))


def lookups() -> None:
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
    for what, call in calls.items():
        started = time.perf_counter()
        assert all(call(reference) for reference in references)
        line(what, f"{(time.perf_counter() - started) / len(references) * 1e6:.1f} us")


async def main() -> None:
    print(f"{OBJECTS} objects, {ATTRIBUTES} attributes each, {os.cpu_count()} CPUs\n")
    process = Process()
    try:
        line("process to listening socket", f"{process.start_seconds:.2f} s")
        line("of which: building the galaxy", f"{process.build_seconds:.2f} s")
        line("", "p50", "p99")
        async with await GalaxyRepositoryClient.connect(
            process.endpoint, api_key=KEY, plaintext=True
        ) as client:
            process.say("watch")
            known = await tokens(client)
            process.say("done")
            large = await asyncio.to_thread(process.told)
            process.say("watch")
            await pages(client, known)
            process.say("done")
            facts = await asyncio.to_thread(process.told)
            line("longest hold of the simulator's event loop", f"{facts['held'] * 1e3:.1f} ms")
            line("the same with pages of 5,000", f"{large['held'] * 1e3:.1f} ms")
            line("peak memory of the simulator", f"{facts['peak']:.0f} MiB")
            process.say("deploy")
            facts = await asyncio.to_thread(process.told)
            line("redeploy while running", f"{facts['seconds']:.2f} s")
            line("longest hold of the event loop meanwhile", f"{facts['held'] * 1e3:.1f} ms")
            line("peak memory with two deploys", f"{facts['peak']:.0f} MiB")
    finally:
        process.close()
    lookups()


if __name__ == "__main__":
    asyncio.run(serve() if sys.argv[1:] == ["serve"] else main())
