"""Random commands, to the simulated gateway and to a small model of the rules: no difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from hypothesis import settings, strategies as st
from hypothesis.stateful import initialize, precondition, rule

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    BulkReadResult,
    BulkWriteResult,
    SessionState,
    SubscribeResult,
    Write2BulkEntry,
    WriteBulkEntry,
    WriteSecured2BulkEntry,
    WriteSecuredBulkEntry,
)

from .model import Item, each
from .model_driver import Pair, assert_reads, status_of
from .model_inputs import MACHINES, USERS, deployed, pools
from .model_machine import Machine
from .model_plant import Reading, RefusedError

T = TypeVar("T")

#: Each has a bulk form too, with entries of this kind.
WRITES: dict[str, type[Any]] = {
    "write": WriteBulkEntry,
    "write2": Write2BulkEntry,
    "write_secured": WriteSecuredBulkEntry,
    "write_secured2": WriteSecured2BulkEntry,
}
#: Items for which a command makes sense.
MEANT_FOR: dict[str, Callable[[Item], bool]] = {
    "advise": lambda item: item.last is None,
    "advise_supervisory": lambda item: item.last is None,
    "un_advise": lambda item: item.last is not None,
    "remove_item": lambda item: True,
    "suspend": lambda item: item.last is not None and not item.is_suspended,
    "activate": lambda item: item.is_suspended,
}


class OpenGalaxy(Machine):
    """Nobody needs to log in."""

    @initialize(data=st.data(), machines=st.sampled_from(MACHINES), pool=pools)
    def start(self, data: st.DataObject, machines: int, pool: list[str]) -> None:
        self.run(self.begin(machines, pool))
        self.open_a_session_and_subscribe(data)

    # Sessions, time and deploys

    @rule(data=st.data())
    @precondition(lambda self: not self.is_full())
    def open_a_session_and_subscribe(self, data: st.DataObject) -> None:
        references = self.tags(data, least=3)
        pair = self.run(self.open())
        self._register(pair)
        for user in USERS:
            self._log_in(pair, pair.server_handles[-1], *user[:2])
        self._add_many(pair, "subscribe_bulk", pair.server_handles[-1], references)

    @rule(data=st.data())
    @precondition(lambda self: self.is_full() or self.closed())
    def close_a_session_perhaps_again(self, data: st.DataObject) -> None:
        self.run(self.close(data.draw(st.sampled_from(self.pairs), "session")))

    @rule(seconds=st.sampled_from([1, 10, 22, 31]))
    def let_time_pass(self, seconds: int) -> None:
        self.run(self.clock.advance(seconds))
        self.plant.now += seconds
        for pair in self.pairs:
            pair.model.let_time_pass()

    @rule(machines=st.sampled_from(MACHINES))
    def deploy(self, machines: int) -> None:
        self.run(self.gateway.deploy(machines=machines))
        self.plant.deploy(deployed(machines))

    # Handles

    @rule(data=st.data())
    def register(self, data: st.DataObject) -> None:
        self._register(self.pair(data))

    def _register(self, pair: Pair) -> None:
        if done := self.run(pair.invoke("register", pair.model.register, client_name="model")):
            made, payload = done
            pair.name_registration(made, payload.server_handle)

    @rule(data=st.data())
    def unregister(self, data: st.DataObject) -> None:
        pair = self.pair(data)
        server = self.server(data, pair)
        if len(pair.model.registrations) < 2 and not self.is_odd(data):
            return  # so that there is something to work with
        expect = partial(pair.model.unregister, server)
        self.run(pair.invoke("unregister", expect, server_handle=server))

    @rule(data=st.data())
    def add_item(self, data: st.DataObject) -> None:
        pair = self.pair(data)
        server, tag = self.server(data, pair), self.tag(data)
        expect = partial(pair.model.add, server, tag)
        fields = {"server_handle": server, "item_definition": tag}
        self._name(pair, self.run(pair.invoke("add_item", expect, **fields)))

    @rule(data=st.data())
    def add_item_with_a_context(self, data: st.DataObject) -> None:
        pair = self.pair(data)
        server, tag = self.server(data, pair), self.tag(data)
        context = data.draw(st.sampled_from(["", "Fixed", "Machine_1", "Nobody"]), "context")
        if data.draw(st.booleans(), "the tag is relative"):
            tag = tag.partition(".")[2]
        expect = partial(pair.model.add, server, tag, context)
        fields = {"server_handle": server, "item_definition": tag, "item_context": context}
        self._name(pair, self.run(pair.invoke("add_item2", expect, **fields)))

    def _name(self, pair: Pair, done: tuple[Item, Any] | None) -> None:
        if done:
            pair.name_item(done[0], done[1].item_handle)

    @rule(data=st.data(), command=st.sampled_from(sorted(MEANT_FOR)))
    def do_something_with_an_item(self, data: st.DataObject, command: str) -> None:
        pair = self.pair(data)
        server, item = self.item(data, pair, fits=MEANT_FOR[command])
        model = pair.model
        act: dict[str, Callable[[int, int], object]] = {
            "advise": model.advise,
            "advise_supervisory": model.advise,
            "un_advise": model.un_advise,
            "remove_item": model.remove,
            "suspend": model.suspend,
            "activate": model.activate,
        }
        expect = partial(act[command], server, item)
        done = self.run(pair.invoke(command, expect, server_handle=server, item_handle=item))
        if done and command in ("suspend", "activate"):
            assert status_of([done[1].status]).category == "OK"

    # Values

    @rule(
        data=st.data(), commands=st.lists(st.sampled_from(sorted(WRITES)), min_size=1, max_size=5)
    )
    def write_some_values(self, data: st.DataObject, commands: list[str]) -> None:
        pair = self.pair(data)
        for command in commands:
            write, fields = self.write(data, pair, command)
            self.run(pair.invoke(command, partial(pair.model.write, write), write.value, **fields))

    @rule(
        data=st.data(),
        name=st.sampled_from([name for name, *_ in USERS] + ["nobody"]),
        password=st.sampled_from([password for _, password, *_ in USERS] + [""]),
    )
    def authenticate(self, data: st.DataObject, name: str, password: str) -> None:
        pair = self.pair(data)
        self._log_in(pair, self.server(data, pair), name, password)

    def _log_in(self, pair: Pair, server: int, name: str, password: str) -> None:
        expect = partial(pair.model.authenticate, server, name, password)
        fields = {"server_handle": server, "user_name": name, "password": password}
        if done := self.run(pair.invoke("authenticate_user", expect, **fields)):
            assert done[1].user_id == done[0]

    @rule(data=st.data(), guid=st.sampled_from([guid for *_, guid in USERS] + ["", "no GUID"]))
    def find_a_user(self, data: st.DataObject, guid: str) -> None:
        pair = self.pair(data)
        server = self.server(data, pair)
        expect = partial(pair.model.user_of_guid, server, guid)
        fields = {"server_handle": server, "user_guid": guid}
        if done := self.run(pair.invoke("archestra_user_to_id", expect, **fields)):
            assert done[1].user_id == done[0]

    # Bulks

    @rule(
        data=st.data(),
        command=st.sampled_from(["add_item_bulk", "subscribe_bulk"]),
    )
    def add_many(self, data: st.DataObject, command: str) -> None:
        pair = self.pair(data)
        references = self.tags(data)
        self._add_many(pair, command, self.server(data, pair), references)

    def _add_many(self, pair: Pair, command: str, server: int, references: list[str]) -> None:
        model = pair.model
        add = model.add if command == "add_item_bulk" else model.subscribe
        expect = self._entries(pair, server, [partial(add, server, tag) for tag in references])
        fields = {"server_handle": server, "tag_addresses": references}
        if done := self.run(pair.invoke(command, expect, **fields)):
            results: list[SubscribeResult] = done[1].results
            assert [result.tag_address for result in results] == references
            for item, result in zip(done[0], results, strict=True):
                self._assert_entry(item, result, server)
                if isinstance(item, Item):
                    pair.name_item(item, result.item_handle)

    @rule(
        data=st.data(),
        command=st.sampled_from(
            ["advise_item_bulk", "un_advise_item_bulk", "remove_item_bulk", "unsubscribe_bulk"]
        ),
        count=st.integers(0, 5),
    )
    def do_something_with_many_items(self, data: st.DataObject, command: str, count: int) -> None:
        pair = self.pair(data)
        server, model = self.server(data, pair), pair.model
        handles = [self.item(data, pair, server)[1] for _ in range(count)]
        act = {"advise_item_bulk": model.advise, "un_advise_item_bulk": model.un_advise}
        entry = act.get(command, model.remove)
        expect = self._entries(pair, server, [partial(entry, server, item) for item in handles])
        fields = {"server_handle": server, "item_handles": handles}
        if done := self.run(pair.invoke(command, expect, **fields)):
            results: list[SubscribeResult] = done[1].results
            assert [result.item_handle for result in results] == handles
            for item, result in zip(done[0], results, strict=True):
                self._assert_entry(item, result, server)
                definition = item.definition if isinstance(item, Item) else ""
                assert result.tag_address == definition

    @rule(data=st.data(), command=st.sampled_from(sorted(WRITES)), count=st.integers(0, 5))
    def write_many(self, data: st.DataObject, command: str, count: int) -> None:
        pair = self.pair(data)
        server = self.server(data, pair)
        drawn = [self.write(data, pair, command, server) for _ in range(count)]
        writes = [write for write, _ in drawn]
        entries = [WRITES[command](**fields) for _, fields in drawn]
        expect = self._entries(pair, server, [partial(pair.model.write, one) for one in writes])
        fields = {"server_handle": server, "entries": entries}
        sent = [write.value for write in writes]
        if done := self.run(pair.invoke(f"{command}_bulk", expect, *sent, **fields)):
            results: list[BulkWriteResult] = done[1].results
            assert [result.item_handle for result in results] == [one.item for one in writes]
            for outcome, result in zip(done[0], results, strict=True):
                self._assert_entry(outcome, result, server)
                if isinstance(outcome, RefusedError):
                    assert result.hresult == outcome.hresult
                    assert status_of(result.statuses) == outcome.status
                else:
                    assert result.hresult == 0

    @rule(data=st.data())
    def read_many(self, data: st.DataObject) -> None:
        pair = self.pair(data)
        server = self.server(data, pair)
        references = self.tags(data)
        reads = [partial(pair.model.read_bulk, server, tag) for tag in references]
        expect = self._entries(pair, server, reads)
        fields = {"server_handle": server, "tag_addresses": references}
        if done := self.run(pair.invoke("read_bulk", expect, **fields)):
            results: list[BulkReadResult] = done[1].results
            assert [result.tag_address for result in results] == references
            for outcome, result in zip(done[0], results, strict=True):
                self._assert_read(pair, server, outcome, result)

    def _assert_read(
        self,
        pair: Pair,
        server: int,
        outcome: tuple[list[Item], Reading] | RefusedError,
        result: BulkReadResult,
    ) -> None:
        assert result.was_successful is not isinstance(outcome, RefusedError)
        if isinstance(outcome, RefusedError):
            assert result.error_message
            return
        cached, present = outcome
        assert result.was_cached is bool(cached)
        if not cached:
            pair.use_item_handle(result.item_handle)
            assert result.server_handle == server
            assert_reads(result, present)
            return
        (item,) = [item for item in cached if item.handle == result.item_handle]
        assert result.server_handle == item.registration.handle
        assert item.last is not None
        assert_reads(result, item.last)

    def _entries(
        self, pair: Pair, server: int, entries: Sequence[Callable[[], T]]
    ) -> Callable[[], list[T | RefusedError]]:
        def expect() -> list[T | RefusedError]:
            pair.model.registration(server)
            return each(entries)

        return expect

    def _assert_entry(
        self, outcome: object, result: SubscribeResult | BulkWriteResult, server: int
    ) -> None:
        assert result.server_handle == server
        assert result.was_successful is not isinstance(outcome, RefusedError)
        assert bool(result.error_message) is isinstance(outcome, RefusedError)

    # Events and the worker

    @rule(data=st.data(), resumes=st.booleans())
    def attach(self, data: st.DataObject, resumes: bool) -> None:
        pair = self.pair(data)
        last = len(pair.model.events)
        lately = st.integers(max(1, last - 3), last + 2)
        after = data.draw(lately | st.integers(1, last + 2), "after") if resumes else 0
        self.run(pair.attach(after))

    @rule(data=st.data())
    @precondition(lambda self: self.attached())
    def detach(self, data: st.DataObject) -> None:
        self.run(data.draw(st.sampled_from(self.attached()), "session").detach())

    def attached(self) -> list[Pair]:
        """Sessions with a stream."""
        return [pair for pair in self.pairs if pair.reader is not None]

    @rule(data=st.data(), limit=st.integers(0, 4))
    def drain_events(self, data: st.DataObject, limit: int) -> None:
        self.run(self.pair(data).drain(limit))

    @rule(data=st.data(), command=st.sampled_from(["ping", "get_session_state", "get_worker_info"]))
    def ask_the_worker(self, data: st.DataObject, command: str) -> None:
        pair = self.pair(data)
        done = self.run(pair.invoke(command, lambda: None))
        if done and command == "get_session_state":
            assert done[1].state is SessionState.READY
        if done and command == "get_worker_info":
            assert done[1].worker_process_id > 0


class SecuredGalaxy(OpenGalaxy):
    """Writes need users."""

    is_secured = True


for machine in (OpenGalaxy, SecuredGalaxy):
    machine.TestCase.settings = settings(
        max_examples=2 * settings().max_examples,
        stateful_step_count=80,
        report_multiple_bugs=False,  # the second is easier to find without the first
    )

TestOpenGalaxy = OpenGalaxy.TestCase
TestSecuredGalaxy = SecuredGalaxy.TestCase
