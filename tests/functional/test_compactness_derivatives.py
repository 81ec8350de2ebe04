"""Second derivatives of compactness: every mode, every argument, loose and tight clusters."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import batch_mixing_loss, clustering_compactness_loss, combined_loss
from tests.tiers import tiered

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N_CELLS, DIM, N_CLUSTERS = 9, 2, 3
WHERE = {"all cells": None, "masked": np.arange(N_CELLS) != 4}
# Second derivatives of each spread, with a step that suits their curvature.
SPREADS = {"loose": (0.3, 1e-5), "tight": (1e-6, 1e-9)}


def compactness(arrays, where):
    return clustering_compactness_loss(**arrays, where=where, min_separation=2.0)


def combined(arrays, where):
    labels = jnp.arange(N_CELLS) % 2
    terms = combined_loss(
        batch_labels=labels,
        **arrays,
        where=where,
        mixing=partial(batch_mixing_loss, n_batches=2, n_neighbors=7),
        compactness=partial(clustering_compactness_loss, min_separation=2.0),
    )
    return terms.total


LOSSES = {"compactness": compactness, "combined": combined}


def draw(spread, given):
    rng = np.random.default_rng(0)
    c = 0.4 * rng.normal(size=(N_CLUSTERS, DIM))
    group = np.arange(N_CELLS) % N_CLUSTERS
    x = c[group] + spread * rng.normal(size=(N_CELLS, DIM))
    a = np.eye(N_CLUSTERS)[group] * (1 - spread) + spread * rng.dirichlet(
        np.ones(N_CLUSTERS), N_CELLS
    )
    arrays = {"embeddings": x, "assignments": a} | ({"centroids": c} if given else {})
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def gradient_of_flat(loss, arrays, names, where):
    """The gradient as a function of the named arrays in one vector, and that vector."""
    point, unravel = ravel_pytree({name: arrays[name] for name in names})
    return jax.grad(lambda flat: loss({**arrays, **unravel(flat)}, where)), point


def differences(gradient, point, step):
    columns = [gradient(point + step * e) - gradient(point - step * e) for e in np.eye(len(point))]
    return np.stack(columns, axis=1) / (2 * step)


MODES = {
    "jacfwd of grad": lambda gradient, point, _: jax.jit(jax.jacfwd(gradient))(point),
    "jvp of grad": lambda gradient, point, t: jax.jvp(gradient, (point,), (t,))[1],
    "jit of jvp of grad": lambda gradient, point, t: jax.jit(
        lambda point, t: jax.jvp(gradient, (point,), (t,))[1]
    )(point, t),
    "twice reverse": lambda gradient, point, _: jax.jit(jax.jacrev(gradient))(point),
}


@pytest.mark.parametrize("where", tiered(WHERE, quick=["masked"]))
@pytest.mark.parametrize("width", SPREADS)
@pytest.mark.parametrize("given", [False, True], ids=["means", "given centroids"])
def test_second_derivatives_are_differences_of_the_gradient(given, width, where):
    spread, step = SPREADS[width]
    arrays = draw(spread, given)
    gradient, point = gradient_of_flat(compactness, arrays, tuple(arrays), WHERE[where])
    expected = differences(jax.jit(gradient), point, step)
    direction = np.random.default_rng(1).normal(size=point.shape)
    for mode, second in MODES.items():
        along = expected @ direction if "jvp" in mode else expected
        assert relative_error(second(gradient, point, direction), along) <= 1e-6, mode


@pytest.mark.parametrize("loss", tiered(LOSSES, quick=["compactness"]))
@pytest.mark.parametrize("given", [False, True], ids=["means", "given centroids"])
def test_hessians_are_differences_of_the_gradient(loss, given):
    arrays = draw(0.3, given)
    for chosen in ((name,) for name in arrays):
        gradient, point = gradient_of_flat(LOSSES[loss], arrays, chosen, None)
        (name,) = chosen
        hessian = jax.hessian(lambda array, n=name: LOSSES[loss]({**arrays, n: array}, None))
        expected = differences(jax.jit(gradient), point, 1e-5)
        for found in (hessian(arrays[name]), jax.jit(hessian)(arrays[name])):
            assert relative_error(np.reshape(found, expected.shape), expected) <= 1e-6, name


def test_second_derivatives_by_many_blocks_are_differences_of_the_gradient(monkeypatch):
    """Clusters, and cells of tight clusters, in blocks of which the last two overlap."""
    for module in ("pairs", "tight"):
        monkeypatch.setattr(f"diffbio.functional._scatter.{module}.rows_for", lambda *_, **__: 2)
    jax.clear_caches()
    for spread, step in SPREADS.values():
        for given in (False, True):
            arrays = draw(spread, given)
            gradient, point = gradient_of_flat(compactness, arrays, tuple(arrays), None)
            found = jax.jit(jax.jacfwd(gradient))(point)
            assert relative_error(found, differences(jax.jit(gradient), point, step)) <= 1e-6
    jax.clear_caches()
