"""An outside client: stock grpcio with google.protobuf, and none of this project's code."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 as contract

BINPB = Path(contract.__file__).parents[1] / "contract.binpb"
PACKAGE = "mxaccess_gateway.v1"
TAGS = [f"TestMachine_{number:03d}.TestChangingInt" for number in range(1, 11)]


@pytest.fixture(scope="module")
def messages() -> SimpleNamespace:
    """google.protobuf's classes for the messages, made from the committed descriptor set."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(BINPB.read_bytes()).file:
        pool.Add(file)
    names = pool.FindFileByName("mxaccess_gateway.proto").message_types_by_name
    return SimpleNamespace(
        **{name: message_factory.GetMessageClass(descriptor) for name, descriptor in names.items()},
        kinds=pool.FindEnumTypeByName(f"{PACKAGE}.MxCommandKind").values_by_name,
    )


def talk(endpoint: str, api_key: str, m: SimpleNamespace) -> None:
    """The whole conversation, blocking."""
    metadata = [("authorization", f"Bearer {api_key}")]
    path = f"/{PACKAGE}.MxAccessGateway/"

    with grpc.insecure_channel(endpoint) as channel:

        def unary(name, request_type, reply_type):
            call = channel.unary_unary(
                path + name,
                request_serializer=request_type.SerializeToString,
                response_deserializer=reply_type.FromString,
            )
            return lambda request, metadata=metadata: call(request, metadata=metadata, timeout=10)

        open_session = unary("OpenSession", m.OpenSessionRequest, m.OpenSessionReply)
        close_session = unary("CloseSession", m.CloseSessionRequest, m.CloseSessionReply)
        invoke = unary("Invoke", m.MxCommandRequest, m.MxCommandReply)
        stream_events = channel.unary_stream(
            path + "StreamEvents",
            request_serializer=m.StreamEventsRequest.SerializeToString,
            response_deserializer=m.MxEvent.FromString,
        )

        with pytest.raises(grpc.RpcError) as caught:
            open_session(m.OpenSessionRequest(), metadata=[])
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        session_id = open_session(m.OpenSessionRequest()).session_id

        def do(member: str, **fields):
            kind = m.kinds[f"MX_COMMAND_KIND_{member.upper()}"].number
            request = m.MxCommandRequest(session_id=session_id)
            request.command.kind = kind
            getattr(request.command, member).SetInParent()
            for name, value in fields.items():
                target = getattr(request.command, member)
                if isinstance(value, list):
                    getattr(target, name).extend(value)
                else:
                    setattr(target, name, value)
            reply = invoke(request)
            assert reply.protocol_status.code == 1, reply
            return getattr(reply, member)

        server = do("register", client_name="grpcio").server_handle
        results = do("subscribe_bulk", server_handle=server, tag_addresses=TAGS).results
        items = [result.item_handle for result in results]
        events = stream_events(
            m.StreamEventsRequest(session_id=session_id), metadata=metadata, timeout=10
        )
        first = [next(events) for _ in range(10)]
        assert [event.item_handle for event in first] == items
        assert all(event.HasField("on_data_change") and event.quality == 192 for event in first)
        assert [next(events).worker_sequence for _ in range(20)] == list(range(11, 31))

        writes = [
            m.WriteBulkEntry(item_handle=item, value=m.MxValue(int32_value=-item))
            for item in items[:2]
        ]
        results = do("write_bulk", server_handle=server, entries=writes).results
        assert all(result.was_successful for result in results)
        completed = []
        while len(completed) < 2:
            event = next(events)
            if event.HasField("on_write_complete"):
                completed.append(event.item_handle)
        assert completed == items[:2]

        read = do("read_bulk", server_handle=server, tag_addresses=TAGS).results
        assert [result.tag_address for result in read] == TAGS
        assert all(result.was_cached and result.was_successful for result in read)

        assert close_session(m.CloseSessionRequest(session_id=session_id)).final_state == 7
        assert all(event.session_id == session_id for event in events)  # the stream ends
        assert events.code() is grpc.StatusCode.OK
        with pytest.raises(grpc.RpcError) as caught:
            do("ping")
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_an_outside_client_does_the_main_job(site, messages):
    gateway = await site.gateway(change_interval=0.02)
    await asyncio.to_thread(talk, gateway.endpoint, gateway.api_key, messages)
