"""The inverse of Simpson's index with weights of a perplexity is LISI, cell by cell."""

import jax
import numpy as np
import pytest

from diffbio.functional import Perplexity, batch_mixing_loss
from diffbio.neighbors import nearest_neighbors

N_CELLS, N_BATCHES, N_NEIGHBORS, PERPLEXITY = 300, 3, 89, 30


def cells(dtype=np.float64):
    rng = np.random.default_rng(0)
    labels = rng.integers(N_BATCHES, size=N_CELLS)
    x = rng.normal(size=(N_CELLS, 10)) + labels[:, None] * np.linspace(0, 1, 10)
    return x.astype(dtype), labels


def inverse_simpson(x, labels):
    return 1 / batch_mixing_loss(
        x,
        labels,
        n_batches=N_BATCHES,
        n_neighbors=N_NEIGHBORS,
        temperature=Perplexity(PERPLEXITY),
        index="simpson",
        reduce=False,
    )


def lisi(x, labels):
    """LISI as published: bisection of the precision until the entropy is that of the perplexity."""
    values = np.zeros(len(x))
    for i in range(len(x)):
        d = np.sqrt(((x - x[i]) ** 2).sum(axis=1))
        nearest = np.argsort(np.where(np.arange(len(x)) == i, np.inf, d))[:N_NEIGHBORS]
        low, high, beta = 0.0, np.inf, 1.0
        for _ in range(100):
            p = np.exp(-beta * d[nearest])
            entropy = np.log(p.sum()) + beta * (d[nearest] @ p) / p.sum()
            low, high = (beta, high) if entropy > np.log(PERPLEXITY) else (low, beta)
            beta = 2 * beta if high == np.inf else (low + high) / 2
        shares = np.bincount(labels[nearest], p / p.sum(), N_BATCHES)
        values[i] = 1 / (shares**2).sum()
    return values


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_is_lisi(dtype):
    x, labels = cells(dtype)
    expected = lisi(x.astype(np.float64), labels)
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(inverse_simpson(x, labels), expected, rtol=0, atol=5e-6)


@pytest.mark.slow
def test_it_is_the_lisi_of_scib_metrics():
    scib = pytest.importorskip("scib_metrics", reason="needs the extra: peers")
    from scib_metrics.nearest_neighbors import NeighborsResults

    x, labels = cells(np.float32)
    found = nearest_neighbors(x, N_NEIGHBORS)
    itself = np.arange(N_CELLS)[:, None]
    neighbors = NeighborsResults(
        indices=np.hstack([itself, found.indices]),
        distances=np.hstack([0 * itself, np.sqrt(found.squared_distances)]).astype(np.float32),
    )
    with jax.enable_x64(False):  # Its loop fails with 64-bit types.
        expected = scib.lisi_knn(neighbors, labels, perplexity=PERPLEXITY)
    np.testing.assert_allclose(inverse_simpson(x, labels), expected, rtol=0, atol=5e-5)
