"""Reflection and health of the simulator, asked by an outside client: stock grpcio."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpclib.reflection.v1.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

import zb_mom_ww_mxgateway_contracts as contracts
from tests.sim.conftest import Site
from zb_mom_ww_mxgateway_sim import SimulatedGateway

GATEWAY = "mxaccess_gateway.v1.MxAccessGateway"
GALAXY = "galaxy_repository.v1.GalaxyRepository"
HEALTH = "grpc.health.v1.Health"
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
FILES = {
    file.name: file
    for file in FileDescriptorSet.FromString(
        (Path(contracts.__file__).parent / "contract.binpb").read_bytes()
    ).file
}


@contextmanager
def reflecting(
    endpoint: str, version: str
) -> Iterator[Callable[..., list[ServerReflectionResponse]]]:
    """A function that asks all questions in one call, as tools do, without an API key."""
    with grpc.insecure_channel(endpoint) as channel:
        call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )

        def ask(*questions: dict[str, str]) -> list[ServerReflectionResponse]:
            requests = (ServerReflectionRequest(**question) for question in questions)
            return list(call(requests, timeout=10))

        yield ask


@contextmanager
def checking(endpoint: str) -> Iterator[tuple[Any, Any]]:
    """Check and Watch of health, without an API key."""
    serialized = {
        "request_serializer": HealthCheckRequest.SerializeToString,
        "response_deserializer": HealthCheckResponse.FromString,
    }
    with grpc.insecure_channel(endpoint) as channel:
        check = channel.unary_unary(f"/{HEALTH}/Check", **serialized)
        watch = channel.unary_stream(f"/{HEALTH}/Watch", **serialized)
        yield check, watch


@pytest.fixture
async def gateway(site: Site) -> SimulatedGateway:
    return await site.gateway()


def list_and_read(endpoint: str, version: str) -> None:
    with reflecting(endpoint, version) as ask:
        (listed,) = ask({"list_services": ""})
        names = [service.name for service in listed.list_services_response.service]
        assert names == [GATEWAY, GALAXY, HEALTH]
        by_symbol = ask(*({"file_containing_symbol": name} for name in names))
        files = [
            FileDescriptorProto.FromString(one)
            for answer in by_symbol
            for one in answer.file_descriptor_response.file_descriptor_proto
        ]
        assert [[one.name for one in file.service] for file in files] == [
            ["MxAccessGateway"],
            ["GalaxyRepository"],
            ["Health"],
        ]
        assert files[:2] == [FILES["mxaccess_gateway.proto"], FILES["galaxy_repository.proto"]]
        imports = {name for file in files for name in file.dependency}
        for answer in ask(*({"file_by_filename": name} for name in imports)):
            (served,) = answer.file_descriptor_response.file_descriptor_proto
            file = FileDescriptorProto.FromString(served)
            assert file == FILES[file.name]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_tools_read_the_committed_contract_with_all_that_it_imports(
    gateway: SimulatedGateway, version: str
) -> None:
    await asyncio.to_thread(list_and_read, gateway.endpoint, version)


def ask_for_nonsense(endpoint: str) -> None:
    with reflecting(endpoint, "v1") as ask:
        for answer in ask({"file_by_filename": "no.proto"}, {"file_containing_symbol": "no.Such"}):
            assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    with grpc.insecure_channel(endpoint) as channel:
        raw = channel.unary_unary(f"/{HEALTH}/Check")
        with pytest.raises(grpc.RpcError) as caught:
            raw(b"\xff", timeout=10)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "grpc.health.v1.HealthCheckRequest" in caught.value.details()


async def test_what_is_not_there_is_not_found_and_what_is_no_request_invalid(
    gateway: SimulatedGateway,
) -> None:
    await asyncio.to_thread(ask_for_nonsense, gateway.endpoint)


def check_all(endpoint: str) -> None:
    with checking(endpoint) as (check, _):
        for service in ("", GATEWAY, GALAXY):
            assert check(HealthCheckRequest(service=service), timeout=10).status == SERVING
        with pytest.raises(grpc.RpcError) as caught:
            check(HealthCheckRequest(service="no.Such"), timeout=10)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_each_service_and_the_whole_are_serving_without_an_api_key(
    gateway: SimulatedGateway,
) -> None:
    await asyncio.to_thread(check_all, gateway.endpoint)


async def test_watchers_learn_that_the_gateway_shuts_down(gateway: SimulatedGateway) -> None:
    loop = asyncio.get_running_loop()
    watched = asyncio.Event()

    def watch_all() -> list[tuple[list[int], grpc.StatusCode]]:
        with checking(gateway.endpoint) as (_, watch):
            calls = [
                watch(HealthCheckRequest(service=service), timeout=30)
                for service in ("", GATEWAY, "no.Such")
            ]
            seen = [[next(call).status] for call in calls]
            loop.call_soon_threadsafe(watched.set)
            for call, statuses in zip(calls, seen, strict=True):
                with pytest.raises(grpc.RpcError):
                    statuses += (reply.status for reply in call)
            return [(one, call.code()) for call, one in zip(calls, seen, strict=True)]

    watching = asyncio.create_task(asyncio.to_thread(watch_all))
    await watched.wait()
    await gateway.close()
    ended = grpc.StatusCode.UNAVAILABLE
    assert await watching == [
        ([SERVING, NOT_SERVING], ended),
        ([SERVING, NOT_SERVING], ended),
        ([HealthCheckResponse.SERVICE_UNKNOWN], ended),
    ]


async def test_a_watcher_that_left_does_not_hold_up_the_end(gateway: SimulatedGateway) -> None:
    def watch_once() -> int:
        with checking(gateway.endpoint) as (_, watch):
            return next(watch(HealthCheckRequest(), timeout=30)).status

    assert await asyncio.to_thread(watch_once) == SERVING
    await gateway.close()


# --- with and without google.protobuf, each in a program of its own --------------------------

OPENS_A_SESSION = """
import asyncio
from zb_mom_ww_mxgateway import GatewayClient
from zb_mom_ww_mxgateway_sim import SimulatedGateway

