"""Where keys of TOML stand: found for whatever ``tomllib`` reads."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given, settings, strategies as st

from zb_mom_ww_mxgateway_sim.galaxy.toml_lines import lines_of

NAMES = st.text(st.sampled_from("ab-_1.# ='\"[]{}\\é"), max_size=4)
BARE = set("abcdefghijklmnopqrstuvwxyz0123456789-_")
SCALARS = st.sampled_from(
    [
        "1",
        "-2.5e3",
        "true",
        "inf",
        "1979-05-27 07:32:00Z",
        "07:32:00",
        '"plain"',
        r'"quote \" comma , # [ ] { } = \\"',
        r"'C:\new # \'",
        '"""\nfirst = 1\n[second]\n\\"""" and "" """',
        "'''\n[no.table]\na = '' ''''",
        '"""two quotes at the end"""""',
    ]
)


def spelled(draw, name):
    """One of the ways to write a key."""
    ways = [json.dumps(name, ensure_ascii=False)]
    if "'" not in name:
        ways.append(f"'{name}'")
    if name and set(name) <= BARE:
        ways.append(name)
    return draw(st.sampled_from(ways))


def gap(draw):
    """What may stand between the elements of an array."""
    return draw(st.sampled_from(["", " ", "\n", "\n  # ] , [ 'x' \"\n\t"]))


@st.composite
def values(draw, depth=2):
    kind = draw(st.sampled_from(["scalar", "array", "table"] if depth else ["scalar"]))
    if kind == "scalar":
        return draw(SCALARS)
    if kind == "array":
        elements = [draw(values(depth=depth - 1)) for _ in range(draw(st.integers(0, 3)))]
        text = ",".join(f"{gap(draw)}{element}{gap(draw)}" for element in elements)
        comma = "," if elements and draw(st.booleans()) else ""
        return f"[{text}{comma}{gap(draw)}]"
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    # An array in an inline table may have several lines in TOML 1.0, unlike the table.
    return "{" + ", ".join(pair(draw, [name], depth) for name in names) + "}"


def pair(draw, names, depth=3):
    dot = draw(st.sampled_from([".", " . "]))
    key = dot.join(spelled(draw, name) for name in names)
    return f"{key} = {draw(values(depth=depth - 1))}"


@st.composite
def documents(draw):
    """Statements, of which those are left out that contradict the ones before."""
    text = ""
    for _ in range(draw(st.integers(0, 8))):
        names = draw(st.lists(NAMES, min_size=1, max_size=3))
        kind = draw(st.sampled_from(["pair", "pair", "table", "tables", "comment"]))
        if kind == "pair":
            statement = pair(draw, names)
        elif kind == "comment":
            statement = "# [a] b = 1 '''"
        else:
            key = ".".join(spelled(draw, name) for name in names)
            statement = f"[ {key} ]" if kind == "table" else f"[[{key}]]"
        longer = f"{text}{draw(st.sampled_from(['', '  ', chr(10)]))}{statement}\n"
        try:
            tomllib.loads(longer)
        except tomllib.TOMLDecodeError:
            continue
        text = longer
    return text


def paths(value, path=()):
    """Where everything is in a value."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


@settings(max_examples=200)
@given(documents())
def test_every_table_key_and_element_has_a_line_and_it_is_the_one_that_names_it(text):
    lines = lines_of(text)
    assert set(lines) == set(paths(tomllib.loads(text)))
    written = text.split("\n")
    for path, line in lines.items():
        name = path[-1]
        if isinstance(name, str):
            ways = json.dumps(name, ensure_ascii=False), f"'{name}'", name or '""'
            assert any(way in written[line - 1] for way in ways), (path, line)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 1),
        (("long",), 2),
        (("after",), 5),
        (("a",), 6),
        (("a", "b"), 6),
        (("a", "b", "c"), 7),
        (("rows", 0), 8),
        (("rows", 0, "x"), 9),
        (("rows", 1), 10),
        (("rows", 1, "list"), 11),
        (("rows", 1, "list", 0), 12),
        (("rows", 1, "list", 1, "y"), 13),
        (("rows", 1, "sub", "z"), 16),
    ],
)
def test_lines_are_those_that_a_reader_would_point_at(path, line):
    text = (
        'name = "x" # 1\n'
        'long = """\nname = 3\n"""\n'
        "after = 5\n"
        "[a.b] # 6\n"
        "c = 7\n"
        "[[rows]] # 8\n"
        "x = 9\n"
        "[[rows]] # 10\n"
        "list = [ # 11\n"
        "  1,\n"
        "  {y = 13},\n"
        "]\n"
        "[rows.sub]\n"
        "z = 16\n"
    )
    assert lines_of(text)[path] == line
