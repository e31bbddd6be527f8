"""ReadBulk: from the last data change of what is advised, or by a short advice of its own."""

from __future__ import annotations

from typing import Final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import BulkReadResult

from .auth.access import AccessDenied
from .galaxy.live import Point, Reading, breathe
from .items import Item, Registration
from .session import Session
from .statuses import MxAccessFailure

#: Where a command names no timeout (D).
DEFAULT_TIMEOUT_MS: Final = 5_000
#: How many items are looked at before other tasks have their turn; that is quickly done.
_ITEMS_AT_ONCE: Final = 10_000


async def read_bulk(
    session: Session, registration: Registration, tags: list[str], timeout_ms: int
) -> list[BulkReadResult]:
    """One result for each tag, in order; the session is left as found.

    All tags are asked for first and then waited for together, so a slow galaxy costs its delay
    once, not once for each tag.
    """
    galaxy, timeout = session.galaxy, (timeout_ms or DEFAULT_TIMEOUT_MS) / 1000
    deadline = galaxy.clock.time() + timeout
    points: list[Point] = []  # kept, so that no attribute is looked up a second time
    for number, tag in enumerate(tags, 1):
        points.append(galaxy.resolve(tag))
        await breathe(number)
    advised = await _advised(session, {point.reference for point in points})
    cached = [advised.get(point.reference) for point in points]
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
        await breathe(number)
    return results


async def _advised(session: Session, references: set[str]) -> dict[str, tuple[Registration, Item]]:
    """The advised items of the session that lead to one of ``references``, in any registration."""
    found: dict[str, tuple[Registration, Item]] = {}
    for owner in session.handles:
        for number, item in enumerate(owner.items.values(), 1):
            if item.advice is not None and item.point.reference in references:
                found[item.point.reference] = owner, item
            await breathe(number, _ITEMS_AT_ONCE)
    return found


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
