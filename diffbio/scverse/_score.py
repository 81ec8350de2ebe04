"""A table of losses for the representations of an AnnData object."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from diffbio.scverse import _measures, _read
from diffbio.scverse._measures import Measured

__all__ = ["score"]


def score(
    adata: AnnData,
    *,
    batch_key: str | None = None,
    label_key: str | None = None,
    use_rep: str | Sequence[str] = "X_pca",
    velocity_key: str | None = None,
    neighbors_key: str | None = None,
    per_cell: bool = False,
) -> pd.DataFrame:
    """Losses of the representations of an AnnData object, as a table.

    Which losses there are follows from the keys that are given:

    ========================== ================ ======
    loss                       needs            better
    ========================== ================ ======
    ``batch_mixing``           ``batch_key``    lower
    ``ilisi``                  ``batch_key``    higher
    ``clustering_compactness`` ``label_key``    lower
    ``clisi``                  ``label_key``    higher
    ``velocity_transition``    ``velocity_key`` lower
    ========================== ================ ======

    - Batch mixing is :func:`~diffbio.functional.batch_mixing_loss` at the recommended setting:
      30 neighbours, perplexity, observed proportions, and normalised. If the batches are of
      equal size, it is -1 where they are mixed and 0 where they are apart.
    - iLISI and cLISI are the medians over cells of the same loss's inverse with
      ``index="simpson"``, of batches and of labels, scaled to [0, 1] as in scib-metrics. They
      take the 89 nearest other cells and the perplexity 30; of k neighbours, if there are fewer
      or they are given, the perplexity is (k + 1) / 3.
    - Compactness is :func:`~diffbio.functional.clustering_compactness_loss` of the labels,
      of coordinates that are divided by the square root of their total variance.
    - Transitions are :func:`~diffbio.functional.velocity_transition_loss` of scVelo's layer
      ``"Ms"``, divided likewise, and of the velocity, divided by the same number. Velocity
      consistency is not there: it needs an observed future, for which AnnData has no place.

    A cell whose batch or label is missing counts for none of the losses that need it, and is
    nobody's neighbour there. Arrays that are sparse are made dense. ``adata`` does not change
    without ``per_cell``.

    Args:
        adata: in memory, of ``n_cells`` cells; a view will do.
        batch_key: column of ``obs`` with categories, strings, integers or booleans.
        label_key: column of ``obs`` with cell types or clusters, likewise.
        use_rep: entry of ``obsm``, ``(n_cells, dim)`` floating, or ``"X"``; or a list of them.
        velocity_key: layer with velocities, ``"velocity"`` in scVelo. Genes that have none in
            a cell, or that ``var[velocity_key + "_genes"]`` rules out, are left out.
        neighbors_key: entry of ``uns`` that scanpy's ``neighbors`` wrote, ``"neighbors"`` if it
            was not told otherwise. Its neighbours replace the searches in one representation,
            the one that they are from; there are one fewer of them than its ``n_neighbors``.
            Values of so few neighbours do not compare with those of a search. By default the
            nearest cells in each representation are searched for, exactly.
        per_cell: also write the value of every cell to ``adata.obs["diffbio_<loss>_<use_rep>"]``,
            for ``batch_mixing``, ``ilisi`` and ``clisi``; NaN where a cell does not count.

    Returns:
        A row for each loss and representation, with the columns ``representation``, ``loss``,
        ``value``, ``better`` (``"lower"`` or ``"higher"``) and ``n_cells``, the cells that
        count. ``.pivot(index="representation", columns="loss", values="value")`` makes a table
        of embeddings and metrics, as scib-metrics draws it.

    Raises:
        KeyError: a key that is not there; the message lists those that are.
        ValueError: a backed object, no key of a loss, a column of one category, numbers that
            are not finite, ``neighbors_key`` for several or another representation, fewer
            than 4 neighbours.
        TypeError: not an AnnData object, coordinates that are integers, a column of fractions,
            neighbours of ``knn=False``.

    Example:
        >>> from anndata import AnnData
        >>> from diffbio.datasets import simulate_clusters
        >>> cells = simulate_clusters(200, n_clusters=3, n_batches=2, n_components=10)
        >>> obs = {"batch": cells.batch_labels.astype(str), "type": cells.cluster_labels}
        >>> adata = AnnData(obs=obs, obsm={"X_pca": cells.embeddings})
        >>> scores = score(adata, batch_key="batch", label_key="type")
        >>> scores[["representation", "loss", "better"]]
          representation                    loss  better
        0          X_pca            batch_mixing   lower
        1          X_pca                   ilisi  higher
        2          X_pca  clustering_compactness   lower
        3          X_pca                   clisi  higher
    """
    _read.check_in_memory(adata)
    if batch_key is None and label_key is None and velocity_key is None:
        raise ValueError("batch_key, label_key or velocity_key must be given, got None for all")
    names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    if neighbors_key is not None and len(names) != 1:
        raise ValueError(
            f"neighbors_key={neighbors_key!r} needs one representation, got use_rep={names}"
        )
    found = [
        (name, measured)
        for name in names
        for measured in _of_representation(adata, name, batch_key, label_key, neighbors_key)
    ]
    if velocity_key is not None:
        found.append((_read.EXPRESSION, _of_velocity(adata, velocity_key, neighbors_key)))
    if per_cell:
        for name, measured in found:
            if measured.per_cell is not None:
                adata.obs[f"diffbio_{measured.loss}_{name}"] = measured.per_cell
    columns = ["loss", "value", "better", "n_cells"]
    rows = [(name, *(getattr(measured, column) for column in columns)) for name, measured in found]
    return pd.DataFrame(rows, columns=["representation", *columns])


def _of_representation(
    adata: AnnData,
    use_rep: str,
    batch_key: str | None,
    label_key: str | None,
    neighbors_key: str | None,
) -> Iterator[Measured]:
    if batch_key is None and label_key is None:
        return
    points, _ = _read.unit_variance(use_rep, _read.representation(adata, use_rep))
    listed = _listed(adata, neighbors_key, use_rep)
    if batch_key is not None:
        batches = _read.categories(adata, "batch_key", batch_key)
        yield from _measures.of_batches(points, batches, listed)
    if label_key is not None:
        labels = _read.categories(adata, "label_key", label_key)
        yield from _measures.of_labels(points, labels, listed)


def _of_velocity(adata: AnnData, velocity_key: str, neighbors_key: str | None) -> Measured:
    """The neighbours may be from any representation, as scVelo's are from ``X_pca``."""
    expression, velocity = _read.expression_and_velocity(adata, velocity_key)
    expression, length = _read.unit_variance(_read.EXPRESSION, expression)
    listed = _listed(adata, neighbors_key, None)
    return _measures.of_velocity(expression, velocity / velocity.dtype.type(length), listed)


def _listed(adata: AnnData, neighbors_key: str | None, use_rep: str | None) -> np.ndarray | None:
    return None if neighbors_key is None else _read.neighbor_lists(adata, neighbors_key, use_rep)
