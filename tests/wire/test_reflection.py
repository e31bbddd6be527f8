"""Asking a server for its contract: all of it once and in order, whatever server it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.health.service import Health
from grpclib.reflection.service import ServerReflection
from grpclib.reflection.v1 import reflection_pb2
from grpclib.reflection.v1.reflection_grpc import ServerReflectionBase
from grpclib.testing import ChannelFor
from hypothesis import given, strategies as st

from tests.sim.conftest import ChannelTransport
from zb_mom_ww_mxgateway_sim.discovery import DiscoveryCodec
from zb_mom_ww_mxgateway_wire.reflection import ReflectionError, served_contract

HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1.ServerReflection"


@asynccontextmanager
async def served_by(*services: Any) -> AsyncIterator[ChannelTransport]:
    """A connection to a server with these services, which speak google.protobuf's messages."""
    async with ChannelFor(services, codec=DiscoveryCodec()) as channel:
        yield ChannelTransport(channel, None)


async def contract_of(*services: Any) -> list[FileDescriptorProto]:
    async with served_by(*services) as transport:
        served = await served_contract(transport, timeout=5)
    return list(FileDescriptorSet.FromString(served).file)


def files_of(imports: Mapping[str, Sequence[str]]) -> dict[str, FileDescriptorProto]:
    """A file for each name, with a service of that name and these imports."""
    files: dict[str, FileDescriptorProto] = {}
    for name, imported in imports.items():
        file = FileDescriptorProto(name=f"{name}.proto", syntax="proto3")
        file.dependency.extend(f"{one}.proto" for one in imported)
        file.service.add(name=name)
        files[name] = file
    return files


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Files that import some of those before them."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }


def reachable(imports: Mapping[str, Sequence[str]], roots: Sequence[str]) -> set[str]:
    found: set[str] = set()
    wanted = list(roots)
    while wanted:
        name = wanted.pop()
        found.add(name)
        wanted += imports[name]
    return found


