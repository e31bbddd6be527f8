"""The numbers of Galaxy metadata by name: categories of objects, security and attribute types."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import GalaxyAttribute
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType

#: The types in the order of MXAccess's own numbers, which begin with -1.
_NATIVE_TYPES: Final = (
    MxDataType.UNKNOWN,
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
)


class ObjectCategory(IntEnum):
    """Categories of objects, for ``category_ids`` and ``GalaxyObject.category_id``.

    There are more: compare with ``==``, do not convert.
    """

    PLATFORM = 1
    ENGINE = 3
    USER_DEFINED = 10
    AREA = 13


class SecurityClassification(IntEnum):
    """What a write to an attribute needs, for ``GalaxyAttribute.security_classification``."""

    FREE_ACCESS = 0
    OPERATE = 1
    SECURED_WRITE = 2
    VERIFIED_WRITE = 3
    TUNE = 4
    CONFIGURE = 5
    VIEW_ONLY = 6


def data_type_of(attribute: GalaxyAttribute) -> MxDataType:
    """The type of an attribute (of its elements, for an array), as values carry it.

    ``attribute.mx_data_type`` is MXAccess's own number. What this returns fits the ``data_type``
    of ``to_mx_value``, so that a value is written as the type that the attribute has.

    Returns:
        ``UNKNOWN`` for a number that is not MXAccess's.
    """
    place = attribute.mx_data_type + 1
    return _NATIVE_TYPES[place] if 0 <= place < len(_NATIVE_TYPES) else MxDataType.UNKNOWN
