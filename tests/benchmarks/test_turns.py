"""Calls are made in turn, in a new random order in every round."""

import itertools
from collections import Counter

import numpy as np
import pytest

from benchmarks.measure.programs import call_in_turn
from benchmarks.measure.sweep.timing import visit_in_turn

NAMES = ("loss", "lower bound", "peer")


def noted_in(made):
    """Calls that note down their names."""
    return {name: lambda name=name: made.append(name) for name in NAMES}


def rounds(n_rounds, seed=0):
    """The names of every round, in the order of the calls, and all samples."""
    made = []
    order = np.random.default_rng(seed)
    samples = call_in_turn(noted_in(made), order, seconds=60, most=n_rounds)
    return list(zip(*[iter(made)] * len(NAMES), strict=True)), samples


def test_every_round_makes_every_call_once():
    found, samples = rounds(7)
    assert len(found) == 7
    assert all(sorted(names) == sorted(NAMES) for names in found)
    assert {name: len(seconds) for name, seconds in samples.items()} == dict.fromkeys(NAMES, 7)
    assert min(samples["loss"]) > 0


def test_the_least_number_of_rounds_is_called_however_long_it_takes():
    samples = call_in_turn(noted_in([]), np.random.default_rng(0), seconds=0, most=7)
    assert len(samples["loss"]) == 5


@pytest.mark.parametrize("position", range(len(NAMES)))
def test_every_call_has_every_position_about_equally_often(position):
    found, _ = rounds(600)
    counts = Counter(names[position] for names in found)
    assert all(150 <= counts[name] <= 250 for name in NAMES), counts  # 200, deviation 12


def test_a_seed_draws_the_same_orders_again():
    assert rounds(20)[0] == rounds(20)[0]
    assert rounds(20)[0] != rounds(20, seed=1)[0]


def test_samples_belong_to_their_call_and_round(monkeypatch):
    monkeypatch.setattr("benchmarks.measure.programs.clock", lambda call: call())
    calls = {name: numbered_calls(name) for name in NAMES}
    samples = call_in_turn(calls, np.random.default_rng(0), seconds=60, most=50)
    for name in NAMES:
        assert samples[name] == [(name, at) for at in range(50)]


def numbered_calls(name):
    """A call that returns its name and how often it was called before."""
    times = itertools.count()
    return lambda: (name, next(times))


def test_visits_go_round_all_programs_in_orders_of_their_own(monkeypatch):
    visits = []

    def visited(calls, *_, **__):
        visits.append(calls["loss"]())
        return {name: [1.0] for name in calls}

    monkeypatch.setattr("benchmarks.measure.sweep.timing.call_in_turn", visited)
    programs = {name: {"loss": lambda name=name: name, "bound": None} for name in ("one", "two")}
    found = visit_in_turn(programs, np.random.default_rng(0))
    assert {len(samples) for of_one in found.values() for samples in of_one.values()} == {10}
    rounds = np.array(visits).reshape(10, 2)
    assert {tuple(sorted(programs)) for programs in rounds} == {("one", "two")}
    assert set(rounds[:, 0]) == {"one", "two"}