class Named:
    """A service that is listed under its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __mapping__(self) -> dict[str, Any]:
        return {f"/{self.name}/Call": None}


class Scripted(ServerReflectionBase):
    """A server that answers with what it is given, by what is asked for."""

    def __init__(self, services: Sequence[str], answers: Mapping[str, Any]) -> None:
        self.services = services
        self.answers = answers

    async def ServerReflectionInfo(self, stream: Any) -> None:  # noqa: N802
        async for request in stream:
            if request.HasField("list_services"):
                listed = reflection_pb2.ListServiceResponse(
                    service=[{"name": name} for name in self.services]
                )
                reply = reflection_pb2.ServerReflectionResponse(list_services_response=listed)
            else:
                answer = self.answers[request.file_containing_symbol or request.file_by_filename]
                if isinstance(answer, str):
                    reply = reflection_pb2.ServerReflectionResponse(
                        error_response={"error_code": 5, "error_message": answer}
                    )
                else:
                    reply = reflection_pb2.ServerReflectionResponse(
                        file_descriptor_response={"file_descriptor_proto": answer}
                    )
            await stream.send_message(reply)


@given(graphs(), st.data(), st.sampled_from(["v1", "v1alpha"]))
async def test_each_file_comes_once_and_after_its_imports_from_v1_and_from_v1alpha(
    imports: dict[str, list[str]], data: st.DataObject, version: str
) -> None:
    pool = DescriptorPool()
    for file in files_of(imports).values():
        pool.AddSerializedFile(file.SerializeToString())
    names = data.draw(st.lists(st.sampled_from(sorted(imports)), unique=True, min_size=1))
    listed = [Named(name) for name in [*names, HEALTH, REFLECTION]]
    v1, v1alpha = ServerReflection.extend(listed, pool=pool)[-2:]
    found = await contract_of(v1 if version == "v1" else v1alpha)
    seen: set[str] = set()
    for file in found:
        assert set(file.dependency) <= seen
        assert file.name not in seen
        seen.add(file.name)
    assert seen == {f"{name}.proto" for name in reachable(imports, names)}


@given(graphs())
async def test_a_server_that_sends_all_imports_along_gives_the_same(
    imports: dict[str, list[str]],
) -> None:
    files = files_of(imports)
    alone = {
        key: [file.SerializeToString()]
        for name, file in files.items()
        for key in (name, f"{name}.proto")
    }
    along = {
        name: [files[one].SerializeToString() for one in sorted(reachable(imports, [name]))]
        for name in files
    }
    one_by_one = await contract_of(Scripted(list(files), alone))
    assert await contract_of(Scripted(list(files)[::-1], along)) == one_by_one


FILE = files_of({"s": [], "t": ["s"]})


def encoded(name: str) -> list[bytes]:
    return [FILE[name].SerializeToString()]


def importing(name: str, *imports: str) -> list[bytes]:
    file = FileDescriptorProto(name=name, dependency=imports, syntax="proto3")
    return [file.SerializeToString()]


@pytest.mark.parametrize(
    ("services", "answers", "said"),
    [
        ([], {}, "names no service of a contract"),
        ([HEALTH, REFLECTION], {}, "names no service of a contract"),
        (["s"], {"s": "not found"}, "does not give the file of service s: not found"),
        (["s"], {"s": []}, "does not give the file of service s: it answers without one"),
        (["s"], {"s": [b"\xff"]}, "gives something else as the file of service s"),
        (["t"], {"t": encoded("t"), "s.proto": "gone"}, r"the file s\.proto: gone"),
        (["t"], {"t": encoded("t"), "s.proto": encoded("t")}, r"another file than s\.proto"),
        (
            ["a"],
            {"a": importing("a", "b"), "b": importing("b", "a")},
            "import each other: a, b, a|import each other: b, a, b",
        ),
        (
            ["s"],
            {"s": [FileDescriptorProto(name="s.proto", package="1 2").SerializeToString()]},
            r"gives as s\.proto cannot be",
        ),
    ],
)
async def test_what_is_no_contract_is_a_typed_error(
    services: list[str], answers: dict[str, Any], said: str
) -> None:
    with pytest.raises(ReflectionError, match=said):
        await contract_of(Scripted(services, answers))


async def test_a_server_that_names_files_without_end_is_left() -> None:
    class Endless(dict[str, Any]):
        def __missing__(self, name: str) -> list[bytes]:
            number = int(name.removeprefix("s") or 0)
            return importing(name, *(f"{number * 40 + one}" for one in range(1, 41)))

    with pytest.raises(ReflectionError, match="more than 1,000 files"):
        await contract_of(Scripted(["s"], Endless()))


class Refusing(ServerReflectionBase):
    """A server that ends each question with one status."""

    def __init__(self, status: Status) -> None:
        self.status = status

    async def ServerReflectionInfo(self, stream: Any) -> None:  # noqa: N802
        raise GRPCError(self.status, "no")


@pytest.mark.parametrize("service", [Health(), Refusing(Status.UNIMPLEMENTED)])
async def test_a_server_without_reflection_is_told_with_what_to_do(service: Any) -> None:
    with pytest.raises(GRPCError) as caught:
        await contract_of(service)
    assert "take the .proto files from whoever runs it" in caught.value.__notes__[0]


async def test_a_server_that_refuses_v1_as_unimplemented_is_asked_by_v1alpha() -> None:
    pool = DescriptorPool()
    pool.AddSerializedFile(FILE["s"].SerializeToString())
    v1alpha = ServerReflection.extend([Named("s")], pool=pool)[-1]
    assert await contract_of(Refusing(Status.UNIMPLEMENTED), v1alpha) == [FILE["s"]]


async def test_any_other_refusal_stays_what_it_is_and_v1alpha_is_not_tried() -> None:
    v1alpha = ServerReflection.extend([], pool=DescriptorPool())[-1]
    with pytest.raises(GRPCError) as caught:
        await contract_of(Refusing(Status.UNAUTHENTICATED), v1alpha)
    assert caught.value.status is Status.UNAUTHENTICATED


async def test_an_answer_to_another_question_is_a_typed_error() -> None:
    class Confused(ServerReflectionBase):
        replies: Sequence[Any] = ()

        async def ServerReflectionInfo(self, stream: Any) -> None:  # noqa: N802
            await stream.recv_message()
            for reply in self.replies:
                await stream.send_message(reply)

    with pytest.raises(ReflectionError, match="without an answer"):
        await contract_of(Confused())
    Confused.replies = [reflection_pb2.ServerReflectionResponse()]
    with pytest.raises(ReflectionError, match="does not list its services"):
        await contract_of(Confused())
    Confused.replies = [b"\xff"]
    with pytest.raises(ReflectionError, match="something else"):
        await contract_of(Confused())
