"""Waiting: a deadline that says what was late, and tasks that others may still wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from grpclib.const import Status

from .errors import MxGatewayTimeoutError


@asynccontextmanager
async def until(deadline: float | None, late: str) -> AsyncGenerator[None]:
    """Give what is inside until ``deadline``, by the loop's clock; None is for ever.

    Raises:
        MxGatewayTimeoutError: With the text ``late``. A timeout from inside stays what it is.
    """
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise MxGatewayTimeoutError(late, status=Status.DEADLINE_EXCEEDED) from error


def ended_in_vain(task: asyncio.Task[Any]) -> bool:
    """Whether a task was cancelled or has failed; asking also marks its error as seen."""
    return task.done() and (task.cancelled() or task.exception() is not None)
