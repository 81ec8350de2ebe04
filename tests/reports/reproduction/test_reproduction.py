"""A report is reproduced if all that is expected agrees; everything else that differs informs."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from reports.__main__ import main
from reports.reproduction.judge import judge_reproduction
from reports.reproduction.text import reproduction_text
from reports.rules.verdicts import Answer
from reports.sources.sweep_file import read_sweep
from tests.reports.reproduction.reproducing import (
    DIGESTS,
    OTHER_CODE,
    OTHER_MACHINE,
    judged,
    measurements,
    publication,
)
from tests.reports.written import record, sweep


def row(found, metric):
    return found.rows[found.rows["metric"] == metric].iloc[0]


@pytest.mark.parametrize(
    ("change", "metric", "where", "expected"),
    [
        ({}, "value", {}, "met"),
        ({"value": -0.5000001}, "value", {}, "not met"),
        ({"value": -0.5000001}, "value", OTHER_MACHINE, "met"),
        ({"value": -0.500006}, "value", OTHER_MACHINE, "not met"),
        ({"value": -0.500006}, "value", OTHER_CODE, "not met"),
        ({"result_digest": "00"}, "result_digest", {}, "not met"),
        ({"result_digest": "00"}, "result_digest", OTHER_MACHINE, "not expected"),
        ({"value": -0.5000001}, "value", {"cores": 8}, "met"),
        ({"flops": 101.0}, "flops", OTHER_MACHINE, "not met"),
        ({"flops": 101.0}, "flops", OTHER_CODE, "not expected"),
        ({"hlo_fingerprint": "00"}, "hlo_fingerprint", OTHER_MACHINE, "not met"),
        ({"hlo_fingerprint": "00"}, "hlo_fingerprint", {"cores": 8}, "not expected"),
        ({"value_error": 9e-6}, "value_error", {}, "met"),
        ({"value_error": 2e-5}, "value_error", OTHER_CODE, "not met"),
        ({"seconds": 1.0}, "call_seconds", {}, "not expected"),
    ],
)
def test_a_measurement_agrees_as_expected_or_does_not(tmp_path, change, metric, where, expected):
    found = judged(tmp_path, measurements(**change), **where)
    assert row(found, metric)["outcome"] == expected
    assert found.answer == (Answer.FAILS if expected == "not met" else Answer.PASSES)


@pytest.mark.parametrize("where", [{}, OTHER_MACHINE, OTHER_CODE])
def test_what_is_missing_or_failed_is_not_as_expected(tmp_path, where):
    then = [*measurements(), *measurements("simpson")]
    lost = judged(tmp_path, measurements(), then, **where)
    assert set(lost.not_met["benchmark"]) == {"simpson:value_and_grad"}
    assert set(lost.not_met["reason"]) == {"missing now"}
    for status in ("failed", "skipped"):
        mark = record("simpson", "value", None, status=status, detail="Boom")
        marked = judged(tmp_path, [*measurements(), mark], then, **where)
        assert len(marked.not_met) == len(lost.not_met) >= 3
        assert set(marked.not_met["reason"]) == {f"{status} now: Boom"}
        assert lost.answer == marked.answer == Answer.FAILS


def test_what_a_device_would_measure_that_is_absent_is_not_expected_here(tmp_path):
    then = [*measurements(), record("simpson", "value_error", 1e-7, device="gpu")]
    skip = record("simpson", "value", None, device="gpu", status="skipped", detail="no gpu")
    found = judged(tmp_path, [*measurements(), skip], then)
    assert row(found, "value_error")["outcome"] == "met"
    (skipped,) = found.rows.query("device == 'gpu' and metric == 'value_error'").itertuples()
    assert (skipped.outcome, skipped.reason) == ("not expected", "skipped here: no gpu")
    assert found.answer == Answer.PASSES
    present = judged(tmp_path, [*measurements(), skip], then, devices=["gpu: H100"], **OTHER_CODE)
    assert set(present.not_met["reason"]) == {"skipped now: no gpu"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"losses": ["simpson"]}, "losses without shannon"),
        ({"n_cells": [64]}, "n_cells without 256"),
        ({"tier": "smoke"}, "tier is 'smoke', was 'standard'"),
    ],
)
def test_a_sweep_that_was_asked_for_less_than_the_report_is_no_verdict(tmp_path, asked, said):
    scope = {"tier": "standard", "losses": ["shannon"], "n_cells": [256]}
    code, _ = told(tmp_path, measurements("simpson"), published=scope, **{**scope, **asked})
    assert (code, said in (tmp_path / "err").read_text()) == (2, True)
    more = {**scope, "losses": ["shannon", "simpson"], "n_cells": [64, 256]}
    both = [*measurements(), *measurements("simpson")]
    assert told(tmp_path, both, published=scope, **more)[0] == 0


@pytest.mark.parametrize("change", [{"jax_enable_x64": True}, {"jax_disable_jit": True}])
def test_other_settings_of_jax_are_no_disagreement(tmp_path, change):
    now = measurements(value_error=1e-3, flops=101.0, value=-0.6)
    code, (headline, *_) = told(tmp_path, now, **change)
    assert code == 2
    assert f"{next(iter(change))} is True, was False" in headline


def test_a_measurement_that_stands_twice_is_no_verdict(tmp_path):
    code, _ = told(tmp_path, [*measurements(), record("shannon", "value", -0.5)])
    assert (code, "measurements stand twice" in (tmp_path / "err").read_text()) == (2, True)


def test_what_was_not_measured_or_not_within_its_tolerance_then_is_not_expected_to_agree(tmp_path):
    skip = record("simpson", "value", None, status="skipped", detail="no room")
    then = [*measurements(value_error=1e-3), skip]
    found = judged(tmp_path, [*measurements(value_error=1e-2), *measurements("simpson")], then)
    assert row(found, "value_error")["reason"] == "not within its tolerance then"
    reasons = found.rows[found.rows["benchmark"] == "simpson:value_and_grad"]["reason"]
    assert set(reasons) == {"not measured then", "not published"}
    assert found.answer == Answer.PASSES


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("clusters 256", {}, "not expected"),
        ("clusters 1024", {}, "identical bits"),
        ("real 700", {}, "identical bits"),
        ("real 700", {"source": "real", "n_cells": 700}, "not expected"),
        ("clusters 256", {"source": "real", "n_cells": 256}, "identical bits"),
    ],
)
def test_values_of_other_cells_are_not_expected_to_agree(tmp_path, name, place, expected):
    records = [record("shannon", "value", -0.5, **place)]
    found = judged(tmp_path, records, records, digests={**DIGESTS, name: "00"})
    assert row(found, "value")["expectation"] == expected
    assert found.differing_data == [name]


@pytest.mark.parametrize(("where", "n_not_met"), [({}, 1), (OTHER_CODE, 0)])
def test_a_data_set_that_is_missing_does_not_agree(tmp_path, where, n_not_met):
    fewer = {name: digest for name, digest in DIGESTS.items() if name != "real 700"}
    found = judged(tmp_path, measurements(), digests=fewer, **where)
    assert list(found.not_met["benchmark"]) == ["real 700"] * n_not_met
    assert found.differing_data == []


def test_time_ratios_are_quartiles_of_times_over_those_then(tmp_path):
    factors = {"shannon": 1.0, "simpson": 2.0, "velocity": 4.0}
    then = [row for loss in factors for row in measurements(loss)]
    now = [row for loss, f in factors.items() for row in measurements(loss, 0.01 * f)]
    found = {
        metric: row.tolist() for metric, row in judged(tmp_path, now, then).time_ratios.iterrows()
    }
    assert found["lower_bound_seconds"] == pytest.approx([3, 1.5, 2, 3])
    assert found["call_seconds"] == pytest.approx([3, 1.5, 2, 3])
    assert found["lower_bound_ratio"] == found["compile_seconds"] == [3, 1, 1, 1]


def told(tmp_path, now, then=None, *, published=None, **again):
    """Exit code and paragraphs of the command; its errors are in the file ``err``."""
    (tmp_path / "then").mkdir(exist_ok=True)
    publication(tmp_path / "then", then or measurements(), **(published or {}))
    results = sweep(tmp_path / "again.json", now, **{"digests": DIGESTS, **again})
    result = CliRunner().invoke(main, ["reproduce", str(tmp_path / "then"), f"--results={results}"])
    assert "Traceback" not in result.stderr
    (tmp_path / "err").write_text(result.stderr)
    return result.exit_code, result.stdout.split("\n\n")


def test_another_machine_that_is_twice_as_slow_reproduces(tmp_path):
    code, (headline, *parts) = told(tmp_path, measurements(seconds=0.02), **OTHER_MACHINE)
    assert (code, headline) == (
        0,
        "Reproduced: all 6 measurements that are expected to agree do; "
        "not expected to agree here: 8 (4: another instruction set: vector_extensions with "
        "avx512f; 4: times and peaks inform); "
        "this machine is 2.00 x slower by its lower bounds.",
    )
    assert "another instruction set" in parts[0]
    assert not any("git worktree" in part for part in parts)


@pytest.mark.parametrize(("seconds", "said"), [(0.01, "as fast"), (0.004, "2.50 x faster")])
def test_the_headline_says_how_fast_the_machine_is(tmp_path, seconds, said):
    _, (headline, *_) = told(tmp_path, measurements(seconds=seconds))
    assert f"this machine is {said} by its lower bounds" in headline


def test_data_that_differ_are_told_before_anything_else(tmp_path):
    other = {**DIGESTS, "clusters 256": "00", "real 200": "dd"}
    code, (headline, data, *_) = told(
        tmp_path, measurements(value=-0.7, result_digest="00"), digests=other, **OTHER_MACHINE
    )
    assert code == 0
    assert headline.startswith("Reproduced, on other data (1 of 3 data sets differ): ")
    assert data.startswith("Data sets that differ: clusters 256.\n")
    code, (headline, *_) = told(tmp_path, measurements(), digests=other)
    assert code == 1
    assert headline.startswith("Not reproduced, on other data (1 of 3 data sets differ): ")
    assert "first: the cells clusters 256" in headline


def test_what_does_not_agree_is_named_and_the_rest_is_in_the_table(tmp_path):
    losses = ("shannon", "simpson", "velocity", "compactness", "combined")
    then = [row for loss in losses for row in measurements(loss)]
    code, (headline, _, table, *parts) = told(tmp_path, measurements(value=-0.51), then)
    assert code == 1
    assert headline.startswith(
        "Not reproduced: 29 of 38 measurements that are expected to agree do not"
    )
    assert "within tolerance    2        8" in table
    differing = next(part for part in parts if "missing now" in part)
    assert len(differing.splitlines()) == 22
    assert differing.endswith("and 9 more")
    rows = (tmp_path / "again.csv").read_text().splitlines()
    assert sum(",not met," in row for row in rows) == 29
    assert len(rows) == 1 + len(DIGESTS) + len(then)


def test_a_value_that_does_not_agree_is_told_then_and_now(tmp_path):
    _, (headline, *_) = told(tmp_path, measurements(value=-0.5000001))
    assert "first: value of shannon:value_and_grad at 256 simulated cells, " in headline
    assert "-0.5 then, -0.5000001 now" in headline


def test_other_code_informs_and_the_reports_own_code_is_one_recipe_away(tmp_path):
    changed = measurements(flops=101.0, hlo_fingerprint="00")
    code, (headline, *parts) = told(tmp_path, changed, **OTHER_CODE)
    assert code == 0
    assert headline.endswith("the code is not the report's.")
    assert any(f"git worktree add --detach ../diffbio-00000000 {'0' * 40}" in p for p in parts)


@pytest.mark.parametrize("environment", [{"commit": None}, {"changes": "abc"}])
def test_code_that_is_no_commit_has_no_recipe(tmp_path, environment):
    report = publication(tmp_path, measurements(), **environment)
    again = read_sweep(sweep(tmp_path / "again.json", measurements()))
    text = reproduction_text(judge_reproduction(report.sweep, again), report, again)
    assert "it cannot be checked out" in text
    assert "git worktree" not in text


def test_nothing_comparable_is_no_verdict(tmp_path):
    records = [record("shannon", "call_seconds", 0.01)]
    code, (headline, *_) = told(tmp_path, records, records)
    assert (code, headline) == (
        2,
        "Cannot be judged: nothing of the report is expected to agree here; "
        "not expected to agree here: 1 (1: times and peaks inform).",
    )


def test_only_what_can_be_judged_is_reproduced(tmp_path):
    records = [record("shannon", "call_seconds", 0.01)]
    assert judged(tmp_path, records, records).answer == Answer.UNJUDGED


@pytest.mark.parametrize(("value", "code"), [(-0.5, 0), (-0.6, 1)])
def test_a_closed_pipe_does_not_change_the_verdict(tmp_path, value, code):
    (tmp_path / "then").mkdir()
    publication(tmp_path / "then", measurements())
    results = sweep(tmp_path / "again.json", measurements(value=value), digests=DIGESTS)
    command = [sys.executable, "-m", "reports", "reproduce", tmp_path / "then"]
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [*command, "--results", results], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (code, b"")
