"""What the document claims of clustering compactness, and how each claim is tested."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import jax.numpy as jnp
import numpy as np
import scipy.stats
from jax.nn import one_hot
from sklearn.cluster import KMeans

from diffbio.functional import clustering_compactness_loss
from experiments.experiment import Claim, Found, Size
from experiments.measures import silhouette

__all__ = ["CLAIMS"]

_N_CLUSTERS, _DIM = 5, 10
_ASKED_RHO = 0.95

Clustering = tuple[np.ndarray, np.ndarray]
"""Points and the clusters that they are said to be in."""

_Variation = Callable[[np.random.Generator, int, int], Iterator[Clustering]]


def _tight_clusters_score_lower(seed: int, size: Size) -> dict[str, Found]:
    rng = np.random.default_rng(seed)
    labels = np.arange(size.n_cells) % _N_CLUSTERS
    centres = 5 * rng.normal(size=(_N_CLUSTERS, _DIM))
    noise = rng.normal(size=(size.n_cells, _DIM))
    spreads = (0.1, 0.5, 1.0, 2.0)
    losses = [_loss(centres[labels] + spread * noise, labels) for spread in spreads]
    numbers = {f"spread {s:g}": loss for s, loss in zip(spreads, losses, strict=True)}
    return {"": Found(_least_step(losses), numbers)}


def _separated_clusters_score_lower(seed: int, size: Size) -> dict[str, Found]:
    rng = np.random.default_rng(seed)
    labels = np.arange(size.n_cells) % 2
    noise, apart = 0.1 * rng.normal(size=(size.n_cells, 2)), np.array([1.0, 0.0])
    distances = (0.0, 0.5, 1.0, 2.0)
    losses = [_loss(noise + d * labels[:, None] * apart, labels) for d in distances]
    numbers = {f"distance {d:g}": loss for d, loss in zip(distances, losses, strict=True)}
    within, beyond = losses[2::-1], losses[:1:-1]
    return {
        "up to min_separation": Found(_least_step(within), numbers),
        "beyond it": Found(_least_step(beyond), numbers),
    }


def _least_step(ascending: Sequence[float]) -> float:
    """The least step of numbers that should ascend; negative where they descend."""
    return float(np.diff(ascending).min())


def _ranks_as_silhouette(seed: int, size: Size) -> dict[str, Found]:
    """Spearman's rho of the negative loss with the silhouette score, over variations."""
    found = {}
    for condition, variation in _VARIATIONS.items():
        clusterings = variation(np.random.default_rng(seed), size.n_cells, size.n_points)
        pairs = [(-_loss(*c), silhouette(*c)) for c in clusterings]
        rho = _spearman(np.array(pairs))
        found[condition] = Found(rho - _ASKED_RHO, {"rho": rho})
    return found


def _spearman(pairs: np.ndarray) -> float:
    """Spearman's rho; 0 where one of the two never changes."""
    if not np.ptp(pairs, axis=0).all():
        return 0.0
    return float(scipy.stats.spearmanr(pairs).statistic)


def _spreads(rng: np.random.Generator, n_cells: int, n_points: int) -> Iterator[Clustering]:
    labels, centres, noise = _drawn(rng, n_cells, _N_CLUSTERS)
    for spread in np.linspace(0.2, 4, n_points):
        yield centres[labels] + spread * noise, labels


def _distances(
    least: float, most: float, rng: np.random.Generator, n_cells: int, n_points: int
) -> Iterator[Clustering]:
    """Two clusters whose centroids have these distances."""
    labels, _, noise = _drawn(rng, n_cells, 2)
    for distance in np.linspace(least, most, n_points):
        yield 0.1 * noise + distance * np.outer(labels, np.eye(_DIM)[0]), labels


def _shuffled_labels(rng: np.random.Generator, n_cells: int, n_points: int) -> Iterator[Clustering]:
    """More and more cells have the cluster of another one."""
    labels, centres, noise = _drawn(rng, n_cells, _N_CLUSTERS)
    points = centres[labels] + noise
    for n_wrong in np.linspace(0, n_cells, n_points).astype(int):
        wrong = labels.copy()
        wrong[:n_wrong] = rng.permutation(wrong[:n_wrong])
        yield points, wrong


def _scales(rng: np.random.Generator, n_cells: int, n_points: int) -> Iterator[Clustering]:
    """The clusters of ``_spreads``, each in a unit of its own."""
    for points, labels in _spreads(rng, n_cells, n_points):
        yield points * rng.uniform(0.1, 10), labels


def _cluster_counts(rng: np.random.Generator, n_cells: int, n_points: int) -> Iterator[Clustering]:
    """The same points in 2, 3, 4, ... clusters, as k-means finds them."""
    labels, centres, noise = _drawn(rng, n_cells, _N_CLUSTERS)
    points = centres[labels] + noise
    for n_clusters in range(2, 2 + n_points):
        yield points, KMeans(n_clusters, n_init=3, random_state=0).fit_predict(points)


def _drawn(
    rng: np.random.Generator, n_cells: int, n_clusters: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels in turn, centres far apart, and noise of variance 1."""
    labels = rng.permutation(n_cells) % n_clusters
    return labels, 5 * rng.normal(size=(n_clusters, _DIM)), rng.normal(size=(n_cells, _DIM))


def _loss(points: np.ndarray, labels: np.ndarray) -> float:
    return float(
        clustering_compactness_loss(jnp.asarray(points), one_hot(labels, labels.max() + 1))
    )


_VARIATIONS: dict[str, _Variation] = {
    "over spreads": _spreads,
    "over distances up to min_separation": partial(_distances, 0.05, 1.0),
    "over distances beyond min_separation": partial(_distances, 1.05, 4.0),
    "over shares of wrong labels": _shuffled_labels,
    "over spreads, each in another unit": _scales,
    "over numbers of clusters": _cluster_counts,
}

CLAIMS = (
    Claim("compactness", "Lower for tight clusters", _tight_clusters_score_lower),
    Claim("compactness", "Lower for clusters further apart", _separated_clusters_score_lower),
    Claim(
        "compactness",
        "Similar to the silhouette score: a rank correlation above 0.95",
        _ranks_as_silhouette,
    ),
)
