"""Any number of neighbours up to all others: the values, the memory and the work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffbio.neighbors import nearest_neighbors

N_CELLS, DIM, BLOCK = 1200, 8, 64


def cells(kind, dtype):
    x = np.random.default_rng(0).normal(size=(N_CELLS, DIM))
    return jnp.asarray(np.round(2 * x) if kind == "grid" else x, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random", "grid"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_neighbors", [1000, N_CELLS - 1])
def test_many_neighbors_are_those_of_an_exhaustive_search(kind, dtype, n_neighbors):
    x = cells(kind, dtype)
    found = nearest_neighbors(x, n_neighbors)
    distances = np.square(np.asarray(x, np.float64)[:, None] - np.asarray(x)[None]).sum(axis=-1)
    np.fill_diagonal(distances, np.inf)
    expected = np.sort(distances, axis=1)[:, :n_neighbors]
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(found.squared_distances, expected, rtol=tolerance)
    at_indices = np.take_along_axis(distances, np.asarray(found.indices), axis=1)
    np.testing.assert_allclose(at_indices, expected, rtol=tolerance)
    assert all(len(set(row)) == n_neighbors for row in np.asarray(found.indices).tolist())


def test_masked_cells_are_padding_among_many_neighbors():
    where = jnp.arange(N_CELLS) % 2 == 0
    found = nearest_neighbors(cells("random", np.float32), 1000, where=where)
    indices = np.asarray(found.indices)
    assert np.all(indices[::2, :599] % 2 == 0)
    assert np.all(indices[::2, 599:] == -1)
    assert np.all(indices[1::2] == -1)


@pytest.mark.parametrize("n_neighbors", [1000, 2999])
def test_memory_beside_the_result_does_not_grow_with_the_number_of_neighbors(n_neighbors):
    x = jax.ShapeDtypeStruct((3000, DIM), jnp.float32)
    search = jax.jit(lambda x: nearest_neighbors(x, n_neighbors, block_size=BLOCK))
    compiled = search.lower(x).compile()
    budget = 6 * 4 * 3000 * (DIM + BLOCK)
    assert compiled.memory_analysis().temp_size_in_bytes <= budget
    # Counts everything once per block, no pair of candidates, and the distances that are returned.
    most = 3000 * BLOCK * (2 * DIM + 100) + 100 * 3000 * DIM + 10 * 3000 * n_neighbors
    assert compiled.cost_analysis()["flops"] <= most
