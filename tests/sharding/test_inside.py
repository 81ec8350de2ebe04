"""Losses inside of ``jax.shard_map`` with its default checks, as a training step has them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from benchmarks.catalog.cases import CATALOG
from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import clustering_compactness_loss, shannon_diversity
from tests.inputs import draw, every_case, few_neighbors, search_options, split
from tests.sharding.losses import mesh_of

pytestmark = pytest.mark.usefixtures("small_parts", "compiled_quickly")

CELLS, ALL = PartitionSpec("cells"), PartitionSpec()
RNG = np.random.default_rng(0)
X, A, CENTROIDS = (jnp.asarray(RNG.uniform(size=s)) for s in ((64, 5), (64, 4), (4, 5)))


def over_shards(step, in_specs, out_specs, n_shards=4):
    return jax.jit(
        jax.shard_map(step, mesh=mesh_of(n_shards), in_specs=in_specs, out_specs=out_specs)
    )


@every_case(quick=("batch_mixing_precomputed", "compactness"))
def test_a_gradient_inside_is_that_of_all_cells(case):
    options = search_options(case)
    differentiated, constant = split(case, draw(case, "masked", 64))

    def value_and_gradients(d, c, **axis):
        return jax.value_and_grad(lambda d: case.loss(**d, **c, **options, **axis))(d)

    found = over_shards(
        lambda d, c: value_and_gradients(d, c, axis_name="cells"), (CELLS, CELLS), (ALL, CELLS)
    )(differentiated, constant)
    expected = jax.jit(value_and_gradients)(differentiated, constant)
    for one, other in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        assert relative_error(one, other) <= 1e-11


def test_a_gradient_by_what_all_shards_share_is_the_sum_over_them():
    def gradients(x, a, centroids, weight, **axis):
        def loss(x, centroids, weight):
            return clustering_compactness_loss(x, a, centroids, separation_weight=weight, **axis)

        return jax.grad(loss, argnums=(0, 1, 2))(x, centroids, weight)

    found = over_shards(
        lambda *arrays: gradients(*arrays, axis_name="cells"),
        (CELLS, CELLS, ALL, ALL),
        (CELLS, ALL, ALL),
    )(X, A, CENTROIDS, 0.5)
    for one, other in zip(found, gradients(X, A, CENTROIDS, 0.5), strict=True):
        assert relative_error(one, other) <= 1e-12


def test_an_axis_that_is_not_there_is_named():
    with pytest.raises(NameError, match="shards"):
        shannon_diversity(A, axis_name="shards")


# Lists of neighbours count through all cells.
WITHOUT_LISTS = [case for case in CATALOG if case.name != "batch_mixing_precomputed"]


@every_case(quick=("compactness",), cases=WITHOUT_LISTS)
def test_without_an_axis_each_shard_has_its_own_loss(case):
    options = few_neighbors(case, 7)
    differentiated, constant = split(case, draw(case, "masked", 64))

    def value_and_gradients(d, c):
        value, gradients = jax.value_and_grad(lambda d: case.loss(**d, **c, **options))(d)
        return value[None], gradients

    found = over_shards(value_and_gradients, (CELLS, CELLS), CELLS)(differentiated, constant)
    for shard in range(4):
        own = slice(16 * shard, 16 * shard + 16)
        expected = jax.jit(value_and_gradients)(
            *(
                {name: array[own] for name, array in arrays.items()}
                for arrays in (differentiated, constant)
            )
        )
        assert relative_error(found[0][shard], expected[0][0]) <= 1e-12
        for name, gradient in expected[1].items():
            assert relative_error(found[1][name][own], gradient) <= 1e-11, name


def test_without_an_axis_a_shard_may_be_given_what_all_share():
    def value_and_gradients(x, a, centroids):
        loss = lambda x, c: clustering_compactness_loss(x, a, c)  # noqa: E731
        value, gradients = jax.value_and_grad(loss, argnums=(0, 1))(x, centroids)
        return value[None], *gradients

    found = over_shards(value_and_gradients, (CELLS, CELLS, ALL), (CELLS, CELLS, ALL))(
        X, A, CENTROIDS
    )
    parts = [value_and_gradients(X[i : i + 16], A[i : i + 16], CENTROIDS) for i in range(0, 64, 16)]
    values, x_bars, centroid_bars = zip(*parts, strict=True)
    assert relative_error(found[0], jnp.concatenate(values)) <= 1e-12
    assert relative_error(found[1], jnp.concatenate(x_bars)) <= 1e-12
    assert relative_error(found[2], sum(centroid_bars)) <= 1e-12
