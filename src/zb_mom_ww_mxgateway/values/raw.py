"""``RawValue``: what MXAccess delivered and nobody converted, with all that was said about it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self, final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxArray, MxDataType, MxValue, RawArray

from ..errors import MxGatewayValueError


@final
class RawValue(bytes):
    """Bytes that MXAccess and the gateway pass on without interpreting them.

    It is the plain ``bytes``, equal to them and usable wherever they are, and remembers the fields
    beside them, so that writing it back restores the value as it came. A value without any bytes
    (the gateway could only describe it, or its kind is newer than this contract) is an empty
    ``RawValue`` whose ``has_bytes`` is False.

    Args:
        data: The bytes.
        data_type: The type of MXAccess.
        variant_type: The COM type, such as ``VT_RECORD``.
        raw_data_type: The number of the type as MXAccess delivered it, where it is known.
        raw_diagnostic: Why the value was not converted.
    """

    _mx: MxValue

    def __new__(
        cls,
        data: bytes | bytearray | memoryview = b"",
        *,
        data_type: MxDataType = MxDataType.UNKNOWN,
        variant_type: str = "VT_RECORD",
        raw_data_type: int = 0,
        raw_diagnostic: str = "",
    ) -> Self:
        """A raw value of these bytes."""
        made = super().__new__(cls, data)
        made._mx = MxValue(
            data_type=data_type,
            variant_type=variant_type,
            raw_data_type=raw_data_type,
            raw_diagnostic=raw_diagnostic,
            raw_value=bytes(data),
        )
        return made

    @classmethod
    def from_mx(cls, mx: MxValue) -> Self:
        """The raw value that ``mx`` holds; later changes of ``mx`` do not reach it."""
        made = super().__new__(cls, mx.raw_value or b"")
        made._mx = copy.deepcopy(mx)
        return made

    def to_mx(self) -> MxValue:
        """The value as it came, every field restored; changing it does not change this one."""
        return copy.deepcopy(self._mx)

    @property
    def has_bytes(self) -> bool:
        """Whether there are bytes, be they none; False for a value that is only described."""
        return self._mx.raw_value is not None

    @property
    def data_type(self) -> MxDataType:
        """The type of MXAccess, as far as the contract has it."""
        return self._mx.data_type

    @property
    def variant_type(self) -> str:
        """The COM type, such as ``VT_RECORD``."""
        return self._mx.variant_type

    @property
    def raw_data_type(self) -> int:
        """The number of the type as MXAccess delivered it."""
        return self._mx.raw_data_type

    @property
    def raw_diagnostic(self) -> str:
        """Why the value was not converted, in the gateway's words."""
        array = self._mx.array_value
        return self._mx.raw_diagnostic or (array.raw_diagnostic if array is not None else "")

    def __repr__(self) -> str:
        said = [bytes.__repr__(self), f"data_type={self.data_type}"]
        for name in ("variant_type", "raw_data_type", "raw_diagnostic"):
            if value := getattr(self, name):
                said.append(f"{name}={value!r}")
        if not self.has_bytes:
            said.append("has_bytes=False")
        return f"RawValue({', '.join(said)})"


def elements_of(array: MxArray, values: RawArray) -> list[RawValue]:
    """The elements of a raw array, each with the fields of its array."""
    return [
        RawValue(
            value,
            data_type=array.element_data_type,
            variant_type=array.variant_type,
            raw_data_type=array.raw_element_data_type,
            raw_diagnostic=array.raw_diagnostic,
        )
        for value in values.values
    ]


def array_of(values: Sequence[RawValue], dimensions: Sequence[int]) -> MxValue:
    """The array whose elements came from ``elements_of``, or were made alike.

    Raises:
        MxGatewayValueError: They differ in their fields, or one has no bytes.
    """
    first = values[0]
    if len({_fields(value) for value in values}) > 1 or not first.has_bytes:
        raise MxGatewayValueError(
            "an array mixes raw values that differ in their fields, or holds one without bytes; "
            "an array has these fields once for all of its elements"
        )
    variant = first.variant_type
    return MxValue(
        data_type=first.data_type,
        variant_type=variant if variant.startswith("VT_ARRAY") else f"VT_ARRAY|{variant}",
        raw_data_type=first.raw_data_type,
        array_value=MxArray(
            element_data_type=first.data_type,
            variant_type=variant,
            dimensions=list(dimensions),
            raw_diagnostic=first.raw_diagnostic,
            raw_element_data_type=first.raw_data_type,
            raw_values=RawArray(values=[bytes(value) for value in values]),
        ),
    )


def _fields(value: RawValue) -> tuple[MxDataType, str, int, str, bool]:
    return (
        value.data_type,
        value.variant_type,
        value.raw_data_type,
        value.raw_diagnostic,
        value.has_bytes,
    )
