"""Python SDK for MXAccess Gateway: sessions, commands, events and values of AVEVA System Platform.

Everything that users need is importable from here; the packages below are details.
"""

import logging

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenReply as BrowseChildrenReply,
    BrowseChildrenRequest as BrowseChildrenRequest,
    DeployEvent as DeployEvent,
    DiscoverHierarchyReply as DiscoverHierarchyReply,
    DiscoverHierarchyRequest as DiscoverHierarchyRequest,
    GalaxyAttribute as GalaxyAttribute,
    GalaxyObject as GalaxyObject,
    GetLastDeployTimeReply as GetLastDeployTimeReply,
    GetLastDeployTimeRequest as GetLastDeployTimeRequest,
    TestConnectionReply as TestConnectionReply,
    TestConnectionRequest as TestConnectionRequest,
    WatchDeployEventsRequest as WatchDeployEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.google_protobuf import (
    Duration as Duration,
    Timestamp as Timestamp,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmReply as AcknowledgeAlarmReply,
    AcknowledgeAlarmRequest as AcknowledgeAlarmRequest,
    ActiveAlarmSnapshot as ActiveAlarmSnapshot,
    AlarmConditionState as AlarmConditionState,
    AlarmFeedMessage as AlarmFeedMessage,
    AlarmProviderMode as AlarmProviderMode,
    AlarmProviderStatus as AlarmProviderStatus,
    AlarmTransitionKind as AlarmTransitionKind,
    BulkReadResult as BulkReadResult,
    BulkWriteResult as BulkWriteResult,
    CloseSessionReply as CloseSessionReply,
    CloseSessionRequest as CloseSessionRequest,
    MxArray as MxArray,
    MxCommand as MxCommand,
    MxCommandKind as MxCommandKind,
    MxCommandReply as MxCommandReply,
    MxCommandRequest as MxCommandRequest,
    MxDataType as MxDataType,
    MxEvent as MxEvent,
    MxEventFamily as MxEventFamily,
    MxSparseArray as MxSparseArray,
    MxSparseElement as MxSparseElement,
    MxStatusCategory as MxStatusCategory,
    MxStatusProxy as MxStatusProxy,
    MxStatusSource as MxStatusSource,
    MxValue as MxValue,
    OnAlarmProviderModeChangedEvent as OnAlarmProviderModeChangedEvent,
    OnAlarmTransitionEvent as OnAlarmTransitionEvent,
    OpenSessionReply as OpenSessionReply,
    OpenSessionRequest as OpenSessionRequest,
    ProtocolStatus as ProtocolStatus,
    ProtocolStatusCode as ProtocolStatusCode,
    QueryActiveAlarmsRequest as QueryActiveAlarmsRequest,
    ReplayGap as ReplayGap,
    SessionState as SessionState,
    StreamAlarmsRequest as StreamAlarmsRequest,
    StreamEventsRequest as StreamEventsRequest,
    SubscribeResult as SubscribeResult,
    Write2BulkEntry as Write2BulkEntry,
    WriteBulkEntry as WriteBulkEntry,
    WriteSecured2BulkEntry as WriteSecured2BulkEntry,
    WriteSecuredBulkEntry as WriteSecuredBulkEntry,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import (
    COMMANDS as COMMANDS,
    MAX_BULK_ITEMS as MAX_BULK_ITEMS,
)
from zb_mom_ww_mxgateway_wire.codec import (
    DecodeError as DecodeError,
    EncodeError as EncodeError,
)

from .client import (
    GATEWAY_PROTOCOL_VERSION as GATEWAY_PROTOCOL_VERSION,
    GatewayClient as GatewayClient,
)
from .errors import (
    MxAccessError as MxAccessError,
    MxAccessWriteError as MxAccessWriteError,
    MxGatewayArgumentError as MxGatewayArgumentError,
    MxGatewayAuthenticationError as MxGatewayAuthenticationError,
    MxGatewayAuthorizationError as MxGatewayAuthorizationError,
    MxGatewayCertificateError as MxGatewayCertificateError,
    MxGatewayCommandError as MxGatewayCommandError,
    MxGatewayError as MxGatewayError,
    MxGatewayGalaxyChangedError as MxGatewayGalaxyChangedError,
    MxGatewayMalformedReplyError as MxGatewayMalformedReplyError,
    MxGatewayNotFoundError as MxGatewayNotFoundError,
    MxGatewayProtocolError as MxGatewayProtocolError,
    MxGatewayResourceExhaustedError as MxGatewayResourceExhaustedError,
    MxGatewaySessionClosedError as MxGatewaySessionClosedError,
    MxGatewaySessionError as MxGatewaySessionError,
    MxGatewaySessionNotFoundError as MxGatewaySessionNotFoundError,
    MxGatewaySessionNotReadyError as MxGatewaySessionNotReadyError,
    MxGatewayTimeoutError as MxGatewayTimeoutError,
    MxGatewayTransportError as MxGatewayTransportError,
    MxGatewayUnavailableError as MxGatewayUnavailableError,
    MxGatewayUnimplementedError as MxGatewayUnimplementedError,
    MxGatewayValueError as MxGatewayValueError,
    MxGatewayWorkerError as MxGatewayWorkerError,
    describe_hresult as describe_hresult,
    describe_status as describe_status,
    is_failure as is_failure,
)
from .events import (
    AlarmProviderModeChanged as AlarmProviderModeChanged,
    AlarmTransition as AlarmTransition,
    BufferedDataChange as BufferedDataChange,
    DataChange as DataChange,
    Event as Event,
    EventGap as EventGap,
    OperationComplete as OperationComplete,
    Reading as Reading,
    Sample as Sample,
    WriteComplete as WriteComplete,
    describe_quality as describe_quality,
    is_good_quality as is_good_quality,
)
from .galaxy import (
    BrowseNode as BrowseNode,
    GalaxyRepositoryClient as GalaxyRepositoryClient,
    HierarchyFilters as HierarchyFilters,
    ObjectCategory as ObjectCategory,
    ObjectFilters as ObjectFilters,
    SecurityClassification as SecurityClassification,
    data_type_of as data_type_of,
    deploy_time as deploy_time,
)
from .options import (
    ClientOptions as ClientOptions,
    ConnectOptions as ConnectOptions,
)
from .session import (
    Session as Session,
)
from .streams import (
    Stream as Stream,
)
from .values import (
    ArrayLike as ArrayLike,
    MxArrayOutput as MxArrayOutput,
    MxScalar as MxScalar,
    MxScalarOutput as MxScalarOutput,
    MxSequence as MxSequence,
    MxValueInput as MxValueInput,
    MxValueOutput as MxValueOutput,
    RawValue as RawValue,
    SparseArray as SparseArray,
    from_mx_array as from_mx_array,
    from_mx_value as from_mx_value,
    to_mx_value as to_mx_value,
)
from .version import (
    VERSION as _VERSION,
)

logging.getLogger(__name__).addHandler(logging.NullHandler())

__version__ = _VERSION
