"""Every naming rule, the reserved words behind them, and what happens when two names collide."""

# ruff: noqa: SIM905 - tables of words read best as words

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence

from .errors import CodegenError

#: Names that annotations and class bodies of generated messages use: a field that took one would
#: change the meaning of those after it.
BUILTINS = frozenset(
    "ABSENT Literal bool bytes dict field float int list property str tuple type".split()
)

#: Names that generated modules import or define: no class of the contract may take one.
MODULE_NAMES = (
    frozenset(
        "ABC AsyncGenerator AsyncIterator Callable Cardinality CommandSpec Context Enum Final "
        "Generic Handler Iterable Iterator Literal MAX_DEPTH Mapping Members Message Metadata "
        "Method None True False OneofMessage OpenEnum Param Payload Result Self Sequence "
        "Stream StreamingTransport TYPE_CHECKING Transport TypeAlias TypeVar V abstractmethod "
        "annotations commands codec datetime enums field messages services timedelta".split()
    )
    | frozenset(keyword.kwlist)
    | BUILTINS
)

#: Names that a command's method may not take: annotations of the methods after it use them.
METHOD_NAMES = BUILTINS | {"datetime", "timedelta"}

#: Names that a command's parameter may not take: the method's body uses them, or has them itself.
PARAMETER_NAMES = frozenset("commands correlation_id listed self".split())

#: Attributes of every generated message; a test holds this table against the class itself.
MESSAGE_ATTRIBUTES = frozenset(
    "FromString SerializeToString dump from_dict from_json from_pydict is_set load parse to_dict "
    "to_json to_pydict unknown_fields "
    # of the well-known types
    "ToDatetime ToTimedelta from_custom_json from_datetime from_nanoseconds from_timedelta now "
    "pack to_custom_json to_datetime to_nanoseconds to_timedelta unpack".split()
)

#: Attributes of every enum class and member.
ENUM_ATTRIBUTES = frozenset(
    "as_integer_ratio bit_count bit_length conjugate denominator from_bytes "
    "from_proto_name imag is_integer is_known mro name numerator proto_name real to_bytes "
    "value".split()
)


def python_name(name: str, reserved: Iterable[str] = ()) -> str:
    """``name`` as a Python identifier: reserved words get a trailing underscore, leading
    underscores, which Python gives a meaning, go to the end."""
    bare = name.lstrip("_")
    if bare != name or not bare:
        bare = f"{bare or 'field'}_"
    if not bare.isidentifier():
        bare = f"field_{bare}"
    if keyword.iskeyword(bare) or bare in reserved:
        bare += "_"
    return bare


def snake(name: str) -> str:
    """``GetDoorState2`` as ``get_door_state2``."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def module_name(package: str) -> str:
    """The Python sub-package of a proto package."""
    return python_name(package.replace(".", "_").lower() or "unnamed", MODULE_NAMES)


def class_name(scope: Sequence[str]) -> str:
    """The Python class of a message or enum; a nested one carries the names around it.

    It starts with a capital, so that it is none of the functions, modules and locals around it.
    """
    name = python_name("".join(scope))
    return python_name(name[0].upper() + name[1:], MODULE_NAMES)


def enum_prefix(enum: str, values: Sequence[str]) -> str:
    """What every value's name starts with because the enum is called so; empty if one does not."""
    prefix = snake(enum).upper() + "_"
    folded = prefix.replace("_", "")
    found = ""
    for size in range(1, len(values[0]) + 1):
        if values[0][:size].replace("_", "") == folded and values[0][size - 1] == "_":
            found = values[0][:size]
    if not found or not all(v.startswith(found) and v[len(found) :].isidentifier() for v in values):
        return ""
    return found


def squeeze(name: str) -> str:
    """A name without its case and underscores, to pair ``OPEN2_DOORS`` with ``Open2Doors``."""
    return name.replace("_", "").lower()


class Names:
    """The names taken in one scope; taking one twice stops the build."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._taken: dict[str, tuple[str, str]] = {}

    def take(self, name: str, proto_name: str, where: str) -> str:
        """Take ``name`` for ``proto_name``; ``CodegenError`` if another element has it."""
        if name in self._taken:
            other, place = self._taken[name]
            raise CodegenError(
                f"{proto_name!r} and {other!r} ({place}) are both {name!r} in {self._scope}",
                where=where,
                hint="rename one in conventions.toml under [rename], or in the contract",
            )
        self._taken[name] = (proto_name, where)
        return name

    def free(self, name: str) -> str:
        """``name``, or the first of ``name_``, ``name__``, … that nobody has taken."""
        while name in self._taken:
            name += "_"
        self._taken[name] = (name, "")
        return name
