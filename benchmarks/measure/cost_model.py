"""What every loss with its gradient costs each of several devices, as formulas.

``docs/cost_model.md`` derives them, and a test holds them against the counters. They are those
of float32 and of shards of at least 8192 cells, which visit in whole pieces.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from benchmarks.measure.tally import Tally
from benchmarks.schema.suite import MIXING_NEIGHBORS, TRANSITION_NEIGHBORS

__all__ = ["COSTS", "Cost", "Spread", "cost_of"]

# A shard visits the others in so many pieces: in a search, and at the edges. There the own
# cells take turns in so many groups, and everything visits each of them.
_SEARCH_PIECES, _EDGE_PIECES, _GROUPS = 8, 16, 2
_SPARE_CANDIDATES = 4
_N_BATCHES = 3
_SOLVER_STEPS = 32
# One number, and the byte of a label or a boolean.
_NUMBER, _BYTE = 4, 1


class Spread(NamedTuple):
    """N cells of D dimensions, and of K clusters if any, on P devices."""

    n_cells: int
    n_devices: int
    dim: int
    n_clusters: int = 0

    @property
    def shard(self) -> float:
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


def cost_of(loss: str, spread: Spread) -> Cost:
    """What the loss with its gradient costs each device; one device alone sends nothing."""
    cost = COSTS[loss](spread)
    if spread.n_devices > 1:
        return cost
    return replace(cost, communicated_bytes=0, messages=0, ring_rounds=0)


def _sums(*sizes: int) -> Cost:
    """Sums over the devices of arrays of so many numbers."""
    return Cost(communicated_bytes=_NUMBER * sum(sizes), messages=len(sizes))


def _ring(s: Spread, n_pieces: int, *bytes_per_cell: int) -> Cost:
    """Arrays of so many bytes per cell go once round the ring, in pieces."""
    rounds = n_pieces * s.n_devices if bytes_per_cell else 0
    return Cost(0, s.n_cells * sum(bytes_per_cell), rounds * len(bytes_per_cell), rounds)


def _held(s: Spread, numbers_per_cell: float) -> Cost:
    return Cost(temp_bytes=_NUMBER * s.shard * numbers_per_cell)


def _search(s: Spread, k: int) -> Cost:
    """The product of all pairs; then each visit's candidates are measured and merged."""
    products = 2 * (s.dim + 2) * s.n_cells * s.shard
    candidates = k + 1 + _SPARE_CANDIDATES
    visit = 4 * s.dim * candidates + 2 * (k + candidates) ** 2
    n_visits = 1 if s.n_devices == 1 else _SEARCH_PIECES * s.n_devices
    frame = _sums(s.dim, 1, 1)
    points = _ring(s, _SEARCH_PIECES, _NUMBER * s.dim, _BYTE)
    return Cost(products + n_visits * s.shard * visit) + frame + points


def _edges(s: Spread, k: int, per_edge: int, *fetched: int) -> Cost:
    """The points visit in the forward pass; with their gradients in the backward pass."""
    points = _NUMBER * s.dim
    turn = _ring(s, _EDGE_PIECES, points) + _ring(s, _EDGE_PIECES, points, points)
    turns = sum([turn] * _GROUPS, Cost())
    return Cost(s.shard * k * per_edge) + _ring(s, 1, *fetched) + turns


def _batch_mixing(
    s: Spread, *fetched: int, searched: bool = True, per_edge: int = 43, sums: Iterable[int] = (1,)
) -> Cost:
    k = MIXING_NEIGHBORS
    edges = _edges(s, k, 9 * s.dim + per_edge, _BYTE, *fetched) + _sums(*sums)
    edges += _held(s, len(fetched) * k)
    if not searched:
        return edges + _held(s, 3 * k + s.dim / 8 + 1)
    return _search(s, k) + edges + _held(s, s.dim + 3.5 * k + 5)


def _perplexity(s: Spread) -> Cost:
    return _batch_mixing(s, per_edge=43 + 15 * _SOLVER_STEPS, sums=(1, 1))


def _transition(s: Spread) -> Cost:
    k = TRANSITION_NEIGHBORS
    held = _held(s, 2.5 * s.dim + 7 * k)
    return _search(s, k) + _edges(s, k, 23 * s.dim) + _sums(1, 1) + held


def _compactness(s: Spread) -> Cost:
    d, k = s.dim, s.n_clusters
    flops = s.shard * (8 * d * k + 2 * k * k + 13 * d + 5 * k)
    return Cost(flops) + _sums(1, d, d, k, k * d, 1) + _held(s, d + 3)


def _combined(s: Spread) -> Cost:
    reconstruction = Cost(flops=6 * s.shard * s.dim) + _sums(1)
    return _batch_mixing(s) + _compactness(s) + reconstruction + _held(s, s.n_clusters + 5)


COSTS: Mapping[str, Callable[[Spread], Cost]] = {
    "batch_mixing": _batch_mixing,
    "batch_mixing_local": lambda s: _batch_mixing(s, sums=(1, 1)),
    "batch_mixing_precomputed": lambda s: _batch_mixing(s, searched=False),
    "batch_mixing_proportions": lambda s: _batch_mixing(s, _NUMBER, sums=(1, _N_BATCHES, 1)),
    "batch_mixing_perplexity": _perplexity,
    "batch_mixing_simpson": _batch_mixing,
    "compactness": _compactness,
    "velocity": lambda s: Cost(flops=16 * s.shard * s.dim) + _sums(1) + _held(s, 19),
    "velocity_transition": _transition,
    "shannon": lambda s: Cost(7 * s.shard * s.n_clusters) + _sums(1) + _held(s, s.n_clusters),
    "simpson": lambda s: Cost(4 * s.shard * s.n_clusters) + _sums(1) + Cost(temp_bytes=_NUMBER),
    "combined": _combined,
}
