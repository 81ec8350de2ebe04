"""The losses of arrays that were read from an AnnData object, each with its setting."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from diffbio.functional import (
    batch_mixing_loss,
    clustering_compactness_loss,
    velocity_transition_loss,
)
from diffbio.neighbors import nearest_neighbors
from diffbio.scverse._read import Categories

__all__ = ["MIXING", "N_MIXING_NEIGHBORS", "Measured", "of_batches", "of_labels", "of_velocity"]

Array = np.ndarray

MIXING: dict[str, Any] = {"bandwidth": "perplexity", "proportions": "observed"}
"""How batch mixing weighs neighbours, and what it aims at: the recommended setting."""
N_MIXING_NEIGHBORS = 30
_N_LISI_NEIGHBORS = 89
_N_TRANSITION_NEIGHBORS = 30
_FEWEST_NEIGHBORS = 4


class Measured(NamedTuple):
    """A loss of all cells; ``per_cell``, NaN where a cell does not count, if it has that form."""

    loss: str
    value: float
    better: str
    n_cells: int
    per_cell: Array | None = None


def of_batches(points: Array, batches: Categories, listed: Array | None) -> Iterator[Measured]:
    """Batch mixing and iLISI, among the listed neighbours or the nearest ones."""
    near, far = _neighborhoods(points, batches, listed)
    n_cells = int(batches.known.sum())
    mixing = batch_mixing_loss(
        points,
        np.maximum(batches.codes, 0),
        n_batches=batches.n_categories,
        normalize=True,
        neighbor_indices=near,
        where=batches.known,
        reduce=False,
        **MIXING,
    )
    per_cell = _of_known(mixing, batches)
    yield Measured("batch_mixing", float(np.nanmean(per_cell)), "lower", n_cells, per_cell)
    mixed = _scaled_lisi(points, batches, far)
    yield Measured("ilisi", float(np.nanmedian(mixed)), "higher", n_cells, mixed)


def of_labels(points: Array, labels: Categories, listed: Array | None) -> Iterator[Measured]:
    """Clustering compactness of points of a total variance of 1, and cLISI."""
    n_cells = int(labels.known.sum())
    memberships = jax.nn.one_hot(labels.codes, labels.n_categories, dtype=points.dtype)
    compactness = clustering_compactness_loss(points, memberships, where=labels.known)
    yield Measured("clustering_compactness", float(compactness), "lower", n_cells)
    _, far = _neighborhoods(points, labels, listed)
    apart = 1 - _scaled_lisi(points, labels, far)
    yield Measured("clisi", float(np.nanmedian(apart)), "higher", n_cells, apart)


def of_velocity(expression: Array, velocity: Array, listed: Array | None) -> Measured:
    """Velocity transitions among the listed neighbours, or the nearest ones by expression."""
    loss = velocity_transition_loss(
        expression,
        velocity,
        n_neighbors=min(_N_TRANSITION_NEIGHBORS, len(expression) - 1),
        neighbor_indices=listed,
    )
    return Measured("velocity_transition", float(loss), "lower", len(expression))


def _neighborhoods(
    points: Array, groups: Categories, listed: Array | None
) -> tuple[Array | jax.Array, Array | jax.Array]:
    """The neighbours for batch mixing and those for LISI: of one search, or the listed ones."""
    if listed is not None:
        near = far = _enough(listed)
    else:
        k = min(_N_LISI_NEIGHBORS, len(points) - 1)
        far = _enough(nearest_neighbors(points, k, where=groups.known).indices)
        near = far[:, :N_MIXING_NEIGHBORS]
    return near, far


def _enough(lists: Array | jax.Array) -> Array | jax.Array:
    """The lists, if their perplexity, a third of their width, can be above 1."""
    if lists.shape[1] < _FEWEST_NEIGHBORS:
        raise ValueError(
            f"a cell needs at least {_FEWEST_NEIGHBORS} neighbours, got {lists.shape[1]} at most"
        )
    return lists


def _scaled_lisi(points: Array, groups: Categories, lists: Array | jax.Array) -> Array:
    """``(n_cells,)`` LISI, scaled so that 0 is one group around a cell and 1 all of them.

    The perplexity is that of LISI's authors, a third of the neighbours and the cell itself.
    """
    simpson = batch_mixing_loss(
        points,
        np.maximum(groups.codes, 0),
        n_batches=groups.n_categories,
        bandwidth="perplexity",
        perplexity=(lists.shape[1] + 1) / 3,
        index="simpson",
        neighbor_indices=lists,
        where=groups.known,
        reduce=False,
    )
    return (1 / _of_known(simpson, groups) - 1) / (groups.n_categories - 1)


def _of_known(per_cell: jax.Array, groups: Categories) -> Array:
    return np.where(groups.known, np.asarray(per_cell, np.float64), np.nan)
