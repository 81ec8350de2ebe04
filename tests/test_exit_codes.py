"""Exit code 1 is a verdict's: what stops a command before it has one is 2."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from benchmarks import __main__ as benchmarks
from tests.scratch import ROOT


@pytest.mark.parametrize("command", [["reports", "gate"], ["benchmarks", "sweep"]])
@pytest.mark.parametrize(
    ("name", "value"), [("DIFFBIO_BENCH_TIER", "huge"), ("DIFFBIO_BENCH_LOSSES", "shanon")]
)
def test_a_choice_that_the_suite_lacks_is_named(command, name, value):
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT, env={**os.environ, name: value}, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, line.startswith(f"{name}='{value}': ")) == (2, True)
    assert "accepted are" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", "--n-cells=0"],
        ["ratios", "--n-cells=-5"],
        ["million", "--n-cells=0"],
        ["recall", "--cells=0"],
        ["rounds", "HEAD", "HEAD", "--folder=f", "--rounds=0"],
    ],
    ids=str,
)
def test_a_number_that_measures_nothing_is_refused(arguments):
    found = CliRunner().invoke(benchmarks.main, arguments)
    assert (found.exit_code, "is not in the range x>=1" in found.stderr) == (2, True)
