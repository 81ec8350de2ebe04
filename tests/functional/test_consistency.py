"""The same answer however it is computed, and no tracing without need."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.catalog.cases import CATALOG
from benchmarks.measure.sweep.accuracy import relative_error
from tests.inputs import N_CELLS, draw, every_case, split, value_and_gradients

pytestmark = pytest.mark.usefixtures("compiled_quickly")

CASES = every_case()


@CASES
def test_eager_equals_jit_equals_vmap(case):
    batch = [draw(case, "random", N_CELLS, seed) for seed in range(3)]
    eager = [case.loss(**arrays) for arrays in batch]
    jitted = jax.jit(lambda arrays: case.loss(**arrays))
    for arrays, expected in zip(batch, eager, strict=True):
        assert relative_error(jitted(arrays), expected) <= 1e-14
    stacked = {name: jnp.stack([arrays[name] for arrays in batch]) for name in batch[0]}
    mapped = jax.vmap(lambda arrays: case.loss(**arrays))(stacked)
    assert relative_error(mapped, jnp.stack(eager)) <= 1e-14


@CASES
def test_vmapped_gradients_equal_single_ones(case):
    batch = [draw(case, "random", N_CELLS, seed) for seed in range(2)]

    def gradients(arrays):
        return value_and_gradients(case, arrays)[1]

    stacked = {name: jnp.stack([arrays[name] for arrays in batch]) for name in batch[0]}
    mapped = jax.vmap(gradients)(stacked)
    for at, arrays in enumerate(batch):
        for name, expected in gradients(arrays).items():
            assert relative_error(mapped[name][at], expected) <= 1e-13


@CASES
def test_new_values_trace_nothing(case):
    traces = 0

    def counting(differentiated, constant):
        nonlocal traces
        traces += 1
        return case.loss(**differentiated, **constant)

    program = jax.jit(jax.value_and_grad(counting))
    for seed in range(3):
        program(*split(case, draw(case, "random", N_CELLS, seed)))
    assert traces == 1


SCALARS = {
    "batch_mixing": {"temperature": 2.0},
    "compactness": {"separation_weight": 0.5, "min_separation": 3.0},
    "velocity": {"dt": 0.2, "cosine_weight": 2.0, "magnitude_weight": 0.5},
    "velocity_transition": {"dt": 0.2, "temperature": 0.3},
}


@pytest.mark.parametrize(
    "case", [c for c in CATALOG if c.name in SCALARS], ids=lambda case: case.name
)
def test_eager_calls_with_new_values_and_scalars_compile_nothing(case, caplog):
    first, second = draw(case, "random", N_CELLS, 0), draw(case, "random", N_CELLS, 1)
    case.loss(**first)
    with jax.log_compiles(), caplog.at_level("WARNING", logger="jax"):
        case.loss(**second, **SCALARS[case.name])
    assert not [text for text in caplog.messages if "Compiling" in text and "loss" in text]


@pytest.mark.slow
@CASES
def test_default_matmul_precision_does_not_change_the_answer(case):
    arrays = draw(case, "clustered", 64, dtype=jnp.float32)
    expected = case.loss(**arrays)
    with jax.default_matmul_precision("bfloat16"):
        found = jax.jit(lambda arrays: case.loss(**arrays))(arrays)
    assert relative_error(found, expected) <= 1e-6


@pytest.mark.slow
@CASES
def test_the_same_input_gives_the_same_bits(case):
    arrays = draw(case, "duplicated", 64, dtype=jnp.float32)
    differentiated, constant = split(case, arrays)
    program = jax.jit(jax.value_and_grad(lambda d, c: case.loss(**d, **c)))
    first, second = (jax.tree.leaves(program(differentiated, constant)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b)
