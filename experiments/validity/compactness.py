"""Compactness beside the silhouette, over what separates clusters and what widens them.

The loss has the embedding's squared unit, the silhouette has none: it stays the same where
clusters move apart and widen together. So the fair comparison is on an embedding divided by
its total standard deviation, where the loss is the share of the variance within clusters. In
the embedding's own unit the loss does not see separation beyond ``min_separation``.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot

from diffbio.datasets import CellData, simulate_clusters
from diffbio.functional import clustering_compactness_loss
from experiments.experiment import Size
from experiments.measures import silhouette
from experiments.real_cells import labelled_starmap, nine_tenths
from experiments.validity.variation import Validation, Variation, experiment

__all__ = ["EXPERIMENTS"]

Array = np.ndarray

_N_CLUSTERS = 5
_LARGEST = 3.0
_RECOMMENDED = "compactness, total variance 1"


class _Point(NamedTuple):
    embeddings: Array
    labels: Array


def _losses(point: _Point) -> dict[str, float]:
    deviation = np.sqrt(point.embeddings.var(axis=0).sum())
    return {
        _RECOMMENDED: _loss(point.embeddings / deviation, point.labels),
        "compactness, own unit": _loss(point.embeddings, point.labels),
    }


def _loss(embeddings: Array, labels: Array) -> float:
    assignments = one_hot(labels, int(labels.max()) + 1)
    return float(clustering_compactness_loss(jnp.asarray(embeddings, jnp.float32), assignments))


def _measures(point: _Point) -> dict[str, float]:
    return {"silhouette": silhouette(point.embeddings, point.labels)}


def _simulated(size: Size, seed: int) -> CellData:
    return simulate_clusters(size.n_cells, n_clusters=_N_CLUSTERS, batch_effect=0.0, seed=seed)


def _starmap(size: Size, seed: int) -> CellData:
    return nine_tenths(labelled_starmap(), size, seed)


class _Change(NamedTuple):
    """By what factor clusters move apart, and how much noise widens them."""

    factor: float
    noise: float


def _separation(at: float, rng: np.random.Generator) -> _Change:
    return _Change(at, 0)


def _noise(at: float, rng: np.random.Generator) -> _Change:
    return _Change(1, at)


def _noise_and_random_separation(at: float, rng: np.random.Generator) -> _Change:
    """Either may outweigh the other, so that no order of the points is given away."""
    return _Change(rng.uniform(0, _LARGEST), at)


def _changed(
    source: Callable[[Size, int], CellData],
    change: Callable[[float, np.random.Generator], _Change],
    size: Size,
    seed: int,
) -> Callable[[float], _Point]:
    """Cells with a change; noise of 1 is as wide as the cells are, per dimension."""
    cells, rng = source(size, seed).arrays(), np.random.default_rng(seed)
    x, labels = cells["embeddings"], cells["cluster_labels"]
    from_mean = _centroids(x, labels)[labels] - x.mean(axis=0)
    noise = rng.normal(size=x.shape) * np.sqrt(x.var(axis=0).mean())

    def point_at(at: float) -> _Point:
        changed = change(at, rng)
        return _Point(x + (changed.factor - 1) * from_mean + changed.noise * noise, labels)

    return point_at


def _centroids(embeddings: Array, labels: Array) -> Array:
    """The mean of every cluster; 0 for one without cells."""
    members = np.eye(labels.max() + 1)[labels]
    return members.T @ embeddings / np.maximum(members.sum(axis=0), 1)[:, None]


_CHANGES = {
    "separation": _separation,
    "noise": _noise,
    "noise, random separation": _noise_and_random_separation,
}

EXPERIMENTS = tuple(
    experiment(
        f"compactness beside the silhouette, {cells}",
        Validation(_losses, _measures, {"silhouette": -0.95}, _RECOMMENDED),
        [
            Variation(cells, varied, (0, _LARGEST), partial(_changed, source, change))
            for varied, change in _CHANGES.items()
        ],
    )
    for cells, source in (("simulated clusters", _simulated), ("STARmap", _starmap))
)
