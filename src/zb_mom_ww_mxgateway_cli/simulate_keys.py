"""``mxgw-py simulate keys``: the API keys in the file that a simulated gateway reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .connection import json_option
from .output import emit, progress

if TYPE_CHECKING:
    from zb_mom_ww_mxgateway_sim.auth.keys_file import StoredKey

_file_option = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="Keys file; add makes it.",
)


@click.group()
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
@json_option
def add(
    path: Path,
    key_id: str | None,
    scopes: tuple[str, ...],
    browse: tuple[str, ...],
    read: tuple[str, ...],
    write: tuple[str, ...],
    as_json: bool,
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
    emit({"apiKey": key, **_shown(kept, as_json)}, as_json=as_json)
    progress("keep the key now: it cannot be shown again")


@keys.command("list")
@_file_option
@json_option
def list_(path: Path, as_json: bool) -> None:
    """List the keys: what they may do, never the keys themselves."""
    from zb_mom_ww_mxgateway_sim.auth.keys_file import list_keys

    emit([_shown(kept, as_json) for kept in list_keys(path)], as_json=as_json)


@keys.command()
@_file_option
@click.argument("key_id", metavar="ID")
@json_option
def revoke(path: Path, key_id: str, as_json: bool) -> None:
    """Refuse the key called ID from now on. Sessions that it opened can no longer be used."""
    from zb_mom_ww_mxgateway_sim.auth.keys_file import revoke_key

    emit(_shown(revoke_key(path, key_id), as_json), as_json=as_json)


def _shown(kept: StoredKey, as_json: bool) -> dict[str, Any]:
    """What may be seen of a key; with ``as_json`` None is a subtree that it is not narrowed to."""
    from zb_mom_ww_mxgateway_sim.auth.keys_file import in_words

    access = kept.key.access
    narrowed = {"browse": access.browse, "read": access.read, "write": access.write}
    return {
        "id": kept.key.id,
        "scopes": _listed(sorted(kept.key.scopes), as_json),
        **{act: _listed(roots, as_json) for act, roots in narrowed.items()},
        "created": in_words(kept.created),
        "revoked": in_words(kept.revoked) if kept.revoked else (None if as_json else ""),
    }


def _listed(names: Iterable[str] | None, as_json: bool) -> list[str] | str | None:
    """As JSON a list, or None for no limit; for people names in a row, and nothing for none."""
    if as_json:
        return None if names is None else list(names)
    return "" if names is None else " ".join(names) or "nothing"
