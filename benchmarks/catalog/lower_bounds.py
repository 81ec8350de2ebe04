"""Lower bounds: the least work of a loss's kind that the machine can be asked to do.

A lower bound takes the loss's arrays and does the product, the reads or the writes that no
formulation of the loss can do without. It is measured beside the loss, in the same
process and in turn, so that their ratio means something on a noisy machine. Reports mark a lower
bound as not tight where the loss takes less time.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from benchmarks.schema.suite import TRANSITION_NEIGHBORS

__all__ = ["LOWER_BOUNDS", "LowerBound"]

LowerBound = Callable[[Mapping[str, Array]], Any]

# Rows of a block, and elements that the rows of a block may read or write: what stays in a
# CPU's cache, and what a GPU does in one large step.
_CPU = (128, 1 << 20)
_ACCELERATOR = (4096, 1 << 27)


def _by_platform(work: Callable[..., Array], x: Array) -> Array:
    """``work(x, most_rows, most_elements)`` in blocks that suit the platform it is lowered for.

    The library has such a function, but the libraries of older commits, which these bounds are
    measured beside too, have none.
    """
    cpu, accelerator = (
        partial(work, most_rows=rows, most_elements=elements)
        for rows, elements in (_CPU, _ACCELERATOR)
    )
    return lax.platform_dependent(x, cpu=cpu, default=accelerator)


def _blocked(n_rows: int, block: int, step: Callable[[Array], Array], like: Array) -> Array:
    """``step(start)`` for every block of rows, its ``(block,)`` results side by side."""

    def body(at: Array, results: Array) -> Array:
        start = jnp.minimum(at * block, n_rows - block)
        return lax.dynamic_update_slice(results, step(start), (start,))

    return lax.fori_loop(0, -(-n_rows // block), body, jnp.zeros(n_rows, like.dtype))


def blocked_product(x: Array) -> Array:
    """Squared distances of all pairs in blocks by one product each, and their row minima."""
    return _by_platform(_blocked_product, x)


def _blocked_product(x: Array, *, most_rows: int, most_elements: int) -> Array:
    n_cells, dim = x.shape
    norms = jnp.sum(x * x, axis=1, keepdims=True)
    columns = jnp.concatenate([-2 * x, norms, jnp.ones_like(norms)], axis=1)
    # On a CPU a block is 128 rows however many cells there are.
    block = min(n_cells, most_rows, max(128, most_elements // n_cells))

    def step(start: Array) -> Array:
        rows = lax.dynamic_slice(columns, (start, 0), (block, dim + 2))
        query = jnp.concatenate([-rows[:, :dim] / 2, rows[:, -1:], rows[:, -2:-1]], axis=1)
        product = jnp.dot(columns, query.T, precision=lax.Precision.HIGHEST)
        return jnp.min(product, axis=0)

    return _blocked(n_cells, block, step, x)


def gathered_read(x: Array, n_neighbors: int) -> Array:
    """Read ``n_neighbors`` rows of x for every row, in blocks."""
    return _by_platform(partial(_gathered_read, n_neighbors), x)


def _gathered_read(n_neighbors: int, x: Array, *, most_rows: int, most_elements: int) -> Array:
    n_cells, dim = x.shape
    offsets = 7919 * (1 + jnp.arange(n_neighbors))
    block = max(1, min(most_rows, n_cells, most_elements // (n_neighbors * dim)))

    def body(at: Array, total: Array) -> Array:
        start = jnp.minimum(at * block, n_cells - block)
        cells = (start + jnp.arange(block)[:, None] + offsets) % n_cells
        return total + jnp.sum(x[cells], axis=(0, 1))

    return lax.fori_loop(0, -(-n_cells // block), body, jnp.zeros(dim, x.dtype))


def _search(arrays: Mapping[str, Array]) -> Any:
    """All pairs, which an exact search without an index compares.

    Distances are symmetric, so that half of the product would do; no library has such a product.
    """
    return blocked_product(arrays["embeddings"])


def _search_and_gather(arrays: Mapping[str, Array]) -> Any:
    """All pairs, and the rows of the neighbours, which only the search can name."""
    x = arrays["expression"]
    return blocked_product(x), gathered_read(x, TRANSITION_NEIGHBORS)


def _gather(arrays: Mapping[str, Array]) -> Any:
    """The rows of the neighbours that are given: each is read once for each cell that lists it."""
    return gathered_read(arrays["embeddings"], arrays["neighbor_indices"].shape[1])


def _two_products(arrays: Mapping[str, Array]) -> Any:
    """The centroids, and the gradient by the features: each is a product of two of the inputs."""
    x, a = arrays["embeddings"], arrays["assignments"]
    c = jnp.dot(a.T, x, precision=lax.Precision.HIGHEST)
    return jnp.dot(a, c, precision=lax.Precision.HIGHEST)


def _one_product(arrays: Mapping[str, Array]) -> Any:
    """The centroids: every feature enters each by its assignment."""
    x, a = arrays["embeddings"], arrays["assignments"]
    return jnp.dot(a.T, x, precision=lax.Precision.HIGHEST)


def _read(arrays: Mapping[str, Array]) -> Any:
    """Every number is read, since each changes the value."""
    return [jnp.sum(array) for array in arrays.values()]


def _read_and_write(arrays: Mapping[str, Array]) -> Any:
    """Every number is read, and has a gradient that is written."""
    return jax.tree.map(lambda array: 2 * array, dict(arrays))


def _sum_of_logs(arrays: Mapping[str, Array]) -> Any:
    """Every assignment has a logarithm of its own; XLA has no cheaper one."""
    return jnp.sum(jnp.log(arrays["assignments"]))


def _sum_of_logs_and_write(arrays: Mapping[str, Array]) -> Any:
    """The logarithms, and a gradient for each."""
    return _sum_of_logs(arrays), _read_and_write(arrays)


LOWER_BOUNDS: Mapping[str, Mapping[str, LowerBound]] = {
    "search": {"value": _search, "value_and_grad": _search},
    "search and gather": {"value": _search_and_gather, "value_and_grad": _search_and_gather},
    "gather": {"value": _gather, "value_and_grad": _gather},
    "products": {"value": _one_product, "value_and_grad": _two_products},
    "read and write": {"value": _read, "value_and_grad": _read_and_write},
    "logs and write": {"value": _sum_of_logs, "value_and_grad": _sum_of_logs_and_write},
}
