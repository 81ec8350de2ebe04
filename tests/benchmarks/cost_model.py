"""The formulas of ``docs/cost_model.md``: what a loss with its gradient costs one of P devices.

They are those of float32 and of shards of at least 8192 cells, which visit in whole pieces.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from benchmarks.catalog.cases import case
from benchmarks.measure.program_text.tally import Tally
from benchmarks.schema.suite import MIXING_NEIGHBORS, TRANSITION_NEIGHBORS
from diffbio.functional import RECOMMENDED_MIXING
from diffbio.functional._edges import ring, visits
from diffbio.neighbors import _exact

__all__ = ["COSTS", "cost_of"]

N_BATCHES = 3
# Bytes of a number, and of a label or a boolean.
NUMBER, BYTE = 4, 1


class Sizes(NamedTuple):
    """N cells of D dimensions, and of K clusters if any, on P devices."""

    n_cells: int
    n_devices: int
    dim: int
    n_clusters: int

    @property
    def shard(self):
        """Cells per device."""
        return self.n_cells / self.n_devices


@dataclass(frozen=True)
class Cost(Tally):
    """Of one device; the temporaries are an upper bound for more than one device."""

    flops: float = 0
    communicated_bytes: int = 0
    messages: int = 0
    ring_rounds: int = 0
    temp_bytes: float = 0


def cost_of(loss, n_cells, n_devices):
    """What the loss costs each device; one device alone sends nothing."""
    shapes = {name: array.shape[1:] for name, array in case(loss).make_inputs(64).items()}
    (dim,) = shapes.get("embeddings") or shapes.get("expression") or (0,)
    (n_clusters,) = shapes.get("assignments", (0,))
    cost = COSTS[loss](Sizes(n_cells, n_devices, dim, n_clusters))
    if n_devices > 1:
        return cost
    return replace(cost, communicated_bytes=0, messages=0, ring_rounds=0)


def summed(*sizes):
    """Sums over the devices of arrays of so many numbers."""
    return Cost(communicated_bytes=NUMBER * sum(sizes), messages=len(sizes))


def around_ring(s, n_pieces, *bytes_per_cell):
    """Arrays of so many bytes per cell go once round the ring, in pieces."""
    rounds = n_pieces * s.n_devices if bytes_per_cell else 0
    return Cost(0, s.n_cells * sum(bytes_per_cell), rounds * len(bytes_per_cell), rounds)


def held(s, numbers_per_cell):
    return Cost(temp_bytes=NUMBER * s.shard * numbers_per_cell)


def search(s, k):
    """The product of all pairs; then each visit's candidates are measured and merged."""
    products = 2 * (s.dim + 2) * s.n_cells * s.shard
    candidates = k + 1 + _exact._SPARE_CANDIDATES
    visit = 4 * s.dim * candidates + 2 * (k + candidates) ** 2 + s.dim * k
    n_visits = 1 if s.n_devices == 1 else _exact._PIECES * s.n_devices
    points = around_ring(s, _exact._PIECES, NUMBER * s.dim, BYTE)
    return Cost(products + n_visits * s.shard * visit) + summed(s.dim, 1, 1) + points


def edges(s, k, per_edge, *labels):
    """The points visit in the forward pass; with their gradients in the backward pass."""
    points, pieces = NUMBER * s.dim, visits._PIECES
    turn = around_ring(s, pieces, points) + around_ring(s, pieces, points, points)
    return Cost(s.shard * k * per_edge) + around_ring(s, 1, *labels) + ring._GROUPS * turn


def batch_mixing(s, *, k=MIXING_NEIGHBORS, searched=True, per_edge=43, sums=(1,)):
    by_dim = 11 if s.n_devices == 1 else 9
    cost = edges(s, k, by_dim * s.dim + per_edge, BYTE) + summed(*sums)
    if not searched:
        return cost + held(s, 3 * k + s.dim / 8 + 1)
    return search(s, k) + cost + held(s, s.dim + 3.5 * k + 5)


def transition(s):
    k = TRANSITION_NEIGHBORS
    return search(s, k) + edges(s, k, 23 * s.dim) + summed(1, 1) + held(s, 2.5 * s.dim + 7 * k)


def compactness(s):
    d, k = s.dim, s.n_clusters
    flops = s.shard * (8 * d * k + 2 * k * k + 13 * d + 5 * k)
    return Cost(flops) + summed(1, d, d, k, k * d, 1) + held(s, d + 3)


def combined(s):
    reconstruction = Cost(flops=6 * s.shard * s.dim) + summed(1) + held(s, s.n_clusters + 5)
    return batch_mixing(s) + compactness(s) + reconstruction


COSTS = {
    "batch_mixing_recommended": lambda s: batch_mixing(
        s,
        k=RECOMMENDED_MIXING["n_neighbors"],
        per_edge=43 + 15,
        sums=(1, N_BATCHES, 1, 1),
    ),
    "batch_mixing": batch_mixing,
    "batch_mixing_local": lambda s: batch_mixing(s, sums=(1, 1)),
    "batch_mixing_precomputed": lambda s: batch_mixing(s, searched=False),
    "batch_mixing_simpson": batch_mixing,
    "compactness": compactness,
    "velocity": lambda s: Cost(flops=16 * s.shard * s.dim) + summed(1) + held(s, 19),
    "velocity_transition": transition,
    "shannon": lambda s: Cost(7 * s.shard * s.n_clusters) + summed(1) + held(s, s.n_clusters),
    "simpson": lambda s: Cost(4 * s.shard * s.n_clusters) + summed(1) + Cost(temp_bytes=NUMBER),
    "combined": combined,
}
