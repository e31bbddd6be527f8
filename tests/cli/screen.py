"""What somebody sees of a terminal's output: enough of a terminal for lines that are drawn anew."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

#: A sequence with its numbers and letter, or one character.
_PART: Final = re.compile(r"\x1b\[\??([0-9;]*)([A-Za-z])|(.)", re.DOTALL)


def screen_lines(output: str, columns: int) -> Sequence[str]:
    """The lines that stand at the end, those that have scrolled away among them."""
    lines, row, column = [[" "] * columns], 0, 0
    for numbers, letter, character in _PART.findall(output):
        if letter == "A":
            row = max(0, row - int(numbers or 1))
        elif letter == "K":
            lines[row][0 if numbers == "2" else column :] = [" "] * (
                columns if numbers == "2" else columns - column
            )
        elif letter:
            assert letter in "mhl", f"what is a sequence that ends in {letter}?"
        elif character == "\r":
            column = 0
        else:
            # The last column is left only when one more character comes.
            if character == "\n" or column == columns:
                row, column = row + 1, 0 if character != "\n" else column
                if row == len(lines):
                    lines.append([" "] * columns)
            if character != "\n":
                lines[row][column] = character
                column += 1
    return ["".join(line).rstrip() for line in lines]
