"""``SparseArray``: an array to write, of which only some elements are named."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxDataType,
    MxSparseArray,
    MxSparseElement,
    MxValue,
)

from ..errors import MxGatewayValueError
from .columns import column
from .plain import MxScalar, flatten

#: What the gateway knows a default of; other types have none to fill positions with.
_WITH_DEFAULT = frozenset(
    {
        MxDataType.BOOLEAN,
        MxDataType.INTEGER,
        MxDataType.FLOAT,
        MxDataType.DOUBLE,
        MxDataType.STRING,
        MxDataType.TIME,
        MxDataType.ELAPSED_TIME,
        MxDataType.REFERENCE,
        MxDataType.INTERNATIONALIZED_STRING,
        MxDataType.BIG_STRING,
    }
)


@dataclass(frozen=True)
class SparseArray:
    """A whole array, of which only some elements are named. It is for writing alone.

    Positions that are not named do **not** keep their old value: the gateway fills them with the
    default of the type (false, 0, the empty text, the epoch). The array is resized to ``length``.

        await session.write(server, item, SparseArray(100, {0: 1.5, 99: 2.5}))

    Args:
        length: Elements after the write, 0 to 2^32 - 1.
        elements: Value by position, counted from 0; single values of one type. It is copied, and
            repr leaves it out.
        data_type: The type of the elements where the values do not tell it, as of ``to_mx_value``.
            An array without elements needs it.

    Raises:
        MxGatewayValueError: A position is not below ``length``, the values are of several types,
            or of one that has no default.
    """

    length: int
    elements: Mapping[int, MxScalar] = field(repr=False)
    data_type: MxDataType | None = None

    def __post_init__(self) -> None:
        """Refuse what describes no array."""
        length = _whole(self.length, "the length")
        if not isinstance(self.elements, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise MxGatewayValueError("the elements of a sparse array are a mapping by position")
        if not 0 <= length < 2**32:
            raise MxGatewayValueError("the length of a sparse array is 0 to 4294967295")
        found = {_whole(index, "a position"): value for index, value in self.elements.items()}
        elements = {index: found[index] for index in sorted(found)}
        for index in elements:
            if not 0 <= index < length:
                raise MxGatewayValueError(
                    f"position {index} of a sparse array is not in 0 to {length - 1}; "
                    "positions count from 0"
                )
        object.__setattr__(self, "length", length)
        object.__setattr__(self, "elements", MappingProxyType(elements))
        self.to_mx()

    def __reduce__(self) -> tuple[type[SparseArray], tuple[object, ...]]:
        """Copies and pickles are made, and so checked, anew."""
        return SparseArray, (self.length, dict(self.elements), self.data_type)

    def to_mx(self, data_type: MxDataType | None = None) -> MxValue:
        """The array as the gateway takes it, of ``data_type`` where it has none of its own.

        Raises:
            MxGatewayValueError: The elements do not go as ``data_type``, or this one has another.
        """
        if data_type is not None and self.data_type not in (None, data_type):
            raise MxGatewayValueError(
                f"a sparse array of {self.data_type.name if self.data_type else 'no type'} "
                f"cannot be sent as {data_type.name}"
            )
        flats = [flatten(value) for value in self.elements.values()]
        if any(flat.dimensions is not None for flat in flats):
            raise MxGatewayValueError("the elements of a sparse array are single values, no lists")
        made = column([flat.values[0] for flat in flats], data_type or self.data_type)
        if made.data_type not in _WITH_DEFAULT:
            raise MxGatewayValueError(
                f"{made.data_type.name} has no default to fill a sparse array with; write it whole"
            )
        return MxValue(
            data_type=made.data_type,
            variant_type=f"VT_ARRAY|{made.kind.variant_type}",
            sparse_array_value=MxSparseArray(
                element_data_type=made.data_type,
                total_length=self.length,
                elements=[
                    MxSparseElement(index=index, value=value)
                    for index, value in zip(self.elements, made.scalars(), strict=True)
                ],
            ),
        )


def _whole(value: object, what: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise MxGatewayValueError(f"{what} of a sparse array is a whole number") from None
