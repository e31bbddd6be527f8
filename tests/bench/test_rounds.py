"""Rounds, their figures, and what the parts make of them."""

from __future__ import annotations

import pytest

from bench.peers.loop import Timed
from bench.results import a_second, line
from bench.rounds import Figure, Measured, Plan, alternate


class Steady:
    """Takes the same time for each call, and writes down its turns."""

    def __init__(self, name: str, seconds: float, turns: list[str]) -> None:
        self.name = name
        self._seconds = seconds
        self._turns = turns

    def run(self, times: int) -> Timed:
        self._turns.append(self.name)
        return Timed(times * self._seconds, [self._seconds] * times)


def test_each_round_has_all_workers_and_begins_with_another_one() -> None:
    turns: list[str] = []
    workers = [Steady(name, 1.0, turns) for name in "abc"]
    alternate(workers, Plan(rounds=4, seconds=1.0))
    assert "".join(turns[-12:]) == "abcbcacababc"


def test_a_round_takes_about_as_long_as_planned() -> None:
    measured = alternate([Steady("a", 0.001, [])], Plan(rounds=2, seconds=0.3))
    assert len(measured.each["a"]) == 2 * 300
    assert measured.seconds["a"] == pytest.approx([0.001, 0.001])


def test_the_share_of_the_server_is_of_the_time_of_all_workers() -> None:
    readings = iter([10.0, 10.5])
    workers = [Steady("a", 0.25, []), Steady("b", 0.25, [])]
    measured = alternate(workers, Plan(rounds=1, seconds=1.0), lambda: next(readings))
    assert measured.server == pytest.approx(0.25)


def test_a_speed_is_the_median_of_pairs_not_a_ratio_of_medians() -> None:
    # Noise hits both in the same round: each pair says twice as fast, whatever the medians are.
    measured = Measured({"compiled": [1, 5, 2], "protobuf": [2, 10, 4]}, {}, None)
    assert measured.speed("compiled", "protobuf") == Figure(2, 2, 2)


def test_percentiles_are_those_of_single_calls() -> None:
    measured = Measured({}, {"a": [each / 1000 for each in range(1, 102)]}, None)
    assert measured.percentile("a", 50) == pytest.approx(0.051)
    assert measured.percentile("a", 99) == pytest.approx(0.100)


def test_a_line_has_speeds_for_ours_only() -> None:
    seconds = {"interpreted": [0.4], "protobuf": [0.1], "betterproto": [4.0]}
    made = line("codec", "decode", "calls/s", Measured(seconds, {}, None), a_second())
    assert {name: each.median for name, each in made.figures.items()} == pytest.approx(
        {"interpreted": 2.5, "protobuf": 10, "betterproto": 0.25}
    )
    assert {name: each.median for name, each in made.speeds.items()} == pytest.approx(
        {"interpreted": 0.25}
    )
