"""Python SDK for MXAccess Gateway: sessions, commands, events and values of AVEVA System Platform.

Everything that users need is importable from here; the packages below are details.
"""

import logging
from importlib.metadata import version as _version

from zb_mom_ww_mxgateway_contracts.google_protobuf import (
    Duration as Duration,
)
from zb_mom_ww_mxgateway_contracts.google_protobuf import (
    Timestamp as Timestamp,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    BulkReadResult as BulkReadResult,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    BulkWriteResult as BulkWriteResult,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    CloseSessionReply as CloseSessionReply,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    CloseSessionRequest as CloseSessionRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxArray as MxArray,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommand as MxCommand,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommandKind as MxCommandKind,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommandReply as MxCommandReply,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommandRequest as MxCommandRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxDataType as MxDataType,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxEvent as MxEvent,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxEventFamily as MxEventFamily,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxSparseArray as MxSparseArray,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxSparseElement as MxSparseElement,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxStatusCategory as MxStatusCategory,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxStatusProxy as MxStatusProxy,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxStatusSource as MxStatusSource,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxValue as MxValue,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    OpenSessionReply as OpenSessionReply,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    OpenSessionRequest as OpenSessionRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    ProtocolStatus as ProtocolStatus,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    ProtocolStatusCode as ProtocolStatusCode,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    ReplayGap as ReplayGap,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    SessionState as SessionState,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    StreamEventsRequest as StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    SubscribeResult as SubscribeResult,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    Write2BulkEntry as Write2BulkEntry,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    WriteBulkEntry as WriteBulkEntry,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    WriteSecured2BulkEntry as WriteSecured2BulkEntry,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    WriteSecuredBulkEntry as WriteSecuredBulkEntry,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import (
    COMMANDS as COMMANDS,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import (
    MAX_BULK_ITEMS as MAX_BULK_ITEMS,
)
from zb_mom_ww_mxgateway_wire.codec import (
    DecodeError as DecodeError,
)
from zb_mom_ww_mxgateway_wire.codec import (
    EncodeError as EncodeError,
)

from .client import (
    GATEWAY_PROTOCOL_VERSION as GATEWAY_PROTOCOL_VERSION,
)
from .client import (
    GatewayClient as GatewayClient,
)
from .errors import (
    MxAccessError as MxAccessError,
)
from .errors import (
    MxGatewayArgumentError as MxGatewayArgumentError,
)
from .errors import (
    MxGatewayAuthenticationError as MxGatewayAuthenticationError,
)
from .errors import (
    MxGatewayAuthorizationError as MxGatewayAuthorizationError,
)
from .errors import (
    MxGatewayCommandError as MxGatewayCommandError,
)
from .errors import (
    MxGatewayError as MxGatewayError,
)
from .errors import (
    MxGatewayMalformedReplyError as MxGatewayMalformedReplyError,
)
from .errors import (
    MxGatewayProtocolError as MxGatewayProtocolError,
)
from .errors import (
    MxGatewayResourceExhaustedError as MxGatewayResourceExhaustedError,
)
from .errors import (
    MxGatewaySessionClosedError as MxGatewaySessionClosedError,
)
from .errors import (
    MxGatewaySessionError as MxGatewaySessionError,
)
from .errors import (
    MxGatewaySessionNotFoundError as MxGatewaySessionNotFoundError,
)
from .errors import (
    MxGatewaySessionNotReadyError as MxGatewaySessionNotReadyError,
)
from .errors import (
    MxGatewayTimeoutError as MxGatewayTimeoutError,
)
from .errors import (
    MxGatewayTransportError as MxGatewayTransportError,
)
from .errors import (
    MxGatewayUnavailableError as MxGatewayUnavailableError,
)
from .errors import (
    MxGatewayValueError as MxGatewayValueError,
)
from .errors import (
    MxGatewayWorkerError as MxGatewayWorkerError,
)
from .errors import (
    describe_hresult as describe_hresult,
)
from .errors import (
    describe_status as describe_status,
)
from .errors import (
    is_failure as is_failure,
)
from .options import (
    ClientOptions as ClientOptions,
)
from .session import (
    Session as Session,
)
from .values import (
    MxScalar as MxScalar,
)
from .values import (
    MxValueInput as MxValueInput,
)
from .values import (
    MxValueOutput as MxValueOutput,
)
from .values import (
    from_mx_value as from_mx_value,
)
from .values import (
    to_mx_value as to_mx_value,
)

logging.getLogger(__name__).addHandler(logging.NullHandler())

__version__ = _version("zb-mom-ww-mxgateway")
