"""The catalog is complete, and its views agree on the names."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.catalog.cases import CATALOG, case
from benchmarks.schema import suite

CASES = pytest.mark.parametrize("entry", CATALOG, ids=lambda entry: entry.name)


def test_names_are_those_of_the_catalog():
    assert tuple(entry.name for entry in CATALOG) == suite.ALL_LOSSES
    assert case("velocity").name == "velocity"
    with pytest.raises(KeyError, match=r"no case 'nothing'.*batch_mixing"):
        case("nothing")


@CASES
def test_inputs_are_seeded_and_typed(entry):
    first, second, other = (entry.make_inputs(64, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)
    double = entry.make_inputs(64, 0, np.float64)
    for name in entry.differentiable:
        assert (first[name].dtype, double[name].dtype) == (np.float32, np.float64)
    assert all(len(array) == 64 for array in first.values())


@pytest.mark.slow
@CASES
def test_the_simulated_loss_is_worth_measuring(entry):
    for n_cells in (256, 4096):
        assert abs(float(entry.loss(**entry.make_inputs(n_cells)))) > 1e-3


@CASES
def test_reference_gradients_cover_the_differentiable_arguments(entry):
    gradients = entry.reference_gradients(**entry.make_inputs(64))
    assert set(gradients) == set(entry.differentiable)


def test_the_parameters_of_asv_need_no_jax():
    code = (
        "import sys, benchmarks.bench_compile, benchmarks.bench_memory, benchmarks.bench_accuracy,"
        " benchmarks.bench_throughput; assert not {'jax', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_bfloat16_inputs_can_be_made():
    assert case("simpson").make_inputs(64, 0, jnp.bfloat16)["assignments"].dtype == jnp.bfloat16
