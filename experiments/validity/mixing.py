"""Batch mixing beside iLISI and kBET, over the strength of the batch effect.

The measures are computed on the same neighbours as the loss, found once per point. The variations
go from batches that are mixed, or have a common mean, to batches that are apart.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from diffbio.datasets import CellData, simulate_clusters
from diffbio.functional import RECOMMENDED_MIXING, Local, Perplexity, batch_mixing_loss
from diffbio.neighbors import Neighbors
from experiments.experiment import Size
from experiments.measures import ilisi, kbet, lisi_neighbors
from experiments.real_cells import labelled_starmap, nine_tenths, pbmc_two_batches
from experiments.validity.variation import Prepare, Validation, Variation, experiment

__all__ = ["EXPERIMENTS"]

Array = np.ndarray
_Offsets = Callable[[Array, Array, np.random.Generator], Array]

_N_CLUSTERS, _N_NEIGHBORS = 5, 15
_SETTINGS: dict[str, dict[str, Any]] = {
    **{f"global, T = {t:g}": {"temperature": t} for t in (0.1, 1.0, 10.0, 100.0)},
    **{f"local, T = {t:g}": {"temperature": Local(t)} for t in (0.1, 1.0, 10.0)},
    **{f"perplexity {p:g}": {"temperature": Perplexity(p)} for p in (3.0, 5.0, 10.0)},
    "Simpson, local, T = 1": {"temperature": Local(), "index": "simpson"},
    "perplexity 10 of 30 neighbours, observed proportions": RECOMMENDED_MIXING,
}
_RECOMMENDED = "batch mixing, perplexity 10 of 30 neighbours, observed proportions"
_TARGETS = {"iLISI": -0.95, "kBET": -0.95}


class _Point(NamedTuple):
    """Cells with their neighbours, and the unit in which the loss sees the embedding."""

    embeddings: jax.Array
    batch_labels: Array
    neighbors: Neighbors
    unit: float


def _point(embeddings: Array, batch_labels: Array) -> _Point:
    x = jnp.asarray(embeddings, jnp.float32)
    return _Point(x, batch_labels, lisi_neighbors(x), 1.0)


def _losses(point: _Point) -> dict[str, float]:
    x, labels = point.embeddings / point.unit, jnp.asarray(point.batch_labels)
    n_batches = len(np.unique(point.batch_labels))

    def loss(*, n_neighbors: int = _N_NEIGHBORS, **options: Any) -> float:
        nearest = point.neighbors.indices[:, :n_neighbors]
        return float(
            batch_mixing_loss(x, labels, n_batches=n_batches, neighbor_indices=nearest, **options)
        )

    return {f"batch mixing, {name}": loss(**options) for name, options in _SETTINGS.items()}


def _measures(point: _Point) -> dict[str, float]:
    return {
        "iLISI": ilisi(point.neighbors, point.batch_labels),
        "kBET": kbet(point.neighbors, point.batch_labels),
    }


def _simulated(size: Size, seed: int) -> Callable[[float], _Point]:
    """Simulated cells with a batch effect."""

    def point_at(batch_effect: float) -> _Point:
        cells = simulate_clusters(
            size.n_cells, n_clusters=_N_CLUSTERS, batch_effect=batch_effect, seed=seed
        ).arrays()
        return _point(cells["embeddings"], cells["batch_labels"])

    return point_at


def _shifted(
    read: Callable[[], CellData], offsets: _Offsets, size: Size, seed: int
) -> Callable[[float], _Point]:
    """Real cells whose batches have a common mean, and are shifted by a share of offsets."""
    cells, rng = nine_tenths(read(), size, seed).arrays(), np.random.default_rng(seed)
    embeddings, labels = cells["embeddings"], cells["batch_labels"]
    centred = embeddings - _own_offsets(embeddings, labels, rng)[labels]

    def point_at(share: float) -> _Point:
        shifts = offsets(embeddings, labels, rng)
        return _point(centred + share * shifts[labels], labels)

    return point_at


def _own_offsets(embeddings: Array, labels: Array, rng: np.random.Generator) -> Array:
    """By how much the mean of each batch differs from the mean of all cells."""
    means = [embeddings[labels == batch].mean(axis=0) for batch in np.unique(labels)]
    return np.stack(means) - embeddings.mean(axis=0)


def _random_offsets(embeddings: Array, labels: Array, rng: np.random.Generator) -> Array:
    """Directions drawn anew at every point, as long as the cells are far from their mean."""
    directions = rng.normal(size=(len(np.unique(labels)), embeddings.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions * np.sqrt(embeddings.var(axis=0).sum())


def _in_other_units(prepare: Prepare[_Point], size: Size, seed: int) -> Callable[[float], _Point]:
    """The same points, each in a random unit. Neither neighbours nor measures depend on it."""
    point_at, rng = prepare(size, seed), np.random.default_rng(seed)
    return lambda at: point_at(at)._replace(unit=float(10 ** rng.uniform(-1, 1)))


def _with_units(variations: Sequence[Variation[_Point]]) -> Sequence[Variation[_Point]]:
    """The variations, and the first of them once more in other units."""
    first = variations[0]
    varied = f"{first.varied}, unit varies"
    again = first._replace(varied=varied, prepare=partial(_in_other_units, first.prepare))
    return (*variations, again)


def _on_real(
    cells: str, read: Callable[[], CellData], largest: float
) -> tuple[Variation[_Point], Variation[_Point]]:
    """Shifts up to a share of the batches' own offsets, and of random ones."""
    return (
        Variation(cells, "own offsets", (0, largest), partial(_shifted, read, _own_offsets)),
        Variation(cells, "random offsets", (0, 0.6), partial(_shifted, read, _random_offsets)),
    )


# Each variation ends where the batches are apart: beyond, the measures are 0, and rank nothing.
_VARIATIONS: tuple[tuple[Variation[_Point], ...], ...] = (
    (Variation("simulated clusters", "batch effect", (0, 0.5), _simulated),),
    _on_real("STARmap", labelled_starmap, 6),
    _on_real("PBMC, two batches", pbmc_two_batches, 2),
)

EXPERIMENTS = tuple(
    experiment(
        f"batch mixing beside iLISI and kBET, {variations[0].cells}",
        Validation(_losses, _measures, _TARGETS, _RECOMMENDED),
        _with_units(variations),
    )
    for variations in _VARIATIONS
)
