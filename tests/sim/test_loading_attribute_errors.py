"""Attributes of galaxy files that cannot be, their signals and alarms: what is said of them."""

from __future__ import annotations

import pytest

from .galaxy_files import WITH, refused


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        # attributes
        (f"{WITH}'1a' = 1", 5, "objects[1].attributes.1a", "no name of an attribute"),
        (f"{WITH}A = 1\na = 2", 6, "objects[1].attributes.a", "same as 'A'"),
        (f"{WITH}Setup.Max = 1", 5, "objects[1].attributes.Setup", "stands in quotes"),
        (f"{WITH}A = {{}}", 5, "objects[1].attributes.A", "needs a value, or a type"),
        (f"{WITH}A = 2147483648", 5, "objects[1].attributes.A", "whole number of 32 bits"),
        (f"{WITH}A = nan", 5, "objects[1].attributes.A", "finite"),
        (f"{WITH}A = 2026-01-01", 5, "objects[1].attributes.A", "date and time with an offset"),
        (
            f"{WITH}A = 2026-01-01T00:00:00",
            5,
            "objects[1].attributes.A",
            "date and time with an offset",
        ),
        (f"{WITH}A = []", 5, "objects[1].attributes.A", "empty array"),
        (f"{WITH}A = [\n1,\n'x']", 5, "objects[1].attributes.A", "different types"),
        (
            f"{WITH}A = {{ type = 'float', value = [\n1,\n'x'] }}",
            7,
            "objects[1].attributes.A.value[2]",
            "finite number",
        ),
        (
            f"{WITH}A = {{ type = 'int' }}",
            5,
            "objects[1].attributes.A.type",
            "did you mean 'integer'",
        ),
        (
            f"{WITH}A = {{ type = 'integer', value = 1.5 }}",
            5,
            "objects[1].attributes.A.value",
            "whole number",
        ),
        (
            f"{WITH}A = {{ value = [1], length = 2 }}",
            5,
            "objects[1].attributes.A.length",
            "is 2, but the value has 1 elements",
        ),
        (f"{WITH}A = {{ value = 1, length = -1 }}", 5, "objects[1].attributes.A.length", "from 0"),
        (f"{WITH}A = {{ pattern = 'x' }}", 5, "objects[1].attributes.A.pattern", "must have {n}"),
        (
            f"{WITH}A = {{ pattern = '{{n}}{{m}}' }}",
            5,
            "objects[1].attributes.A.pattern",
            "no other braces",
        ),
        (
            f"{WITH}A = {{ pattern = '{{n}}', value = 'x' }}",
            5,
            "objects[1].attributes.A.pattern",
            "in place of",
        ),
        (f"{WITH}A = {{ pattern = '{{n}}' }}", 2, "objects[1].tag_name", "number at its end"),
        (
            f"{WITH}A = {{ value = 1, security = 'secure' }}",
            5,
            "objects[1].attributes.A.security",
            "did you mean 'secured-write'",
        ),
        (
            f"{WITH}A = {{ value = 1, security = 'free' }}",
            5,
            "objects[1].attributes.A.security",
            "did you mean 'free-access'?",
        ),
        (
            "[templates.'$A'.attributes]\nA = 1\n[[objects]]\ntag_name = 'T'\ntemplate = '$A'\n"
            "attributes = { A = { type = 'float' } }",
            6,
            "objects[1].attributes.A.type",
            "must stay integer",
        ),
        (
            "[templates.'$A'.attributes]\nA = 1\n[[objects]]\ntag_name = 'T'\ntemplate = '$A'\n"
            "attributes = { A = [1] }",
            6,
            "objects[1].attributes.A",
            "must stay a single value",
        ),
        *[
            (
                f"{WITH}A = {{ type = '{data_type}', value = {value} }}",
                5,
                "objects[1].attributes.A.value",
                words,
            )
            for data_type, value, words in (
                ("boolean", "1", "must be true or false"),
                ("integer", "true", "whole number of 32 bits"),
                ("enum", "'x'", "whole number of 32 bits"),
                ("float", "true", "finite number of 32 bits"),
                ("float", "1e39", "finite number of 32 bits"),
                ("double", "1" * 400, "finite number"),
                ("elapsed-time", "'1h'", "finite number of seconds"),
                ("time", "0", "date and time with an offset"),
                ("string", "1", "must be a text"),
                ("big-string", "{}", "must be a text"),
            )
        ],
        # signals
        (
            f"{WITH}A = {{ type = 'float', signal = {{}} }}",
            5,
            "objects[1].attributes.A.signal",
            "'kind' is missing",
        ),
        (
            f"{WITH}A = {{ type = 'float', signal = {{ kind = 'toggle' }} }}",
            5,
            "objects[1].attributes.A.signal.kind",
            "'toggle' makes no values of type float; take one of static, ramp, sine",
        ),
        (
            f"{WITH}A = {{ type = 'float', signal = {{ kind = 'ramp', min = 2, max = 1 }} }}",
            5,
            "objects[1].attributes.A.signal.min",
            "must be below max",
        ),
        (
            f"{WITH}A = {{ type = 'integer', signal = {{ kind = 'ramp', min = 0.5 }} }}",
            5,
            "objects[1].attributes.A.signal.min",
            "must be a whole number, not a number",
        ),
        (
            f"{WITH}A = {{ type = 'float', signal = {{ kind = 'ramp', min = -1e39 }} }}",
            5,
            "objects[1].attributes.A.signal.min",
            "must be at least",
        ),
        (
            f"{WITH}A = {{ value = 1, signal = {{ kind = 'sine', min = 0, max = 1, "
            "period = 0 } }",
            5,
            "objects[1].attributes.A.signal.period",
            "must be above 0",
        ),
        *[
            (
                f"{WITH}A = {{ value = 1.0, signal = {{ kind = 'ramp', min = {number} }} }}",
                5,
                "objects[1].attributes.A.signal.min",
                "must be finite",
            )
            for number in ("nan", "-inf", "1" * 400)
        ],
        (
            f"{WITH}A = {{ value = 1.0, signal = {{ kind = 'counter', step = 1e-300 }} }}",
            5,
            "objects[1].attributes.A.signal.step",
            "too small",
        ),
        (
            f"{WITH}A = {{ value = true, signal = {{ kind = 'toggle', period = 2, on = 2 }} }}",
            5,
            "objects[1].attributes.A.signal.on",
            "must be below 2",
        ),
        (
            f"{WITH}A = {{ value = [1], signal = {{ kind = 'changing' }} }}",
            5,
            "objects[1].attributes.A.signal",
            "an array cannot have one",
        ),
        (
            f"{WITH}A = {{ value = 1, signal = {{ kind = 'replay', file = 'no.csv' }} }}",
            5,
            "objects[1].attributes.A.signal.file",
            "cannot read",
        ),
        # alarms
        (f"{WITH}A = {{ value = 1, alarm = {{}} }}", 5, "objects[1].attributes.A.alarm", "boolean"),
        (
            f"{WITH}A = {{ alarm = {{ priority = 1000 }} }}",
            5,
            "objects[1].attributes.A.alarm.priority",
            "from 1 to 999",
        ),
        (
            f"{WITH}A = {{ alarm = {{ attribute = 'B', above = 1, below = 2 }} }}",
            5,
            "objects[1].attributes.A.alarm.below",
            "has above and below, which exclude each other",
        ),
        (
            f"{WITH}A = {{ alarm = {{ attribute = 'B' }} }}",
            5,
            "objects[1].attributes.A.alarm",
            "either above or below",
        ),
        (
            f"{WITH}Level = 1.0\nA = {{ alarm = {{ attribute = 'Levl', above = 1 }} }}",
            6,
            "objects[1].attributes.A.alarm.attribute",
            "'Levl' is no attribute of this object; did you mean 'Level'?",
        ),
        (
            f"{WITH}B = 'x'\nA = {{ alarm = {{ attribute = 'B', above = 1 }} }}",
            6,
            "objects[1].attributes.A.alarm.attribute",
            "no single number",
        ),
        (
            f"{WITH}B = [1]\nA = {{ alarm = {{ attribute = 'B', above = 1 }} }}",
            6,
            "objects[1].attributes.A.alarm.attribute",
            "no single number",
        ),
        (
            f"{WITH}A = {{ alarm = {{ attribute = 'A', above = 1 }} }}",
            5,
            "objects[1].attributes.A.alarm.attribute",
            "no single number",
        ),
        (
            f"{WITH}B = 1\nA = {{ alarm = {{ attribute = 'B', above = 1 }}, "
            "signal = { kind = 'toggle', period = 9 } }",
            6,
            "objects[1].attributes.A.signal",
            "cannot have a signal too",
        ),
        (
            f"{WITH}B = 1\nA = {{ value = true, alarm = {{ attribute = 'B', above = 1 }} }}",
            6,
            "objects[1].attributes.A.value",
            "which makes it true; leave it out",
        ),
        (
            f"{WITH}'a.acked' = true\nA = {{ alarm = {{}} }}",
            5,
            'objects[1].attributes."a.acked"',
            "the alarm 'A' needs for itself",
        ),
    ],
)
def test_what_is_wrong_with_an_attribute_is_said_with_file_line_and_key(
    folder, text, line, key, words
):
    error = refused(folder, text)
    assert words in error.reason
    assert (error.line, error.key) == (line, key)
