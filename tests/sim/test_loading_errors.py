"""Galaxy files that cannot be loaded: what is said, where, and that no password is shown.

Attributes are in test_loading_attribute_errors.py.
"""

from __future__ import annotations

import re
from importlib import resources

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway_sim.galaxy.documents import nearest, written
from zb_mom_ww_mxgateway_sim.galaxy.loading import GalaxyFileError, load_galaxy
from zb_mom_ww_mxgateway_sim.galaxy.toml_lines import lines_of

from .galaxy_files import HEAD, USER, WITH, load, refused

PLANT = (resources.files("zb_mom_ww_mxgateway_sim.galaxy") / "plant.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("nmae = 'x'", 1, "nmae", "did you mean 'name'"),
        ("\nname = ''", 2, "name", "letters, digits"),
        ("name = 1", 1, "name", "must be a text, not a whole number"),
        ("secured = true", 1, "secured", "needs users"),
        ("secured = 2026-01-01", 1, "secured", "must be true or false, not a date or a time"),
        ("users = [1]", 1, "users[1]", "must be a table"),
        ("objects = {}", 1, "objects", "must be an array, not a table"),
        ("script_period = 5", 1, "script_period", "after the last step"),
        # users
        (f"{USER}[[users]]\npassword = 'x'\nuser_id = 2", 5, "users[2]", "'name' is missing"),
        (USER + USER.replace('"a"', '"A"'), 6, "users[2].name", "another user"),
        (USER + USER.replace('"a"', '"b"'), 8, "users[2].user_id", "another user"),
        (f"{USER}guid = 'x'", 5, "users[1].guid", "must be a GUID"),
        (USER.replace("= 1", "= 0"), 4, "users[1].user_id", "from 1 to"),
        (USER.replace('"hunter2!"', '""'), 3, "users[1].password", "must not be empty"),
        (USER.replace('"hunter2!"', "2"), 3, "users[1].password", "must be a text"),
        # templates
        ("[templates.Tank]", 1, "templates.Tank", "no name of a template"),
        ("[templates]\n'$A' = 1", 2, 'templates."$A"', "must be a table"),
        ("[templates.'$A']\n[templates.'$a']", 2, 'templates."$a"', "same as '$A'"),
        (
            "[templates.'$A']\nbased_on = '$UserDefind'",
            2,
            'templates."$A".based_on',
            "did you mean '$UserDefined'",
        ),
        (
            "[templates.'$A']\nbased_on = '$B'\n[templates.'$B']\nbased_on = '$A'",
            2,
            'templates."$A".based_on',
            "based on itself",
        ),
        (
            "[templates.'$A']\ncategory = 'aera'",
            2,
            'templates."$A".category',
            "'aera' is not one of platform, engine, user-defined, area; did you mean 'area'?",
        ),
        ("[templates.'$A']\ncategory = -1", 2, 'templates."$A".category', "from 0"),
        # objects
        (HEAD.replace("$U", "$u").replace("ed", "", 1), 3, "objects[1].template", "did you mean"),
        (HEAD.replace('"T"', '"T.x"'), 2, "objects[1].tag_name", "a dot separates"),
        (HEAD.replace('"T"', '"12"'), 2, "objects[1].tag_name", "at least one of them a letter"),
        (HEAD + HEAD.replace('"T"', '"t"'), 5, "objects[2].tag_name", "unique, in any case"),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            "[[objects]]\ntag_name = 'M{n:03}'\ncount = 'machines'\ntemplate = '$Area'\n",
            2,
            "objects[1].tag_name",
            "'M100' is the name of another object too",
        ),
        (f"{HEAD}parent = 'S'", 4, "objects[1].parent", "there is no object 'S'"),
        (
            f"{HEAD.replace('T', 'BrewHouse', 1)}parent = 'brewhose'",
            4,
            "objects[1].parent",
            "there is no object 'brewhose'; did you mean 'BrewHouse'?",
        ),
        (f"{HEAD}host = 'S'", 4, "objects[1].host", "there is no object 'S'"),
        (f"{HEAD}parent = 'T'", 4, "objects[1].parent", "stands in itself"),
        (f"{HEAD}host = 'T'", 4, "objects[1].host", "hosted by itself"),
        (f"{HEAD}contained_name = 'x'", 4, "objects[1].contained_name", "needs a parent"),
        (f"{HEAD}count = 3", 2, "objects[1].tag_name", "must have {n}"),
        (f"{HEAD}count = 'all'", 4, "objects[1].count", '"machines"'),
        (f"{HEAD}count = 0", 4, "objects[1].count", "from 1"),
        (f"{HEAD}else_parent = 'T'", 4, "objects[1].else_parent", "needs a parent"),
        (
            HEAD
            + "".join(
                f"[[objects]]\ntag_name = 'C{n}'\ntemplate = '$Area'\nparent = 'T'\n"
                "contained_name = 'x'\n"
                for n in (1, 2)
            ),
            13,
            "objects[3].contained_name",
            "both called 'x' in T",
        ),
        (
            f"{HEAD}[[objects]]\ntag_name = 'U'\ntemplate = '$Area'\nparent = 'T'\n"
            "else_parent = 'T'",
            8,
            "objects[2].else_parent",
            "the parent is there",
        ),
        (
            f"{HEAD.replace('T', 'T{n}', 1)}count = 2\nparent = 'S'\nelse_parent = 'S'",
            6,
            "objects[1].else_parent",
            "is for single objects",
        ),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            f"{HEAD}parent = 'M5'\nelse_parent = 'M4'",
            9,
            "objects[2].else_parent",
            "must always be there",
        ),
        (
            HEAD
            + "".join(
                f"[[objects]]\ntag_name = 'T{n}'\ntemplate = '$Area'\nparent = 'T{n - 1 or ''}'\n"
                for n in range(1, 70)
            ),
            259,
            "objects[65].parent",
            "T64 stands more than 64 levels deep",
        ),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            f"{HEAD}parent = 'M5'",
            8,
            "objects[2].parent",
            "else_parent",
        ),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            "[[objects]]\ntag_name = 'm4711'\ntemplate = '$Area'",
            6,
            "objects[2].tag_name",
            "another object too",
        ),
        (
            "[[objects]]\ntag_name = 'M{n}'\ncount = 'machines'\ntemplate = '$Area'\n"
            f"{HEAD}host = 'M1'",
            8,
            "objects[2].host",
            "may be too few",
        ),
        # the alarm script
        (
            f"{WITH}A = {{ alarm = {{}} }}\n[[alarm_script]]\nat = 1\nalarm = 'T.A'",
            6,
            "alarm_script[1]",
            "does nothing",
        ),
        (
            f"{WITH}A = true\n[[alarm_script]]\nat = 1\nalarm = 'T.A'\nactive = true",
            8,
            "alarm_script[1].alarm",
            "is no alarm",
        ),
        (
            f"{WITH}A = true\n[[alarm_script]]\nat = 1\nalarm = 'S.A'\nactive = true",
            8,
            "alarm_script[1].alarm",
            "no object 'S'",
        ),
        (
            f"{WITH}B = 1\nA = {{ alarm = {{ attribute = 'B', above = 1 }} }}\n"
            "[[alarm_script]]\nat = 1\nalarm = 'T.A'\nactive = true",
            10,
            "alarm_script[1].active",
            "follows something else",
        ),
        (
            f"{WITH}A = {{ alarm = {{}} }}\n[[alarm_script]]\nat = 1\nalarm = 'T.A'\n"
            "active = true\noperator = 'me'",
            10,
            "alarm_script[1].operator",
            "acknowledges nothing",
        ),
        (
            f"{WITH}A = {{ alarm = {{}} }}\n[[alarm_script]]\nat = -1\nalarm = 'T.A'\n"
            "active = true",
            7,
            "alarm_script[1].at",
            "at least 0",
        ),
        # no TOML
        ("a = 1\nb = = 2", 2, "", "is not TOML"),
        ("a = 1\nb = '''", 2, "", "(at the end of the file)"),
        ("a = 1\na = 2", 2, "", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(folder, text, line, key, words):
    error = refused(folder, text)
    assert words in error.reason
    assert (error.line, error.key) == (line, key)


@pytest.mark.parametrize("text", ["x = " + "[" * 5_000, f"x = {'1' * 5_000}"])
def test_a_file_that_is_too_much_is_refused(folder, text):
    with pytest.raises(GalaxyFileError, match=re.escape(str(folder / "site.toml"))):
        load(folder, text)


def test_a_file_that_is_not_utf8_is_refused(folder):
    (folder / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(GalaxyFileError, match="save it as UTF-8"):
        load_galaxy(folder / "latin.toml", change_interval=1)


def test_lines_count_the_same_with_the_ends_and_the_mark_that_windows_writes(folder):
    error = refused(folder, "\ufeffname = 'x'\r\n\r\n[[objects]]\r\ntag = 1\r\n")
    assert (error.line, error.key) == (4, "objects[1].tag")


def test_a_file_that_is_not_there_is_an_oserror(folder):
    with pytest.raises(FileNotFoundError):
        load_galaxy(folder / "no.toml", change_interval=1)


SCHEMA_KEYS = [
    (path, line)
    for path, line in lines_of(PLANT).items()
    if isinstance(path[-1], str) and re.fullmatch("[a-z_]+", path[-1]) and len(path) > 1
]


@given(st.sampled_from(SCHEMA_KEYS))
def test_a_key_that_is_misspelled_anywhere_is_found_on_its_line(folder, place):
    path, line = place
    lines = PLANT.split("\n")
    lines[line - 1] = re.sub(rf"(?<!\w){path[-1]}(?=\W)", f"{path[-1]}x", lines[line - 1])
    error = refused(folder, "\n".join(lines))
    assert error.line == line or "missing" in error.reason
    assert path[-1] in error.reason or path[-1] in error.key


@given(st.data())
def test_no_error_shows_a_password(folder, data):
    password = data.draw(st.text("abcdefghij", min_size=9, max_size=12))
    text = f'{USER.replace("hunter2!", password)}guid = "x"\n{PLANT}'
    start = data.draw(st.integers(0, 90))
    damaged = text[:start] + text[start + data.draw(st.integers(0, 30)) :]
    shown = ""
    try:
        load(folder, damaged)
    except GalaxyFileError as error:
        shown = f"{error} {error!r} {error.args}"
    assert password not in shown


def test_a_key_that_is_missing_is_said_once(folder):
    error = refused(folder, "[[users]]\nname = 'a'\nuser_id = 2")
    assert (error.key, error.reason) == ("users[1]", "'password' is missing")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("free", ["free-access", "operate"], "free-access"),
        ("OPER", ["Operate", "free-access"], "Operate"),
        ("opreate", ["operate", "free-access"], "operate"),
        ("se", ["secured-write", "sessions-alone"], ""),  # which of the two
        ("", ["operate"], ""),
        ("x", ["operate"], ""),
    ],
)
def test_a_name_that_was_meant_is_one_like_it_or_the_only_one_that_begins_so(name, known, meant):
    assert nearest(name, known) == (f"; did you mean {meant!r}?" if meant else "")


def test_paths_are_written_as_in_the_file():
    assert written(()) == ""
    assert written(("templates", "$Tank", "attributes", "A.B", "value", 0)) == (
        'templates."$Tank".attributes."A.B".value[1]'
    )
