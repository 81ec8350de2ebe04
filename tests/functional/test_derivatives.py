"""Which derivatives a loss has, and the errors that name it where one is missing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.catalog.cases import CATALOG
from benchmarks.measure.accuracy import relative_error
from diffbio.functional import (
    clustering_compactness_loss,
    shannon_diversity,
    velocity_consistency_loss,
)
from tests.inputs import N_CELLS, draw, machinery, split

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


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [case for case in CATALOG if case.name != "combined"], ids=lambda case: case.name
)
def test_forward_over_reverse_is_the_difference_of_gradients(case):
    loss, point, direction = loss_of_one(case)
    program = jax.jit(lambda x, t: jax.jvp(jax.grad(loss), (x,), (t,)))
    _, found = program(point, direction)
    step = 1e-5
    above, below = (
        program(jax.tree.map(lambda x, t, s=sign: x + s * step * t, point, direction), direction)[0]
        for sign in (1, -1)
    )
    for name in point:
        expected = (above[name] - below[name]) / (2 * step)
        assert relative_error(found[name], expected) <= 1e-6, name


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
