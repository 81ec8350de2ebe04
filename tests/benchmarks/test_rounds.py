"""Rounds: a fresh process a side, in a drawn order, into a file that is always whole."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.catalog.cases import case
from benchmarks.measure.environment import CHOICES
from benchmarks.measure.programs import CompilePhases
from benchmarks.rounds import process, run
from benchmarks.rounds import sides as sides_of
from benchmarks.rounds.counting import count
from benchmarks.rounds.process import Request
from benchmarks.rounds.run import Plan, run_rounds
from benchmarks.rounds.sides import PreparedSide
from benchmarks.schema.files import reserved
from benchmarks.schema.rounds import Side, SideError, Stage
from reports.commits.reading import read_times
from tests.scratch import ROOT, git

PROGRAM = "simpson:value_and_grad"
TIME = {
    "benchmark": PROGRAM, "n_cells": 4096, "device": "cpu", "metric": "call_seconds",
    "seconds": 0.5, "ratio": 2.0,
}  # fmt: skip
ANSWER = {"times": [TIME], "failures": {}, "versions": {"jax": "0.10.2", "jaxlib": "0.10.2"}}
ALL = Plan(Stage.FIRST, 8, None, None, minutes=1)


class Answering(PreparedSide):
    """A side whose processes answer without measuring, and note that they were asked."""

    asked: list = []  # noqa: RUF012, all sides note in one list

    def run(self, *arguments, given=""):
        self.asked.append((self.side, json.loads(given)))
        return json.dumps(ANSWER)


def description(commit):
    return {
        "commit": commit, "tree": "d" * 40, "jax": None, "program": "c" * 40, "changes": None,
        "lower_bounds": "ab", "choices": {},
    }  # fmt: skip


@pytest.fixture
def sides(monkeypatch):
    monkeypatch.setattr(Answering, "asked", [])
    return [Answering(side, "a" * 40, description("a" * 40), Path(side)) for side in Side]


def asked_of(sides):
    """The sides in the order in which their processes ran, without those that fill folders."""
    return [side for side, request in sides[0].asked if request["compiled"] != []]


def test_every_round_has_a_process_a_side_in_an_order_of_its_own(tmp_path, sides):
    run_rounds(tmp_path / "rounds.json", sides, ALL._replace(number=30))
    rounds = np.array(asked_of(sides)).reshape(30, 2)
    assert {tuple(sorted(pair)) for pair in rounds} == {("base", "head")}
    assert 3 <= (rounds[:, 0] == "base").sum() <= 27
    assert len({request["seed"] for _, request in sides[0].asked}) > 50
    times = read_times(tmp_path).times
    assert len(times) == 60
    assert times.groupby(["side", "round"]).size().eq(1).all()


def test_a_stage_goes_on_where_it_stopped_and_another_begins(tmp_path, sides):
    path = tmp_path / "rounds.json"
    run_rounds(path, sides, ALL._replace(number=3))
    run_rounds(path, sides, ALL._replace(number=5))
    assert len(asked_of(sides)) == 10
    run_rounds(path, sides, Plan(Stage.AGAIN, 2, (), (PROGRAM,), minutes=1))
    times = read_times(tmp_path).times
    assert times.groupby("stage").size().to_dict() == {"first": 10, "again": 4}
    assert sides[0].asked[-1][1]["called"] == [PROGRAM]


def test_other_commits_begin_a_file_of_their_own_and_are_named(tmp_path, sides, capsys):
    path = tmp_path / "rounds.json"
    run_rounds(path, sides, ALL._replace(number=3))
    other = sides[1]._replace(description=description("b" * 40), commit="b" * 40)
    run_rounds(path, [sides[0], other], ALL._replace(number=1))
    assert len(read_times(tmp_path).times) == 2
    assert "starts over, since head.commit is 'bbbb" in capsys.readouterr().err


def test_no_round_begins_after_the_time(tmp_path, sides):
    run_rounds(tmp_path / "rounds.json", sides, ALL._replace(minutes=0))
    assert asked_of(sides) == []


@pytest.fixture
def clock(monkeypatch):
    """A clock that every process moves by ten seconds."""
    now = [0.0]

    def measured(self, *_, **__):
        self.asked.append((self.side, {"compiled": None}))
        now[0] += 10
        return json.dumps(ANSWER)

    monkeypatch.setattr(Answering, "run", measured)
    monkeypatch.setattr(run.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(("fewest", "n_held"), [(1, 4), (4, 4), (5, 1)])
def test_rounds_are_planned_by_the_seconds_of_the_first(tmp_path, sides, clock, fewest, n_held):
    """The processes that fill the folders take 20 seconds, and a round as many."""
    planned = ALL._replace(minutes=1.9, fewest=fewest)
    run_rounds(tmp_path / "rounds.json", sides, planned)
    found = read_times(tmp_path)
    assert found.times["round"].nunique() == n_held
    assert found.seconds == {"first": [20.0] * n_held}
    assert clock[0] <= 60 * planned.minutes


def test_an_interrupt_leaves_whole_rounds(tmp_path, sides, monkeypatch):
    path = tmp_path / "rounds.json"
    run_rounds(path, sides, ALL._replace(number=2))
    monkeypatch.setattr(Answering, "run", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_rounds(path, sides, ALL)
    assert len(read_times(tmp_path).times) == 4


class Counting(PreparedSide):
    """A side whose process writes a sweep that names the commit of whatever lies around it."""

    def run(self, *arguments, given=""):
        found = {"environment": {"commit": "e" * 40, "dirty": True, "changes": "ab"}}
        Path(arguments[-1]).write_text(json.dumps({**found, "records": [str(self.side)]}))
        return ""


def test_counters_say_of_which_commits_they_are(tmp_path):
    sides = [
        Counting(side, letter * 40, description(letter * 40), tmp_path / side)
        for side, letter in zip(Side, "ab", strict=True)
    ]
    for side in sides:
        side.folder.mkdir()
    count(tmp_path / "counters.json", sides)
    content = json.loads((tmp_path / "counters.json").read_text())
    assert content["sides"] == {side.side: side.description for side in sides}
    for side in sides:
        sweep = content["sweeps"][side.side]
        assert sweep["records"] == [side.side]
        assert sweep["environment"] == {"commit": side.commit, "dirty": False, "changes": None}


def test_rounds_say_what_measures_them_again_after_what_the_environment_chose(
    tmp_path, sides, monkeypatch
):
    for name in CHOICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DIFFBIO_BENCH_LOSSES", "shannon,simpson")
    flags = "--xla_cpu_enable_fast_math=false --xla_force_host_platform_device_count=1"
    monkeypatch.setenv("XLA_FLAGS", flags)
    whole = "python -m reports compare aaaaaaaa bbbbbbbb --minutes 5"
    run_rounds(tmp_path / "rounds.json", sides, ALL._replace(number=1, command=whole))
    chosen = f"DIFFBIO_BENCH_LOSSES=shannon,simpson XLA_FLAGS='{flags}'"
    assert read_times(tmp_path).environment["command"] == f"{chosen} {whole}"


@pytest.mark.parametrize("command", ["counters", "rounds"])
def test_two_runs_do_not_prepare_their_sides_in_one_folder(tmp_path, monkeypatch, command):
    monkeypatch.setattr("benchmarks.rounds.sides.prepare", lambda *_: pytest.fail("prepared"))
    with reserved(tmp_path / "sides"):
        found = CliRunner().invoke(main, [command, "HEAD", "HEAD", f"--folder={tmp_path}"])
    assert found.exit_code == 2
    assert found.stderr == f"{tmp_path / 'sides'}: another run is writing it\n"


def test_a_process_that_dies_is_named_with_its_reason(tmp_path, sides):
    interpreter = tmp_path / "environment" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    (tmp_path / "suite").mkdir()
    interpreter.write_text(
        "#!/bin/sh\necho Traceback >&2; echo ImportError: no such loss >&2; exit 1\n"
    )
    interpreter.chmod(0o755)
    dying = PreparedSide(Side.HEAD, "a" * 40, description("a" * 40), tmp_path)
    with pytest.raises(SideError, match=r"head aaaaaaaa cannot be measured: ImportError: no such"):
        run_rounds(tmp_path / "rounds.json", [sides[0], dying], ALL)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(process, "CALLED_CELLS", 64)
    monkeypatch.setattr(process, "COMPILED_CELLS", 64)


@pytest.mark.usefixtures("small")
def test_a_process_compiles_and_calls_what_it_is_asked_for(tmp_path):
    request = Request(str(tmp_path), 0, compiled=[PROGRAM], called=["shannon:value_and_grad"])
    found = process.response_to(request)
    figures = {(time.benchmark, time.metric) for time in found.times}
    assert figures == {
        (PROGRAM, "cold_compile_seconds"), ("shannon:value_and_grad", "call_seconds"),
    }  # fmt: skip
    assert all(time.seconds > 0 and time.ratio > 0 for time in found.times)
    assert any((tmp_path / "programs").iterdir())


@pytest.mark.usefixtures("small")
def test_a_compilation_takes_all_its_phases_and_a_call_its_median(tmp_path, monkeypatch):
    phases = CompilePhases(1.0, 2.0, 4.0, None)
    monkeypatch.setattr(process, "compile_cold", lambda _: phases)
    monkeypatch.setattr(
        process,
        "visit_in_turn",
        lambda calls, *_, **__: {name: {"loss": [3.0, 9.0, 6.0], "bound": [1.0, 2.0, 3.0]}
                                 for name in calls},
    )  # fmt: skip
    compiled, called = process.response_to(Request(str(tmp_path), 0, [PROGRAM], [PROGRAM])).times
    assert (compiled.metric, compiled.seconds, compiled.ratio) == ("cold_compile_seconds", 7.0, 1.0)
    assert (called.metric, called.seconds, called.ratio) == ("call_seconds", 6.0, 3.0)


@pytest.mark.usefixtures("small")
def test_a_program_that_raises_does_not_take_the_others_with_it(tmp_path):
    request = Request(
        str(tmp_path), 0, compiled=["no_loss:value", PROGRAM], called=["no_loss:value"]
    )
    found = process.response_to(request)
    assert [time.benchmark for time in found.times] == [PROGRAM]
    assert "no_loss" in found.failures["no_loss:value"]


def test_kept_cells_are_the_cells(tmp_path):
    one = case("combined")
    first, second = (process.kept_inputs(one, 64, tmp_path / "cells.npz") for _ in range(2))
    expected = one.make_inputs(64)
    assert set(first) == set(second) == set(expected)
    for name, array in expected.items():
        for found in (first, second):
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)


def written(path):
    path.parent.mkdir(parents=True)
    path.write_text("bounds")


def test_a_side_is_prepared_by_its_full_name_whatever_names_it(tmp_path, monkeypatch):
    for name in ("_extract", "_install", "_take_suite"):
        monkeypatch.setattr(sides_of, name, lambda folder, *_: None)
    monkeypatch.setattr(sides_of, "_extract", lambda _, folder: folder.mkdir(parents=True))
    bounds = tmp_path / "base" / "suite" / sides_of._BOUNDS
    monkeypatch.setattr(sides_of, "_take_suite", lambda _: written(bounds))
    side = sides_of.prepare(Side.BASE, "HEAD", tmp_path / "base", None)
    names = [git(ROOT, "rev-parse", name) for name in ("HEAD", "HEAD^{tree}")]
    assert [side.commit, side.description["tree"]] == names
    assert side.description["commit"] == side.commit
