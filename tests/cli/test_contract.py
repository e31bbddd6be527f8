"""``mxgw-py contract diff``: each way in which a contract may differ has its words."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpclib.health.service import Health
from grpclib.reflection.service import ServerReflection
from hypothesis import given, strategies as st

from codegen.descriptors import compile_contract
from tests.cli import serving as services_at
from tests.cli.conftest import Outcome, Run
from tests.codegen.test_altered import altered_protos
from tests.contracts import PROTO
from zb_mom_ww_mxgateway_cli.contract_diff import changes
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.discovery import DiscoveryCodec
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

if TYPE_CHECKING:
    from grpclib._typing import IServable

TABLE = ("--output", "table")
PLANT = """\
syntax = "proto3";
package plant;
service Plant {
  rpc Watch(Tank) returns (stream Tank);
  rpc Fill(Tank) returns (Empty);
}
message Empty {}
message Tank {
  string name = 1;
  int32 level = 2;
  optional int32 limit = 3;
  repeated double samples = 4;
  map<string, Valve> valves = 5;
  oneof content {
    string liquid = 6;
    Gas gas = 7;
  }
  Colour colour = 8;
  optional Gas top = 9;
  message Gas {}
}
message Valve {}
enum Colour {
  option allow_alias = true;
  COLOUR_UNSPECIFIED = 0;
  COLOUR_RED = 1;
  COLOUR_GREEN = 2;
  COLOUR_LIME = 2;
}
"""


def compiled(**texts: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            Path(folder, f"{name}.proto").write_text(text, encoding="utf-8")
        return compile_contract(Path(folder)).descriptor_set()


def told(before: bytes, after: bytes) -> list[str]:
    """Each difference as a line, with a mark in front of those that do not fit."""
    return [f"{'' if one.compatible else '! '}{one}" for one in changes(before, after)]


STILL = "the same on the wire, so see whether it means the same"


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("string name = 1;", "string name = 1;\n  bool on = 20;", [
            "field plant.Tank.on: added, as 20 of type bool"]),
        ("string name = 1;", "string name = 1;\n  map<int32, Gas> gases = 20;", [
            "field plant.Tank.gases: added, as 20 of type map<int32, plant.Tank.Gas>"]),
        ("  int32 level = 2;\n", "", ["! field plant.Tank.level: removed, was 2"]),
        ("int32 level = 2;", "int32 level = 12;", [
            "! field plant.Tank.level: renumbered from 2 to 12"]),
        ("int32 level = 2;", "int64 level = 2;", [
            "! field plant.Tank.level: retyped from int32 to int64"]),
        ("int32 level = 2;", "repeated int32 level = 2;", [
            "! field plant.Tank.level: retyped from int32 to repeated int32"]),
        ("int32 level = 2;", "optional int32 level = 2;", [
            "! field plant.Tank.level: has become optional: unset and default are two things "
            "there"]),
        ("optional int32 limit = 3;", "int32 limit = 3;", [
            "! field plant.Tank.limit: is optional no more: unset and default are one thing "
            "there"]),
        ("optional Gas top = 9;", "Gas top = 9;", []),
        ("repeated double samples = 4;", "repeated double samples = 4 [packed = false];", []),
        ("int32 level = 2;", "int32 height = 2;", [
            f"field plant.Tank.level: renamed to height, still 2: {STILL}"]),
        ("int32 level = 2;", "int64 height = 2;", [
            "! field plant.Tank.height: added, as 2 of type int64, the number that level has in "
            "the SDK",
            "! field plant.Tank.level: removed, was 2"]),
        ("map<string, Valve> valves = 5;", "repeated Valve valves = 5;", [
            "! field plant.Tank.valves: retyped from map<string, plant.Valve> to repeated "
            "plant.Valve"]),
        ("map<string, Valve> valves = 5;", "map<int32, Valve> valves = 5;", [
            "! field plant.Tank.valves: retyped from map<string, plant.Valve> to "
            "map<int32, plant.Valve>"]),
        ("    Gas gas = 7;\n  }", "  }\n  Gas gas = 7;", [
            "! field plant.Tank.gas: moved out of oneof content"]),
        ("  oneof content {", "  oneof content {\n    bool dry = 20;", [
            "field plant.Tank.dry: added, as 20 of type bool"]),
        ("  int32 level = 2;\n  optional int32 limit = 3;", "  oneof how {\n    int32 level = 2;\n"
         "  }\n  optional int32 limit = 3;", [
            "! field plant.Tank.level: moved into oneof how"]),
        ("    Gas gas = 7;\n  }", "  }\n  oneof other { Gas gas = 7; }", [
            "! field plant.Tank.gas: moved from oneof content to other"]),
        ("oneof content {", "oneof inside {", [
            "oneof plant.Tank.content: renamed to inside, with the same members; it is not on the "
            "wire"]),
        ("message Valve {}", "message Valve { bool open = 1; }", [
            "field plant.Valve.open: added, as 1 of type bool"]),
        ("message Empty {}", "message Empty {}\nmessage New { int32 a = 1; }\nenum E { Z = 0; }", [
            "enum plant.E: added", "message plant.New: added"]),
        ("COLOUR_RED = 1;", "COLOUR_RED = 1;\n  COLOUR_BLUE = 3;", [
            "value plant.Colour.COLOUR_BLUE: added, as 3"]),
        ("  COLOUR_RED = 1;\n", "", ["! value plant.Colour.COLOUR_RED: removed, was 1"]),
        ("COLOUR_RED = 1;", "COLOUR_RED = 7;", [
            "! value plant.Colour.COLOUR_RED: renumbered from 1 to 7"]),
        ("COLOUR_RED = 1;", "COLOUR_ROSE = 1;", [
            f"value plant.Colour.COLOUR_RED: renamed to COLOUR_ROSE, still 1: {STILL}"]),
        ("COLOUR_LIME = 2;", "COLOUR_MOSS = 2;", [
            "! value plant.Colour.COLOUR_LIME: removed, was 2",
            "value plant.Colour.COLOUR_MOSS: added, as 2"]),
        ("  rpc Fill(Tank) returns (Empty);\n", "", ["! rpc plant.Plant.Fill: removed"]),
        ("  rpc Fill(", "  rpc Drain(Tank) returns (Empty);\n  rpc Fill(", [
            "rpc plant.Plant.Drain: added"]),
        ("Fill(Tank)", "Fill(stream Tank)", [
            "! rpc plant.Plant.Fill: request changed from plant.Tank to stream plant.Tank"]),
        ("returns (stream Tank)", "returns (Tank)", [
            "! rpc plant.Plant.Watch: reply changed from stream plant.Tank to plant.Tank"]),
        ("returns (Empty)", "returns (Valve)", [
            "! rpc plant.Plant.Fill: reply changed from plant.Empty to plant.Valve"]),
        ("message Empty {}", "message Empty {}\nservice Other { rpc Ask(Empty) returns (Empty); }",
         ["service plant.Other: added"]),
        ("service Plant {", "service Works {", [
            "! service plant.Plant: removed", "service plant.Works: added"]),
    ],
)  # fmt: skip
def test_each_difference_has_its_words(old: str, new: str, lines: list[str]) -> None:
    assert PLANT.count(old) == 1
    assert told(compiled(plant=PLANT), compiled(plant=PLANT.replace(old, new))) == lines


def test_the_name_of_a_file_is_told_and_does_not_matter() -> None:
    assert told(compiled(plant=PLANT), compiled(works=PLANT)) == [
        "file plant.proto: not there under this name, which is not on the wire",
        "file works.proto: added",
    ]


def test_what_no_service_uses_is_not_compared() -> None:
    inner = 'syntax = "proto3";\npackage inner;\nmessage Envelope {}\n'
    assert told(compiled(plant=PLANT, inner=inner), compiled(plant=PLANT)) == []


CONTRACT = compile_contract(PROTO).descriptor_set()
Alter = Callable[[DescriptorProto, FieldDescriptorProto], str]


def remove(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    number = field.number
    message.field.remove(field)
    return f"removed, was {number}"


def renumber(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    before, field.number = field.number, field.number + 5000
    return f"renumbered from {before} to {field.number}"


def rename(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    field.name += "_2"
    return f"renamed to {field.name}, still {field.number}: {STILL}"


def services_messages(contract: FileDescriptorSet) -> dict[str, DescriptorProto]:
    return {
        f"{file.package}.{message.name}": message
        for file in contract.file
        if file.service
        for message in file.message_type
        if message.field
    }


@given(st.data(), st.sampled_from([remove, renumber, rename]))
def test_one_change_of_any_field_of_the_contract_is_one_line(
    data: st.DataObject, alter: Alter
) -> None:
    altered = FileDescriptorSet.FromString(CONTRACT)
    messages = services_messages(altered)
    name = data.draw(st.sampled_from(sorted(messages)))
    field = data.draw(st.sampled_from(list(messages[name].field)))
    full_name = f"{name}.{field.name}"
    text = alter(messages[name], field)
    mark = "" if alter is rename else "! "
    assert told(CONTRACT, altered.SerializeToString()) == [f"{mark}field {full_name}: {text}"]


# --- against gateways ------------------------------------------------------------------------


@pytest.mark.mxgw_gateway(self_signed=True, machines=1, plant=False)
def test_the_fingerprint_that_the_simulator_prints_is_enough_to_reach_it(
    mxgw_gateway: RunningGateway, mxgw: Run
) -> None:
    diff = ["contract", "diff", "--endpoint", mxgw_gateway.endpoint]
    fingerprint = mxgw_gateway.gateway.certificate_sha256
    assert fingerprint is not None
    assert mxgw(*diff, "--certificate-sha256", fingerprint, plaintext=False).code == 0
    assert mxgw(*diff, "--certificate-sha256", "0" * 64, plaintext=False).code == 3


@contextmanager
def serving(*services: IServable) -> Iterator[str]:
    """The endpoint of a server in a thread of its own, as the command line brings its own loop."""
    loop, started, endpoint = asyncio.new_event_loop(), Event(), ""
    ended = asyncio.Event()

    async def serve() -> None:
        nonlocal endpoint
        async with services_at.serving(*services, codec=DiscoveryCodec()) as endpoint:
            started.set()
            await ended.wait()

    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(30)
        yield endpoint
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def reflection(contract: bytes) -> list[IServable]:
    """Reflection over a contract, listing the services of the simulator."""
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(contract).file:
        pool.AddSerializedFile(file.SerializeToString())
    return [*ServerReflection.extend(SimulatedGateway().handlers(), pool=pool)[-2:]]


@pytest.fixture
def diff(cli: Run) -> Run:
    def call(endpoint: str, *arguments: str) -> Outcome:
        return cli("contract", "diff", "--endpoint", endpoint, "--plaintext", *arguments)

    return call


def test_the_simulator_serves_the_sdks_contract(mxgw: Run) -> None:
    shown = mxgw("contract", "diff", *TABLE)
    assert shown.code == 0
    assert shown.out.startswith("compatible: 127.0.0.1:")
    assert "serves the contract that this SDK was generated from" in shown.out
    answer = mxgw("contract", "diff", "--json")
    assert (answer.json["changes"], answer.json["compatible"]) == ([], True)


def test_a_gateway_with_more_is_compatible(diff: Run) -> None:
    altered = FileDescriptorSet.FromString(CONTRACT)
    message = services_messages(altered)["mxaccess_gateway.v1.MxStatusProxy"]
    message.field.add(name="hint", number=90, type=FieldDescriptorProto.TYPE_STRING, label=1)
    with serving(*reflection(altered.SerializeToString())) as endpoint:
        shown = diff(endpoint, *TABLE)
        answer = diff(endpoint, "--json")
    line, conclusion = shown.out.splitlines()
    assert line == "field mxaccess_gateway.v1.MxStatusProxy.hint: added, as 90 of type string"
    assert conclusion.startswith("compatible: what this SDK knows works as it is")
    assert (shown.code, answer.code) == (0, 0)
    assert answer.json == {
        "changes": [
            {
                "change": "added, as 90 of type string",
                "compatible": True,
                "kind": "field",
                "name": "mxaccess_gateway.v1.MxStatusProxy.hint",
            }
        ],
        "compatible": True,
        "endpoint": endpoint,
    }


def test_a_gateway_with_other_numbers_is_not(diff: Run, tmp_path: Path) -> None:
    contract = compile_contract(altered_protos(tmp_path)).descriptor_set()
    with serving(*reflection(contract)) as endpoint:
        shown = diff(endpoint, *TABLE)
        answer = diff(endpoint, "--json")
    *lines, conclusion = shown.out.splitlines()
    assert (shown.code, answer.code) == (1, 1)
    assert lines == sorted(lines, key=lambda line: line.partition(":")[0])
    moved = {
        f"field {name}.{field.name}: renumbered from {field.number} to {field.number + 7}"
        for name, message in services_messages(FileDescriptorSet.FromString(CONTRACT)).items()
        for field in message.field
        if field.number >= 10
    }
    assert moved < set(lines)
    added = set(lines) - moved
    assert "message mxaccess_gateway.v1.EchoCommand: added" in added
    assert all(": added" in line for line in added)
    assert conclusion.startswith(f"not compatible, by {len(moved)} of {len(lines)} differences")
    assert "python -m codegen fetch" in conclusion
    assert answer.json["compatible"] is False
    assert len(answer.json["changes"]) == len(lines)


def test_a_gateway_without_reflection_says_what_to_do(diff: Run) -> None:
    with serving(Health()) as endpoint:
        failed = diff(endpoint, "--json")
    assert failed.code == 1
    assert "take the .proto files from whoever runs it" in failed.error["error"]


def test_a_server_without_a_contract_is_a_typed_error(diff: Run) -> None:
    with serving(*ServerReflection.extend([], pool=DescriptorPool())) as endpoint:
        failed = diff(endpoint, "--json")
    assert failed.error["type"] == "MxGatewayProtocolError"
    assert (
        f"asking {endpoint} for its contract: the server names no service" in failed.error["error"]
    )


def test_nobody_there_has_the_exit_code_of_every_command(diff: Run) -> None:
    assert diff("127.0.0.1:1", "--json").code == 3


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        'import sys; sys.modules["google.protobuf"] = None\n'
        "from zb_mom_ww_mxgateway_cli.__main__ import run\n"
        'sys.exit(run(["contract", "diff"]))'
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "install zb-mom-ww-mxgateway[sim]" in done.stderr
