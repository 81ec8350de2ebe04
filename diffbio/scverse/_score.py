"""A table of losses for the representations of an AnnData object."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from diffbio import _checks
from diffbio.scverse import _entries, _measures, _read
from diffbio.scverse._columns import Categories, categories
from diffbio.scverse._graph import Graph, check_euclidean, neighbor_graph
from diffbio.scverse._measures import Measured

__all__ = ["score"]

_Measure = Callable[[np.ndarray, Categories, Graph | None], Iterator[Measured]]


def score(
    adata: AnnData,
    *,
    batch_key: str | Sequence[str] | None = None,
    label_key: str | None = None,
    use_rep: str | Sequence[str] = "X_pca",
    velocity_key: str | None = None,
    neighbors_key: str | None = None,
    per_cell: bool = False,
    layer: str | None = None,
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
      take the 89 nearest other cells and the perplexity 30; for a cell of k neighbours, if
      there are fewer or they are given, the perplexity is (k + 1) / 3.
    - Compactness is :func:`~diffbio.functional.clustering_compactness_loss` of the labels,
      of coordinates that are divided by the square root of their total variance.
    - Transitions are :func:`~diffbio.functional.velocity_transition_loss` of scVelo's layer
      ``"Ms"``, divided likewise, and of the velocity, divided by the same number. Velocity
      consistency is not there: it needs an observed future, for which AnnData has no place.

    A cell whose batch or label is missing is, for the losses that need it, as if it were not
    there: it is nobody's neighbour, and numbers of neighbours and variances are those of the
    other cells. A key of one category leaves its losses out, with a warning, if another key
    has some. Arrays that are sparse are made dense. ``adata`` does not change without
    ``per_cell``.

    Args:
        adata: in memory, of ``n_cells`` cells; a view will do.
        batch_key: column of ``obs`` with categories, strings, integers or booleans; or a list
            of them, whose combinations that occur are the batches.
        label_key: column of ``obs`` with cell types or clusters, likewise.
        use_rep: entry of ``obsm``, ``(n_cells, dim)`` floating, or ``"X"``, where counts may be
            integers; or a list of them.
        velocity_key: layer with velocities, ``"velocity"`` in scVelo. Genes that have none in
            a cell, or that ``var[velocity_key + "_genes"]`` rules out, are left out; that
            column holds booleans or integers 0 and 1.
        neighbors_key: entry of ``uns`` that scanpy's ``neighbors`` wrote, ``"neighbors"`` if it
            was not told otherwise. Its neighbours replace the searches in one representation,
            in which the stored distances must be the Euclidean ones; a sample of cells decides
            that, to rounding of float32. There are one fewer neighbours than its
            ``n_neighbors``. Values of so few do not compare with those of a search. For
            velocities, the neighbours may be from anywhere, as scVelo's are. A cell without
            neighbours that count has no value; there is a warning of that, and one if cells
            were taken out of the graph. By default the nearest cells in each representation
            are searched for, exactly.
        per_cell: also write the value of every cell to ``adata.obs["diffbio_<loss>_<use_rep>"]``,
            for ``batch_mixing``, ``ilisi`` and ``clisi``; NaN where a cell does not count.
        layer: entry of ``layers`` that takes the place of ``adata.X`` for ``use_rep="X"``.

    Returns:
        A row for each loss and representation, with the columns ``representation``, ``loss``,
        ``value``, ``better`` (``"lower"`` or ``"higher"``) and ``n_cells``, the cells that
        count. ``.pivot(index="representation", columns="loss", values="value")`` makes a table
        of embeddings and metrics, as scib-metrics draws it.

    Raises:
        KeyError: a key that is not there; the message lists those that are.
        ValueError: a backed object, no key of a loss, columns of one category alone, two
            columns of one name, numbers that are not finite or masked, ``neighbors_key`` for
            several representations or of distances in another one, fewer than 4 neighbours
            in all cells, a ``layer`` without ``use_rep="X"``.
        TypeError: not an AnnData object, a key that is no string, coordinates in ``obsm`` that
            are integers, a column of fractions, genes' flags that are not boolean, neighbours
            of ``knn=False``.

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
    _checks.flag("per_cell", per_cell)
    names = _entries.keys("use_rep", use_rep)
    _read.check_layer(layer, names)
    if neighbors_key is not None:
        _entries.key("neighbors_key", neighbors_key)
        if len(names) != 1:
            raise ValueError(
                f"neighbors_key={neighbors_key!r} needs one representation, got use_rep={names}"
            )
    groups = _groups(adata, batch_key, label_key, velocity_key)
    graph = None if neighbors_key is None else neighbor_graph(adata, neighbors_key)
    found = [
        (name, measured)
        for name in (names if groups else [])
        for measured in _of_representation(adata, name, layer, groups, graph)
    ]
    if velocity_key is not None:
        found.append((_read.EXPRESSION, _of_velocity(adata, velocity_key, graph)))
    if per_cell:
        for name, measured in found:
            if measured.per_cell is not None:
                adata.obs[f"diffbio_{measured.loss}_{name}"] = measured.per_cell
    columns = ["loss", "value", "better", "n_cells"]
    rows = [(name, *(getattr(measured, column) for column in columns)) for name, measured in found]
    return pd.DataFrame(rows, columns=["representation", *columns])


def _groups(
    adata: AnnData,
    batch_key: str | Sequence[str] | None,
    label_key: str | None,
    velocity_key: str | None,
) -> list[tuple[Categories, _Measure]]:
    """The batches and the labels, with the losses of each; not those of one category alone."""
    given: list[tuple[Categories, _Measure]] = []
    if batch_key is not None:
        given.append((categories(adata, "batch_key", batch_key), _measures.of_batches))
    if label_key is not None:
        labels = categories(adata, "label_key", _entries.key("label_key", label_key))
        given.append((labels, _measures.of_labels))
    several = [(groups, measure) for groups, measure in given if groups.n_categories > 1]
    if not several and velocity_key is None:
        given[0][0].check_several()
    for groups, _ in given:
        if groups.n_categories == 1:
            _entries.warn(
                f"{groups.source} holds one category, {list(groups.names)}: "
                "the losses that need two are left out"
            )
    return several


def _of_representation(
    adata: AnnData,
    use_rep: str,
    layer: str | None,
    groups: Sequence[tuple[Categories, _Measure]],
    graph: Graph | None,
) -> Iterator[Measured]:
    points = _read.representation(adata, use_rep, layer)
    if graph is not None:
        check_euclidean(graph, use_rep, points)
    for group, measure in groups:
        scaled, _ = _read.unit_variance(use_rep, points, group.known)
        yield from measure(scaled, group, graph)


def _of_velocity(adata: AnnData, velocity_key: str, graph: Graph | None) -> Measured:
    """The neighbours may be from any representation, as scVelo's are from ``X_pca``.

    Those are often from its first components, so that their distances are those of no array
    in the object. Who is a neighbour is all that counts here.
    """
    expression, velocity = _read.expression_and_velocity(adata, velocity_key)
    expression, length = _read.unit_variance(_read.EXPRESSION, expression)
    return _measures.of_velocity(expression, velocity / velocity.dtype.type(length), graph)
