"""The graph of neighbours that scanpy stored, and whether it is one of a representation."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from anndata import AnnData
from scipy import sparse

from diffbio.scverse import _entries

__all__ = ["Graph", "check_euclidean", "neighbor_graph", "neighbor_lists"]

Array = np.ndarray

_N_SAMPLED_CELLS = 300
_EPS = float(np.finfo(np.float32).eps)


class Graph(NamedTuple):
    """Neighbours and their distances; no cell is its own neighbour, or another's twice.

    Attributes:
        key: of ``uns``.
        params: what the search noted about itself.
        n_cells: cells, with and without neighbours.
        cells: ``(n_edges,)``, ascending.
        neighbors: ``(n_edges,)``, the cells' neighbours.
        distances: ``(n_edges,)`` float64, as stored.
    """

    key: str
    params: Mapping[str, Any]
    n_cells: int
    cells: Array
    neighbors: Array
    distances: Array


def neighbor_graph(adata: AnnData, neighbors_key: str) -> Graph:
    """The graph of an entry of ``uns``, with a warning if cells have lost neighbours.

    An entry of distance 0 is a neighbour, too: a duplicate. scanpy stores the cell itself
    likewise, with some ways to search.
    """
    settings = _entries.entry("neighbors_key", neighbors_key, "uns", adata.uns)
    if not isinstance(settings, Mapping) or "distances_key" not in settings:
        raise ValueError(
            f"adata.uns[{neighbors_key!r}] must name its 'distances_key', "
            "as scanpy.pp.neighbors writes it"
        )
    key = _entries.key(f"adata.uns[{neighbors_key!r}]['distances_key']", settings["distances_key"])
    stored = _entries.entry("distances_key", key, "obsp", adata.obsp)
    if not sparse.issparse(stored):
        raise TypeError(
            f"adata.obsp[{key!r}] must be sparse, got {type(stored).__name__}: "
            "scanpy.pp.neighbors(..., knn=True) keeps the nearest cells alone"
        )
    params = settings.get("params")
    params = params if isinstance(params, Mapping) else {}
    graph, keeps_itself = _without_itself(neighbors_key, params, stored.tocsr())
    unusable = ~(np.isfinite(graph.distances) & (graph.distances >= 0))
    if unusable.any():
        raise ValueError(
            f"adata.obsp[{key!r}] must hold finite distances of at least 0, "
            f"got {graph.distances[unusable][0]}"
        )
    if not graph.cells.size:
        raise ValueError(f"adata.obsp[{key!r}] must hold neighbours, got none of any cell")
    _warn_of_losses(graph, keeps_itself)
    return graph


def _without_itself(
    key: str, params: Mapping[str, Any], stored: sparse.csr_matrix | sparse.csr_array
) -> tuple[Graph, Array]:
    """The graph of a matrix, and which cells it stores among their own neighbours."""
    n_cells = stored.shape[0]
    cells = np.repeat(np.arange(n_cells), np.diff(stored.indptr))
    neighbors = stored.indices.astype(np.int64)
    _, once = np.unique(cells * n_cells + neighbors, return_index=True)
    once.sort()
    others = once[cells[once] != neighbors[once]]
    distances = stored.data[others].astype(np.float64)
    keeps_itself = np.isin(np.arange(n_cells), cells[cells == neighbors])
    return Graph(key, params, n_cells, cells[others], neighbors[others], distances), keeps_itself


def _warn_of_losses(graph: Graph, keeps_itself: Array) -> None:
    """Warn of cells with fewer neighbours than were searched for.

    Taking cells out of an object takes them out of its graph: what is left of a row are no
    longer the nearest cells. scanpy counts the cell itself among its ``n_neighbors``. If it
    does not find a cell among its duplicates, it stores the cell in the place of one.
    """
    n_neighbors = np.bincount(graph.cells, minlength=graph.n_cells)
    n_found = n_neighbors if keeps_itself.all() else n_neighbors + keeps_itself
    noted = graph.params.get("n_neighbors")
    n_searched = noted - 1 if isinstance(noted, int | np.integer) else n_found.max()
    n_fewer = int((n_found < n_searched).sum())
    if n_fewer:
        _entries.warn(
            f"neighbors_key={graph.key!r}: {n_fewer} of {graph.n_cells} cells have lost some of "
            f"the {n_searched} neighbours that were searched for, {(n_neighbors == 0).sum()} of "
            "them all; search again if cells were taken out since"
        )


def check_euclidean(graph: Graph, use_rep: str, points: Array) -> None:
    """Require the stored distances to be the Euclidean distances of the points.

    All neighbours of some hundred cells are compared. This tells a graph of another
    representation, of fewer components, of another metric, and of weights, whatever it says
    about itself.
    """
    cells = np.unique(graph.cells)
    if len(cells) > _N_SAMPLED_CELLS:
        cells = np.random.default_rng(0).choice(cells, _N_SAMPLED_CELLS, replace=False)
    center = np.median(points[cells].astype(np.float64), axis=0)
    for cell in cells:
        begin, end = np.searchsorted(graph.cells, [cell, cell + 1])
        neighbors, stored = graph.neighbors[begin:end], graph.distances[begin:end]
        x, y = points[cell].astype(np.float64), points[neighbors].astype(np.float64)
        actual = np.linalg.norm(y - x, axis=1)
        wrong = ~_equal_to_rounding(stored, actual, x, y, center)
        if wrong.any():
            worst = np.argmax(np.where(wrong, abs(stored - actual), -1))
            raise ValueError(
                f"neighbors_key={graph.key!r} must hold Euclidean distances in "
                f"use_rep={use_rep!r}, got {stored[worst]:.6g} for cells {cell} and "
                f"{neighbors[worst]}, which are {actual[worst]:.6g} apart there{_noted(graph)}"
            )


def _equal_to_rounding(stored: Array, actual: Array, x: Array, y: Array, center: Array) -> Array:
    """Whether distances differ by no more than a search in single precision rounds.

    A search may round the coordinates to single precision, which moves each end by up to
    ``eps |x| / 2``. Or it may take ``|x|^2 - 2 x.y + |y|^2``, whose products are rounded to
    some eps of ``|x|^2``: that is much for near cells, and nothing for the others. There the
    length is that from the median cell: of points far from the origin, such sums have lost
    their distances.
    """
    lengths = np.linalg.norm(x) + np.linalg.norm(y, axis=1)
    coordinates = abs(stored - actual) <= 2 * _EPS * lengths
    squares = ((x - center) ** 2).sum() + ((y - center) ** 2).sum(axis=1)
    products = abs(stored**2 - actual**2) <= 32 * _EPS * squares
    return coordinates | products


def _noted(graph: Graph) -> str:
    """What the search noted of how it measured, for a message."""
    noted = [f"{name}={graph.params[name]!r}" for name in _MEASURES if name in graph.params]
    return f" (searched with {', '.join(noted)})" if noted else ""


_MEASURES = ("use_rep", "n_pcs", "metric")


def neighbor_lists(graph: Graph, counted: Array) -> tuple[Array, Array]:
    """``(n_cells, width)`` neighbours among the cells that count, and how many each cell has.

    The rest of a row is -1. A cell that does not count has none.
    """
    both = counted[graph.cells] & counted[graph.neighbors]
    cells, neighbors = graph.cells[both], graph.neighbors[both]
    n_neighbors = np.bincount(cells, minlength=graph.n_cells)
    lists = np.full((graph.n_cells, n_neighbors.max(initial=0)), -1, np.int32)
    begins = np.cumsum(n_neighbors) - n_neighbors
    lists[cells, np.arange(len(cells)) - begins[cells]] = neighbors
    return lists, n_neighbors
