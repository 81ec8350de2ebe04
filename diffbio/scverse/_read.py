"""Matrices of an AnnData object, as the arrays that the losses take."""

from typing import Any

import numpy as np
from anndata import AnnData
from scipy import sparse

from diffbio import _checks
from diffbio.scverse import _columns, _entries

__all__ = [
    "check_in_memory",
    "check_layer",
    "expression_and_velocity",
    "representation",
    "unit_variance",
]

Array = np.ndarray

EXPRESSION = "Ms"
"""The layer of smoothed spliced RNA that scVelo computes velocities from."""


def check_in_memory(adata: Any) -> None:
    """Require an AnnData object that is not backed by a file."""
    if not isinstance(adata, AnnData):
        raise TypeError(f"adata must be an AnnData object, got {type(adata).__name__}")
    if adata.isbacked:
        raise ValueError("adata must lie in memory, got a backed object; use adata.to_memory()")


def check_layer(layer: str | None, names: list[str]) -> None:
    """Require a layer to come with the representation that it takes the place of."""
    if layer is not None and "X" not in names:
        raise ValueError(
            f"layer={_entries.key('layer', layer)!r} needs use_rep='X', got use_rep={names}"
        )


def representation(adata: AnnData, use_rep: str, layer: str | None) -> Array:
    """``(n_cells, dim)`` coordinates: ``adata.X`` or a layer, or an entry of ``obsm``.

    Counts may be integers; coordinates that are integers are labels, most likely.
    """
    if use_rep != "X":
        name = f"adata.obsm[{use_rep!r}]"
        return _finite(name, _dense(name, _entries.entry("use_rep", use_rep, "obsm", adata.obsm)))
    if layer is not None:
        name, matrix = f"adata.layers[{layer!r}]", _layer(adata, "layer", layer)
    elif adata.X is not None:
        name, matrix = "adata.X", adata.X
    else:
        raise ValueError("use_rep='X' needs adata.X, got None")
    return _finite(name, _dense(name, matrix, counts=True))


def expression_and_velocity(adata: AnnData, velocity_key: str) -> tuple[Array, Array]:
    """Two ``(n_cells, n_genes)`` layers, of the genes that have a velocity.

    scVelo leaves NaN where it could not fit a gene, and names in ``var`` those that it trusts.
    """
    velocity_key = _entries.key("velocity_key", velocity_key)
    velocity = _dense(
        f"adata.layers[{velocity_key!r}]", _layer(adata, "velocity_key", velocity_key)
    )
    name = f"adata.layers[{EXPRESSION!r}]"
    expression = _dense(name, _layer(adata, "the layer of expression", EXPRESSION))
    genes = np.isfinite(velocity).all(axis=0)
    trusted = f"{velocity_key}_genes"
    if trusted in adata.var:
        genes &= _columns.flags(trusted, "var", adata.var)
    if not genes.any():
        raise ValueError(f"velocity_key={velocity_key!r} has no gene with velocities in all cells")
    return _finite(name, expression[:, genes]), velocity[:, genes]


def unit_variance(
    name: str, points: Array, counted: Array | slice = slice(None)
) -> tuple[Array, float]:
    """Coordinates of a total variance of 1 over the cells that count, and their unit before."""
    length = float(np.sqrt(points[counted].var(axis=0, dtype=np.float64).sum()))
    if not length:
        raise ValueError(f"{name!r} must vary over cells, got the same coordinates everywhere")
    return points / points.dtype.type(length), length


def _layer(adata: AnnData, argument: str, key: str) -> Any:
    return _entries.entry(argument, _entries.key(argument, key), "layers", adata.layers)


def _dense(name: str, value: Any, *, counts: bool = False) -> Array:
    """A matrix as an array of at least single precision."""
    array = _checks.as_array(name, value.toarray() if sparse.issparse(value) else value)
    if counts and array.dtype.kind in "iu":
        array = array.astype(np.promote_types(array.dtype, np.float32))
    array = np.asarray(_checks.floating(name, array, ("n_cells", "dim")))
    return array.astype(np.promote_types(array.dtype, np.float32), copy=False)


def _finite(name: str, array: Array) -> Array:
    unusable = ~np.isfinite(array).all(axis=1)
    if unusable.any():
        raise ValueError(f"{name} must be finite, got NaN or infinity in {unusable.sum()} cells")
    return array
