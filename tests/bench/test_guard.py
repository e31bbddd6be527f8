"""What the guard decides about figures."""

from __future__ import annotations

from bench.guard import MARGIN, PYTHON, compare, faster, judged, unguarded, updated


def test_what_takes_longer_than_the_margin_allows_is_slower() -> None:
    baseline = {"decode": 2.0, "encode": 4.0}
    found = {"decode": 2.0 * MARGIN * 1.01, "encode": 4.0 * MARGIN * 0.99}
    assert [each.name for each in compare(baseline, found) if each.slower()] == ["decode"]


def test_what_has_become_faster_is_fine() -> None:
    assert not any(each.slower() for each in compare({"decode": 2.0}, {"decode": 0.5}))


def test_a_case_that_is_only_on_one_side_is_named_and_fails() -> None:
    baseline = {"decode": 1.0, "gone": 1.0}
    found = {"decode": 1.0, "new": 1.0}
    assert unguarded(baseline, found) == ["gone", "new"]
    good, said = judged("compiled", baseline, found)
    assert not good
    assert [line.split()[1] for line in said] == ["gone", "new"]


def test_a_slower_figure_fails_with_a_line_that_says_how_much() -> None:
    good, said = judged("compiled", {"decode": 1.0, "encode": 1.0}, {"decode": 1.5, "encode": 1.0})
    assert not good
    assert said == [
        "compiled: slower: decode: 1.500 of its reference, was 1.000, 1.50 times as long "
        f"(at most {MARGIN:g})"
    ]


def test_what_holds_passes_and_says_how_near_it_came() -> None:
    good, said = judged("compiled", {"decode": 1.0, "encode": 2.0}, {"decode": 1.1, "encode": 2.0})
    assert good
    assert said[0].startswith("compiled: 2 figures hold; nearest to the margin is decode: 1.100")


def test_a_python_without_a_baseline_passes_and_is_told_so() -> None:
    good, said = judged("compiled", {}, {"decode": 1.0})
    assert good
    assert f"no baseline for Python {PYTHON}" in said[0]


def test_an_update_leaves_other_columns_and_versions_of_python_alone() -> None:
    known = {"2.7": {"compiled": {"decode": 9.0}}, PYTHON: {"interpreted": {"decode": 1.0}}}
    assert updated(known, "compiled", {"decode": 1.23456}) == {
        "2.7": {"compiled": {"decode": 9.0}},
        PYTHON: {"interpreted": {"decode": 1.0}, "compiled": {"decode": 1.2346}},
    }


def test_of_two_measurements_the_faster_one_of_each_figure_counts() -> None:
    found = faster({"decode": 1.0, "encode": 3.0}, {"decode": 2.0, "encode": 1.5})
    assert found == {"decode": 1.0, "encode": 1.5}
