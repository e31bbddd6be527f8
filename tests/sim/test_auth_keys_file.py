"""The keys file: what is kept, who may change it when, and that a broken one lets nobody in."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import example, given, strategies as st

from zb_mom_ww_mxgateway_sim.auth.access import Access
from zb_mom_ww_mxgateway_sim.auth.keys import ApiKeys, Caller, id_of, is_id
from zb_mom_ww_mxgateway_sim.auth.keys_file import (
    KeysFileError,
    WatchedKeysFile,
    add_key,
    list_keys,
    revoke_key,
)
from zb_mom_ww_mxgateway_sim.auth.scopes import DEFAULT_SCOPES, Scope

IDS = st.sampled_from(["a", "historian", "line-2", "x.y"])
NAMES = st.text().filter(lambda name: name.strip() and "." not in name)
ROOTS = st.none() | st.lists(NAMES, max_size=2).map(tuple)
ACCESS = st.builds(Access, browse=ROOTS, read=ROOTS, write=ROOTS)
SCOPES = st.frozensets(st.sampled_from(Scope))
STEPS = st.one_of(st.tuples(st.just("add"), IDS, SCOPES, ACCESS), st.tuples(st.just("revoke"), IDS))


def caller(keys: ApiKeys, key: str) -> Caller | None:
    """Who calls with ``key``; None for nobody known."""
    try:
        return keys.authenticate({"authorization": f"Bearer {key}"})
    except GRPCError as error:
        return None if error.status is Status.UNAUTHENTICATED else pytest.fail(str(error))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@given(st.lists(STEPS, max_size=8))
def test_a_running_gateway_goes_by_the_file_at_every_call(steps: list[Any]) -> None:
    """Row: revoked key: UNAUTHENTICATED. Whatever is added and revoked, in whatever order."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "keys.json")
        first, _ = add_key(path, key_id="first")
        accepted = {"first": (first, DEFAULT_SCOPES, Access())}
        revoked: dict[str, str] = {}
        keys = ApiKeys(WatchedKeysFile(path))
        for act, key_id, *more in steps:
            if act == "add" and key_id not in accepted and key_id not in revoked:
                key, stored = add_key(path, key_id=key_id, scopes=more[0], access=more[1])
                assert id_of(key) == stored.key.id == key_id
                accepted[key_id] = (key, more[0], more[1])
            elif act == "revoke" and key_id in accepted | revoked:
                assert revoke_key(path, key_id).revoked is not None
                if key_id in accepted:
                    revoked[key_id] = accepted.pop(key_id)[0]
            else:
                with pytest.raises(KeysFileError, match=repr(key_id)):
                    add_key(path, key_id=key_id) if act == "add" else revoke_key(path, key_id)
            for known, (key, scopes, access) in accepted.items():
                assert caller(keys, key) == Caller(key_id=known, scopes=scopes, access=access)
            assert [caller(keys, key) for key in revoked.values()] == [None] * len(revoked)
        kept = {stored.key.id: stored for stored in list_keys(path)}
        assert kept.keys() == accepted.keys() | revoked.keys()
        assert {known for known, stored in kept.items() if stored.revoked} == revoked.keys()


