"""The golden values, worked out by hand once: float64 to 1e-12."""

import jax.numpy as jnp
import pytest

from diffbio.functional import (
    Perplexity,
    batch_mixing_loss,
    clustering_compactness_loss,
    shannon_diversity,
    simpson_diversity,
    velocity_consistency_loss,
    velocity_transition_loss,
)

pytestmark = pytest.mark.usefixtures("compiled_quickly")


def floats(rows):
    return jnp.asarray(rows, jnp.float64)


LINE = floats([[0], [1], [3], [7]])
LABELS = jnp.array([0, 1, 0, 1])
PLANE = floats([[0, 0], [1, 0], [0, 1], [1.5, 1]])
SOFT = floats([[1, 0], [0.75, 0.25], [0.5, 0.5], [0, 1]])
MIXED = floats([[0.5, 0.5, 0], [0.2, 0.3, 0.5]])

FIVE = floats([[0], [1], [3], [7], [8]])
FIVE_LABELS = jnp.array([0, 1, 0, 1, 0])


def mixing(x=LINE, labels=LABELS, n_neighbors=2, **options):
    return lambda: batch_mixing_loss(x, labels, n_batches=2, n_neighbors=n_neighbors, **options)


GOLDEN = {
    "batch mixing": (
        lambda: batch_mixing_loss(LINE, LABELS, n_batches=2, n_neighbors=2),
        -0.010799463452848887,
    ),
    "batch mixing, T=10": (
        lambda: batch_mixing_loss(LINE, LABELS, n_batches=2, n_neighbors=2, temperature=10),
        -0.4118255636780187,
    ),
    "batch mixing, T=10, normalized": (
        lambda: batch_mixing_loss(
            LINE, LABELS, n_batches=2, n_neighbors=2, temperature=10, normalize=True
        ),
        -0.5941386984295796,
    ),
    "batch mixing, proportions": (
        mixing(temperature=10, proportions=(0.25, 0.75)),
        -0.11188181043490665,
    ),
    "batch mixing, Simpson": (mixing(temperature=10, index="simpson"), 0.7230465029373022),
    "batch mixing, perplexity": (
        mixing(temperature=Perplexity(1.5)),
        -0.30409883108112334,
    ),
    "batch mixing, perplexity, Simpson": (
        mixing(temperature=Perplexity(1.5), index="simpson"),
        0.8191014871269173,
    ),
    "batch mixing, five cells, perplexity": (
        mixing(FIVE, FIVE_LABELS, 3, temperature=Perplexity(2)),
        -0.3649340382469507,
    ),
    "batch mixing, five cells, perplexity, Simpson": (
        mixing(FIVE, FIVE_LABELS, 3, temperature=Perplexity(2), index="simpson"),
        0.7763775447005432,
    ),
    "compactness": (lambda: clustering_compactness_loss(PLANE, SOFT), 0.5426587301587301),
    "compactness, weighted": (
        lambda: clustering_compactness_loss(PLANE, SOFT, separation_weight=2, min_separation=3),
        4.622023809523809,
    ),
    "compactness, no separation": (
        lambda: clustering_compactness_loss(PLANE, SOFT, separation_weight=0),
        0.4632936507936508,
    ),
    "velocity": (
        lambda: velocity_consistency_loss(
            floats([[0, 0], [1, 2]]), floats([[10, 0], [0, -5]]), floats([[1, 1], [1, 1]])
        ),
        0.35723304703363123,
    ),
    "transition": (
        lambda: velocity_transition_loss(
            floats([[0, 0], [1, 0], [0, 1], [2, 2]]),
            floats([[10, 0], [0, 10], [5, 5], [-10, 0]]),
            dt=0.1,
            n_neighbors=2,
            temperature=0.1,
        ),
        1.3808817912790845,
    ),
    "Shannon": (lambda: shannon_diversity(MIXED), 0.8614000973122595),
    "Simpson": (lambda: simpson_diversity(MIXED), 0.44),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_value(name):
    compute, expected = GOLDEN[name]
    assert float(compute()) == pytest.approx(expected, rel=1e-12, abs=0)
