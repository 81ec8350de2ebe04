"""Inputs of every kind for every case, drawn by argument name."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.catalog.cases import CATALOG
from diffbio.functional import batch_mixing_loss
from tests.tiers import slow_unless

KINDS = ("random", "clustered", "duplicated", "far", "masked")
N_BATCHES, N_CLUSTERS, DIM = 3, 4, 5
# One size for most tests, so that they share what is compiled.
N_CELLS = 48
# Cases that differ from recommended batch mixing in the formula of one cell alone.
VARIANTS = ("batch_mixing", "batch_mixing_local", "batch_mixing_simpson")
# A law of all losses is slow for these: recommended batch mixing shows it with a search, as the
# precomputed one does with given neighbours, and compactness and Shannon's index with neither.
REPEATS = (*VARIANTS, "velocity", "velocity_transition", "simpson", "combined")


def every_case(*, quick=None, cases=CATALOG):
    """Parametrizes a test over the cases, of which the named ones belong to the quick tier.

    If none are named, all do but ``REPEATS``: a new case is tested by every law at once.
    """

    def is_quick(name):
        return name not in REPEATS if quick is None else name in quick

    return pytest.mark.parametrize(
        "case", [pytest.param(c, id=c.name, marks=slow_unless(is_quick(c.name))) for c in cases]
    )


def draw(case, kind, n_cells, seed=0, dtype=jnp.float64):
    """Arguments for a case: floats in ``dtype``, and ``where`` if the kind is masked."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n_cells, DIM))
    if kind == "clustered":
        points = 0.1 * points + 3 * rng.normal(size=(N_CLUSTERS, DIM))[np.arange(n_cells) % 4]
    if kind == "duplicated":
        points[1::2] = points[: n_cells - 1 : 2]
    if kind == "far":
        points = points + 1e4
    assignments = (rng.dirichlet(np.ones(N_CLUSTERS), n_cells) + 1 / N_CLUSTERS) / 2
    if kind == "clustered":
        assignments[::2] = np.eye(N_CLUSTERS)[np.arange(0, n_cells, 2) % N_CLUSTERS]
    available = {
        "embeddings": points,
        "expression": points,
        "velocity": 10 * rng.normal(size=points.shape),
        "future_expression": points + rng.normal(size=points.shape),
        "assignments": assignments,
        "features": points,
        "reconstructed": points + rng.normal(size=points.shape),
        "batch_labels": rng.integers(N_BATCHES, size=n_cells),
        "neighbor_indices": neighbor_lists(rng, n_cells, 6),
    }
    arrays = {}
    for name in case.make_inputs(64):
        array = jnp.asarray(available[name])
        arrays[name] = array.astype(dtype) if array.dtype == jnp.float64 else array
    if kind == "masked":
        arrays["where"] = jnp.asarray(rng.random(n_cells) < 0.7)
    return arrays


def neighbor_lists(rng, n_cells, n_listed):
    """Distinct random neighbours, some entries padding: -1 or the cell itself."""
    lists = np.array([rng.permutation(n_cells)[:n_listed] for _ in range(n_cells)])
    lists[rng.random(lists.shape) < 0.1] = -1
    return lists


def search_options(case):
    """An odd number of neighbours: one duplicate and then pairs of them, no pair cut in two."""
    even = case.n_neighbors is not None and case.n_neighbors % 2 == 0
    return {"n_neighbors": case.n_neighbors - 1} if even else {}


def few_neighbors(case, n_neighbors):
    """The option of a loss with which it searches for so many neighbours, itself or in a term."""
    if case.n_neighbors is None:
        return {}
    if case.name == "combined":
        return {"mixing": functools.partial(batch_mixing_loss, n_neighbors=n_neighbors)}
    return {"n_neighbors": n_neighbors}


def abstract_inputs(case, n_cells):
    """Shapes and dtypes of a case's arguments for so many cells."""
    small = case.make_inputs(64)
    return {
        name: jax.ShapeDtypeStruct((n_cells, *array.shape[1:]), jnp.asarray(array).dtype)
        for name, array in small.items()
    }


def for_reference(arrays):
    """The same numbers for the reference: float64 of whatever the input was rounded to."""
    return {
        name: np.asarray(a, np.float64) if jnp.issubdtype(a.dtype, jnp.floating) else np.asarray(a)
        for name, a in arrays.items()
    }


def split(case, arrays):
    """The arrays to differentiate, and the others."""
    differentiated = {name: arrays[name] for name in case.differentiable}
    return differentiated, {k: v for k, v in arrays.items() if k not in differentiated}


@functools.cache
def _program(case):
    return jax.jit(jax.value_and_grad(lambda d, c: case.loss(**d, **c)))


def value_and_gradients(case, arrays):
    """Value and gradients by one compiled program per case and shape."""
    return _program(case)(*split(case, arrays))
