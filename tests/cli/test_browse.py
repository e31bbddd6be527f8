"""``browse``, ``tree`` and ``find``, as people and scripts use them."""

from __future__ import annotations

import csv
import fnmatch
import io
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.cli.conftest import Run
from tests.cli.golden import assert_golden
from tests.cli.installed import MXGW, environment
from tests.cli.screen import screen_lines
from tests.cli.serving import process, serving
from tests.cli.simulated import simulated
from tests.cli.terminal import Terminal
from tests.sdk.fixed import KEY
from tests.sdk.galaxies import ObservedGalaxy, ScriptedGalaxy
from zb_mom_ww_mxgateway_cli.find import _expression
from zb_mom_ww_mxgateway_cli.known_names import VARIABLE
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    DiscoverHierarchyReply,
    GalaxyAttribute,
    GalaxyObject,
)

MACHINE = "TestPlant/TestArea/TestMachine_001"
TERMINALS = pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")


@pytest.fixture(autouse=True)
def no_names_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a simulator with 5,000 machines."""
    log = tmp_path_factory.mktemp("large") / "log"
    with simulated(log, "--machines", "5000") as running:
        yield environment(running.endpoint, running.ready["apiKey"]) | {VARIABLE: ""}


def rows(mxgw: Run, *arguments: str) -> list[dict[str, Any]]:
    done = mxgw(*arguments)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


# --- browse --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [MACHINE, "TestMachine_001", "testmachine_001", MACHINE.upper()])
def test_an_object_is_named_by_its_tag_name_or_by_its_path(mxgw: Run, path: str) -> None:
    child, *attributes = rows(mxgw, "browse", path)
    assert (child["kind"], child["name"]) == ("object", "ChildObject")
    assert child["reference"] == "TestChildObject"
    assert len(attributes) == 20
    assert {each["kind"] for each in attributes} == {"attribute"}
    assert attributes[-1]["reference"] == "TestMachine_001.MachineCode"


def test_without_a_path_the_top_is_shown(mxgw: Run) -> None:
    shown = mxgw("browse", "--output", "table").out
    assert [line.split() for line in shown.splitlines()] == [
        ["name", "reference", "type"],
        ["Plant/", "Plant", "$Area"],
        ["TestPlant/", "TestPlant", "$Area"],
    ]


def test_people_see_types_security_and_flags(mxgw: Run) -> None:
    shown = mxgw("browse", "TestChildObject", "--output", "table").out.splitlines()
    assert shown[-1].split() == [
        "TestStringArray", "TestChildObject.TestStringArray[]", "String[10]", "OPERATE",
    ]  # fmt: skip
    shown = mxgw("browse", "TestMachine_002", "--output", "table").out.splitlines()
    flags = {line.split()[0]: line.split()[-1] for line in shown}
    assert flags["TestAlarm002"] == "alarm"
    assert flags["TestHistoryValue"] == "historized"
    assert flags["ProtectedValue1"] == "VERIFIED_WRITE"


def test_what_is_not_there_says_how_to_search(mxgw: Run) -> None:
    for name in ("Nope", "Nope/Nope"):
        failed = mxgw("browse", name)
        assert (failed.code, failed.out) == (1, "")
        assert name in failed.err
        assert "mxgw-py find" in failed.err


def test_an_object_with_nothing_in_it_says_so_beside_the_data(mxgw: Run) -> None:
    shown = mxgw("browse", "TestPlatform", "--json")
    assert (shown.code, shown.json, shown.err) == (0, [], "there is nothing in it\n")


async def test_browsing_asks_for_one_level_and_not_for_the_galaxy() -> None:
    galaxy = ObservedGalaxy(machines=50)
    async with serving(galaxy) as endpoint:
        done = await process(endpoint, "browse", "TestMachine_001", key=KEY)
    assert done.code == 0
    # The object itself, with its attributes, and its children.
    assert galaxy.calls == {"discover": 1, "browse": 1}


# --- tree ----------------------------------------------------------------------------------------

CHILD_TREE = """\
TestMachine_001
    ChildObject (TestChildObject)
        TestBool  Boolean  OPERATE
        TestInt  Integer  OPERATE
        TestString  String  OPERATE
        TestStringArray  String[10]  OPERATE
