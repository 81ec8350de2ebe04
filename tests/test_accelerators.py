"""What runs on a GPU: few large steps, arrays that fit, and the reference's numbers.

The programs are lowered for CUDA, which needs no GPU, and run on the machine's own device.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffbio.neighbors import nearest_neighbors
from tests.agreement import assert_equal_to_the_reference, value_and_gradients_of
from tests.inputs import KINDS, N_CELLS, abstract_inputs, draw, every_case, search_options, split
from tests.platforms import largest_array, made_for, rounds
from tests.tiers import tiered, tiered_rows

pytestmark = pytest.mark.usefixtures("compiled_quickly")

GIB = 2**30
SEARCHED_DIMS = (50, 2000)


def lowered(program, *arrays):
    return jax.jit(program).trace(*arrays).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("dim", SEARCHED_DIMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_search_has_at_most_64_rounds(dim, dtype):
    x = jax.ShapeDtypeStruct((65536, dim), dtype)
    assert 0 < rounds(lowered(lambda x: nearest_neighbors(x, 30), x)) <= 64


@every_case()
@pytest.mark.parametrize(("n_cells", "limit"), [(65536, GIB), (10**6, 4 * GIB)])
def test_no_array_is_larger_than_its_limit(case, n_cells, limit):
    """Of the catalog's losses only the inputs of velocities may be larger than the limit."""
    arrays = abstract_inputs(case, n_cells)
    differentiated, constant = split(case, arrays)
    program = jax.value_and_grad(lambda d, c: case.loss(**d, **c))
    inputs = max(array.size * array.dtype.itemsize for array in arrays.values())
    found = largest_array(lowered(program, differentiated, constant))
    assert found <= max(limit, 1.01 * inputs)


@every_case()
def test_an_accelerators_program_equals_the_reference(case):
    options = search_options(case)
    program = made_for("cuda", value_and_gradients_of(case, **options))
    for kind in KINDS:
        arrays = draw(case, kind, N_CELLS)
        assert_equal_to_the_reference(case, arrays, kind, program=program, **options)


@pytest.mark.parametrize(
    ("n_cells", "n_neighbors"),
    tiered_rows([(40, 39), (700, 15), (700, 200), (3000, 30)], quick=[(40, 39), (700, 15)]),
)
@pytest.mark.parametrize("block_size", tiered([None, 64], quick=[None]))
def test_both_platforms_find_the_same_neighbors(n_cells, n_neighbors, block_size):
    x = np.random.default_rng(0).normal(size=(n_cells, 6)).astype(np.float32)
    x[1::7] = x[0]
    where = np.arange(n_cells) % 5 != 3

    def search(x, where):
        return nearest_neighbors(x, n_neighbors, where=where, block_size=block_size)

    cpu, accelerator = (made_for(platform, search)(x, where) for platform in ("cpu", "cuda"))
    np.testing.assert_allclose(accelerator.squared_distances, cpu.squared_distances, rtol=1e-6)


def test_the_platform_is_that_of_the_program_and_not_of_the_machine():
    """A program lowered for CUDA has the large blocks, one lowered for a CPU the small ones."""
    x = jax.ShapeDtypeStruct((65536, 50), jnp.float32)
    traced = jax.jit(lambda x: nearest_neighbors(x, 15)).trace(x)
    largest = {
        platform: largest_array(traced.lower(lowering_platforms=(platform,)).as_text())
        for platform in ("cpu", "cuda", "rocm")
    }
    assert largest["cpu"] < largest["cuda"] == largest["rocm"]
