"""The document's table of weights: does the row that it recommends serve the scenario best?

The aims of the scenarios, fixed beforehand: a score ``w iLISI + (1 - w) ARI``, of the embedding's
batches and of the assignments with the cell types. The balanced w is that of the overall score of
scib; "prioritize" is taken as four to one.
"""

from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from sklearn.metrics import adjusted_rand_score

from diffbio.datasets import CellData, simulate_clusters
from diffbio.functional import (
    BALANCED,
    CLEAR_CELL_TYPES,
    STRONG_BATCH_EFFECTS,
    LossWeights,
    batch_mixing_loss,
    combined_loss,
)
from diffbio.models import IntegrationAutoencoder
from experiments.document.full_batch import trained
from experiments.experiment import Claim, Found, Size
from experiments.measures import ilisi, lisi_neighbors

__all__ = ["CLAIMS"]

_N_TYPES, _N_BATCHES, _DIM = 5, 3, 20
_RATE = 3e-3
_ROWS = (STRONG_BATCH_EFFECTS, CLEAR_CELL_TYPES, BALANCED)


class _Scenario(NamedTuple):
    """A kind of data, and what is wanted of them.

    Attributes:
        batch_effect: standard deviation of the batches' shifts; that of the cell types is 1.
        batch_share: w, the weight of iLISI in the score.
        recommended: the row of the document's table.
    """

    batch_effect: float
    batch_share: float
    recommended: LossWeights


_SCENARIOS = {
    "strong batch effects": _Scenario(1.0, 0.8, STRONG_BATCH_EFFECTS),
    "clear cell types": _Scenario(0.1, 0.2, CLEAR_CELL_TYPES),
    "balanced": _Scenario(0.4, 0.4, BALANCED),
}


def _recommended_row_wins(seed: int, size: Size) -> dict[str, Found]:
    """Its score minus the better one of the other two rows, in every scenario."""
    return {name: _found(scenario, seed, size) for name, scenario in _SCENARIOS.items()}


def _found(scenario: _Scenario, seed: int, size: Size) -> Found:
    cells = simulate_clusters(
        size.n_cells,
        n_clusters=_N_TYPES,
        n_batches=_N_BATCHES,
        batch_effect=scenario.batch_effect,
        seed=seed,
    )
    scores = dict(zip(_ROWS, _scores(cells, scenario.batch_share, seed, size), strict=True))
    best_other = max(score for row, score in scores.items() if row != scenario.recommended)
    numbers = {f"weights {row.batch:g}, {row.cluster:g}": s for row, s in scores.items()}
    return Found(scores[scenario.recommended] - best_other, numbers)


def _scores(cells: CellData, batch_share: float, seed: int, size: Size) -> list[float]:
    """The score that each row of weights leads to, from the same start."""
    features = np.asarray(cells.embeddings)[:, :_DIM]
    batches, types = np.asarray(cells.batch_labels), np.asarray(cells.cluster_labels)
    x, labels = jnp.asarray(features / features.std()), jnp.asarray(batches)
    model = IntegrationAutoencoder(_DIM, _N_BATCHES, _N_TYPES, rngs=nnx.Rngs(seed))
    graph, start = nnx.split(model)
    ends = trained(
        _objective, start, jnp.asarray(_ROWS), graph, x, labels, rate=_RATE, n_steps=size.n_steps
    )
    scores = []
    for row in range(len(_ROWS)):
        result = nnx.merge(graph, jax.tree.map(itemgetter(row), ends))(x, labels)
        mixing = ilisi(lisi_neighbors(result["embeddings"]), batches)
        agreement = adjusted_rand_score(types, result["assignments"].argmax(axis=1))
        scores.append(batch_share * mixing + (1 - batch_share) * agreement)
    return scores


def _objective(
    parameters: Any, weights: jax.Array, graph: Any, features: jax.Array, batch_ids: jax.Array
) -> jax.Array:
    result = nnx.merge(graph, parameters)(features, batch_ids)
    return combined_loss(
        result["embeddings"],
        batch_ids,
        result["assignments"],
        features=features,
        reconstructed=result["reconstructed"],
        weights=tuple(weights),
        mixing=partial(batch_mixing_loss, n_batches=_N_BATCHES),
    ).total


CLAIMS = (
    Claim(
        "combined loss",
        "The recommended weights serve their scenario better than the other rows",
        _recommended_row_wins,
        many=True,
    ),
)