async def main():
    async with SimulatedGateway() as gateway:
        async with await GatewayClient.connect(
            gateway.endpoint, api_key=gateway.api_key, plaintext=True
        ) as client:
            session = await client.open_session()
            await session.close()
            print("worked with discovery" if gateway._discovery else "worked")

asyncio.run(main())
"""


def program(*parts: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(parts)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_the_extra_the_gateway_works_and_has_neither() -> None:
    missing = 'import sys; sys.modules["google.protobuf"] = None'
    assert program(missing, OPENS_A_SESSION) == "worked"


def test_without_the_extra_the_log_says_what_to_install() -> None:
    missing = 'import sys; sys.modules["google.protobuf"] = None'
    logged = 'import logging; logging.basicConfig(level="INFO", stream=sys.stdout)'
    assert 'install "zb-mom-ww-mxgateway[sim]"' in program(missing, logged, OPENS_A_SESSION)


def test_another_copy_of_health_in_the_same_program_does_no_harm() -> None:
    other = """
from google.protobuf import descriptor_pb2, descriptor_pool
file = descriptor_pb2.FileDescriptorProto(name="grpc_health/v1/health.proto")
file.package = "grpc.health.v1"
file.message_type.add(name="HealthCheckRequest")
descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
"""
    assert program(other, OPENS_A_SESSION) == "worked"


def test_the_contract_stays_out_of_the_pool_of_the_program() -> None:
    look = """
from google.protobuf import descriptor_pool
try:
    descriptor_pool.Default().FindFileByName("mxaccess_gateway.proto")
except KeyError:
    print("not there")
"""
    assert program(OPENS_A_SESSION, look).splitlines() == ["worked with discovery", "not there"]
