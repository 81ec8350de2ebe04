r"""Batch mixing, cell by cell.

With the weights w of one cell's neighbours, see ``reference.weights``, and batch b
holding the share p_b = sum_j w_j [b_j = b]:

    entropy:  loss_i = sum_b p_b ln(p_b / (B q_b)),    dloss / dw_j = ln(p / (B q)) + 1
    simpson:  loss_i = sum_b p_b^2,                    dloss / dw_j = 2 p

with p and q those of neighbour j's batch, and dloss / dw_j = 0 where p = 0 or the batch is
unknown. Then dd2_j / dx_i = 2 (x_i - x_j) = -dd2_j / dx_j.
"""

import numpy as np

from reference.counting import mean_over_cells, n_counted
from reference.neighbors import nearest_neighbors, usable
from reference.weights import weights_of_cell


def batch_mixing_loss(embeddings, batch_labels, **options):
    """Mean loss over the unmasked cells; options as in ``batch_mixing_per_cell``."""
    losses = batch_mixing_per_cell(embeddings, batch_labels, **options)
    return mean_over_cells(losses, options.get("where"))


def batch_mixing_per_cell(embeddings, batch_labels, **options):
    """The loss of every cell, 0 where masked."""
    losses, _ = _losses_and_gradients(embeddings, batch_labels, **options)
    return losses


def batch_mixing_gradients(embeddings, batch_labels, **options):
    """Gradient of ``batch_mixing_loss`` with respect to the embeddings."""
    _, gradient = _losses_and_gradients(embeddings, batch_labels, **options)
    return {"embeddings": gradient / n_counted(gradient, options.get("where"))}


def _losses_and_gradients(
    x,
    labels,
    *,
    n_batches=3,
    n_neighbors=15,
    temperature=1.0,
    normalize=False,
    proportions="uniform",
    index="entropy",
    neighbor_indices=None,
    where=None,
):
    x, labels = np.asarray(x, dtype=np.float64), np.asarray(labels)
    where = None if where is None else np.asarray(where)
    if neighbor_indices is None:
        neighbor_indices = nearest_neighbors(x, n_neighbors, where)
    expected = n_batches * _proportions(proportions, labels, n_batches, where)
    offset, scale = _range(index, n_batches) if normalize else (0.0, 1.0)
    losses, gradient = np.zeros(len(x)), np.zeros_like(x)
    for i in range(len(x)):
        neighbors = usable(neighbor_indices, i, where)
        if len(neighbors) == 0:
            counted = where is None or where[i]
            losses[i] = scale * (1 - offset) if index == "simpson" and counted else 0
            continue
        differences = x[i] - x[neighbors]
        distances = (differences**2).sum(axis=1)
        weights, pull_back = weights_of_cell(temperature, i, distances)
        loss, by_weight = INDEX[index](weights, labels[neighbors], expected)
        losses[i] = scale * (loss - offset)
        pulls = scale * 2 * pull_back(by_weight)[:, None] * differences
        gradient[i] += pulls.sum(axis=0)
        np.subtract.at(gradient, neighbors, pulls)
    return losses, gradient


def _proportions(proportions, labels, n_batches, where):
    if isinstance(proportions, str):
        counted = labels if where is None else labels[where]
        if proportions == "uniform" or len(counted) == 0:
            return np.full(n_batches, 1 / n_batches)
        return np.array([np.mean(counted == b) for b in range(n_batches)])
    return np.asarray(proportions, dtype=np.float64)


def _range(index, n_batches):
    """What ``normalize`` subtracts, and what it multiplies by."""
    if index == "simpson":
        return 1 / n_batches, 1 / (1 - 1 / n_batches)
    return 0.0, 1 / np.log(n_batches)


def _entropy(weights, labels, expected):
    """``sum_b p_b ln(p_b / expected_b)`` and its derivatives by the weights."""
    p = _shares(weights, labels, len(expected))
    present = p > 0
    logs = np.log(np.where(present, p, 1))
    if p.max() > 0.5:  # ln p = log1p(p - 1), where p - 1 must not be rounded
        most = p.argmax()
        logs[most] = np.log1p(-weights[labels != most].sum())
    logs[present] -= np.log(expected[present])
    return p @ logs, _by_weight(np.where(present, logs + 1, 0), labels)


def _simpson(weights, labels, expected):
    """``sum_b p_b^2`` and its derivatives by the weights."""
    p = _shares(weights, labels, len(expected))
    return p @ p, _by_weight(2 * p, labels)


INDEX = {"entropy": _entropy, "simpson": _simpson}


def _shares(weights, labels, n_batches):
    return np.array([weights[labels == b].sum() for b in range(n_batches)])


def _by_weight(by_batch, labels):
    known = (labels >= 0) & (labels < len(by_batch))
    return np.where(known, by_batch[np.where(known, labels, 0)], 0)
