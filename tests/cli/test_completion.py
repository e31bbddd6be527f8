"""Completion: what shells are answered, and the file of names that it is answered from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
import pytest
from hypothesis import given, strategies as st

from tests.cli.conftest import Run
from tests.cli.installed import MXGW
from zb_mom_ww_mxgateway import GalaxyAttribute, GalaxyObject
from zb_mom_ww_mxgateway_cli import known_names
from zb_mom_ww_mxgateway_cli.__main__ import cli
from zb_mom_ww_mxgateway_cli.known_names import (
    MAX_BYTES,
    VARIABLE,
    Seen,
    known_lines,
    known_objects,
    known_references,
    remembering,
)
from zb_mom_ww_mxgateway_cli.profiles import VARIABLE as PROFILES
from zb_mom_ww_mxgateway_cli.program import COMPLETION

HERE = "gateway:5000"
SHELLS = ("bash", "zsh", "fish", "powershell")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where names are kept."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def an_object(name: str, *attributes: str) -> GalaxyObject:
    return GalaxyObject(
        tag_name=name,
        attributes=[
            GalaxyAttribute(attribute_name=each, full_tag_reference=f"{name}.{each}")
            for each in attributes
        ],
    )


def remember(*objects: GalaxyObject, endpoint: str = HERE, whole: bool = False) -> None:
    with remembering(endpoint) as seen:
        for each in objects:
            seen.add(each)
        seen.whole = whole


def answered(shell: str, *words: str, **more: str) -> list[str]:
    """What the program says to a shell's script, of which ``words`` are the command line."""
    variables = {"COMP_WORDS": " ".join(["mxgw-py", *words]), "COMP_CWORD": str(len(words))}
    if shell == "fish":
        variables["COMP_CWORD"] = words[-1]
    if shell == "powershell":
        variables = {"COMP_WORDS": "\n".join(["mxgw-py", *words[:-1]]), "COMP_CWORD": words[-1]}
    done = subprocess.run(
        [MXGW],
        env={**os.environ, **variables, COMPLETION: f"{shell}_complete", **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return [] if done.stdout == "\n" else done.stdout.splitlines()


def values(shell: str, lines: Sequence[str]) -> list[str]:
    """The values in an answer, as each shell's protocol has them."""
    if shell == "zsh":
        return [value.replace("\\:", ":") for value in lines[1::3]]
    separator = "\t" if shell == "powershell" else ","
    return [line.split(separator)[1].split("\t")[0] for line in lines]


# --- what shells are answered --------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_options_and_choices_complete_in_every_shell(shell: str) -> None:
    for words, expected in (
        (["galaxy-d"], ["galaxy-discover"]),
        (["tree", "--dep"], ["--depth"]),
        (["find", "x", "--category", "a"], ["area"]),
        (["un-advise-"], ["un-advise-item-bulk"]),
        (["simulate", "redep"], ["redeploy"]),
        (["no-such-command", "x"], []),
        (["--no-such-option", "x"], []),
    ):
        assert values(shell, answered(shell, *words)) == expected


def test_profiles_complete_where_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text("[profiles.plant]\n[profiles.pilot]\n[profiles.lab]\n", encoding="utf-8")
    for words in (["read", "--profile", "p"], ["config", "use", "p"], ["config", "show", "p"]):
        assert values("bash", answered("bash", *words, **{PROFILES: str(file)})) == [
            "pilot",
            "plant",
        ]
    file.write_text("this is no TOML", encoding="utf-8")
    assert answered("bash", "read", "--profile", "", **{PROFILES: str(file)}) == []


def test_help_completes_topics_and_commands_and_what_is_below_them() -> None:
    for words, expected in (
        (["help", "e"], ["environment", "exit-codes"]),
        (["help", "galaxy-d"], ["galaxy-discover"]),
        (["help", "config", "us"], ["use"]),
        (["help", "read", ""], []),
        (["help", "no-such", ""], []),
    ):
        found = values("bash", answered("bash", *words))
        assert found[: len(expected)] == expected
        assert bool(found) == bool(expected)


def test_every_command_is_offered_at_first() -> None:
    offered = values("bash", answered("bash", ""))
    assert set(offered) == set(cli.list_commands(click.Context(cli)))


def test_completing_a_command_imports_no_command() -> None:
    code = (
        "import sys; from zb_mom_ww_mxgateway_cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    variables = {"COMP_WORDS": "mxgw-py ga", "COMP_CWORD": "1", COMPLETION: "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "galaxy-discover" in done.stdout
    loaded = set(done.stderr.split())
    assert "zb_mom_ww_mxgateway_cli.completion" in loaded
    assert not {"grpclib", "rich", "zb_mom_ww_mxgateway", "zb_mom_ww_mxgateway_contracts"} & loaded


@pytest.mark.parametrize("shell", SHELLS)
def test_objects_complete_from_what_was_seen_of_that_gateway(shell: str) -> None:
    remember(an_object("Tank_01"), an_object("Tank_02"), an_object("Pump"))
    remember(an_object("Tank_99"), endpoint="other:5000")
    asked = ["browse", "--endpoint", HERE, "tank"]
    assert values(shell, answered(shell, *asked)) == ["Tank_01", "Tank_02"]
    asked = ["galaxy-browse", "--parent-tag-name", "Ta"]
    others = answered(shell, *asked, MXGATEWAY_ENDPOINT="http://OTHER:5000")
    assert values(shell, others) == ["Tank_99"]


def test_the_gateway_is_the_one_of_the_profile(folder: Path) -> None:
    remember(an_object("Tank_01"), endpoint="plant:5000")
    remember(an_object("Tank_02"), endpoint="localhost:5000")
    config = folder / "config.toml"
    config.write_text('[profiles.plant]\nendpoint = "plant:5000"\n', encoding="utf-8")
    assert values("bash", answered("bash", "tree", "Ta")) == ["Tank_02"]
    asked = ["tree", "--profile", "plant", "Ta"]
    assert values("bash", answered("bash", *asked)) == ["Tank_01"]
    config.write_text("not TOML", encoding="utf-8")
    assert answered("bash", *asked) == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_with_its_script() -> None:
    remember(an_object("Tank_01", "Level", "Limits[]"), endpoint="localhost:5000")
    script = """
        eval "$(mxgw-py completion bash)"
        complete -p mxgw-py
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _mxgw_py_completion mxgw-py
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = f"{Path(MXGW).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", "mxgw-py", "browse", "Ta"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -o nosort -F _mxgw_py_completion mxgw-py",
        "Tank_01",
    ]


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="there is no PowerShell here")
def test_powershell_completes_with_its_script() -> None:
    script = (
        "mxgw-py completion powershell | Out-String | Invoke-Expression;"
        "$line = 'mxgw-py galaxy-d';"
        "(TabExpansion2 $line $line.Length).CompletionMatches.CompletionText"
    )
    path = f"{Path(MXGW).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["pwsh", "-NoProfile", "-Command", script],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["galaxy-discover"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_names_the_program_and_how_it_asks(shell: str) -> None:
    done = subprocess.run([MXGW, "completion", shell], capture_output=True, text=True, check=True)
    assert "mxgw-py" in done.stdout
    assert COMPLETION in done.stdout
    assert f"{shell}_complete" in done.stdout
    assert "%(" not in done.stdout


def test_powershell_gets_a_tip_for_everything() -> None:
    remember(an_object("Tank_01"))
    kind, value, tip = answered("powershell", "completio")[0].split("\t")
    assert (kind, value) == ("plain", "completion")
    assert tip == "Print the script that completes command lines in a shell."
    (line,) = answered("powershell", "browse", "--endpoint", HERE, "'Ta")
    assert line == "plain\tTank_01\tTank_01"


# --- the names -----------------------------------------------------------------------------------


def test_a_reference_completes_in_two_steps() -> None:
    remember(
        an_object("Tank_1", "Level", "Limits[]"),
        an_object("Tank_10", "Level"),
        an_object("Pump", "Speed", "Setup.MaxSpeed", "Setup.MinSpeed"),
        an_object("Area"),
    )
    for incomplete, expected in {
        "": ["Area", "Pump", "Tank_1", "Tank_10"],
        "ta": ["Tank_1", "Tank_10"],
        "Tank_1": ["Tank_1", "Tank_10"],
        "Tank_10": ["Tank_10.Level"],
        "tank_1.": ["Tank_1.Level", "Tank_1.Limits[]"],
        "PUMP.SETUP.": ["Pump.Setup.MaxSpeed", "Pump.Setup.MinSpeed"],
        "P": ["Pump.Setup.MaxSpeed", "Pump.Setup.MinSpeed", "Pump.Speed"],
        "Area": ["Area"],
        "Area.": [],
        "Nope": [],
        ".": [],
    }.items():
        assert known_references(HERE, incomplete) == expected, incomplete


def test_commands_that_show_a_galaxy_keep_its_names(mxgw: Run, simulator: dict[str, str]) -> None:
    endpoint = simulator["endpoint"]
    assert mxgw("browse", "TestChildObject").code == 0
    assert known_objects(endpoint, "") == ["TestChildObject"]
    assert "TestChildObject.TestStringArray[]" in known_references(endpoint, "TestC")
    assert mxgw("find", "TestMachine_00?").code == 0
    assert len(known_objects(endpoint, "TestMachine")) == 9
    assert mxgw("galaxy-discover", "--root-tag-name", "TestMachine_010").code == 0
    assert "TestMachine_010.MachineCode" in known_references(endpoint, "TestMachine_010.")
    assert mxgw("galaxy-browse", "--parent-tag-name", "TestPlant").code == 0
    assert "TestArea" in known_objects(endpoint, "")


def test_the_whole_tree_takes_the_place_of_all_that_was_known(
    mxgw: Run, simulator: dict[str, str]
) -> None:
    endpoint = simulator["endpoint"]
    remember(an_object("Gone"), an_object("TestMachine_001", "MachineCode"), endpoint=endpoint)
    assert mxgw("tree", "TestPlant").code == 0
    assert known_objects(endpoint, "Gone") == ["Gone"]
    assert mxgw("tree").code == 0
    assert known_objects(endpoint, "Gone") == []
    assert known_references(endpoint, "TestMachine_001.") == ["TestMachine_001.MachineCode"]


def test_a_command_that_fails_half_way_keeps_what_it_saw() -> None:
    with suppress(RuntimeError), remembering(HERE) as seen:
        seen.add(an_object("Tank"))
        raise RuntimeError
    assert known_objects(HERE, "") == ["Tank"]


@given(
    st.lists(st.tuples(st.text(max_size=4), st.lists(st.text(max_size=4), max_size=3)), max_size=6),
    st.text(max_size=3),
)
def test_any_names_are_kept_or_left_out_and_never_mixed_up(
    objects: list[tuple[str, list[str]]], incomplete: str
) -> None:
    seen = Seen()
    for name, attributes in objects:
        seen.add(an_object(name, *attributes))
    for line in seen.lines.values():
        name, *attributes = line.split("\t")
        (given_attributes, *_) = [each for tag, each in objects if tag == name]
        assert attributes == [each for each in given_attributes if each.isprintable()]
    names = known_names._fitting(seen.lines, incomplete)
    assert all(name.casefold().startswith(incomplete.casefold()) for name in names)


def test_what_is_kept_has_a_limit_and_the_newest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_names, "MAX_BYTES", 50)
    for number in range(20):
        remember(an_object(f"Tank_{number:02}"))
    assert known_lines(HERE) == [f"Tank_{number:02}" for number in range(19, 13, -1)]
    remember(*(an_object(f"Pump_{number:02}") for number in range(20)))
    assert len(known_lines(HERE)) == 6


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"Tank\x1b[2J\nTa\tLe\x07vel", b"\n\n\t\n", b"T" * (MAX_BYTES + 1)],
)
def test_a_broken_file_breaks_nothing(folder: Path, content: bytes) -> None:
    remember(an_object("Pump"))
    (file,) = folder.glob("*.names")
    file.write_bytes(content)
    asked = [known_objects(HERE, "T"), known_references(HERE, "Ta"), known_references(HERE, "Ta.")]
    assert all(name.isprintable() for names in asked for name in names)
    assert answered("bash", "browse", "--endpoint", HERE, "P") == []
    remember(an_object("Pump"))
    assert known_objects(HERE, "P") == ["Pump"]


def test_a_folder_that_cannot_be_written_breaks_nothing(
    folder: Path, mxgw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = folder / "file"
    taken.write_text("in the way")
    monkeypatch.setenv(VARIABLE, str(taken / "below"))
    assert mxgw("browse").code == 0
    assert known_objects(HERE, "") == []


def test_nothing_is_kept_where_the_folder_is_empty(
    folder: Path, mxgw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert mxgw("browse").code == 0
    assert list(folder.iterdir()) == []


def test_a_file_says_nothing_of_the_gateway_and_is_the_users_alone(folder: Path) -> None:
    remember(an_object("Tank"), endpoint="secret-host:5000")
    (file,) = folder.iterdir()
    assert "secret" not in file.name
    assert file.read_text() == "Tank"
    if os.name != "nt":
        assert file.stat().st_mode & 0o077 == 0
