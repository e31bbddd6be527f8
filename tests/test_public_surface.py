"""What users import is pinned: a change here is a change of the product, with a CHANGELOG line."""

from __future__ import annotations

import importlib
import importlib.resources
import inspect

import pytest

import mxgateway
import zb_mom_ww_mxgateway as sdk

SURFACE = [
    "AcknowledgeAlarmReply",
    "AcknowledgeAlarmRequest",
    "ActiveAlarmSnapshot",
    "AlarmConditionState",
    "AlarmFeedMessage",
    "AlarmProviderMode",
    "AlarmProviderModeChanged",
    "AlarmProviderStatus",
    "AlarmTransition",
    "AlarmTransitionKind",
    "ArrayLike",
    "BrowseChildrenReply",
    "BrowseChildrenRequest",
    "BrowseNode",
    "BufferedDataChange",
    "BulkReadResult",
    "BulkWriteResult",
    "COMMANDS",
    "ClientOptions",
    "CloseSessionReply",
    "CloseSessionRequest",
    "ConnectOptions",
    "DataChange",
    "DecodeError",
    "DeployEvent",
    "DiscoverHierarchyReply",
    "DiscoverHierarchyRequest",
    "Duration",
    "EncodeError",
    "Event",
    "EventGap",
    "GATEWAY_PROTOCOL_VERSION",
    "GalaxyAttribute",
    "GalaxyObject",
    "GalaxyRepositoryClient",
    "GatewayClient",
    "GetLastDeployTimeReply",
    "GetLastDeployTimeRequest",
    "HierarchyFilters",
    "MAX_BULK_ITEMS",
    "MxAccessError",
    "MxAccessWriteError",
    "MxArray",
    "MxArrayOutput",
    "MxCommand",
    "MxCommandKind",
    "MxCommandReply",
    "MxCommandRequest",
    "MxDataType",
    "MxEvent",
    "MxEventFamily",
    "MxGatewayArgumentError",
    "MxGatewayAuthenticationError",
    "MxGatewayAuthorizationError",
    "MxGatewayCertificateError",
    "MxGatewayCommandError",
    "MxGatewayError",
    "MxGatewayGalaxyChangedError",
    "MxGatewayMalformedReplyError",
    "MxGatewayNotFoundError",
    "MxGatewayProtocolError",
    "MxGatewayResourceExhaustedError",
    "MxGatewaySessionClosedError",
    "MxGatewaySessionError",
    "MxGatewaySessionNotFoundError",
    "MxGatewaySessionNotReadyError",
    "MxGatewayTimeoutError",
    "MxGatewayTransportError",
    "MxGatewayUnavailableError",
    "MxGatewayUnimplementedError",
    "MxGatewayValueError",
    "MxGatewayWorkerError",
    "MxScalar",
    "MxScalarOutput",
    "MxSequence",
    "MxSparseArray",
    "MxSparseElement",
    "MxStatusCategory",
    "MxStatusProxy",
    "MxStatusSource",
    "MxValue",
    "MxValueInput",
    "MxValueOutput",
    "ObjectCategory",
    "ObjectFilters",
    "OnAlarmProviderModeChangedEvent",
    "OnAlarmTransitionEvent",
    "OpenSessionReply",
    "OpenSessionRequest",
    "OperationComplete",
    "ProtocolStatus",
    "ProtocolStatusCode",
    "QueryActiveAlarmsRequest",
    "RawValue",
    "Reading",
    "ReplayGap",
    "Sample",
    "SecurityClassification",
    "Session",
    "SessionState",
    "SparseArray",
    "Stream",
    "StreamAlarmsRequest",
    "StreamEventsRequest",
    "SubscribeResult",
    "TestConnectionReply",
    "TestConnectionRequest",
    "Timestamp",
    "WatchDeployEventsRequest",
    "Write2BulkEntry",
    "WriteBulkEntry",
    "WriteComplete",
    "WriteSecured2BulkEntry",
    "WriteSecuredBulkEntry",
    "data_type_of",
    "deploy_time",
    "describe_hresult",
    "describe_quality",
    "describe_status",
    "from_mx_array",
    "from_mx_value",
    "is_failure",
    "is_good_quality",
    "to_mx_value",
]


def public(module: object) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }


def test_the_public_surface_is_pinned() -> None:
    assert sorted(public(sdk)) == sorted(SURFACE)


def test_the_earlier_package_name_has_the_same_surface() -> None:
    assert public(mxgateway) == public(sdk)
    assert mxgateway.GatewayClient is sdk.GatewayClient


def test_every_exception_of_the_sdk_has_the_one_base() -> None:
    errors = [v for v in vars(sdk).values() if inspect.isclass(v) and issubclass(v, Exception)]
    outside = {sdk.DecodeError, sdk.EncodeError}
    assert all(issubclass(error, sdk.MxGatewayError) for error in errors if error not in outside)


@pytest.mark.parametrize(
    "package",
    [
        "zb_mom_ww_mxgateway",
        "zb_mom_ww_mxgateway_cli",
        "zb_mom_ww_mxgateway_contracts",
        "zb_mom_ww_mxgateway_sim",
        "zb_mom_ww_mxgateway_wire",
        "mxgateway",
    ],
)
def test_every_package_is_typed(package: str) -> None:
    found = importlib.import_module(package)
    assert found.__file__ is not None
    assert (importlib.resources.files(package) / "py.typed").is_file()
