"""ReadBulk: from the last data change of what is advised, or by a short advice of its own."""

from __future__ import annotations

import asyncio
from typing import Final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import BulkReadResult

from .auth.access import AccessDenied
from .galaxy.live import BREATH, Reading
from .items import Item, Registration
from .session import Session
from .statuses import MxAccessFailure

#: Where a command names no timeout (D).
DEFAULT_TIMEOUT_MS: Final = 5_000


async def read_bulk(
    session: Session, registration: Registration, tags: list[str], timeout_ms: int
) -> list[BulkReadResult]:
    """One result for each tag, in order; the session is left as found.

    All tags are asked for first and then waited for together, so a slow galaxy costs its delay
    once, not once for each tag.
    """
    galaxy, timeout = session.galaxy, (timeout_ms or DEFAULT_TIMEOUT_MS) / 1000
    deadline = galaxy.clock.time() + timeout
    advised = {
        item.point.reference: (owner, item)
        for owner in session.handles
        for item in owner.items.values()
        if item.advice
    }
    cached = [advised.get(galaxy.resolve(tag).reference) for tag in tags]
    # The delay that counts is that of now, whatever a fault does to it meanwhile.
    delay = galaxy.first_value_delay
    snapshots = [tag for tag, found in zip(tags, cached, strict=True) if found is None]
    if any(tag.strip() for tag in snapshots) and delay > 0:
        await galaxy.clock.sleep(min(delay, timeout))
    results: list[BulkReadResult] = []
    for number, (tag, found) in enumerate(zip(tags, cached, strict=True), 1):
        result = BulkReadResult(server_handle=registration.handle, tag_address=tag)
        try:
            session.access.require_read(galaxy, tag)
            if found is None:
                _read_anew(session, result, in_time=delay <= timeout)
            else:
                await _read_cached(session, result, *found, deadline)
        except (AccessDenied, MxAccessFailure) as failure:
            result.error_message = failure.text
        except TimeoutError:
            result.error_message = "no data change came in time; allow a longer timeout_ms"
        results.append(result)
        if number % BREATH == 0:
            await asyncio.sleep(0)
    return results


def _read_anew(session: Session, result: BulkReadResult, *, in_time: bool) -> None:
    item = session.handles.make(result.tag_address)
    result.item_handle = item.handle
    if not in_time:
        raise TimeoutError
    _fill(result, session.galaxy.read(item.point))


async def _read_cached(
    session: Session,
    result: BulkReadResult,
    registration: Registration,
    item: Item,
    deadline: float,
) -> None:
    result.server_handle, result.item_handle = registration.handle, item.handle
    result.was_cached = True
    advice = item.running_advice()
    reading = advice.last
    if reading is None:  # advised a moment ago: its first data change is still to come
        clock = session.galaxy.clock
        async with clock.timeout(deadline - clock.time()):
            reading = await advice.first()
    _fill(result, reading)


def _fill(result: BulkReadResult, reading: Reading) -> None:
    result.was_successful = True
    result.value = reading.value
    result.quality = reading.quality
    result.source_timestamp = reading.timestamp
    result.statuses = [reading.status]
