"""What an AnnData object holds under a key, as the arrays that the losses take."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from diffbio import _checks

__all__ = [
    "Categories",
    "categories",
    "check_in_memory",
    "expression_and_velocity",
    "neighbor_lists",
    "representation",
    "unit_variance",
]

Array = np.ndarray

EXPRESSION = "Ms"
"""The layer of smoothed spliced RNA that scVelo computes velocities from."""


class Categories(NamedTuple):
    """A column of ``obs``, numbered.

    Attributes:
        codes: ``(n_cells,)`` int32 in ``[0, n_categories)``, in the order of the categories;
            -1 where the value is missing.
        n_categories: how many occur.
    """

    codes: Array
    n_categories: int

    @property
    def known(self) -> Array:
        """``(n_cells,)`` bool, False where the value is missing."""
        return self.codes >= 0


def check_in_memory(adata: Any) -> None:
    """Require an AnnData object that is not backed by a file."""
    if not isinstance(adata, AnnData):
        raise TypeError(f"adata must be an AnnData object, got {type(adata).__name__}")
    if adata.isbacked:
        raise ValueError("adata must lie in memory, got a backed object; use adata.to_memory()")


def categories(adata: AnnData, argument: str, key: str) -> Categories:
    """A column of ``obs`` with at least two categories; those that do not occur are left out."""
    column = _found(argument, key, "obs", adata.obs)
    if column.dtype.kind == "f" and (column.dropna() % 1).any():
        raise TypeError(f"{argument}={key!r} must hold categories, got fractions ({column.dtype})")
    codes, found = pd.factorize(column, sort=True)
    if len(found) < 2:
        raise ValueError(f"{argument}={key!r} must hold at least two categories, got {list(found)}")
    return Categories(codes.astype(np.int32), len(found))


def representation(adata: AnnData, use_rep: str) -> Array:
    """``(n_cells, dim)`` coordinates: ``adata.X``, or an entry of ``obsm``."""
    if use_rep == "X":
        if adata.X is None:
            raise ValueError("use_rep='X' needs adata.X, got None")
        return _finite("adata.X", _dense("adata.X", adata.X))
    name = f"adata.obsm[{use_rep!r}]"
    return _finite(name, _dense(name, _found("use_rep", use_rep, "obsm", adata.obsm)))


def expression_and_velocity(adata: AnnData, velocity_key: str) -> tuple[Array, Array]:
    """Two ``(n_cells, n_genes)`` layers, of the genes that have a velocity.

    scVelo leaves NaN where it could not fit a gene, and names in ``var`` those that it trusts.
    """
    velocity = _dense(
        f"adata.layers[{velocity_key!r}]",
        _found("velocity_key", velocity_key, "layers", adata.layers),
    )
    layer = _found("the layer of expression", EXPRESSION, "layers", adata.layers)
    expression = _dense(f"adata.layers[{EXPRESSION!r}]", layer)
    genes = np.isfinite(velocity).all(axis=0)
    trusted = f"{velocity_key}_genes"
    if trusted in adata.var:
        genes &= adata.var[trusted].to_numpy(bool)
    if not genes.any():
        raise ValueError(f"velocity_key={velocity_key!r} has no gene with velocities in all cells")
    name = f"adata.layers[{EXPRESSION!r}]"
    return _finite(name, expression[:, genes]), velocity[:, genes]


def neighbor_lists(adata: AnnData, neighbors_key: str, use_rep: str | None) -> Array:
    """``(n_cells, width)`` int32: the neighbours that scanpy stored, and -1 where a row is shorter.

    scanpy counts the cell among its ``n_neighbors`` and stores the others, so that the width is
    read off the matrix. An entry of distance 0 is a neighbour, too: a duplicate. The rows of a
    view have lost the cells outside.

    Raises:
        ValueError: the neighbours were searched for in another representation than ``use_rep``.
    """
    settings = _found("neighbors_key", neighbors_key, "uns", adata.uns)
    if not isinstance(settings, Mapping) or "distances_key" not in settings:
        raise ValueError(
            f"adata.uns[{neighbors_key!r}] must name its 'distances_key', "
            "as scanpy.pp.neighbors writes it"
        )
    searched_in = settings.get("params", {}).get("use_rep", use_rep)
    if use_rep is not None and searched_in != use_rep:
        raise ValueError(
            f"neighbors_key={neighbors_key!r} holds neighbours in {searched_in!r}, "
            f"got use_rep={use_rep!r}"
        )
    key = settings["distances_key"]
    distances = _found("distances_key", key, "obsp", adata.obsp)
    if not sparse.issparse(distances):
        raise TypeError(
            f"adata.obsp[{key!r}] must be sparse, got {type(distances).__name__}: "
            "scanpy.pp.neighbors(..., knn=True) keeps the nearest cells alone"
        )
    return _padded(distances.tocsr())


def _padded(distances: sparse.csr_matrix | sparse.csr_array) -> Array:
    """The columns of each row's entries, explicit zeros among them, then -1."""
    lengths = np.diff(distances.indptr)
    lists = np.full((len(lengths), lengths.max(initial=0)), -1, np.int32)
    lists[np.arange(lists.shape[1]) < lengths[:, None]] = distances.indices
    return lists


def unit_variance(name: str, points: Array) -> tuple[Array, float]:
    """Coordinates of a total variance of 1, and the length that was their unit."""
    length = float(np.sqrt(points.var(axis=0, dtype=np.float64).sum()))
    if not length:
        raise ValueError(f"{name!r} must vary over cells, got the same coordinates everywhere")
    return points / points.dtype.type(length), length


def _found(argument: str, key: str, where: str, entries: Mapping[str, Any] | pd.DataFrame) -> Any:
    if key not in entries:
        raise KeyError(f"{argument}={key!r} is not in adata.{where}, which has {_listed(entries)}")
    return entries[key]


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(map(repr, keys)) or "no entries"


def _dense(name: str, value: Any) -> Array:
    """A matrix as an array of at least single precision."""
    if sparse.issparse(value):
        value = value.toarray()
    elif isinstance(value, pd.DataFrame):
        value = value.to_numpy()
    array = np.asarray(_checks.floating(name, np.asarray(value), ("n_cells", "dim")))
    return array.astype(np.promote_types(array.dtype, np.float32), copy=False)


def _finite(name: str, array: Array) -> Array:
    unusable = ~np.isfinite(array).all(axis=1)
    if unusable.any():
        raise ValueError(f"{name} must be finite, got NaN or infinity in {unusable.sum()} cells")
    return array
