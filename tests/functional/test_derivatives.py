"""Which derivatives a loss has, of the first and the second order."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.catalog.cases import CATALOG
from benchmarks.catalog.cases import case as catalog_case
from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import (
    clustering_compactness_loss,
    shannon_diversity,
    velocity_consistency_loss,
)
from tests.inputs import N_CLUSTERS, REPEATS, draw, few_neighbors
from tests.tiers import slow_unless, tiered

pytestmark = pytest.mark.usefixtures("compiled_quickly")


def every_choice():
    """Each case with each choice of differentiated arguments; given centroids as one more."""
    given = replace(
        catalog_case("compactness"),
        name="compactness_given",
        differentiable=("embeddings", "assignments", "centroids"),
    )
    for case in (*CATALOG, given):
        names = case.differentiable
        for size in range(1, len(names) + 1):
            # What mixes two of three arguments is among what mixes all.
            by_all_or_one = size in (1, len(names))
            marks = slow_unless(by_all_or_one and case.name not in REPEATS)
            for chosen in itertools.combinations(names, size):
                label = f"{case.name} by {' and '.join(chosen)}"
                yield pytest.param(case, chosen, id=label, marks=marks)


def loss_of(case, chosen):
    """The loss as a function of the chosen arguments alone, a point and a direction."""
    n_cells = 8
    options = few_neighbors(case, 5)
    arrays = draw(case, "random", n_cells)
    directions = draw(case, "random", n_cells, seed=1)
    if "centroids" in case.differentiable:
        arrays["centroids"] = arrays["embeddings"][:N_CLUSTERS] + 0.1
        directions["centroids"] = directions["embeddings"][:N_CLUSTERS]
    point, direction = ({name: a[name] for name in chosen} for a in (arrays, directions))
    constant = {name: array for name, array in arrays.items() if name not in chosen}
    return lambda d: case.loss(**d, **constant, **options), point, direction


@pytest.mark.parametrize(("case", "chosen"), list(every_choice()))
def test_second_derivatives_are_differences_of_gradients(case, chosen):
    loss, point, direction = loss_of(case, chosen)

    def along(x, t):
        return jax.jvp(jax.grad(loss), (x,), (t,))

    step = 1e-5
    above, below = (
        along(jax.tree.map(lambda x, t, s=sign: x + s * step * t, point, direction), direction)[0]
        for sign in (1, -1)
    )
    hessian = jax.hessian(loss)(point)
    results = {
        "jvp": along(point, direction)[1],
        "hessian": {name: product(hessian[name], direction) for name in chosen},
    }
    for name in chosen:
        expected = (above[name] - below[name]) / (2 * step)
        for way, found in results.items():
            assert relative_error(found[name], expected) <= 1e-6, (way, name)
    # What jit would run is the same, so that it need not be compiled.
    jax.jit(along).lower(point, direction)
    jax.jit(jax.hessian(loss)).lower(point)


@pytest.mark.parametrize(
    "name",
    tiered(["compactness", "velocity", "shannon", "simpson"], quick=["compactness", "shannon"]),
)
def test_twice_reverse_is_forward_over_reverse(name):
    case = catalog_case(name)
    loss, point, direction = loss_of(case, case.differentiable)

    def slope(x):
        gradient = jax.grad(loss)(x)
        return sum(jnp.vdot(gradient[key], t) for key, t in direction.items())

    found = jax.grad(slope)(point)
    _, expected = jax.jvp(jax.grad(loss), (point,), (direction,))
    for key in point:
        assert relative_error(found[key], expected[key]) <= 1e-12, key


def product(rows, direction):
    """Second derivatives by one argument and each other, times the direction."""
    return sum(jnp.tensordot(rows[name], t, t.ndim) for name, t in direction.items())


def test_simpson_has_forward_mode():
    case = catalog_case("simpson")
    loss, point, direction = loss_of(case, case.differentiable)
    slope = jnp.vdot(jax.grad(loss)(point)["assignments"], direction["assignments"])
    for program in (loss, jax.jit(loss)):
        found = jax.jvp(program, (point,), (direction,))[1]
        assert float(found) == pytest.approx(float(slope), rel=1e-13)


def test_weights_that_multiply_a_loss_have_forward_mode():
    rng = np.random.default_rng(0)
    x, v, f = jnp.asarray(rng.normal(size=(3, 20, 4)))
    a = jnp.asarray(rng.dirichlet(np.ones(3), 20))
    losses = (
        lambda s: velocity_consistency_loss(x, v, f, dt=s, cosine_weight=s, magnitude_weight=s),
        lambda s: clustering_compactness_loss(x, a, separation_weight=s, min_separation=s),
    )
    for loss in losses:
        _, forward = jax.jvp(loss, (0.7,), (1.0,))
        assert float(forward) == pytest.approx(float(jax.grad(loss)(0.7)), rel=1e-13)


def test_the_entropies_of_the_cells_have_forward_over_reverse_mode():
    a = jnp.asarray(np.random.default_rng(0).dirichlet(np.ones(3), 20))
    curvature = jax.hessian(lambda a: shannon_diversity(a, reduce=False).sum())(a)
    np.testing.assert_allclose(np.einsum("ijij->ij", curvature), -1 / a, rtol=1e-13)
