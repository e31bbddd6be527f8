"""The columns of the table: who is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

COMPILED: Final = "compiled"
INTERPRETED: Final = "interpreted"
#: This SDK.
OURS: Final = (COMPILED, INTERPRETED)
#: What makes a process one or the other.
ENVIRONMENTS: Final[Mapping[str, Mapping[str, str]]] = {
    COMPILED: {"MXGW_PURE": ""},
    INTERPRETED: {"MXGW_PURE": "1"},
}
#: google.protobuf with grpcio: what the seeds are built on.
REFERENCE: Final = "protobuf"
COLUMNS: Final = (*OURS, REFERENCE, "betterproto", "betterproto2")
