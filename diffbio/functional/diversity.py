"""Diversity of soft cluster assignments: Shannon entropy and Simpson concentration."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from diffbio import _checks
from diffbio._numerics import (
    entropy_sum,
    entropy_terms,
    in_accumulation_dtype,
    n_counted,
    zeroed,
)
from diffbio._shards import AxisName, sum_of_all
from diffbio._types import AnyArray
from diffbio.functional._settings import Settings, one_of, option

__all__ = ["shannon_diversity", "simpson_diversity"]


@dataclass(frozen=True)
class DiversitySettings(Settings):
    """The static options of the diversities, described there."""

    over: str = option("cells", one_of(("cells", "clusters")))
    reduce: bool = option(True, _checks.flag)

    def __post_init__(self) -> None:
        if self.over == "clusters" and not self.reduce:
            raise ValueError('reduce=False needs over="cells": the clusters have no per-cell form')


class _Index(NamedTuple):
    """A diversity index: the terms of the entries, and their sum over all entries."""

    terms: Callable[[Array], Array]
    total: Callable[[Array], Array]


def shannon_diversity(
    assignments: Float[AnyArray, "n_cells n_clusters"],
    *,
    over: str = "cells",
    where: Bool[AnyArray, " n_cells"] | None = None,
    reduce: bool = True,
    axis_name: AxisName = None,
) -> Float[Array, "..."]:
    r"""Shannon entropy of soft cluster assignments, in nats; higher is more diverse.

    .. math::
        H = \frac{1}{N} \sum_i \sum_k -p_{ik} \ln p_{ik} \in [0, \ln K], \qquad
        H_{clusters} = \sum_k -\bar p_k \ln \bar p_k, \; \bar p = \frac{1}{N} \sum_i p_i

    The mean over cells is 0 for one-hot assignments whether clusters are balanced or all
    cells sit in one. To keep clusters balanced, use ``over="clusters"``.

    Args:
        assignments: ``(n_cells, n_clusters)`` probabilities p; rows are not normalised here.
        over: static. ``"cells"``: mean of the cells' entropies. ``"clusters"``: entropy of
            the mean assignment.
        where: ``(n_cells,)`` mask of the cells that count.
        reduce: static; False returns the ``(n_cells,)`` entropies (0 where masked) and
            needs ``over="cells"``.
        axis_name: static; the mesh's axis over which the cells lie in shards, inside of
            ``jax.shard_map``. See :mod:`diffbio.sharding`.

    Returns:
        Scalar, or ``(n_cells,)``, in ``promote_types(input, float32)``.

    Raises:
        ValueError: wrong rank, unknown ``over``, ``reduce=False`` over clusters.
        TypeError: non-floating assignments, non-boolean mask.

    Gradient:
        ``-(ln p + 1) / N``, and 0 at p = 0. Reverse mode only; second derivatives by
        forward over reverse mode, as in ``jax.hessian``, or twice reverse.

    Example:
        Cells that are certain of their cluster have no entropy; the clusters, all alike, have all.

        >>> import jax.numpy as jnp
        >>> certain = jnp.eye(4)
        >>> float(shannon_diversity(certain))
        0.0
        >>> round(float(shannon_diversity(certain, over="clusters")), 4)
        1.3863

    References:
        Shannon, A mathematical theory of communication, 1948.
    """
    settings = DiversitySettings.of(over=over, reduce=reduce)
    return _diversity(_SHANNON, assignments, where, settings, axis_name)


def simpson_diversity(
    assignments: Float[AnyArray, "n_cells n_clusters"],
    *,
    over: str = "cells",
    where: Bool[AnyArray, " n_cells"] | None = None,
    reduce: bool = True,
    axis_name: AxisName = None,
) -> Float[Array, "..."]:
    r"""Simpson concentration of soft cluster assignments; lower is more diverse.

    .. math::
        D = \frac{1}{N} \sum_i \sum_k p_{ik}^2 \in [1/K, 1], \qquad
        D_{clusters} = \sum_k \bar p_k^2, \; \bar p = \frac{1}{N} \sum_i p_i

    Args:
        assignments: ``(n_cells, n_clusters)`` probabilities p; rows are not normalised here.
        over: static. ``"cells"``: mean of the cells' concentrations. ``"clusters"``:
            concentration of the mean assignment, which sees unbalanced clusters.
        where: ``(n_cells,)`` mask of the cells that count.
        reduce: static; False returns the ``(n_cells,)`` concentrations (0 where masked)
            and needs ``over="cells"``.
        axis_name: static; the mesh's axis over which the cells lie in shards, inside of
            ``jax.shard_map``. See :mod:`diffbio.sharding`.

    Returns:
        Scalar, or ``(n_cells,)``, in ``promote_types(input, float32)``.

    Raises:
        ValueError: wrong rank, unknown ``over``, ``reduce=False`` over clusters.
        TypeError: non-floating assignments, non-boolean mask.

    Gradient:
        ``2 p / N``; smooth everywhere, in every mode.

    Example:
        >>> import jax.numpy as jnp
        >>> float(simpson_diversity(jnp.eye(4)))
        1.0
        >>> float(simpson_diversity(jnp.eye(4), over="clusters"))
        0.25

    References:
        Simpson, Measurement of diversity, Nature 163, 1949.
    """
    settings = DiversitySettings.of(over=over, reduce=reduce)
    return _diversity(_SIMPSON, assignments, where, settings, axis_name)


def _sum_of_squares(p: Array) -> Array:
    return jnp.sum(p * p)


_SHANNON = _Index(entropy_terms, entropy_sum)
_SIMPSON = _Index(jnp.square, _sum_of_squares)


def _diversity(
    index: _Index,
    assignments: object,
    where: object,
    settings: DiversitySettings,
    axis_name: AxisName,
) -> Float[Array, "..."]:
    p = _checks.floating("assignments", assignments, ("n_cells", "n_clusters"))
    return _diversity_of(p, _checks.mask(where, p.shape[0]), index, settings, axis_name)


@partial(jax.jit, static_argnames=("index", "settings", "axis_name"))
def _diversity_of(
    assignments: Float[Array, "n_cells n_clusters"],
    where: Bool[Array, " n_cells"] | None,
    index: _Index,
    settings: DiversitySettings,
    axis_name: AxisName,
) -> Float[Array, "..."]:
    (p,) = in_accumulation_dtype(zeroed(assignments, where))
    n = n_counted(p, where, axis_name)
    if settings.over == "clusters":
        # index(p_bar),  p_bar_k = (1/N) sum_i p_ik
        return index.total(sum_of_all(jnp.sum(p, axis=0), axis_name) / n)
    if settings.reduce:
        # (1/N) sum_i sum_k term(p_ik)
        return sum_of_all(index.total(p), axis_name) / n
    return jnp.sum(index.terms(p), axis=1)
