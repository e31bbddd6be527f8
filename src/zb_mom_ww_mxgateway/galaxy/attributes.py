"""The numbers of Galaxy metadata by name: categories of objects, security and attribute types."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import GalaxyAttribute
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType

#: What MXAccess's own type numbers lack towards ``MxDataType``, whose 0 is "unspecified".
_NATIVE: Final = 2


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
    """
    return MxDataType(attribute.mx_data_type + _NATIVE)
