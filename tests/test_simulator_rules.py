"""docs/simulator-rules.md says what is so: each rule names its tests, which have its words."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SIMULATOR = ROOT / "src" / "zb_mom_ww_mxgateway_sim"
DOCUMENT = (ROOT / "docs" / "simulator-rules.md").read_text(encoding="utf-8")

MARKS = {"stated", "seen live", "decided"}
#: How the code marks a decision.
DECISION = re.compile(r"\bD:|\(D\)|# D$", re.M)
#: Of words with more than three letters, those that any two sentences may share.
COMMON = {
    *("after", "also", "been", "before", "does", "each", "from", "have", "into", "once", "only"),
    *("other", "such", "than", "that", "their", "them", "then", "there", "they", "this", "until"),
    *("what", "when", "where", "which", "with"),
}


@dataclass(frozen=True)
class Rule:
    """A row of a table of rules."""

    text: str
    mark: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return self.text[:60]


def rows(header: str) -> list[list[str]]:
    """The cells of every row of the tables with that header."""
    found: list[list[str]] = []
    for table in re.findall(rf"^{re.escape(header)}\n\|[-|]+\n((?:\|.*\n)*)", DOCUMENT, re.M):
        lines = table.splitlines()
        found += [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return found


RULES = [
    Rule(text, mark, tuple(re.findall(r"`([^`]+)`", tests)))
    for text, mark, tests in rows("| rule | mark | tests |")
]


def words(text: str) -> set[str]:
    """What a sentence is about: its numbers, and its words that are not in every other one."""
    plain = re.sub(r"(?<=\d),(?=\d)", "", text.lower())
    found = set(re.findall(r"[a-z0-9]+", plain)) - COMMON
    return {word for word in found if word.isdigit() or len(word) > 3}


@cache
def said(file: str) -> dict[str, str]:
    """Name and docstring of every test of a file below tests/, by the name."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return {}
    return {
        node.name: f"{node.name} {ast.get_docstring(node) or ''}".replace("_", " ")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def held(rule: Rule) -> set[str]:
    """The words of a rule that its tests have in their names and docstrings.

    Raises:
        LookupError: There is no such test, or it has none of the words.
    """
    found: set[str] = set()
    for test in rule.tests:
        file, _, name = test.partition("::")
        if name not in said(file):
            raise LookupError(f"there is no test {test}")
        shared = words(said(file)[name]) & words(rule.text)
        if not shared:
            raise LookupError(f"{test} has none of the words of its rule")
        found |= shared
    return found


def test_there_are_rules_in_every_section() -> None:
    headings = re.findall(r"^## (.+)$", DOCUMENT, re.M)
    assert headings[-2:] == ["Decisions", "Not simulated"]
    sections = re.split(r"^## .+$", DOCUMENT, flags=re.M)[1:-2]
    assert all("| rule | mark | tests |\n" in section for section in sections)
    assert len(RULES) == sum(section.count("\n| ") - 1 for section in sections) > 100


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_every_word_of_a_rule_is_in_the_name_or_docstring_of_a_test_of_it(rule: Rule) -> None:
    assert rule.tests
    assert set(rule.mark.split(", ")) <= MARKS
    assert words(rule.text) - held(rule) == set()


def test_a_test_that_is_not_there_or_of_something_else_is_noticed() -> None:
    rule = next(rule for rule in RULES if rule.tests[0].startswith("sim/test_leases.py::"))
    other = "sim/test_tls.py::test_a_key_of_another_certificate_is_refused"
    for wrong in ("sim/test_leases.py::test_made_up", "sim/test_made_up.py::test_leases", other):
        with pytest.raises(LookupError, match=re.escape(wrong)):
            held(Rule(rule.text, rule.mark, (*rule.tests, wrong)))
    longer = Rule(f"{rule.text}, and weekly", rule.mark, rule.tests)
    assert words(longer.text) - held(longer) == {"weekly"}


def test_every_decision_in_the_code_is_listed_with_its_module() -> None:
    listed = Counter(
        module.strip("`") for module, _ in rows("| module | what the simulator does |")
    )
    made = {
        path.relative_to(SIMULATOR).as_posix(): len(DECISION.findall(path.read_text("utf-8")))
        for path in SIMULATOR.rglob("*.py")
    }
    assert listed == {module: count for module, count in made.items() if count}
