"""``mxgw-py demo``: the main job, against a simulator that lives as long as the demo."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import click

from zb_mom_ww_mxgateway import (
    DataChange,
    Event,
    GatewayClient,
    MxValueOutput,
    Session,
    Stream,
    WriteBulkEntry,
    WriteComplete,
    describe_status,
    from_mx_value,
    is_failure,
    to_mx_value,
)

from .output import table
from .running import run_async

_TAGS: Final = [f"TestMachine_{number:03}.TestChangingInt" for number in range(1, 11)]
_WATCH_SECONDS: Final = 3.0
_ROW_SECONDS: Final = 0.5
_WRITE_SECONDS: Final = 5.0


@click.command(epilog="Example: mxgw-py demo")
def demo() -> int:
    """Show the main job against a simulator: subscribe, watch, write, read back."""
    return run_async(_demo())


async def _demo() -> int:
    from zb_mom_ww_mxgateway_sim import SimulatedGateway

    async with SimulatedGateway(machines=len(_TAGS)) as gateway:
        click.echo(f"simulator   listening on {gateway.endpoint}, asks for an API key")
        async with (
            await GatewayClient.connect(
                endpoint=gateway.endpoint, api_key=gateway.api_key, plaintext=True
            ) as client,
            await client.open_session(client_session_name="demo") as session,
        ):
            click.echo(f"session     {session.session_id}")
            await _main_job(session)
        click.echo("closed      session, connection and simulator")
    return 0


async def _main_job(session: Session) -> None:
    server_handle = await session.register("demo")
    click.echo(f"register    server handle {server_handle}")
    subscribed = await session.subscribe_bulk(server_handle, _TAGS)
    handles = {result.item_handle: result.tag_address for result in subscribed}
    good = sum(result.was_successful for result in subscribed)
    click.echo(f"subscribe   {good} of {len(_TAGS)} tags in one call")

    async with session.stream_events() as events:
        await _watch(events, handles)
        await _write(session, events, server_handle, dict(list(handles.items())[:2]))
    await _read(session, server_handle)


async def _watch(events: Stream[Event], handles: Mapping[int, str]) -> None:
    """Print the latest values of all tags, twice a second."""
    click.echo("\nlive        " + " ".join(f"{tag.partition('.')[0][-3:]:>6}" for tag in _TAGS))
    latest: dict[int, MxValueOutput] = {}
    loop = asyncio.get_running_loop()
    end = loop.time() + _WATCH_SECONDS
    row = loop.time() + _ROW_SECONDS
    async for event in events:
        if isinstance(event, DataChange):
            latest[event.item_handle] = event.value
        if loop.time() >= row:
            shown = f"{event.timestamp:%H:%M:%S}" if event.timestamp else ""
            cells = " ".join(f"{latest.get(handle, '')!s:>6}" for handle in handles)
            click.echo(f"{shown:<11} {cells}")
            row += _ROW_SECONDS
        if loop.time() >= end:
            return


async def _write(
    session: Session, events: Stream[Event], server_handle: int, handles: Mapping[int, str]
) -> None:
    """Write two tags in one call and wait until MXAccess has completed both."""
    entries = [
        WriteBulkEntry(item_handle=handle, value=to_mx_value(value))
        for handle, value in zip(handles, (1001, 1002), strict=True)
    ]
    results = await session.write_bulk(server_handle, entries)
    click.echo(f"\nwrite       {sum(result.was_successful for result in results)} of 2 accepted")
    try:
        async with asyncio.timeout(_WRITE_SECONDS):
            await _completed(events, handles)
    except TimeoutError:
        raise click.ClickException(f"no OnWriteComplete within {_WRITE_SECONDS:g} s") from None


async def _completed(events: Stream[Event], handles: Mapping[int, str]) -> None:
    """Print each OnWriteComplete until every item has had its own."""
    waiting = set(handles)
    async for event in events:
        if isinstance(event, WriteComplete) and event.item_handle in waiting:
            failed = [describe_status(s) for s in event.statuses if is_failure(s)]
            said = "; ".join(failed) or "complete"
            click.echo(f"            OnWriteComplete {handles[event.item_handle]}: {said}")
            waiting.remove(event.item_handle)
        if not waiting:
            return


async def _read(session: Session, server_handle: int) -> None:
    results = await session.read_bulk(server_handle, _TAGS)
    click.echo(f"\nread        {len(results)} tags in one call")
    rows = [
        {
            "tag": result.tag_address,
            "value": from_mx_value(result.value),
            "quality": result.quality,
            "was_cached": result.was_cached,
        }
        for result in results
    ]
    table(rows)
    click.echo()
