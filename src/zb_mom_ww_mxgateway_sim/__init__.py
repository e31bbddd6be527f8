"""A gateway without Windows or System Platform: a real gRPC server with its galaxy in memory."""

from .server import SimulatedGateway as SimulatedGateway

__all__ = ["SimulatedGateway"]
