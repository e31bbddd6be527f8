"""Generated services against grpclib: all four ways of streaming, over a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpclib.client import Channel, Stream
from grpclib.const import Cardinality
from grpclib.testing import ChannelFor

from tests.contracts import Contract, descriptor_set, fragments, real
from zb_mom_ww_mxgateway_wire.codec import DecodeError, EncodeError
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec, Method

SERVICES = fragments().module("fragments_services.services")
MESSAGES = fragments().module("fragments_services.messages")
EMPTY = fragments().module("fragments_empty.messages")
GOOGLE = fragments().module("google_protobuf.messages")
Question, Answer = MESSAGES.Question, MESSAGES.Answer


class Oracle(SERVICES.OracleBase):  # type: ignore[misc, name-defined]
    """Answers every question with its text; at the end of a stream with how many there were."""

    async def ask(self, stream: Any) -> None:
        question = await stream.recv_message()
        await stream.send_message(Answer(text=question.text))

    async def listen(self, stream: Any) -> None:
        question = await stream.recv_message()
        for letter in question.text:
            await stream.send_message(Answer(text=letter))

    async def tell(self, stream: Any) -> None:
        texts = [question.text async for question in stream]
        await stream.send_message(Answer(text="".join(texts)))

    async def talk(self, stream: Any) -> None:
        async for question in stream:
            await stream.send_message(Answer(text=question.text))


class Wire:
    """A transport in few lines: what the generated stubs need, over a grpclib channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def _open(
        self, method: Method[Any, Any], timeout: float | None, metadata: Any
    ) -> Stream[Any, Any]:
        return self._channel.request(
            method.path, method.cardinality, method.request, method.reply,
            timeout=timeout, metadata=metadata,
        )  # fmt: skip

    async def unary_unary(self, method: Any, request: Any, *, timeout: Any, metadata: Any) -> Any:
        async with self._open(method, timeout, metadata) as stream:
            await stream.send_message(request, end=True)
            return await stream.recv_message()

    async def unary_stream(
        self, method: Any, request: Any, *, timeout: Any, metadata: Any
    ) -> AsyncIterator[Any]:
        async with self._open(method, timeout, metadata) as stream:
            await stream.send_message(request, end=True)
            async for reply in stream:
                yield reply

    async def stream_unary(self, method: Any, requests: Any, *, timeout: Any, metadata: Any) -> Any:
        async with self._open(method, timeout, metadata) as stream:
            async for request in requests:
                await stream.send_message(request)
            await stream.end()
            return await stream.recv_message()

    async def stream_stream(
        self, method: Any, requests: Any, *, timeout: Any, metadata: Any
    ) -> AsyncIterator[Any]:
        async with self._open(method, timeout, metadata) as stream:
            async for request in requests:
                await stream.send_message(request)
            await stream.end()
            async for reply in stream:
                yield reply


async def questions(texts: str) -> AsyncIterator[Any]:
    for text in texts:
        yield Question(text=text)


async def test_all_four_ways_of_streaming_carry_messages_both_ways() -> None:
    async with ChannelFor([Oracle()], codec=MessageCodec()) as channel:
        stub = SERVICES.OracleStub(Wire(channel))
        assert await stub.ask(Question(text="why"), timeout=5) == Answer(text="why")
        listened = [answer.text async for answer in stub.listen(Question(text="why"), timeout=5)]
        assert listened == ["w", "h", "y"]
        assert await stub.tell(questions("why"), timeout=5) == Answer(text="why")
        talked = [answer.text async for answer in stub.talk(questions("why"), timeout=5)]
        assert talked == ["w", "h", "y"]


def test_a_base_serves_every_rpc_under_its_path() -> None:
    handlers = Oracle().__mapping__()
    assert {path: handler.cardinality for path, handler in handlers.items()} == {
        "/fragments.services.Oracle/Ask": Cardinality.UNARY_UNARY,
        "/fragments.services.Oracle/Listen": Cardinality.UNARY_STREAM,
        "/fragments.services.Oracle/Tell": Cardinality.STREAM_UNARY,
        "/fragments.services.Oracle/Talk": Cardinality.STREAM_STREAM,
    }
    assert SERVICES.SilentBase().__mapping__() == {}


def test_rpcs_with_awkward_names_keep_their_paths_and_messages() -> None:
    rows = {n: m for n, m in vars(SERVICES.OddMethods).items() if isinstance(m, Method)}
    assert {name: method.path.rpartition("/")[2] for name, method in rows.items()} == {
        "NONE": "None", "CLASS_": "Class", "LOWER_CASE": "lower_case", "HTTP_GET2": "HTTPGet2",
        "DICT_": "Dict", "FLOAT_": "Float", "SELF": "Self", "MAPPING___": "__mapping__",
    }  # fmt: skip
    assert (rows["NONE"].request, rows["NONE"].reply) == (GOOGLE.Empty, EMPTY.Empty)
    assert (rows["CLASS_"].request, rows["CLASS_"].reply) == (EMPTY.Empty, GOOGLE.Empty)


def test_a_base_without_all_its_rpcs_cannot_be_made() -> None:
    class Half(SERVICES.OracleBase):  # type: ignore[misc, name-defined]
        async def ask(self, stream: Any) -> None: ...

    with pytest.raises(TypeError, match="abstract"):
        Half()


def methods_of(contract: Contract) -> list[Method[Any, Any]]:
    """Every rpc of a generated package."""
    modules = [
        contract.module(f"{path.parent.name}.services")
        for path in contract.folder.glob("*/services.py")
    ]
    tables = [value for module in modules for value in vars(module).values()]
    rows = [row for table in tables if isinstance(table, type) for row in vars(table).values()]
    return [row for row in rows if isinstance(row, Method)]


@pytest.mark.parametrize("contract", [real(), fragments()], ids=lambda contract: contract.root)
def test_every_rpc_of_the_contract_is_there_with_its_messages(contract: Contract) -> None:
    methods = {method.path: method for method in methods_of(contract)}
    services = [
        contract.pool.FindServiceByName(f"{file.package}.{service.name}")
        for file in descriptor_set(contract.folder).file
        for service in file.service
    ]
    rpcs = [rpc for service in services for rpc in service.methods]
    assert methods.keys() == {f"/{rpc.containing_service.full_name}/{rpc.name}" for rpc in rpcs}
    for rpc in rpcs:
        method = methods[f"/{rpc.containing_service.full_name}/{rpc.name}"]
        assert contract[rpc.input_type.full_name].ours is method.request
        assert contract[rpc.output_type.full_name].ours is method.reply
        assert method.cardinality.client_streaming is rpc.client_streaming
        assert method.cardinality.server_streaming is rpc.server_streaming


def test_the_codec_encodes_messages_and_passes_bytes() -> None:
    codec = MessageCodec()
    assert codec.encode(Question(text="a"), Question) == b"\x0a\x01a"
    assert codec.encode(b"\x0a\x01a", Question) == b"\x0a\x01a"
    assert codec.decode(b"\x0a\x01a", Question) == Question(text="a")


def test_the_codec_refuses_what_is_not_the_rpcs_message() -> None:
    codec = MessageCodec()
    with pytest.raises(TypeError, match="expected Question, got Answer"):
        codec.encode(Answer(), Question)
    with pytest.raises(DecodeError, match="int is no generated message"):
        codec.decode(b"", int)
    with pytest.raises(DecodeError, match=r"fragments\.services\.Question"):
        codec.decode(b"\x0a", Question)
    with pytest.raises(EncodeError, match=r"Question\.text"):
        codec.encode(Question(text=5), Question)
