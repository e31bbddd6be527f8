"""The machine behind test_model.py: a gateway and its model, and what is drawn for both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from grpclib.client import Channel
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    CloseSessionRequest,
    OpenSessionRequest,
    SessionState,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayStub
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.limits import Limits
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

from .conftest import ChannelTransport
from .model import Item, Session, Write
from .model_driver import Pair, mx_value, write_fields
from .model_inputs import USERS, deployed, galaxy, maybe_times, references, values
from .model_plant import OK, Plant, Users
from .model_values import Single

T = TypeVar("T")

#: Handles that no gateway gives out.
NO_HANDLES = [0, -1, 99_999]
#: Ids of users who have not logged in.
NO_USERS = [0, 1, 11, 12, 13]
SESSIONS = 3


def _is_good(item: Item) -> bool:
    return item.last is not None and item.last.status == OK


class Machine(RuleBasedStateMachine):
    """Sessions of a gateway beside those of its model; time stands still but where it is let pass.

    All drawing is for something that is there, but for an odd case once in a while.
    """

    is_secured = False

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[Pair] = []
        self.has_failed = False
        self.loop = asyncio.Runner()
        by_name = {name: (password, user_id) for name, password, user_id, _ in USERS}
        by_guid = {guid: user_id for _, _, user_id, guid in USERS}
        self.users = Users(self.is_secured, by_name, by_guid)

    def run(self, steps: Coroutine[Any, Any, T]) -> T:
        """Do something on the loop of this run."""
        try:
            return self.loop.run(steps)
        except BaseException:
            self.has_failed = True
            raise

    async def begin(self, machines: int, pool: list[str]) -> None:
        """Start the gateway and connect to it; ``pool`` has the attributes to use."""
        self.pool = pool
        self.plant = Plant(deployed(machines))
        self.clock = ManualClock()
        self.gateway = SimulatedGateway(
            galaxy=galaxy(is_secured=self.is_secured),
            machines=machines,
            change_interval=3_600,
            clock=self.clock,
            limits=Limits(ring_events=Session.RING, ring_age=Session.RING_AGE, lease=1e9),
        )
        await self.gateway.start()
        host, _, port = self.gateway.endpoint.rpartition(":")
        self.channel = Channel(host, int(port), codec=MessageCodec())
        self.transport = ChannelTransport(self.channel, self.gateway.api_key)
        self.stub = MxAccessGatewayStub(self.transport)

    async def open(self) -> Pair:
        """One more session; one that has ended makes room for it."""
        if len(self.pairs) == SESSIONS:
            self.pairs.remove(self.closed()[0])
        reply = await self.stub.open_session(OpenSessionRequest())
        session = Session(self.plant, self.users)
        self.pairs.append(Pair(session, reply.session_id, self.channel, self.transport))
        return self.pairs[-1]

    def closed(self) -> list[Pair]:
        """Sessions that have ended."""
        return [pair for pair in self.pairs if pair.model.state == "CLOSED"]

    def is_full(self) -> bool:
        """Whether there is no room for one more session."""
        return len(self.pairs) == SESSIONS and not self.closed()

    async def close(self, pair: Pair) -> None:
        """Close a session, perhaps again; its stream ends with what was raised and nothing else.

        What waits for a stream is drained before, so that every event is compared.
        """
        await pair.drain(0)
        reply = await self.stub.close_session(CloseSessionRequest(session_id=pair.id))
        assert reply.final_state is SessionState.CLOSED
        if pair.model.state == "READY":
            pair.model.close()
        await pair.assert_ended()

    def teardown(self) -> None:
        with self.loop:
            if hasattr(self, "gateway"):
                self.loop.run(self._stop())

    async def _stop(self) -> None:
        try:
            if not self.has_failed:
                for pair in self.pairs:
                    await self.close(pair)
        finally:
            for pair in self.pairs:
                if pair.reader is not None:
                    await pair.reader.drop()
            self.channel.close()
            await self.gateway.close()

    @invariant()
    def every_stream_has_what_was_raised_and_nothing_else(self) -> None:
        self.run(self._compare_events())

    async def _compare_events(self) -> None:
        for pair in self.pairs:
            await pair.compare_events()

    # What is drawn

    def pair(self, data: st.DataObject) -> Pair:
        """A session, mostly one that is ready."""
        ready = [pair for pair in self.pairs if pair.model.state == "READY"]
        known = ready if ready and not self.is_odd(data) else self.pairs
        return data.draw(st.sampled_from(known), "session")

    def is_odd(self, data: st.DataObject) -> bool:
        """Whether to ask for something that is not there, once in a while."""
        return data.draw(st.integers(0, 15)) == 15

    def tag(self, data: st.DataObject) -> str:
        """A reference."""
        return data.draw(references(self.pool), "tag")

    def tags(self, data: st.DataObject, least: int = 0) -> list[str]:
        """References, ``least`` or more."""
        return data.draw(st.lists(references(self.pool), min_size=least, max_size=8), "tags")

    def server(self, data: st.DataObject, pair: Pair) -> int:
        """A server handle, mostly one that is registered."""
        live = [one.handle for one in pair.model.registrations]
        if live and not self.is_odd(data):
            return data.draw(st.sampled_from(live), "server")
        return data.draw(st.sampled_from(pair.server_handles + NO_HANDLES), "no server")

    def item(
        self,
        data: st.DataObject,
        pair: Pair,
        server: int | None = None,
        fits: Callable[[Item], bool] = lambda item: True,
    ) -> tuple[int, int]:
        """A server handle and an item handle, mostly of an item that is there and ``fits``."""
        items = [
            item
            for one in pair.model.registrations
            for item in one.items
            if server in (None, one.handle)
        ]
        if items and not self.is_odd(data):
            if not self.is_odd(data):
                items = [item for item in items if fits(item)] or items
            found = data.draw(st.integers(0, len(items) - 1), "item")
            return items[found].registration.handle, items[found].handle
        wrong = data.draw(st.sampled_from(pair.item_handles + NO_HANDLES), "no item")
        return (self.server(data, pair) if server is None else server), wrong

    def write(
        self, data: st.DataObject, pair: Pair, command: str, server: int | None = None
    ) -> tuple[Write, dict[str, Any]]:
        """A write, for the model and as fields of a command or entry."""
        server_handle, item_handle = self.item(data, pair, server, _is_good)
        found = [
            item
            for one in pair.model.registrations
            for item in one.items
            if item.handle == item_handle
        ]
        target = found[0].target if found else None
        attribute = self.plant.deployed.get(target.name) if target else None
        whole = target is not None and target.whole
        value = data.draw(values(attribute, whole=whole), "value")
        now = self.clock.now().to_nanoseconds()
        time = data.draw(maybe_times, "time") if command.endswith("2") else Single("", None)
        is_time = time.member == "timestamp_value" and isinstance(time.value, int)
        signers = None
        if "secured" in command:
            signers = self.user(data, pair), self.user(data, pair)
        write = Write(
            server=server_handle,
            item=item_handle,
            value=value,
            time=time.value if is_time and isinstance(time.value, int) else now,
            user=0 if signers else self.user(data, pair),
            signers=signers,
            has_fitting_time=is_time or not command.endswith("2"),
        )
        fields = write_fields(write, bulk=server is not None)
        if command.endswith("2"):
            fields["timestamp_value"] = mx_value(time)
        return write, fields

    def user(self, data: st.DataObject, pair: Pair) -> int:
        """The id of a user, mostly of one who has logged in somewhere in the session."""
        known = sorted({user for one in pair.model.registrations for user in one.users})
        return data.draw(st.sampled_from(known * 3 + NO_USERS), "user")
