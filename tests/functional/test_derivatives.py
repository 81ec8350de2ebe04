"""Which derivatives a loss has, and the errors that name it where one is missing."""

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
from tests.inputs import N_CELLS, N_CLUSTERS, VARIANTS, draw, machinery, split

pytestmark = pytest.mark.usefixtures("compiled_quickly")

NAMES = {
    "batch_mixing": "batch_mixing_loss",
    "batch_mixing_local": "batch_mixing_loss",
    "batch_mixing_precomputed": "batch_mixing_loss",
    "batch_mixing_proportions": "batch_mixing_loss",
    "batch_mixing_perplexity": "batch_mixing_loss",
    "batch_mixing_simpson": "batch_mixing_loss",
    "compactness": "clustering_compactness_loss",
    "velocity": "velocity_consistency_loss",
    "velocity_transition": "velocity_transition_loss",
    "shannon": "shannon_diversity",
    "combined": "batch_mixing_loss",
}
REVERSE_ONLY = machinery([case for case in CATALOG if case.name in NAMES])
FORWARD = {
    "jvp": lambda f, x, t: jax.jvp(f, (x,), (t,)),
    "jit of jvp": lambda f, x, t: jax.jit(lambda x, t: jax.jvp(f, (x,), (t,)))(x, t),
    "jacfwd": lambda f, x, t: jax.jacfwd(f)(x),
    "linearize": lambda f, x, t: jax.linearize(f, x)[1](t),
}


def loss_of_one(case, n_cells=N_CELLS):
    """The loss as a function of all that is differentiated, a point and a direction."""
    point, constant = split(case, draw(case, "random", n_cells))
    _, direction = (split(case, draw(case, "random", n_cells, seed))[0] for seed in (0, 1))
    return lambda d: case.loss(**d, **constant), point, direction


@REVERSE_ONLY
@pytest.mark.parametrize("mode", FORWARD)
def test_a_loss_without_forward_mode_says_so(case, mode):
    with pytest.raises(TypeError, match=f"^{NAMES[case.name]} has no forward-mode.*jax.grad"):
        FORWARD[mode](*loss_of_one(case))


def every_choice():
    """Each case with each choice of differentiated arguments; given centroids as one more."""
    given = replace(
        catalog_case("compactness"),
        name="compactness_given",
        differentiable=("embeddings", "assignments", "centroids"),
    )
    for case in (*CATALOG, given):
        marks = [pytest.mark.slow] if case.name in VARIANTS else []
        names = case.differentiable
        for size in range(1, len(names) + 1):
            for chosen in itertools.combinations(names, size):
                label = f"{case.name} by {' and '.join(chosen)}"
                yield pytest.param(case, chosen, id=label, marks=marks)


def loss_of(case, chosen):
    """The loss as a function of the chosen arguments alone, a point and a direction."""
    n_cells = 8
    options = {} if case.n_neighbors is None else {"n_neighbors": 5}
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


@pytest.mark.parametrize("name", ["compactness", "velocity", "shannon", "simpson"])
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
    case = next(case for case in CATALOG if case.name == "simpson")
    loss, point, direction = loss_of_one(case)
    slope = jnp.vdot(jax.grad(loss)(point)["assignments"], direction["assignments"])
    for forward in (FORWARD["jvp"], FORWARD["jit of jvp"]):
        assert float(forward(loss, point, direction)[1]) == pytest.approx(float(slope), rel=1e-13)


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