def test_the_file_is_its_owners_alone_and_holds_no_key(path: Path) -> None:
    """Row: keys are kept as HMAC-SHA256 with a pepper."""
    key, _ = add_key(path)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        add_key(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = key.split("_", 2)[2]
    assert secret not in path.read_text()
    assert secret not in repr(list_keys(path))
    entry = json.loads(path.read_text())["keys"][0]
    assert len(bytes.fromhex(entry["digest"])) == 32
    assert entry["digest"] not in repr(list_keys(path))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_each_file_has_a_pepper_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        add_key(tmp_path / name)
    one, two = (json.loads((tmp_path / name).read_text())["pepper"] for name in ("one", "two"))
    assert one != two
    assert len(bytes.fromhex(one)) == 32


def test_revoking_again_keeps_the_time_of_the_first(path: Path) -> None:
    add_key(path, key_id="historian")
    first = revoke_key(path, "historian")
    document = json.loads(path.read_text())
    document["keys"][0]["revoked"] = "2026-01-31T12:00:00Z"
    path.write_text(json.dumps(document))
    again = revoke_key(path, "historian")
    assert first.revoked is not None
    assert again.revoked is not None
    assert again.revoked.isoformat() == "2026-01-31T12:00:00+00:00"


def test_the_id_of_a_revoked_key_stays_taken(path: Path) -> None:
    """D: or its sessions, and what a log says of it, would become another's."""
    add_key(path, key_id="historian")
    revoke_key(path, "historian")
    with pytest.raises(KeysFileError, match="has a key with id 'historian' already"):
        add_key(path, key_id="historian")


@pytest.mark.parametrize("key_id", ["", "a_b", "a b", "ä", "a\n"])
def test_an_id_that_no_key_can_have_is_refused_before_anything_is_written(
    path: Path, key_id: str
) -> None:
    with pytest.raises(KeysFileError, match="cannot be the id"):
        add_key(path, key_id=key_id)
    assert not path.exists()


def test_a_scope_that_there_is_not_is_refused_with_those_there_are(path: Path) -> None:
    with pytest.raises(KeysFileError, match=r"no scope 'invoke:all'.* invoke:read, "):
        add_key(path, scopes=["invoke:read", "invoke:all"])
    assert not path.exists()


def test_changes_at_the_same_time_are_kept_apart_and_none_is_lost(path: Path) -> None:
    def add(number: int) -> None:
        while True:
            try:
                add_key(path, key_id=str(number))
            except KeysFileError as error:
                if "is being changed" not in str(error):
                    raise
            else:
                return

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))
    assert {stored.key.id for stored in list_keys(path)} == {str(n) for n in range(40)}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_remains_of_a_change_that_was_killed_are_named_and_left(path: Path) -> None:
    add_key(path, key_id="first")
    remains = path.with_name("keys.json.new")
    remains.write_text("")
    with pytest.raises(KeysFileError, match=r"being changed.*delete .*keys\.json\.new"):
        revoke_key(path, "first")
    assert remains.exists()
    assert list_keys(path)[0].revoked is None


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "folder" / "target.json"
    target.parent.mkdir()
    path.symlink_to(target)
    add_key(path)
    add_key(path)
    assert path.is_symlink()
    assert len(list_keys(target)) == 2


def test_a_file_that_is_not_there_says_how_to_make_one(path: Path) -> None:
    for read in (list_keys, WatchedKeysFile, lambda where: revoke_key(where, "a")):
        with pytest.raises(KeysFileError, match=r"keys\.json cannot be read.*keys add` makes one"):
            read(path)
    assert not list(path.parent.iterdir())


def test_a_place_that_cannot_be_written_or_read_is_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(KeysFileError, match=r"no-folder.*cannot be written"):
        add_key(tmp_path / "no-folder" / "keys.json")
    path.mkdir()
    with pytest.raises(KeysFileError, match=r"keys\.json cannot be read"):
        list_keys(path)


@example(b"\xff")
@example(b"[]")
@given(st.binary())
def test_any_bytes_but_those_of_a_keys_file_are_refused_as_such(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "keys.json")
        path.write_bytes(content)
        for attempt in (list_keys, WatchedKeysFile, add_key):
            with pytest.raises(KeysFileError, match="is no keys file"):
                attempt(path)
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{\n  "version": 1,\n  oops', "line 3, column 3"),
        ("[" * 100_000, "is no keys file"),
        ("1" * 10_000, "is no keys file"),
        ('{"version": 1, "version": 1}', "there twice"),
    ],
)
def test_what_is_wrong_with_the_text_is_said_with_its_line(
    path: Path, content: str, said: str
) -> None:
    path.write_text(content)
    with pytest.raises(KeysFileError, match=said):
        list_keys(path)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=3,
)
PLACES = ["version", "pepper", "keys", *(f"keys[1].{name}" for name in ("id", "digest", "scopes"))]
PLACES += [f"keys[1].{name}" for name in ("browse", "read", "write", "created", "revoked")]


