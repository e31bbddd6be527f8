"""``mxgw-py simulate keys``: the API keys in the file that a simulated gateway reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .output import Output, progress, with_output
from .values import File

if TYPE_CHECKING:
    from zb_mom_ww_mxgateway_sim.auth.keys_file import StoredKey

_file_option = click.option(
    "--file",
    "path",
    type=File(),
    required=True,
    help="Keys file; add makes it.",
)


@click.group(
    epilog="Example: mxgw-py simulate keys add --file keys.json --id historian --scope session:open"
)
def keys() -> None:
    """Make, list and revoke API keys in a keys file.

    A gateway that runs with that file notices each change at its next call.
    """


@keys.command(
    epilog="Scopes: session:open, session:close, invoke:read, invoke:write, invoke:secure, "
    "events:read, metadata:read, admin.  Example: mxgw-py simulate keys add --file keys.json "
    "--id historian --scope session:open --scope session:close --scope invoke:read "
    "--scope events:read --read TankFarm"
)
@_file_option
@click.option("--id", "key_id", help="Id of the key, shown in logs; made up if none is given.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="What it may ask for; repeatable.  [default: all but admin]",
)
@click.option("--browse", metavar="TAG", multiple=True, help="See TAG and what is below it only.")
@click.option("--read", metavar="TAG", multiple=True, help="Read TAG and what is below it only.")
@click.option("--write", metavar="TAG", multiple=True, help="Write TAG and what is below it only.")
@with_output
def add(
    path: Path,
    key_id: str | None,
    scopes: tuple[str, ...],
    browse: tuple[str, ...],
    read: tuple[str, ...],
    write: tuple[str, ...],
    output: Output,
) -> None:
    """Make a new API key and print it, this once.

    --browse, --read and --write take the tag name of an object, are repeatable, and narrow the
    key to these; without them it has the whole galaxy.
    """
    # Here, so that a contract the simulator was not written for leaves the other commands alone.
    from zb_mom_ww_mxgateway_sim.auth.access import Access
    from zb_mom_ww_mxgateway_sim.auth.keys_file import add_key
    from zb_mom_ww_mxgateway_sim.auth.scopes import DEFAULT_SCOPES

    key, kept = add_key(
        path,
        key_id=key_id,
        scopes=scopes or DEFAULT_SCOPES,
        access=Access(browse=browse or None, read=read or None, write=write or None),
    )
    data: dict[str, str | list[str] | None] = {"apiKey": key, **_data(kept)}
    output.record(data, _shown(data))
    progress("keep the key now: it cannot be shown again")


#: What is listed of a key, for CSV.
_COLUMNS: Final = ("id", "scopes", "browse", "read", "write", "created", "revoked")


@keys.command("list", epilog="Example: mxgw-py simulate keys list --file keys.json")
@_file_option
@with_output
def list_(path: Path, output: Output) -> None:
    """List the keys: what they may do, never the keys themselves."""
    from zb_mom_ww_mxgateway_sim.auth.keys_file import list_keys

    found = [_data(kept) for kept in list_keys(path)]
    output.rows(found, [_shown(data) for data in found], columns=_COLUMNS)


@keys.command(epilog="Example: mxgw-py simulate keys revoke --file keys.json historian")
@_file_option
@click.argument("key_id", metavar="ID")
@with_output
def revoke(path: Path, key_id: str, output: Output) -> None:
    """Refuse the key called ID from now on. Sessions that it opened can no longer be used."""
    from zb_mom_ww_mxgateway_sim.auth.keys_file import revoke_key

    data = _data(revoke_key(path, key_id))
    output.record(data, _shown(data))


def _data(kept: StoredKey) -> dict[str, str | list[str] | None]:
    """What may be seen of a key; None is a subtree that it is not narrowed to."""
    from zb_mom_ww_mxgateway_sim.auth.keys_file import in_words

    access = kept.key.access
    return {
        "id": kept.key.id,
        "scopes": sorted(kept.key.scopes),
        "browse": _listed(access.browse),
        "read": _listed(access.read),
        "write": _listed(access.write),
        "created": in_words(kept.created),
        "revoked": in_words(kept.revoked) if kept.revoked else None,
    }


def _listed(names: Iterable[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def _shown(data: Mapping[str, str | list[str] | None]) -> dict[str, str | None]:
    """Lists as names in a row, as people read them."""

    def words(value: list[str]) -> str:
        return " ".join(value) or "nothing"

    return {name: words(v) if isinstance(v, list) else v for name, v in data.items()}
