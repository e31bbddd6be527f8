"""A gateway without Windows, System Platform or MXAccess: a real gRPC server with values in memory."""

from .server import SimulatedGateway as SimulatedGateway

__all__ = ["SimulatedGateway"]
