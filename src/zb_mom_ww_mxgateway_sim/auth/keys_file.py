"""The keys file: API keys that outlive a gateway, and that change while it runs.

JSON: {"version": 1, "pepper": HEX, "keys": [{"id", "digest": HEX, "scopes", "browse", "read",
"write", "created", "revoked"}, …]}. Every member is there, and no other: a misspelled one would
otherwise leave a key wider than was meant.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, TypeGuard

from zb_mom_ww_mxgateway.errors import MxGatewayArgumentError

from ..operations.log import log_event
from .access import EVERYTHING, Access, check_root
from .keys import DIGEST_SIZE, Key, KeyRing, id_of, is_id, new_key
from .scopes import DEFAULT_SCOPES, scopes_from

_VERSION: Final = 1
_DIGEST: Final = re.compile(rf"[0-9a-f]{{{2 * DIGEST_SIZE}}}")
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
#: What is appended to a file's name for the next state of it, which also locks it.
_NEXT: Final = ".new"


class KeysFileError(MxGatewayArgumentError):
    """A keys file that cannot be used, or a change of it that makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key of a keys file. Times are aware; ``revoked`` is None for a key that is accepted."""

    key: Key
    created: datetime
    revoked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    pepper: bytes = field(repr=False)
    keys: tuple[StoredKey, ...]

    def ring(self) -> KeyRing:
        return KeyRing(self.pepper, (kept.key for kept in self.keys if kept.revoked is None))


def list_keys(path: Path) -> Sequence[StoredKey]:
    """The keys of a file, revoked ones too, in the order in which they were added.

    Raises:
        KeysFileError: The file cannot be read, or is no keys file.
    """
    return _read(path).keys


def add_key(
    path: Path,
    *,
    key_id: str | None = None,
    scopes: Iterable[str] = DEFAULT_SCOPES,
    access: Access = EVERYTHING,
) -> tuple[str, StoredKey]:
    """Add a new key to a file, which is made if there is none; the key itself, and what is kept.

    Nothing that is kept can give the key again.

    Args:
        path: The file. Only its owner can read it, where the system knows owners.
        key_id: The key's id; None makes a random one. D: an id is never used twice, so the one
            of a revoked key stays taken.
        scopes: What the key may ask for.
        access: The subtrees that it is narrowed to.

    Raises:
        KeysFileError: There is no such scope, the id is taken or cannot be one, or the file
            cannot be read or written, or is no keys file.
    """
    if key_id is not None and not is_id(key_id):
        raise KeysFileError(
            f"{key_id!r} cannot be the id of an API key; use printable ASCII without blanks and _"
        )
    try:
        wanted = scopes_from(scopes)
    except ValueError as error:
        raise KeysFileError(str(error)) from None
    key = new_key(key_id)
    added: list[StoredKey] = []

    def change(before: _Contents | None) -> _Contents:
        contents = before or _Contents(pepper=secrets.token_bytes(DIGEST_SIZE), keys=())
        if any(kept.key.id == id_of(key) for kept in contents.keys):
            raise KeysFileError(
                f"keys file {path} has a key with id {id_of(key)!r} already; choose another id"
            )
        digest = KeyRing(contents.pepper).digest(key)
        kept = Key(id=id_of(key), digest=digest, scopes=wanted, access=access)
        added.append(StoredKey(key=kept, created=_now()))
        return replace(contents, keys=(*contents.keys, *added))

    _change(path, change)
    return key, added[0]


def revoke_key(path: Path, key_id: str) -> StoredKey:
    """Revoke a key of a file; again keeps the time of the first. Running gateways notice it.

    Raises:
        KeysFileError: No key has that id, or the file cannot be read or written, or is none.
    """
    revoked: list[StoredKey] = []

    def change(before: _Contents | None) -> _Contents:
        contents = before or _read(path)  # which says that there is none
        keys: list[StoredKey] = []
        for kept in contents.keys:
            if kept.key.id == key_id:
                kept = replace(kept, revoked=kept.revoked or _now())
                revoked.append(kept)
            keys.append(kept)
        if not revoked:
            raise KeysFileError(
                f"keys file {path} has no key with id {key_id!r}; list shows those it has"
            )
        return replace(contents, keys=tuple(keys))

    _change(path, change)
    return revoked[0]


class WatchedKeysFile:
    """The keys of a file as it is at each call, for ``ApiKeys``.

    Looking whether the file was changed costs less than a call's HMAC, so it is done for every
    call, and a key is refused from the moment in which it is revoked.

    D: while the file cannot be read, or is no keys file, none of its keys is accepted: what it
    said before may be what somebody wanted to end. The log says so, once.

    Raises:
        KeysFileError: The file cannot be read, or is no keys file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fault = ""
        self._state = self._look()
        self._ring = _read(path).ring()

    def current(self) -> KeyRing:
        """The keys that are accepted now."""
        state = self._look()
        if state is None or state != self._state:
            self._state = state
            self._load()
        return self._ring

    def _look(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev

    def _load(self) -> None:
        try:
            self._ring = _read(self._path).ring()
        except KeysFileError as error:
            self._ring = KeyRing(secrets.token_bytes(DIGEST_SIZE))
            self._state = None  # to try again at the next call, also where the file stays as it is
            if str(error) != self._fault:
                self._fault = str(error)
                log_event(
                    "keys_file.refused", logging.ERROR, file=str(self._path), reason=self._fault
                )
        else:
            self._fault = ""
            log_event("keys_file.loaded", file=str(self._path))


def in_words(moment: datetime) -> str:
    """A time of a key as the file has it, such as ``2026-01-31T12:00:00Z``."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def _change(path: Path, change: Callable[[_Contents | None], _Contents]) -> None:
    """Put what ``change`` makes of the file, or of None, in its place, in one step.

    The next state is written beside the file. As that is made only where there is none, it keeps
    two changes at once apart, of which one would lose the other's.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    following = path.with_name(path.name + _NEXT)
    try:
        made = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeysFileError(
            f"keys file {path} is being changed by somebody else; if that is not so, delete "
            f"{following}"
        ) from None
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with open(made, "w", encoding="utf-8") as file:
            json.dump(_document(change(_read(path) if path.exists() else None)), file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(following, path)
    except BaseException as error:
        # Only here: once it was renamed, a file of that name is somebody else's.
        following.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


def _unwritable(path: Path, error: OSError) -> KeysFileError:
    return KeysFileError(f"keys file {path} cannot be written: {error.strerror or error}")


def _document(contents: _Contents) -> dict[str, object]:
    return {
        "version": _VERSION,
        "pepper": contents.pepper.hex(),
        "keys": [_entry(kept) for kept in contents.keys],
    }


def _entry(kept: StoredKey) -> dict[str, object]:
    key, revoked = kept.key, kept.revoked
    return {
        "id": key.id,
        "digest": key.digest.hex(),
        "scopes": sorted(key.scopes),
        "browse": key.access.browse,
        "read": key.access.read,
        "write": key.access.write,
        "created": in_words(kept.created),
        "revoked": None if revoked is None else in_words(revoked),
    }


def _read(path: Path) -> _Contents:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        advice = "; `mxgw-py simulate keys add` makes one" if missing else ""
        raise KeysFileError(
            f"keys file {path} cannot be read: {error.strerror or error}{advice}"
        ) from error
    except UnicodeDecodeError as error:
        raise KeysFileError(f"{path} is no keys file: it is no UTF-8") from error
    try:
        return _contents(json.loads(text, object_pairs_hook=_Object.once))
    except json.JSONDecodeError as error:
        raise KeysFileError(
            f"{path} is no keys file: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except (RecursionError, ValueError):  # nested too deeply, a number of thousands of digits
        raise KeysFileError(f"{path} is no keys file: it is no such JSON") from None
    except _Fault as fault:
        raise KeysFileError(f"{path} is no keys file: {fault}") from None


class _Fault(Exception):  # noqa: N818 - becomes a KeysFileError, which names the file
    """What is wrong, and at which key of the document."""


class _Object(dict[str, object]):
    """A JSON object in which no key is there twice: readers differ in which of them counts."""

    @classmethod
    def once(cls, pairs: list[tuple[str, object]]) -> _Object:
        made = cls(pairs)
        if len(made) != len(pairs):
            raise _Fault(f"a key is there twice in the object of {', '.join(made)}")
        return made


def _contents(document: object) -> _Contents:
    whole = _members(document, "the document", {"version", "pepper", "keys"})
    if whole["version"] != _VERSION:
        raise _Fault(f"version: this release knows {_VERSION} alone")
    entries = _list(whole["keys"], "keys")
    keys = tuple(_stored(entry, f"keys[{index}]") for index, entry in enumerate(entries))
    seen: set[str] = set()
    for index, kept in enumerate(keys):
        if kept.key.id in seen:
            raise _Fault(f"keys[{index}].id: {kept.key.id!r} is there twice")
        seen.add(kept.key.id)
    return _Contents(pepper=_hex(whole["pepper"], "pepper"), keys=keys)


def _stored(entry: object, where: str) -> StoredKey:
    members = {"id", "digest", "scopes", "browse", "read", "write", "created", "revoked"}
    given = _members(entry, where, members)
    key_id = _text(given["id"], f"{where}.id")
    if not is_id(key_id):
        raise _Fault(f"{where}.id: {key_id!r} cannot be the id of an API key")
    try:
        scopes = scopes_from(_texts(given["scopes"], f"{where}.scopes"))
    except ValueError as error:
        raise _Fault(f"{where}.scopes: {error}") from None
    access = Access(
        browse=_roots(given["browse"], f"{where}.browse"),
        read=_roots(given["read"], f"{where}.read"),
        write=_roots(given["write"], f"{where}.write"),
    )
    digest = _hex(given["digest"], f"{where}.digest")
    revoked = given["revoked"]
    return StoredKey(
        key=Key(id=key_id, digest=digest, scopes=scopes, access=access),
        created=_time(given["created"], f"{where}.created"),
        revoked=None if revoked is None else _time(revoked, f"{where}.revoked"),
    )


def _members(value: object, where: str, expected: set[str]) -> _Object:
    if not isinstance(value, _Object):
        raise _Fault(f"{where}: expected an object")
    if wrong := sorted(value.keys() ^ expected):
        raise _Fault(f"{where}: {wrong[0]!r} is {'unknown' if wrong[0] in value else 'missing'}")
    return value


def _list(value: object, where: str) -> list[object]:
    if not _is_list(value):
        raise _Fault(f"{where}: expected a list")
    return value


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _Fault(f"{where}: expected a text")
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    found = enumerate(_list(value, where))
    return tuple(_text(item, f"{where}[{index}]") for index, item in found)


def _roots(value: object, where: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    roots = _texts(value, where)
    for index, root in enumerate(roots):
        try:
            check_root(root)
        except MxGatewayArgumentError as error:
            raise _Fault(f"{where}[{index}]: {error}") from None
    return roots


def _hex(value: object, where: str) -> bytes:
    text = _text(value, where)
    if not _DIGEST.fullmatch(text):
        raise _Fault(f"{where}: expected {2 * DIGEST_SIZE} hex digits in lower case")
    return bytes.fromhex(text)


def _time(value: object, where: str) -> datetime:
    text = _text(value, where)
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        raise _Fault(f"{where}: expected a time such as 2026-01-31T12:00:00Z") from None
