"""Decoding and encoding a BulkReadReply of 1,000 results: ours, betterproto's own, google.protobuf.

`make bench` prints one table. Times are the best of many paired rounds (each round runs every
codec once, so noise hits all alike); ratios are medians over the rounds.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable
from importlib import resources

import betterproto
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    BulkReadReply,
    BulkReadResult,
    MxDataType,
    MxStatusCategory,
    MxStatusProxy,
    MxStatusSource,
    MxValue,
)

RESULTS = 1_000


def bulk_read_reply() -> BulkReadReply:
    """Each result: tag, handles, int32 value, quality, timestamp, one status."""
    return BulkReadReply(
        results=[
            BulkReadResult(
                server_handle=1,
                tag_address=f"TestMachine_{number:03}.TestChangingInt",
                item_handle=number,
                was_successful=True,
                was_cached=True,
                value=MxValue(
                    data_type=MxDataType.INTEGER, variant_type="VT_I4", int32_value=number * 100
                ),
                quality=192,
                source_timestamp=Timestamp(seconds=1_790_000_000 + number, nanos=123_456_700),
                statuses=[
                    MxStatusProxy(
                        success=-1,
                        category=MxStatusCategory.OK,
                        detected_by=MxStatusSource.RESPONDING_LMX,
                    )
                ],
            )
            for number in range(RESULTS)
        ]
    )


# betterproto's own codec needs classes of its own: its hooks are switched off in ours.


class Category(betterproto.Enum):
    UNSPECIFIED = 0
    OK = 2


@dataclasses.dataclass(eq=False, repr=False)
class PeerStatus(betterproto.Message):
    success: int = betterproto.int32_field(1)
    category: Category = betterproto.enum_field(2)
    detected_by: Category = betterproto.enum_field(3)
    detail: int = betterproto.int32_field(4)


@dataclasses.dataclass(eq=False, repr=False)
class PeerTimestamp(betterproto.Message):
    seconds: int = betterproto.int64_field(1)
    nanos: int = betterproto.int32_field(2)


@dataclasses.dataclass(eq=False, repr=False)
class PeerValue(betterproto.Message):
    data_type: Category = betterproto.enum_field(1)
    variant_type: str = betterproto.string_field(2)
    bool_value: bool = betterproto.bool_field(10, group="kind")
    int32_value: int = betterproto.int32_field(11, group="kind")
    double_value: float = betterproto.double_field(14, group="kind")


@dataclasses.dataclass(eq=False, repr=False)
class PeerResult(betterproto.Message):
    server_handle: int = betterproto.int32_field(1)
    tag_address: str = betterproto.string_field(2)
    item_handle: int = betterproto.int32_field(3)
    was_successful: bool = betterproto.bool_field(4)
    was_cached: bool = betterproto.bool_field(5)
    value: PeerValue = betterproto.message_field(6)
    quality: int = betterproto.int32_field(7)
    source_timestamp: PeerTimestamp = betterproto.message_field(8)
    statuses: list[PeerStatus] = betterproto.message_field(9)


@dataclasses.dataclass(eq=False, repr=False)
class PeerReply(betterproto.Message):
    results: list[PeerResult] = betterproto.message_field(1)


def google_class() -> type:
    """google.protobuf's class, from the same contract."""
    data = resources.files("zb_mom_ww_mxgateway_contracts").joinpath("contract.binpb").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.Add(file)
    name = "mxaccess_gateway.v1.BulkReadReply"
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def read_every_field(reply: object) -> int:
    """Touch every field: google.protobuf makes its Python objects only then."""
    total = 0
    for result in reply.results:  # type: ignore[attr-defined]
        total += result.server_handle + len(result.tag_address) + result.item_handle
        total += result.was_successful + result.was_cached + result.quality
        total += result.value.data_type + len(result.value.variant_type) + result.value.int32_value
        total += result.source_timestamp.seconds + result.source_timestamp.nanos
        for status in result.statuses:
            total += status.success + status.category + status.detected_by + status.detail
    return total


def measure(candidates: dict[str, Callable[[], object]], rounds: int) -> None:
    """Run all candidates once a round and print a table; the first is what others compare with."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            started = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - started) * 1_000)
    first = next(iter(candidates))
    print(f"{'':44}{'best ms':>10}{'median ms':>11}{'ratio':>8}")
    for name, found in times.items():
        ratio = statistics.median(b / a for a, b in zip(times[first], found, strict=True))
        print(f"{name:44}{min(found):10.2f}{statistics.median(found):11.2f}{ratio:8.2f}")


def main() -> None:
    ours = bulk_read_reply()
    data = bytes(ours)
    google = google_class()
    theirs = google.FromString(data)  # type: ignore[attr-defined]
    peer = PeerReply().parse(data)
    assert read_every_field(BulkReadReply.FromString(data)) == read_every_field(theirs)
    print(f"BulkReadReply, {RESULTS} results, {len(data)} bytes, Python {sys.version.split()[0]}\n")
    print("decode")
    measure(
        {
            "this SDK": lambda: BulkReadReply.FromString(data),
            "this SDK, reading every field": lambda: read_every_field(
                BulkReadReply.FromString(data)
            ),
            "google.protobuf, reading every field": lambda: read_every_field(
                google.FromString(data)  # type: ignore[attr-defined]
            ),
            "betterproto's own codec": lambda: PeerReply().parse(data),
        },
        rounds=15,
    )
    print("\nencode")
    measure(
        {
            "this SDK": lambda: bytes(ours),
            "google.protobuf": theirs.SerializeToString,
            "betterproto's own codec": lambda: bytes(peer),
        },
        rounds=15,
    )


if __name__ == "__main__":
    main()