def _tag_names(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(name, str) and name.strip() and "." not in name for name in value
    )


def _fits(place: str, value: Any) -> bool:
    """Whether a made-up value is a right one by chance."""
    if place in ("keys[1].browse", "keys[1].read", "keys[1].write"):
        return value is None or _tag_names(value)
    if place in ("keys", "keys[1].scopes"):
        return value == []
    if place == "keys[1].id":
        return isinstance(value, str) and is_id(value) and value != "first"
    if place == "version":
        return value in (1, True)
    return place == "keys[1].revoked" and value is None


@example(place="keys", value=None, act="set")
@example(place="keys", value=[None], act="set")
@example(place="keys[1].id", value="a_b", act="set")
@example(place="keys[1].id", value=1, act="set")
@example(place="keys[1].scopes", value=["everything"], act="set")
@example(place="keys[1].read", value=[1], act="set")
@example(place="keys[1].read", value=["Tank_01.Level"], act="set")
@example(place="keys[1].digest", value="ab" * 33, act="set")
@example(place="keys[1].created", value="yesterday", act="set")
@example(place="keys[1].read", value=None, act="drop")
@given(place=st.sampled_from(PLACES), value=ANYTHING, act=st.sampled_from(["set", "drop", "add"]))
def test_a_member_that_is_wrong_missing_or_unknown_is_named(
    place: str, value: Any, act: str
) -> None:
    """A misspelled `read` must not make a key that reads everything."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "keys.json")
        add_key(path, key_id="first")
        add_key(path, key_id="second")
        document = json.loads(path.read_text())
        name = place.rpartition(".")[2]
        holder = document["keys"][1] if "." in place else document
        digest = document["keys"][1]["digest"]
        if act == "set":
            holder[name] = value
        elif act == "drop":
            del holder[name]
        else:
            holder[f"{name}s"] = value
        path.write_text(json.dumps(document))
        if act == "set" and _fits(place, value):
            return
        with pytest.raises(KeysFileError) as caught:
            list_keys(path)
        text = str(caught.value)
        assert name in text
        assert "." not in place or "keys[1]" in text
        assert digest not in text


def test_two_keys_with_one_id_are_refused(path: Path) -> None:
    add_key(path, key_id="same")
    document = json.loads(path.read_text())
    document["keys"] *= 2
    path.write_text(json.dumps(document))
    with pytest.raises(KeysFileError, match=r"keys\[1\]\.id: 'same' is there twice"):
        list_keys(path)


@pytest.mark.parametrize("broken", [None, "", "{}", "no JSON"])
def test_while_the_file_cannot_be_read_nobody_is_let_in_and_the_log_says_so_once(
    path: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """D: never by what it said before, which may be what somebody wanted to end."""
    key, _ = add_key(path)
    whole = path.read_text()
    keys = ApiKeys(WatchedKeysFile(path))
    given_key = keys.add()
    assert caller(keys, key)
    path.unlink()
    if broken is not None:
        path.write_text(broken)
    for _ in range(3):
        assert caller(keys, key) is None
        assert caller(keys, given_key)  # those that are not of the file
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "keys_file.refused" in caplog.text
    assert str(path) in caplog.text
    assert key not in caplog.text
    path.unlink(missing_ok=True)
    path.write_text(whole)
    assert caller(keys, key)


def test_a_file_that_can_be_read_again_is_read_though_it_looks_the_same(path: Path) -> None:
    """As when a right to read it, or a file descriptor, was missing for a moment."""
    key, _ = add_key(path)
    whole = path.read_bytes()
    keys = ApiKeys(WatchedKeysFile(path))
    later = path.stat().st_mtime_ns + 1_000_000_000
    path.write_bytes(b" " * len(whole))
    os.utime(path, ns=(later, later))
    assert caller(keys, key) is None
    path.write_bytes(whole)
    os.utime(path, ns=(later, later))
    assert caller(keys, key)
