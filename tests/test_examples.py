"""The examples run as they stand, print their measurements and write a picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py") if path.stem != "common")


def run(name, folder, *arguments):
    """Run an example; skip where its cells are neither cached nor to be had."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py", "--output", folder, *arguments],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if "DataError" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert not done.returncode, done.stderr
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "velocity"])
def test_an_example_runs_with_few_steps(name, tmp_path):
    assert "wrote" in run(name, tmp_path, "--n-steps", "3")


@pytest.mark.slow
def test_the_velocity_example_runs_with_few_steps(tmp_path):
    assert "trained" in run("velocity", tmp_path, "--n-steps", "3")


@pytest.mark.slow
def test_the_batch_term_mixes_batches_added_and_separates_them_negated(tmp_path):
    printed = run("batch_correction", tmp_path)
    before = float(printed.split("before: ")[1].split(")")[0])
    added, negated = (
        float(printed.split(f"batch term {how}")[1].split(",")[0]) for how in ("added", "negated")
    )
    assert negated < 0.5 * before < before + 0.05 < added
