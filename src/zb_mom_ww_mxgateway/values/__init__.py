"""Values: what Python has, as MXAccess takes it, and back. The tables are in ``docs/values.md``."""

from .convert import (
    MxArrayOutput as MxArrayOutput,
    MxScalarOutput as MxScalarOutput,
    MxSequence as MxSequence,
    MxValueInput as MxValueInput,
    MxValueOutput as MxValueOutput,
    from_mx_array as from_mx_array,
    from_mx_value as from_mx_value,
    moment as moment,
    to_mx_value as to_mx_value,
)
from .foreign import ArrayLike as ArrayLike
from .plain import MxScalar as MxScalar
from .raw import RawValue as RawValue
from .sparse import SparseArray as SparseArray
