"""The commands ``galaxy-*`` against a simulator in another process."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cli.conftest import Outcome, Run
from tests.cli.golden import assert_golden
from tests.cli.serving import process, serving
from tests.cli.simulated import simulated
from tests.sdk.galaxies import ScriptedGalaxy
from zb_mom_ww_mxgateway_cli.known_names import VARIABLE

CHILD = "TestChildObject"


@pytest.fixture(autouse=True)
def no_names_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch, cli: Run, tmp_path: Path) -> Iterator[Run]:
    """Run command lines against a simulator that nobody else uses, and may change."""
    with simulated(tmp_path / "log") as running:
        monkeypatch.setenv("MXGATEWAY_ENDPOINT", running.endpoint)
        monkeypatch.setenv("MXGATEWAY_API_KEY", running.ready["apiKey"])

        def call(*arguments: str) -> Outcome:
            return cli(*arguments, "--plaintext")

        yield call


def test_the_connection_of_the_galaxy_is_good(mxgw: Run) -> None:
    asked = mxgw("galaxy-test-connection", "--json")
    assert (asked.code, asked.json) == (0, {"ok": True})


def test_the_last_deploy_is_the_reply_as_it_came(mxgw: Run) -> None:
    reply = mxgw("galaxy-last-deploy", "--json").json
    assert reply["present"] is True
    assert reply["timeOfLastDeploy"].endswith("Z")
    shown = mxgw("galaxy-last-deploy", "--output", "table").out
    assert shown.splitlines() == [
        "present: true",
        f"time_of_last_deploy: {reply['timeOfLastDeploy']}",
    ]


def test_an_object_is_protojson_with_its_attributes(mxgw: Run) -> None:
    found = mxgw("galaxy-discover", "--root-tag-name", CHILD, "--json").json
    (child,) = found["objects"]
    assert child["tagName"] == CHILD
    assert child["containedName"] == "ChildObject"
    array = child["attributes"][-1]
    assert array["fullTagReference"] == f"{CHILD}.TestStringArray[]"
    assert array["arrayDimension"] == 10


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--tag-name-glob", "testmachine_00?"], {f"TestMachine_00{n}" for n in range(1, 10)}),
        (["--category-ids", "3", "--root-contained-path", "TestPlant"], {"TestEngine"}),
        (["--template-chain-contains", "$TestChild,$Nope"], {CHILD}),
        (["--root-tag-name", "TestPlant", "--max-depth", "0"], {"TestPlant"}),
        (["--historized-only", "--tag-name-glob", "*_010"], {"TestMachine_010"}),
        (["--alarm-bearing-only", "--tag-name-glob", "Test*Object"], set()),
    ],
)
def test_the_filters_of_the_contract_are_options(
    mxgw: Run, filters: list[str], expected: set[str]
) -> None:
    found = mxgw("galaxy-discover", "--no-attributes", "--json", *filters).json["objects"]
    assert {each["tagName"] for each in found} == expected
    assert not any("attributes" in each for each in found)


@given(size=st.integers(1, 12), most=st.integers(1, 60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
def test_pages_and_bounds_give_the_beginning_of_the_same_list(
    mxgw: Run, size: int, most: int
) -> None:
    names = ["galaxy-discover", "--no-attributes", "--root-tag-name", "TestPlant"]
    every = [json.loads(row)["tagName"] for row in mxgw(*names).out.splitlines()]
    some = mxgw(*names, "--page-size", str(size), "--max-objects", str(most)).out.splitlines()
    assert [json.loads(row)["tagName"] for row in some] == every[:most]


def test_csv_has_the_fields_of_the_contract_as_columns(mxgw: Run) -> None:
    shown = mxgw("galaxy-discover", "--root-tag-name", CHILD, "--output", "csv").out
    (row,) = csv.DictReader(io.StringIO(shown))
    assert row["tagName"] == CHILD
    assert len(json.loads(row["attributes"])) == 4


def test_browsing_is_one_level_and_says_what_has_children(mxgw: Run) -> None:
    parent = ["--parent-tag-name", "TestArea"]
    below = mxgw("galaxy-browse", *parent, "--no-attributes", "--json").json["objects"]
    assert [each["tagName"] for each in below] == [f"TestMachine_{n:03}" for n in range(1, 11)]
    assert [each["hasChildren"] for each in below] == [True, *[False] * 9]


def test_without_a_parent_browsing_begins_at_the_top(mxgw: Run) -> None:
    shown = mxgw("galaxy-browse", "--output", "table").out
    assert shown == "Plant  $Area\nTestPlant  $Area\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["galaxy-discover", "--category-ids", "13,area"], 2, "whole numbers"),
        (["galaxy-discover", "--root-tag-name", "A", "--root-gobject-id", "1"], 2, "exclude"),
        (["galaxy-discover", "--page-size", "5001"], 2, "--page-size"),
        (["galaxy-discover", "--max-depth", "99999999999"], 2, "int32"),
        (["galaxy-discover", "--category-ids", "99999999999"], 2, "int32"),
        (["galaxy-browse", "--parent-gobject-id", "-99999999999"], 2, "int32"),
        (["galaxy-discover", "--tag-name-glob", "\udcff"], 2, "tag_name_glob"),
        (["find", "\udcff.*"], 2, "tag_name_glob"),
        (["browse", "\udcff"], 2, "tag_name"),
        (["galaxy-browse", "--parent-tag-name", "Nope"], 1, "'Nope'"),
        (["galaxy-watch", "--last-seen-deploy-time", "yesterday"], 2, "ISO 8601"),
    ],
)
def test_what_cannot_be_is_one_line_and_an_exit_code(
    mxgw: Run, arguments: list[str], code: int, says: str
) -> None:
    failed = mxgw(*arguments, "--output", "table")
    assert failed.code == code
    assert failed.out == ""
    assert says in failed.err.splitlines()[0]


def test_a_watch_begins_with_the_state_unless_it_is_known(other: Run) -> None:
    (state,) = other("galaxy-watch", "--max-events", "1", "--json").json["events"]
    assert state["sequence"] == "1"
    assert state["timeOfLastDeploy"] == other("galaxy-last-deploy").json["timeOfLastDeploy"]
    known = ["--last-seen-deploy-time", state["timeOfLastDeploy"]]
    quiet = other("galaxy-watch", *known, "--duration", "0.3", "--json")
    assert (quiet.code, quiet.json) == (0, {"events": []})
    assert other("simulate", "redeploy", "--machines", "3").code == 0
    (later,) = other("galaxy-watch", *known, "--max-events", "1", "--json").json["events"]
    assert later["sequence"] == "2"
    assert later["objectCount"] < state["objectCount"]


def test_a_time_limit_ends_a_watch_without_an_error(mxgw: Run) -> None:
    watched = mxgw("galaxy-watch", "--timeout", "1.5", "--output", "table")
    assert watched.code == 0
    assert watched.out.count("sequence=") == 1


async def test_a_gateway_without_its_database_says_so_and_fails() -> None:
    async with serving(ScriptedGalaxy()) as endpoint:
        asked = await process(endpoint, "galaxy-test-connection", "--json")
    assert (asked.code, asked.json) == (1, {"ok": False})


GOLDEN = {
    "galaxy-test-connection": [],
    "galaxy-last-deploy": [],
    "galaxy-discover": ["--root-tag-name", CHILD],
    "galaxy-browse": ["--parent-tag-name", "TestMachine_001"],
    "galaxy-watch": ["--max-events", "1"],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str, mxgw: Run) -> None:
    assert_golden(name, mxgw(name, *GOLDEN[name], "--json"))
