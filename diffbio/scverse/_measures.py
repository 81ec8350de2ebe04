"""The losses of arrays that were read from an AnnData object, each with its setting."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from diffbio.functional import (
    Perplexity,
    batch_mixing_loss,
    clustering_compactness_loss,
    velocity_transition_loss,
)
from diffbio.losses import BatchMixingLoss
from diffbio.neighbors import nearest_neighbors
from diffbio.scverse import _entries
from diffbio.scverse._columns import Categories
from diffbio.scverse._graph import Graph, neighbor_lists

__all__ = ["Measured", "of_batches", "of_labels", "of_velocity"]

Array = np.ndarray

_N_LISI_NEIGHBORS = 89
_N_TRANSITION_NEIGHBORS = 30
# The perplexity, a third of the neighbours, must be above 1 in some cell.
_FEWEST_NEIGHBORS = 4


class Measured(NamedTuple):
    """A loss of all cells; ``per_cell``, NaN where a cell does not count, if it has that form."""

    loss: str
    value: float
    better: str
    n_cells: int
    per_cell: Array | None = None


class _Neighborhoods(NamedTuple):
    """Neighbours among the cells that count.

    Attributes:
        lists: ``(n_cells, width)``, nearest first if they were searched for.
        n_neighbors: ``(n_cells,)`` how many each cell has; the rest of its row is padding.
    """

    lists: Array | jax.Array
    n_neighbors: Array

    @property
    def some(self) -> Array:
        """``(n_cells,)`` bool, which cells have neighbours: the others have no value."""
        return self.n_neighbors > 0


def of_batches(points: Array, batches: Categories, graph: Graph | None) -> Iterator[Measured]:
    """Batch mixing and iLISI, among the graph's neighbours or the nearest ones."""
    near = _neighborhoods(points, batches, graph)
    loss = BatchMixingLoss.recommended(batches.n_categories, normalize=True, reduce=False)
    mixing = loss(
        points,
        np.maximum(batches.codes, 0),
        neighbor_indices=near.lists if graph else near.lists[:, : loss.settings.n_neighbors],
        where=batches.known,
    )
    per_cell = _where(near.some, mixing)
    n_cells = int(near.some.sum())
    yield Measured("batch_mixing", float(np.nanmean(per_cell)), "lower", n_cells, per_cell)
    mixed = _scaled_lisi(points, batches, near)
    yield Measured("ilisi", float(np.nanmedian(mixed)), "higher", n_cells, mixed)


def of_labels(points: Array, labels: Categories, graph: Graph | None) -> Iterator[Measured]:
    """Clustering compactness of points of a total variance of 1, and cLISI."""
    near = _neighborhoods(points, labels, graph)
    memberships = jax.nn.one_hot(labels.codes, labels.n_categories, dtype=points.dtype)
    compactness = float(clustering_compactness_loss(points, memberships, where=labels.known))
    yield Measured("clustering_compactness", compactness, "lower", int(labels.known.sum()))
    apart = 1 - _scaled_lisi(points, labels, near)
    yield Measured("clisi", float(np.nanmedian(apart)), "higher", int(near.some.sum()), apart)


def of_velocity(expression: Array, velocity: Array, graph: Graph | None) -> Measured:
    """Velocity transitions among the graph's neighbours, or the nearest ones by expression."""
    n_cells = n_counted = len(expression)
    lists = None
    if graph is not None:
        counted = np.ones(n_cells, bool)
        lists, n_neighbors = neighbor_lists(graph, counted)
        _check_neighbors(f"neighbors_key={graph.key!r}", n_neighbors, counted, fewest=1)
        n_counted = int((n_neighbors > 0).sum())
    loss = velocity_transition_loss(
        expression,
        velocity,
        n_neighbors=min(_N_TRANSITION_NEIGHBORS, n_cells - 1),
        neighbor_indices=lists,
    )
    # The loss is a mean over all cells, in which one without neighbours adds 0.
    value = float(loss) * n_cells / n_counted
    return Measured("velocity_transition", value, "lower", n_counted)


def _neighborhoods(points: Array, groups: Categories, graph: Graph | None) -> _Neighborhoods:
    """The neighbours of the cells whose category is known, of a graph or of a search."""
    known = groups.known
    lists: Array | jax.Array
    if graph is not None:
        source = f"neighbors_key={graph.key!r} with {groups.source}"
        lists, n_neighbors = neighbor_lists(graph, known)
        _check_neighbors(source, n_neighbors, known)
        return _Neighborhoods(lists, n_neighbors)
    k = min(_N_LISI_NEIGHBORS, int(known.sum()) - 1)
    n_neighbors = np.where(known, k, 0)
    _check_neighbors(f"{groups.source} with {k + 1} known cells", n_neighbors, known)
    return _Neighborhoods(nearest_neighbors(points, k, where=known).indices, n_neighbors)


def _check_neighbors(
    source: str, n_neighbors: Array, counted: Array, *, fewest: int = _FEWEST_NEIGHBORS
) -> None:
    """Require so many neighbours of some cell, and warn of those that have none."""
    most = n_neighbors.max(initial=0)
    if most < fewest:
        raise ValueError(f"{source}: a cell needs at least {fewest} neighbours, got {most} at most")
    n_without = int((counted & (n_neighbors == 0)).sum())
    if n_without:
        _entries.warn(
            f"{source}: {n_without} of {counted.sum()} cells have no neighbour that counts; "
            "they have no value (NaN), and enter no mean or median"
        )


def _scaled_lisi(points: Array, groups: Categories, near: _Neighborhoods) -> Array:
    """``(n_cells,)`` LISI, scaled so that 0 is one group around a cell and 1 all of them.

    The perplexity is that of LISI's authors, a third of the neighbours and the cell itself.
    """
    simpson = batch_mixing_loss(
        points,
        np.maximum(groups.codes, 0),
        n_batches=groups.n_categories,
        temperature=Perplexity(np.maximum((near.n_neighbors + 1) / 3, 1)),
        index="simpson",
        neighbor_indices=near.lists,
        where=groups.known,
        reduce=False,
    )
    return (1 / _where(near.some, simpson) - 1) / (groups.n_categories - 1)


def _where(counted: Array, per_cell: jax.Array) -> Array:
    return np.where(counted, np.asarray(per_cell, np.float64), np.nan)
