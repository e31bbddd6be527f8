"""ReadBulk: from the last data change of what is advised, or by a short advice of its own."""

from __future__ import annotations

import asyncio
from typing import Final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import BulkReadResult

from .galaxy import BREATH, Reading
from .items import Item, Registration
from .sessions import Session

#: Where a command names no timeout (D).
DEFAULT_TIMEOUT_MS: Final = 5_000


async def read_bulk(
    session: Session, registration: Registration, tags: list[str], timeout_ms: int
) -> list[BulkReadResult]:
    """One result for each tag, in order; the session is left as found.

    All tags are asked for first and then waited for together, so a slow galaxy costs its delay
    once, not once for each tag.
    """
    timeout = (timeout_ms or DEFAULT_TIMEOUT_MS) / 1000
    deadline = asyncio.get_running_loop().time() + timeout
    advised = {
        item.reference: (owner, item)
        for owner in session.handles
        for item in owner.items.values()
        if item.advice
    }
    cached = [advised.get(session.galaxy.normalize(tag)) for tag in tags]
    snapshots = [tag for tag, found in zip(tags, cached, strict=True) if found is None]
    if any(tag.strip() for tag in snapshots) and session.first_value_delay > 0:
        await asyncio.sleep(min(session.first_value_delay, timeout))
    results: list[BulkReadResult] = []
    for number, (tag, found) in enumerate(zip(tags, cached, strict=True), 1):
        if found is None:
            results.append(_snapshot(session, registration, tag, timeout))
        else:
            results.append(await _cached(*found, tag, deadline))
        if number % BREATH == 0:
            await asyncio.sleep(0)
    return results


def _snapshot(
    session: Session, registration: Registration, tag: str, timeout: float
) -> BulkReadResult:
    result = BulkReadResult(server_handle=registration.handle, tag_address=tag)
    if not tag.strip():
        result.error_message = "the reference is empty; use tag_name.AttributeName"
        return result
    item = session.handles.detached(tag)
    result.item_handle = item.handle
    if session.first_value_delay > timeout:
        return _timed_out(result)
    return _filled(result, session.galaxy.read(item.point))


async def _cached(
    registration: Registration, item: Item, tag: str, deadline: float
) -> BulkReadResult:
    result = BulkReadResult(
        server_handle=registration.handle,
        tag_address=tag,
        item_handle=item.handle,
        was_cached=True,
    )
    advice = item.advice
    assert advice is not None
    if advice.last is None:  # advised a moment ago: its first data change is still to come
        try:
            async with asyncio.timeout_at(deadline):
                await advice.arrived.wait()
        except TimeoutError:
            return _timed_out(result)
    assert advice.last is not None
    return _filled(result, advice.last)


def _filled(result: BulkReadResult, reading: Reading) -> BulkReadResult:
    result.was_successful = True
    result.value = reading.value
    result.quality = reading.quality
    result.source_timestamp = reading.timestamp
    result.statuses = [reading.status]
    return result


def _timed_out(result: BulkReadResult) -> BulkReadResult:
    result.error_message = "no data change came in time; allow a longer timeout_ms"
    return result
