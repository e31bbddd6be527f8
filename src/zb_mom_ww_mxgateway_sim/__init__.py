"""A gateway without Windows or System Platform: a real gRPC server with its galaxy in memory.

What is exported is imported when it is first asked for: pytest loads the plugin of this package in
every run of an environment that has it, and that must cost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .clock import Clock as Clock, ManualClock as ManualClock
    from .limits import Limits as Limits
    from .server import SimulatedGateway as SimulatedGateway

__all__ = ["Clock", "Limits", "ManualClock", "SimulatedGateway"]

#: The module in which each exported name lives.
_HOMES: Final = {
    "Clock": "clock",
    "Limits": "limits",
    "ManualClock": "clock",
    "SimulatedGateway": "server",
}

# Hidden from type checkers, for which a module with a __getattr__ has every name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