"""


def test_a_tree_without_a_terminal_is_indented_text(mxgw: Run) -> None:
    shown = mxgw("tree", "TestChildObject", "--attributes", "--output", "table").out
    below = CHILD_TREE.splitlines()[1:]
    assert shown.splitlines() == [line.removeprefix("    ") for line in below]
    shown = mxgw("tree", "TestMachine_001", "--output", "table").out
    assert shown.splitlines() == CHILD_TREE.splitlines()[:2]


def test_the_depth_of_a_tree_is_counted_from_its_top(mxgw: Run) -> None:
    depths = {
        depth: [row["depth"] for row in rows(mxgw, "tree", "TestPlant", "--depth", str(depth))]
        for depth in range(4)
    }
    assert depths[0] == [0]
    assert depths[1] == [0, 1, 1, 1]
    assert max(depths[2]) == 2
    assert depths[3] == [row["depth"] for row in rows(mxgw, "tree", "TestPlant")]
    assert {row["depth"] for row in rows(mxgw, "tree", "--depth", "0")} == {0}


def test_every_row_of_a_tree_stands_behind_what_it_is_in(mxgw: Run) -> None:
    found = rows(mxgw, "tree", "--attributes")
    paths = [row["path"] for row in found]
    assert len(paths) == len(set(paths))
    for row, path in zip(found, paths, strict=True):
        assert path.endswith(row["name"])
        if row["depth"]:
            above = path.removesuffix(f"/{row['name']}")
            assert paths.index(above) < paths.index(path)
    assert f"{MACHINE}/ChildObject/TestBool" in paths


def a_galaxy(parents: list[int]) -> ScriptedGalaxy:
    """Objects 1, 2, … with these parents, which may be anything."""
    objects = [
        GalaxyObject(gobject_id=n, tag_name=f"O{n}", browse_name=f"O{n}", parent_gobject_id=parent)
        for n, parent in enumerate(parents, 1)
    ]
    galaxy = ScriptedGalaxy()
    galaxy.hierarchy = lambda request: DiscoverHierarchyReply(objects=objects)
    return galaxy


@pytest.mark.parametrize("parents", [[1], [2, 1], [9, 1, 2], [0, 3, 2], [0, 0, 1]])
async def test_a_tree_that_is_none_shows_every_object_once(parents: list[int]) -> None:
    async with serving(a_galaxy(parents)) as endpoint:
        done = await process(endpoint, "tree")
    names = sorted(json.loads(line)["reference"] for line in done.out.splitlines())
    assert names == [f"O{n}" for n in range(1, len(parents) + 1)]


@TERMINALS
def test_a_tree_on_a_terminal_has_lines(simulator: dict[str, str]) -> None:
    made = environment(simulator["endpoint"], simulator["apiKey"])
    with Terminal([MXGW, "tree", "TestMachine_001", "--plaintext"], made) as terminal:
        shown = terminal.rest()
    assert "TestMachine_001" in shown
    assert "└── ChildObject (TestChildObject)" in shown
    assert terminal.process.returncode == 0


# --- find ----------------------------------------------------------------------------------------


@given(glob=st.text("aB.*?[]\\^-", max_size=8), name=st.text("ab.[]\\^-", max_size=6))
def test_a_glob_has_two_wildcards_and_all_else_is_itself(glob: str, name: str) -> None:
    # fnmatch has sets besides, which [[] turns off.
    oracle = fnmatch.fnmatchcase(name, glob.lower().replace("[", "[[]"))
    assert bool(re.fullmatch(_expression(glob), name, re.IGNORECASE)) == oracle


def test_a_glob_without_a_dot_is_of_objects(mxgw: Run) -> None:
    found = rows(mxgw, "find", "*machine_00?")
    assert [row["reference"] for row in found] == [f"TestMachine_00{n}" for n in range(1, 10)]
    assert {row["kind"] for row in found} == {"object"}


def test_a_glob_with_a_dot_is_of_attributes(mxgw: Run) -> None:
    found = rows(mxgw, "find", "testmachine_001.testalarm*.a*")
    assert [row["reference"] for row in found] == [
        f"TestMachine_001.TestAlarm00{n}.{name}" for n in (1, 2, 3) for name in ("Acked", "AckMsg")
    ]
    for spelled in ("*.TestStringArray", "*.TestStringArray[]"):
        (array,) = rows(mxgw, "find", spelled)
        assert array["isArray"] is True


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Test*.*", "--alarms", "--in", MACHINE], 3),
        (["Test*.*", "--historized"], 10),
        (["*", "--category", "area", "--category", "engine", "--in", "TestPlant"], 3),
        (["*", "--template", "$TestMachine"], 10),
        (["*", "--in", "TestMachine_001"], 2),
        (["*.*", "--max", "7"], 7),
        (["Nope*"], 0),
    ],
)
def test_what_is_found_can_be_narrowed(mxgw: Run, arguments: list[str], expected: int) -> None:
    assert len(rows(mxgw, "find", *arguments)) == expected


def test_nothing_found_is_said_beside_the_data(mxgw: Run) -> None:
    shown = mxgw("find", "Nope*", "--json")
    assert (shown.code, shown.json) == (0, {"matches": []})
    assert shown.err == "nothing matches Nope*\n"


def test_every_form_has_the_same_matches(mxgw: Run) -> None:
    wanted = ["find", "TestMachine_00[1].*"]
    assert rows(mxgw, *wanted) == []
    wanted = ["find", "TestMachine_001.Test*"]
    lines = rows(mxgw, *wanted)
    assert mxgw(*wanted, "--json").json == {"matches": lines}
    table = list(csv.DictReader(io.StringIO(mxgw(*wanted, "--output", "csv").out)))
    assert [row["reference"] for row in table] == [row["reference"] for row in lines]
    shown = mxgw(*wanted, "--output", "table").out.splitlines()
    assert [line.split()[0] for line in shown] == [row["reference"] for row in lines]


async def test_a_name_that_would_move_the_cursor_is_shown_as_escapes() -> None:
    galaxy = ScriptedGalaxy()
    attribute = GalaxyAttribute(attribute_name="A\x1b[2J", full_tag_reference="O.A\x1b[2J")
    found = GalaxyObject(
        gobject_id=1, tag_name="O", browse_name="O\x1b]0;x\x07", attributes=[attribute]
    )
    galaxy.hierarchy = lambda request: DiscoverHierarchyReply(objects=[found])
    async with serving(galaxy) as endpoint:
        for command in (["find", "*.*"], ["tree", "--attributes"], ["browse", "O"]):
            done = await process(endpoint, *command, "--output", "table")
            assert done.code == 0
            assert "A\\x1b[2J" in done.out
            assert not {"\x1b", "\x07"} & set(done.out)


async def test_only_the_pages_that_are_needed_are_asked_for() -> None:
    galaxy = ObservedGalaxy(machines=2_000)
    async with serving(galaxy) as endpoint:
        done = await process(endpoint, "find", "*", "--max", "10", key=KEY)
        assert done.out.count("\n") == 10
        assert galaxy.calls["discover"] == 1
        everything = await process(endpoint, "find", "*", key=KEY)
    assert everything.out.count("\n") > 2_000
    assert galaxy.calls["discover"] == 1 + 5


@TERMINALS
def test_thousands_of_objects_pass_through_without_being_held(large: dict[str, str]) -> None:
    def peak(*arguments: str) -> tuple[int, int]:
        with subprocess.Popen(
            [MXGW, "find", *arguments, "--plaintext"], env=large, stdout=subprocess.PIPE
        ) as running:
            assert running.stdout is not None
            count = sum(1 for _ in running.stdout)
            _, status, usage = os.wait4(running.pid, 0)
            running.returncode = os.waitstatus_to_exitcode(status)
        assert running.returncode == 0
        return count, usage.ru_maxrss

    few, least = peak("*.*", "--max", "10000")
    all_of_them, most = peak("*.*")
    assert (few, all_of_them > 100_000) == (10_000, True)
    # 100,000 attributes as objects would be several times that: the first page is most of both.
    assert most < 1.3 * least


@TERMINALS
def test_progress_is_on_the_terminal_and_never_in_a_pipe(large: dict[str, str]) -> None:
    command = [MXGW, "find", "*.ProtectedValue1", "--plaintext"]
    with Terminal(command, large) as terminal:
        shown = terminal.rest()
    assert terminal.process.returncode == 0
    assert "objects searched" in shown
    assert re.search(r"\d+/5027", shown)
    assert "TestMachine_001.ProtectedValue1  Boolean  VERIFIED_WRITE" in shown
    piped = subprocess.run(command, env=large, capture_output=True, text=True, check=True)
    assert piped.stderr == ""
    assert piped.stdout.count("\n") == 5_000


@TERMINALS
def test_matches_and_their_count_never_stand_in_the_same_line(large: dict[str, str]) -> None:
    command = [MXGW, "find", "TestMachine_0??", "--plaintext"]
    with Terminal(command, large) as terminal:
        lines = screen_lines(terminal.rest(), 100)
    expected = [f"TestMachine_{number:03}  $TestMachine" for number in range(1, 100)]
    assert [line for line in lines if line] == expected


@pytest.mark.parametrize("command", [["browse"], ["tree"], ["find", "x", "--in"]])
def test_an_object_that_is_not_there_is_said_without_the_call_that_looked(
    mxgw: Run, command: list[str]
) -> None:
    failed = mxgw(*command, "NoSuch")
    assert (failed.code, failed.out) == (1, "")
    assert failed.err == "mxgw-py: there is no object NoSuch; 'mxgw-py find' looks names up\n"


@TERMINALS
def test_data_in_a_pipe_stays_out_of_the_terminal_that_shows_progress(
    large: dict[str, str],
) -> None:
    find = shlex.join([MXGW, "find", "*.ProtectedValue1", "--plaintext"])
    with Terminal(["sh", "-c", f"{find} | wc -l"], large) as terminal:
        shown = terminal.rest()
    assert "objects searched" in shown
    assert "TestMachine" not in shown
    assert re.search(r"(?<!\d)5000\r\n$", shown)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no closed pipes like these")
@pytest.mark.parametrize("command", [["find", "*.*"], ["galaxy-discover"], ["tree"]])
def test_a_reader_that_had_enough_is_no_error(large: dict[str, str], command: list[str]) -> None:
    with subprocess.Popen(
        [MXGW, *command, "--plaintext"], env=large, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        errors = running.stderr.read()
    assert (running.returncode, errors) == (0, b"")


GOLDEN = {
    "browse": ["TestMachine_002"],
    "tree": ["TestPlant", "--depth", "1"],
    "find": ["TestChildObject.*"],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str, mxgw: Run) -> None:
    assert_golden(name, mxgw(name, *GOLDEN[name], "--json"))
