"""Every loss over shards against one device: values and gradients, for every kind of input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.catalog.cases import CATALOG, case
from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import clustering_compactness_loss
from diffbio.sharding import sharded
from tests.inputs import KINDS, VARIANTS, draw, every_case, search_options, split
from tests.sharding.losses import GRADIENT, VALUE, mesh_of, program
from tests.tolerances import DTYPES

pytestmark = pytest.mark.usefixtures("small_parts", "compiled_quickly")
# One less than four shards of 15 cells.
N_CELLS = 59
OF_THEIR_OWN = [case for case in CATALOG if case.name not in VARIANTS]


def assert_alike(case, n_shards, arrays, dtype, **options):
    differentiated, constant = split(case, arrays)
    value, gradients = program(case, n_shards, **options)(differentiated, constant)
    expected, expected_gradients = program(case, None, **options)(differentiated, constant)
    assert relative_error(value, expected) <= VALUE[dtype]
    for name, gradient in gradients.items():
        assert gradient.dtype == arrays[name].dtype
        assert relative_error(gradient, expected_gradients[name]) <= GRADIENT[dtype], name


@every_case()
def test_no_whole_number_of_cells_per_shard(case):
    for kind in KINDS:
        arrays = draw(case, kind, n_cells=N_CELLS)
        assert_alike(case, 4, arrays, "float64", **search_options(case))


def test_lists_without_padding():
    arrays = draw(case("batch_mixing_precomputed"), "random", N_CELLS + 1)
    ahead = jnp.asarray([1, 7, 20, 33, 59])
    arrays["neighbor_indices"] = (jnp.arange(N_CELLS + 1)[:, None] + ahead) % (N_CELLS + 1)
    assert_alike(case("batch_mixing_precomputed"), 4, arrays, "float64")


def test_cells_that_agree_lie_at_their_centroid_whichever_shard_is_counted():
    rng = np.random.default_rng(0)
    x = jnp.broadcast_to(jnp.asarray(rng.normal(size=6), jnp.float32), (N_CELLS, 6))
    a = jnp.asarray(rng.dirichlet(np.ones(3), N_CELLS), jnp.float32)
    loss = sharded(clustering_compactness_loss, mesh_of(4))
    gradient = jax.jit(jax.grad(loss))(x, a, where=jnp.arange(N_CELLS) >= 31)
    assert not jnp.any(gradient)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_shards", "n_cells", "dtype"),
    [
        (1, N_CELLS, "float64"),
        (2, N_CELLS, "float64"),
        (8, 64, "float64"),
        (8, N_CELLS, "float64"),
        (8, N_CELLS, "float32"),
    ],
)
@pytest.mark.parametrize("case", OF_THEIR_OWN, ids=lambda case: case.name)
def test_any_number_of_shards_in_both_precisions(case, n_shards, n_cells, dtype):
    for kind in KINDS:
        arrays = draw(case, kind, n_cells, dtype=DTYPES[dtype])
        assert_alike(case, n_shards, arrays, dtype, **search_options(case))


@every_case()
def test_shards_that_are_masked_as_a_whole(case):
    arrays = draw(case, "random", n_cells=N_CELLS)
    for counted in (
        jnp.arange(N_CELLS) >= 31,
        jnp.arange(N_CELLS) < 20,
        jnp.arange(N_CELLS) // 15 == 2,
    ):
        assert_alike(case, 4, arrays | {"where": counted}, "float64", **search_options(case))


@every_case()
def test_all_cells_masked_is_zero_without_a_gradient(case):
    arrays = draw(case, "random", n_cells=N_CELLS) | {"where": jnp.zeros(N_CELLS, bool)}
    value, gradients = program(case, 4, **search_options(case))(*split(case, arrays))
    assert float(value) == 0
    assert not any(jnp.any(gradient) for gradient in jax.tree.leaves(gradients))


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [c for c in OF_THEIR_OWN if c.n_neighbors is not None], ids=lambda case: case.name
)
def test_shards_of_fewer_cells_than_neighbors(case):
    for n_cells in (case.n_neighbors + 1, case.n_neighbors + 6):
        for n_shards in (4, 8):
            assert_alike(case, n_shards, draw(case, "random", n_cells), "float64")


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [c for c in OF_THEIR_OWN if c.name != "combined"], ids=lambda case: case.name
)
def test_forward_over_reverse_mode(case):
    """Second derivatives pass through the ring too."""
    point, constant = split(case, draw(case, "random", N_CELLS))
    direction, _ = split(case, draw(case, "random", N_CELLS, seed=1))
    options = search_options(case)

    def curvature(loss):
        gradient = jax.grad(lambda d: loss(**d, **constant, **options))
        return jax.jit(lambda d, t: jax.jvp(gradient, (d,), (t,))[1])(point, direction)

    found, expected = curvature(sharded(case.loss, mesh_of(4))), curvature(case.loss)
    for name in point:
        assert relative_error(found[name], expected[name]) <= 1e-10, name
