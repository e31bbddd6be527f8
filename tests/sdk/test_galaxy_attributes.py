"""What the numbers of Galaxy metadata mean."""

from __future__ import annotations

from zb_mom_ww_mxgateway import MxDataType
from zb_mom_ww_mxgateway.galaxy import data_type_of
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import GalaxyAttribute

#: By MXAccess's own numbers, from 0 on.
NATIVE = [
    MxDataType.NO_DATA,
    MxDataType.BOOLEAN,
    MxDataType.INTEGER,
    MxDataType.FLOAT,
    MxDataType.DOUBLE,
    MxDataType.STRING,
    MxDataType.TIME,
    MxDataType.ELAPSED_TIME,
    MxDataType.REFERENCE,
    MxDataType.STATUS_TYPE,
    MxDataType.DATA_TYPE_ENUM,
    MxDataType.SECURITY_CLASSIFICATION_ENUM,
    MxDataType.DATA_QUALITY_TYPE,
    MxDataType.QUALIFIED_ENUM,
    MxDataType.QUALIFIED_STRUCT,
    MxDataType.INTERNATIONALIZED_STRING,
    MxDataType.BIG_STRING,
]


def test_a_native_type_number_is_mxaccess_own_and_not_that_of_the_contract() -> None:
    for number, data_type in enumerate(NATIVE):
        assert data_type_of(GalaxyAttribute(mx_data_type=number)) is data_type


def test_a_type_that_has_no_name_is_unknown() -> None:
    for number in (-(2**31), -2, -1, len(NATIVE), 2**31 - 1):
        assert data_type_of(GalaxyAttribute(mx_data_type=number)) is MxDataType.UNKNOWN
