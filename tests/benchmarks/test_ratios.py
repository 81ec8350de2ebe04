"""Ratios: every loss has a lower bound that runs, and a table says what was compared."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.catalog.lower_bounds import LOWER_BOUNDS, blocked_product, gathered_read
from benchmarks.peers.compare import compare
from benchmarks.schema.records import Ratio
from benchmarks.schema.suite import TRANSFORMS
from tests.inputs import every_case

CASES = every_case()


@pytest.mark.slow
@CASES
def test_every_loss_is_compared_with_its_lower_bound(case):
    arrays = case.make_inputs(300)
    for transform in TRANSFORMS:
        assert transform in LOWER_BOUNDS[case.lower_bound]
        (row,) = compare(case, transform, arrays, peers=False, seconds=0.01)
        assert row.other == f"lower bound: {case.lower_bound}"
        assert row.ratio == pytest.approx(row.ours_seconds / row.other_seconds)
        assert row.ratio_low <= row.ratio_high
        assert row.n_rounds >= 5


def test_lower_bounds_touch_everything_they_claim_to():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(300, 7)))
    distances = ((x[:, None] - x[None]) ** 2).sum(axis=-1)
    np.testing.assert_allclose(blocked_product(x), distances.min(axis=1), atol=1e-12)
    total = gathered_read(x, 3)
    offsets = 7919 * np.arange(1, 4)
    assert total.shape == (7,)
    whole = x[(np.arange(256)[:, None] + offsets) % 300].sum(axis=(0, 1))
    last = x[(np.arange(172, 300)[:, None] + offsets) % 300].sum(axis=(0, 1))
    np.testing.assert_allclose(total, whole + last, rtol=1e-10)


def test_the_command_prints_a_table_and_writes_json(tmp_path):
    path = tmp_path / "ratios.json"
    arguments = ["ratios", "--loss", "simpson", "--n-cells", "256", "--json", str(path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "lower bound: read and write" in result.output
    heading, *lines = result.stdout.strip().splitlines()
    assert all(name in heading for name in ("loss", "cells", "ours ms", "ratio", "temp MB"))
    assert [line.split()[1] for line in lines] == list(TRANSFORMS)
    rows = json.loads(path.read_text())["ratios"]
    assert [row["transform"] for row in rows] == list(TRANSFORMS)


@pytest.mark.parametrize(
    ("other", "high", "note"),
    [
        ("lower bound: products", 0.99, "not tight"),
        ("lower bound: products", 1.01, ""),
        ("pytorch", 0.5, ""),
    ],
)
def test_a_bound_that_the_loss_stays_below_beyond_the_spread_is_not_tight(other, high, note):
    timed = {"ours_seconds": 1e-3, "other_seconds": 2e-3, "ratio": 0.5, "ratio_low": 0.4}
    sizes = {"temp_bytes": 0, "input_bytes": 8, "n_rounds": 5}
    ratio = Ratio("simpson", "value", 256, other, **timed, ratio_high=high, **sizes)
    assert ratio.note == note
