"""A corrected embedding for an AnnData object."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from anndata import AnnData
from flax import nnx
from jaxtyping import Array

from diffbio import _checks
from diffbio._types import StaticInteger
from diffbio.losses import BatchMixingLoss
from diffbio.models import BatchCorrector
from diffbio.scverse import _entries, _read
from diffbio.scverse._columns import categories
from diffbio.training import Objective, fit

__all__ = ["correct_batches"]


def correct_batches(
    adata: AnnData,
    batch_key: str | Sequence[str],
    *,
    use_rep: str = "X_pca",
    key_added: str = "X_diffbio",
    n_steps: StaticInteger = 400,
    seed: StaticInteger = 0,
    progress: bool = True,
    layer: str | None = None,
) -> None:
    r"""Correct the batch effect of a representation, with a corrector trained on it.

    Trains :class:`~diffbio.models.BatchCorrector` by :func:`diffbio.training.fit`, on
    coordinates of a total variance of 1, to minimise the batch mixing loss at the recommended
    setting and the squared move of a cell:

    .. math:: L(\hat x) + \frac{1}{N} \sum_i \lVert \hat x_i - x_i \rVert^2

    L is that of :meth:`diffbio.losses.BatchMixingLoss.recommended`. The same seed gives the same
    bits on one machine, on a GPU with ``XLA_FLAGS=--xla_gpu_deterministic_ops=true``. The unit of
    the representation does not matter.

    Args:
        adata: in memory, of at least 31 cells. A view becomes a copy, as when anything else is
            written to it.
        batch_key: column of ``obs`` with categories, strings, integers or booleans, and no
            value missing; or a list of them, whose combinations that occur are the batches.
        use_rep: entry of ``obsm``, ``(n_cells, dim)`` floating, or ``"X"``, where counts may be
            integers.
        key_added: entry of ``obsm`` for the corrected coordinates, and of ``uns`` for settings.
        n_steps: updates of the model, each on at most 1024 cells.
        seed: of the model and of the order of the cells, below 2^63.
        progress: whether to show a bar.
        layer: entry of ``layers`` that takes the place of ``adata.X`` for ``use_rep="X"``.

    Returns:
        None. ``adata.obsm[key_added]`` is ``(n_cells, dim)`` float32, in the representation's
        unit, and ``adata.uns[key_added]["params"]`` has the settings.

    Raises:
        KeyError: a key that is not there; the message lists those that are.
        ValueError: a backed object, a batch that is missing or the only one, two columns of
            one name, too few cells, coordinates that are not finite or all the same, a
            ``layer`` without ``use_rep="X"``.
        TypeError: not an AnnData object, a key that is no string, coordinates in ``obsm`` that
            are integers, a column of fractions, a seed or number of steps that is no integer.

    Example:
        >>> from anndata import AnnData
        >>> from diffbio.datasets import simulate_clusters
        >>> cells = simulate_clusters(200, n_clusters=3, n_batches=2, n_components=10)
        >>> obs = {"batch": cells.batch_labels.astype(str)}
        >>> adata = AnnData(obs=obs, obsm={"X_pca": cells.embeddings})
        >>> correct_batches(adata, "batch", n_steps=10, progress=False)
        >>> adata.obsm["X_diffbio"].shape
        (200, 10)
    """
    _read.check_in_memory(adata)
    use_rep, key_added = _entries.key("use_rep", use_rep), _entries.key("key_added", key_added)
    _read.check_layer(layer, [use_rep])
    n_steps = _checks.positive_integer("n_steps", n_steps)
    seed = _checks.non_negative_integer("seed", seed)
    if seed >= 2**63:
        raise ValueError(f"seed must be below 2^63, got {seed}")
    _checks.flag("progress", progress)
    if not isinstance(batch_key, str):
        batch_key = _entries.keys("batch_key", batch_key)
    batches = categories(adata, "batch_key", batch_key)
    batches.check_several()
    n_missing = int((~batches.known).sum())
    if n_missing:
        raise ValueError(
            f"{batches.source} must name the batch of every cell, got {n_missing} missing values"
        )
    mixing = BatchMixingLoss.recommended(batches.n_categories)
    fewest = mixing.settings.n_neighbors + 1
    if adata.n_obs < fewest:
        raise ValueError(f"adata must have at least {fewest} cells, got {adata.n_obs}")
    points, unit = _read.unit_variance(use_rep, _read.representation(adata, use_rep, layer))
    points = points.astype(np.float32)
    model = BatchCorrector(points.shape[1], batches.n_categories, rngs=nnx.Rngs(seed))
    fit(
        model,
        {"features": points, "batch_ids": batches.codes},
        _objective(mixing),
        n_steps=n_steps,
        seed=seed,
        progress=progress,
    )
    corrected = model(points, batches.codes)["corrected_features"]
    adata.obsm[key_added] = np.asarray(corrected, np.float32) * np.float32(unit)
    adata.uns[key_added] = {
        "params": {
            "batch_key": batch_key,
            "use_rep": use_rep,
            **({} if layer is None else {"layer": layer}),
            "n_steps": n_steps,
            "seed": seed,
            "n_neighbors": mixing.settings.n_neighbors,
            "temperature": "perplexity",
            "proportions": mixing.settings.proportions,
        }
    }


def _objective(mixing: BatchMixingLoss) -> Objective:
    """Batch mixing plus the mean squared move, of points of a total variance of 1."""

    def objective(result: Mapping[str, Array], batch: Mapping[str, Array], where: Array) -> Array:
        corrected = result["corrected_features"]
        squares = jnp.sum((corrected - batch["features"]) ** 2, axis=1)
        return mixing(corrected, batch["batch_ids"], where=where) + jnp.mean(squares, where=where)

    return objective
