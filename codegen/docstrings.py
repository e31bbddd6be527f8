"""The contract's comments as docstrings: wrapped, escaped, between triple quotes."""

from __future__ import annotations

import re
import textwrap

_WIDTH = 100
#: A line that means something where it stands: indented, of a list, a heading or a table.
_KEPT = re.compile(r"\s|[-*+#|]|\d+[.)]|Args:|Returns:|$")

#: A quote at the end of a line that an odd number of backslashes stands in front of.
_ESCAPED_QUOTE = re.compile(r'(?<!\\)(\\\\)*\\"$')


def docstring(text: str, indent: int = 4) -> str:
    """``text`` between triple quotes, wrapped, for a body that is indented by ``indent``."""
    escaped = [_escaped(line) for line in _wrapped(text, _WIDTH - indent - 3)]
    # A quote beside the quotes around the text would be taken for one of them.
    if escaped[0].startswith('"'):
        escaped[0] = f"\\{escaped[0]}"
    if escaped[-1].endswith('"') and not _ESCAPED_QUOTE.search(escaped[-1]):
        escaped[-1] = f'{escaped[-1][:-1]}\\"'
    body = ("\n" + " " * indent).join(escaped)
    body = "\n".join(line.rstrip() for line in body.split("\n"))
    one_line = f'"""{body}"""'
    if len(escaped) == 1 and indent + len(one_line) <= _WIDTH:
        return one_line
    return f'"""{body}\n{" " * indent}"""'


def _escaped(line: str) -> str:
    plain = line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in plain)


def _wrapped(text: str, width: int) -> list[str]:
    """Paragraphs filled anew; one with indented lines or a list keeps its lines."""
    lines: list[str] = []
    for paragraph in text.strip("\n").split("\n\n"):
        kept = paragraph.splitlines()
        if not any(_KEPT.match(line) for line in kept):
            kept = [" ".join(kept)]
        for line in kept:
            margin = line[: len(line) - len(line.lstrip())]
            lines += textwrap.wrap(
                line, width, subsequent_indent=margin, break_on_hyphens=False
            ) or [""]
        lines.append("")
    return lines[:-1]


def entry(text: str, *, hang: int = 4) -> str:
    """An entry below ``Args:`` or ``Returns:``, its later lines indented by ``hang`` more."""
    return "\n".join(
        textwrap.wrap(
            " ".join(text.split()),
            _WIDTH - 12,
            initial_indent="    ",
            subsequent_indent=" " * (4 + hang),
            break_long_words=False,
        )
    )
