"""Recordings that a galaxy's signals replay: what they may have, and what is said of the rest."""

from __future__ import annotations

import re

import pytest

from zb_mom_ww_mxgateway_sim.galaxy.loading import GalaxyFileError
from zb_mom_ww_mxgateway_sim.galaxy.signals import Replay

from .galaxy_files import load


def recorded(folder, content, data_type="float", change_interval=1.0):
    (folder / "log.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    signal = '{ kind = "replay", file = "log.csv" }'
    text = '[[objects]]\ntag_name = "T"\ntemplate = "$UserDefined"\n[objects.attributes]\n'
    text += f'A = {{ type = "{data_type}", signal = {signal} }}'
    (made,) = load(folder, text, change_interval=change_interval).objects(0)
    return made.attributes.attributes[0].signal


def test_a_recording_is_replayed_at_its_times(folder):
    signal = recorded(folder, "\ufeffquality,time,value\r\n,0,1\r\n\r\n24,1.1,2.5\r\n192,2,3\r\n")
    assert signal == Replay(ticks=(0, 2), values=(1.0, 3.0), qualities=())
    signal = recorded(folder, "quality,time,value\n,0,1\n24,1.1,2.5\n", change_interval=0.1)
    assert signal == Replay(ticks=(0, 11), values=(1.0, 2.5), qualities=(192, 24))


@pytest.mark.parametrize(
    ("data_type", "cells", "values"),
    [
        ("boolean", ["true", "FALSE", "1", "0"], [True, False, True, False]),
        ("integer", ["1", "-2147483648", "+7"], [1, -(2**31), 7]),
        ("double", ["1e300", "-0.5"], [1e300, -0.5]),
        ("string", ['"a ""b"",\nc"', "", " x "], ['a "b",\nc', "", " x "]),
    ],
)
def test_cells_of_a_recording_are_read_by_the_type_of_the_attribute(
    folder, data_type, cells, values
):
    rows = "".join(f"{time},{cell}\n" for time, cell in enumerate(cells))
    assert recorded(folder, f"time,value\n{rows}", data_type).values == tuple(values)


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        ("", None, "", "no rows"),
        ("time,value\n", None, "", "no rows"),
        (b"time,value\n0,\xff\n", None, "", "UTF-8"),
        ("time,valeu\n0,1\n", 1, "valeu", "did you mean 'value'"),
        ("time,time\n0,1\n", 1, "", "twice"),
        ("time,quality\n0,1\n", 1, "value", "missing"),
        ("time,value\n0,1,2\n", 2, "", "3 cells, but there are 2 columns"),
        ("time,value\n5,1\n", 2, "time", "must be 0 in the first row"),
        ("time,value\n0,1\n\n2,1\n2,1\n", 5, "time", "must rise"),
        ("time,value\n0,1\nnan,1\n", 3, "time", "number of seconds"),
        ("time,value\n0,1_000\n", 2, "value", "finite number of 32 bits"),
        ("time,value\n0,1e39\n", 2, "value", "finite number of 32 bits"),
        ("time,value,quality\n0,1,192\n1,1,256\n", 3, "quality", "from 0 to 255"),
        ('time,value\n0,"a\nb"\n1,2\n', 2, "value", "finite number"),
        ('time,value\n0,"a\nb"\n1,"c\n', 4, "", "is not CSV"),
        ('time,value\n0,1\n1,"c" x\n', 3, "", "is not CSV"),
    ],
)
def test_what_is_wrong_with_a_recording_is_said_with_file_line_and_column(
    folder, content, line, column, words
):
    with pytest.raises(GalaxyFileError, match=re.escape(words)) as caught:
        recorded(folder, content)
    assert (caught.value.file, caught.value.line) == (str(folder / "log.csv"), line)
    assert caught.value.key == column
