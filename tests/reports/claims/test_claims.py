"""Claims: the verdict follows from the intervals, and the page says all that was found."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.measure.checkpoint import Checkpoint
from benchmarks.schema.observations import (
    OBSERVATIONS_VERSION,
    Association,
    Course,
    Margin,
    Scatter,
    Training,
)
from experiments.experiment import Observed
from reports.__main__ import main
from reports.claims.correlations import correlations
from reports.claims.intervals import interval
from reports.claims.methods import methods
from reports.claims.verdicts import Finding, judge_claims
from tests.reports.written import ENVIRONMENT

COURSE = Course("cells", "ours", 0, [1, 2], [0.5, 0.25], [0.6, 0.7]).row()
HOSTILE = "<script>alert(1)</script>|`x`"


def margins(**by_condition):
    """Rows of one claim: the margins of each condition, a seed each."""
    return [
        Margin("a loss", "It is so", condition, seed, margin, {"seen": float(seed)}, "")
        for condition, values in by_condition.items()
        for seed, margin in enumerate(values)
    ]


def judged(rows):
    (claim,) = judge_claims(pd.DataFrame(rows))
    return claim


@pytest.mark.parametrize(
    ("conditions", "finding"),
    [
        ({"always": [1.0, 1.1, 0.9]}, Finding.HOLDS),
        ({"always": [1.0, -1.1, 0.9]}, Finding.DOES_NOT_HOLD),
        ({"always": [-1.0, -1.1, -0.9]}, Finding.DOES_NOT_HOLD),
        ({"always": [0.0, 0.0, 0.0]}, Finding.DOES_NOT_HOLD),
        ({"here": [1.0, 1.1], "there": [1.0, -5.0]}, Finding.HOLDS_ONLY_IF),
        ({"here": [2.0, 2.0], "there": [3.0, 3.0]}, Finding.HOLDS),
    ],
)
def test_a_claim_holds_where_the_whole_interval_is_above_0(conditions, finding):
    claim = judged(margins(**conditions))
    assert claim.finding == finding
    assert claim.verdict == (
        "holds only if here" if len(conditions) == 2 and finding != "holds" else finding
    )


def test_a_seed_that_failed_is_no_evidence_for_a_claim():
    failed = Margin("a loss", "It is so", "always", 2, None, {}, "ValueError: no")
    claim = judged([*margins(always=[1.0, 1.0]), failed])
    assert claim.finding == Finding.DOES_NOT_HOLD
    assert claim.conditions[0].error == "ValueError: no"


def test_an_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(1, 2, 5)) for _ in range(2000)]
    assert np.mean([one.low <= 1 <= one.high for one in found]) == pytest.approx(0.95, abs=0.02)


def associations(sign, target=-0.9, n_seeds=2):
    return [
        Association(
            "a loss", "a measure", target, True, "simulated", "strength", at, seed, at, sign * at
        )
        for seed in range(n_seeds)
        for at in map(float, range(5))
    ]


@pytest.mark.parametrize(("sign", "reached"), [(-1, True), (1, False), (0, False)])
def test_a_correlation_reaches_its_target_with_its_sign(sign, reached):
    (found,) = correlations(pd.DataFrame(associations(sign)))
    assert found.rho.mean == pytest.approx(sign)
    assert (found.reached, found.n_points) == (reached, 5)


def test_the_rows_of_the_tuning_are_no_result():
    rows = [
        Training("cells", "method", 1.0, seed, seed == 9, {"ilisi": 0.5 + seed}) for seed in (0, 9)
    ]
    (found,) = methods(pd.DataFrame(rows))
    assert found.measurements["ilisi"].mean == 0.5


@pytest.fixture
def results(tmp_path):
    """A file with one of everything."""
    measured = {"ilisi": 0.5, "clisi": 0.9, "moved": 0.01}
    observed = Observed(
        margins(**{HOSTILE: [1.0, 1.1]}),
        associations(-1),
        [
            Training("cells", name, weight, seed, False, measured)
            for name, weight in (("ours", 1.0), ("Harmony", None))
            for seed in range(2)
        ],
        [Course(**COURSE)],
        [Scatter("cells", "ours", [0.0, 1.0], [0.0, 1.0], [0, 1], [-1, 3])],
    )
    path = tmp_path / "claims.json"
    environment = {**ENVIRONMENT, "size": {"n_seeds": 2, "n_real_cells": None}}
    checkpoint = Checkpoint(
        path, environment, ["one"], version=OBSERVATIONS_VERSION, empty=Observed().parts()
    )
    checkpoint.add("one", observed)
    return path


def build(path, output):
    return CliRunner().invoke(main, ["claims", f"--results={path}", f"--output={output}"])


def test_the_page_says_all_that_was_found(tmp_path, results):
    run = build(results, tmp_path / "page")
    assert (run.exit_code, "Of 1 claims, 1 hold" in run.output) == (0, True), run.output
    page = (tmp_path / "page" / "index.html").read_text()
    markdown = (tmp_path / "page" / "claims.md").read_text()
    for text in ("It is so", "Harmony", "a measure", "Convergence", "Cells of cells"):
        assert text in page
        assert text in markdown
    assert "<script>alert" not in page + markdown
    names = {path.name for path in (tmp_path / "page").iterdir()}
    plots = ("methods", "convergence", "cells-cells", "validity")
    assert names >= {f"{plot}.{kind}" for plot in plots for kind in ("png", "svg", "csv")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 99}, "schema_version: Input should be 1, not 99"),
        ({"margins": [{"loss": "a loss"}]}, "margins.0.statement"),
        ({"courses": [{**COURSE, "losses": []}]}, "courses.0"),
        ({"unfinished": ["one"]}, "1 of 1 experiments are missing"),
        ({"environment": {}}, "environment"),
    ],
)
def test_what_is_damaged_or_missing_is_named(tmp_path, results, change, said):
    results.write_text(json.dumps({**json.loads(results.read_text()), **change}))
    run = build(results, tmp_path / "page")
    assert (run.exit_code, said in run.stderr) == (2, True), run.stderr
