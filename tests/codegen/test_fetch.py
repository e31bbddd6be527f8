"""Fetching a live gateway's contract, and generating from it what the contract here gives."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpclib.events import RecvRequest, listen
from grpclib.health.service import Health
from grpclib.server import Server

from codegen import fetch
from codegen.__main__ import main
from codegen.errors import CodegenError
from codegen.generate import render_contract
from tests.contracts import PROTO
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.discovery import Discovery, DiscoveryCodec

KEY = "mxgw_tests_secret-of-the-tests"


async def codegen(*arguments: str | Path) -> int:
    """A command line, in a thread: it brings a loop of its own."""
    return await asyncio.to_thread(main, [str(argument) for argument in arguments])


@asynccontextmanager
async def served(
    *services: object, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[Mapping[str, object]]]]:
    """A server's endpoint, and the metadata of each call that it got."""
    server = Server([*services], codec=DiscoveryCodec())
    seen: list[Mapping[str, object]] = []

    async def note(event: RecvRequest) -> None:
        seen.append(event.metadata)

    listen(server, RecvRequest, note)
    await server.start("127.0.0.1", 0, ssl=context)
    assert server._server is not None
    try:
        yield f"127.0.0.1:{server._server.sockets[0].getsockname()[1]}", seen
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
def discovery() -> list[object]:
    """The services of reflection and health over those of a gateway."""
    return [*Discovery(SimulatedGateway().handlers()).services]


def without_comments(folder: Path) -> Path:
    """The contract here, as far as reflection shows it: no comments, no file without a service."""
    folder.mkdir()
    shutil.copy(PROTO / "conventions.toml", folder)
    for path in PROTO.glob("*.proto"):
        text = path.read_text(encoding="utf-8")
        if re.search(r"^service ", text, flags=re.M):
            (folder / path.name).write_text(re.sub(r"//.*", "", text), encoding="utf-8")
    return folder


async def test_what_is_generated_from_a_live_gateway_is_the_same_but_for_docstrings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetched = tmp_path / "new" / "fetched"
    async with SimulatedGateway() as gateway:
        plain = ["--endpoint", gateway.endpoint, "--plaintext"]
        assert await codegen("fetch", *plain, "--out", fetched) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [
        "  galaxy_repository.proto",
        "  mxaccess_gateway.proto",
        f"2 files in {fetched}, without comments and without files that no service uses",
    ]
    assert said[3].startswith("next: copy proto/conventions.toml there")
    shutil.copy(PROTO / "conventions.toml", fetched)
    assert render_contract(fetched) == render_contract(without_comments(tmp_path / "here"))
    assert await codegen("generate", "--proto-dir", fetched, "--out", tmp_path / "generated") == 0


async def test_a_key_from_the_environment_is_sent_with_each_question(
    discovery: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_KEY", KEY)
    async with served(*discovery) as (endpoint, seen):
        arguments = ["--endpoint", endpoint, "--plaintext", "--api-key-env", "TESTS_KEY"]
        assert await codegen("fetch", *arguments, "--out", tmp_path) == 0
    assert len(seen) > 3
    assert {metadata["authorization"] for metadata in seen} == {f"Bearer {KEY}"}


async def test_tls_is_the_default_and_its_certificate_is_verified(
    discovery: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["h2"])
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    async with served(*discovery, context=context) as (endpoint, _):
        out = tmp_path / "out"
        assert await codegen("fetch", "--endpoint", endpoint, "--out", out) == 1
        assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().err
        assert not out.exists()
        trusting = ["--endpoint", endpoint, "--ca-file", ca_file]
        assert await codegen("fetch", *trusting, "--out", out) == 0
    assert len(list(out.iterdir())) == 2


async def failure(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What a fetch that must fail says."""
    assert await codegen("fetch", *arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "hint: " in printed.err
    return printed.err


async def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken.proto"
    taken.write_text("mine", encoding="utf-8")
    for out in (tmp_path, taken):
        said = await failure(capsys, "--endpoint", "localhost:1", "--plaintext", "--out", out)
        assert "nothing is replaced" in said
    assert taken.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--endpoint", "localhost"], "'localhost' is no endpoint"),
        (["--endpoint", ":5000"], "is no endpoint"),
        (["--endpoint", "https://gateway:5001"], "is no endpoint"),
        (["--endpoint", "localhost:70000"], "is no endpoint"),
        (["--endpoint", "[::1]:1", "--plaintext"], "fetching the contract of [::1]:1"),
        (["--endpoint", "h:1", "--plaintext", "--ca-file", "ca.pem"], "exclude each other"),
        (["--endpoint", "h:1", "--ca-file", "no-such-file.pem"], "cannot be read as certificates"),
        (["--endpoint", "h:1", "--ca-file", __file__], "cannot be read as certificates"),
        (["--endpoint", "h:1", "--api-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY is not set"),
    ],
)
async def test_arguments_that_cannot_be_say_what_is_wrong(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in await failure(capsys, *arguments, "--out", tmp_path / "out")


async def test_a_server_without_reflection_says_so_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(Health()) as (endpoint, _):
        said = await failure(capsys, "--endpoint", endpoint, "--plaintext", "--out", tmp_path)
    assert "take the .proto files from whoever runs it" in said


async def test_a_server_without_a_contract_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(*Discovery([]).services) as (endpoint, _):
        said = await failure(capsys, "--endpoint", endpoint, "--plaintext", "--out", tmp_path)
    assert "names no service of a contract" in said


async def test_who_never_answers_is_not_waited_for_and_the_key_is_not_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_KEY", KEY)
    monkeypatch.setattr(fetch, "TIME", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        arguments = ["--endpoint", endpoint, "--plaintext", "--api-key-env", "TESTS_KEY"]
        said = await failure(capsys, *arguments, "--out", tmp_path)
    assert "no answer within 0.1 s" in said
    assert KEY not in said


@pytest.mark.parametrize(
    "name",
    ["../out.proto", "/etc/out.proto", "a/../../out.proto", "c:\\out.proto", "..\\out.proto"],
)
def test_a_file_whose_name_leads_out_of_the_folder_is_refused(name: str) -> None:
    file = FileDescriptorProto(name=name, syntax="proto3")
    with pytest.raises(CodegenError, match="which is not written"):
        fetch.sources(FileDescriptorSet(file=[file]).SerializeToString())


def test_standard_files_are_not_written_and_the_others_say_where_they_come_from() -> None:
    here = FileDescriptorProto(name="a/here.proto", syntax="proto3")
    standard = FileDescriptorProto(name="google/protobuf/any.proto", syntax="proto3")
    both = FileDescriptorSet(file=[standard, here]).SerializeToString()
    ((name, text),) = fetch.sources(both).items()
    assert name == "a/here.proto"
    assert text.startswith("// As a gateway serves it by reflection, which has no comments.\n")
