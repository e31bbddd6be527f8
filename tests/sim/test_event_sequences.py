"""Whatever commands run, in whatever order: the events of a session are numbered without a hole."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from grpclib.client import Channel
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    MxCommandRequest,
    MxEvent,
    MxEventFamily,
    MxStatusProxy,
    OpenSessionReply,
    OpenSessionRequest,
    StreamEventsRequest,
    WriteBulkEntry,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import COMMANDS
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

TAGS = st.sampled_from(
    [
        "TestMachine_001.TestChangingInt",
        "TestMachine_001.MachineCode",
        "TestMachine_002.ProtectedValue",
        "TestChildObject.TestStringArray",
        "TestChildObject.TestStringArray[2]",
        "No.Such",
        "",
    ]
)
SERVERS = st.integers(0, 3)
ITEMS = st.integers(0, 8)
VALUES = st.sampled_from([1, 2.5, True, "text", ["a"], None]).map(to_mx_value)
HANDLES = {"server_handle": SERVERS, "item_handle": ITEMS}
ENTRIES = st.builds(WriteBulkEntry, item_handle=ITEMS, value=VALUES)


def step(command: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(command), st.fixed_dictionaries(dict(fields)))


STEPS = st.one_of(
    step("register"),
    step("unregister", server_handle=SERVERS),
    step("add_item", server_handle=SERVERS, item_definition=TAGS),
    step("advise", **HANDLES),
    step("advise_supervisory", **HANDLES),
    step("un_advise", **HANDLES),
    step("remove_item", **HANDLES),
    step("subscribe_bulk", server_handle=SERVERS, tag_addresses=st.lists(TAGS, max_size=5)),
    step("unsubscribe_bulk", server_handle=SERVERS, item_handles=st.lists(ITEMS, max_size=3)),
    step("write", **HANDLES, value=VALUES),
    step("write_bulk", server_handle=SERVERS, entries=st.lists(ENTRIES, max_size=5)),
    step("write_secured", **HANDLES, value=VALUES),
    step("authenticate_user", server_handle=SERVERS),
    step("read_bulk", server_handle=SERVERS, tag_addresses=st.lists(TAGS, max_size=5)),
    step("drain_events", max_events=st.integers(0, 3)),
    step("suspend", **HANDLES),
    step("ping"),
    st.tuples(st.just("attach"), st.just({})),
    st.tuples(st.just("detach"), st.just({})),
    st.tuples(st.just("let time pass"), st.just({})),
)


class Run:
    """One session, and every event of it as a client came by it: streamed, replayed, drained."""

    def __init__(self, gateway: SimulatedGateway) -> None:
        host, _, port = gateway.endpoint.rpartition(":")
        self.channel = Channel(host, int(port), codec=MessageCodec())
        self.metadata = {"authorization": f"Bearer {gateway.api_key}"}
        self.session_id = ""
        self.events: dict[int, MxEvent] = {}
        self.reader: asyncio.Task[None] | None = None
        self.noted = asyncio.Event()
        self.accepted = 0

    def open(self, method: Any) -> Any:
        return self.channel.request(
            method.path, method.cardinality, method.request, method.reply, metadata=self.metadata
        )

    async def start(self) -> None:
        async with self.open(MxAccessGatewayMethods.OPEN_SESSION) as stream:
            await stream.send_message(OpenSessionRequest(), end=True)
            reply: OpenSessionReply = await stream.recv_message()
        self.session_id = reply.session_id

    async def invoke(self, command: str, fields: dict[str, Any]) -> MxCommandReply:
        spec = COMMANDS[command]
        payload: Any = spec.payload(**fields)
        request = MxCommandRequest(
            session_id=self.session_id,
            command=MxCommand(kind=MxCommandKind(spec.kind), **{spec.member: payload}),
        )
        async with self.open(MxAccessGatewayMethods.INVOKE) as stream:
            await stream.send_message(request, end=True)
            return await stream.recv_message()

    async def do(self, command: str, fields: dict[str, Any]) -> None:
        if command == "let time pass":
            await asyncio.sleep(0.004)
        elif command == "attach":
            await self.attach()
        elif command == "detach":
            await self.detach()
        else:
            self.take(await self.invoke(command, fields))

    def take(self, reply: MxCommandReply) -> None:
        if reply.drain_events is not None:
            for event in reply.drain_events.events:
                self.note(event)
        if reply.write_bulk is not None:
            self.accepted += sum(result.was_successful for result in reply.write_bulk.results)
        if reply.kind in (MxCommandKind.WRITE, MxCommandKind.WRITE_SECURED) and not reply.hresult:
            self.accepted += 1

    async def read(self, after: int) -> None:
        async with self.open(MxAccessGatewayMethods.STREAM_EVENTS) as stream:
            request = StreamEventsRequest(session_id=self.session_id, after_worker_sequence=after)
            await stream.send_message(request, end=True)
            last = after
            async for event in stream:
                assert event.worker_sequence > last, "a stream never goes back"
                last = event.worker_sequence
                self.note(event)

    async def attach(self) -> None:
        """Resume after what arrived without a hole: the rest may have been under way and lost."""
        await self.detach()
        arrived = next(n for n in count(1) if n not in self.events) - 1
        self.reader = asyncio.create_task(self.read(arrived))
        await asyncio.sleep(0)

    async def detach(self) -> None:
        if self.reader is not None:
            if self.reader.done():
                self.reader.result()
            self.reader.cancel()
            await asyncio.wait([self.reader])
            self.reader = None
            await self.invoke("ping", {})  # behind the cancel, on the same connection

    def note(self, event: MxEvent) -> None:
        known = self.events.setdefault(event.worker_sequence, event)
        assert known == event, "a replayed event is the event it was"
        assert event.replay_gap is None
        self.noted.set()

    async def finish(self) -> None:
        await self.attach()
        async with asyncio.timeout(5):
            while sorted(self.events) != list(range(1, len(self.events) + 1)) or self.missing():
                self.noted.clear()
                await self.noted.wait()
        await self.detach()
        self.channel.close()

    def missing(self) -> bool:
        """Whether an accepted write has no completion yet."""
        families = [event.family for event in self.events.values()]
        return families.count(MxEventFamily.ON_WRITE_COMPLETE) < self.accepted


@given(st.lists(STEPS, max_size=40))
def test_sequences_are_contiguous_and_every_accepted_write_completes(steps):
    """``worker_sequence`` starts at 1 in each session, is contiguous and in the order raised; never
    reordered, coalesced or dropped. The outcome of a write is an OnWriteComplete, which always
    follows an accepted write.
    """

    async def run() -> Run:
        async with SimulatedGateway(machines=2, change_interval=0.002) as gateway:
            run = Run(gateway)
            await run.start()
            await run.do("register", {})
            fields = {"server_handle": 1, "tag_addresses": ["TestMachine_001.TestChangingInt"]}
            await run.do("subscribe_bulk", fields)
            await run.do("drain_events", {"max_events": 1})
            assert list(run.events) == [1]
            for command, fields in steps:
                await run.do(command, fields)
            await run.finish()
            return run

    done = asyncio.run(run())
    assert sorted(done.events) == list(range(1, len(done.events) + 1))
    assert {event.session_id for event in done.events.values()} <= {done.session_id}
    families = [event.family for event in done.events.values()]
    assert families.count(MxEventFamily.ON_WRITE_COMPLETE) == done.accepted
    for event in done.events.values():
        assert all(isinstance(status, MxStatusProxy) for status in event.statuses)
        assert len(event.statuses) == 1
