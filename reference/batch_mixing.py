r"""Batch mixing, cell by cell.

With d_j = |x_i - x_j|^2 and e_j = d_j / T_i for the neighbours j of one cell i:

    w = softmax(-e),   p_b = sum_j w_j [b_j = b],   loss_i = sum_b p_b ln p_b

Derivatives of loss_i, from the outside in:

    dloss / dw_j = ln p_{b_j} + 1                          (0 where p_b = 0)
    dloss / de_j = -w_j (dloss/dw_j - sum_l w_l dloss/dw_l)
    global:  dloss / dd_j = dloss/de_j / T
    local, e_j = d_j / (T m) with m = mean_l d_l:
             dloss / dd_j = (dloss/de_j - mean_l(e_l T dloss/de_l)) / (T m)
    dd_j / dx_i = 2 (x_i - x_j) = -dd_j / dx_j
"""

import numpy as np

from reference.counting import mean_over_cells, n_counted
from reference.neighbors import nearest_neighbors, usable


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
    bandwidth="global",
    neighbor_indices=None,
    where=None,
):
    x, labels = np.asarray(x, dtype=np.float64), np.asarray(labels)
    where = None if where is None else np.asarray(where)
    if neighbor_indices is None:
        neighbor_indices = nearest_neighbors(x, n_neighbors, where)
    scale = 1 / np.log(n_batches) if normalize else 1.0
    losses, gradient = np.zeros(len(x)), np.zeros_like(x)
    for i in range(len(x)):
        neighbors = usable(neighbor_indices, i, where)
        if len(neighbors) == 0:
            continue
        differences = x[i] - x[neighbors]
        distances = (differences**2).sum(axis=1)
        loss, slopes = _one_cell(distances, labels[neighbors], n_batches, temperature, bandwidth)
        losses[i] = scale * loss
        pulls = scale * 2 * slopes[:, None] * differences
        gradient[i] += pulls.sum(axis=0)
        np.subtract.at(gradient, neighbors, pulls)
    return losses, gradient


def _one_cell(distances, labels, n_batches, temperature, bandwidth):
    """The loss of one cell and its derivatives by the squared distances."""
    width = temperature
    if bandwidth == "local":
        mean = distances.mean()
        width = temperature * mean if mean > 0 else np.inf
    energies = distances / width
    weights = np.exp(-(distances - distances.min()) / width)
    weights /= weights.sum()

    proportions = np.array([weights[labels == b].sum() for b in range(n_batches)])
    present = proportions > 0
    logs = np.log(np.where(present, proportions, 1))
    if proportions.max() > 0.5:  # ln p = log1p(p - 1), where p - 1 must not be rounded
        most = proportions.argmax()
        logs[most] = np.log1p(-weights[labels != most].sum())
    loss = (proportions * logs).sum()

    by_batch = np.where(present, logs + 1, 0)
    in_range = (labels >= 0) & (labels < n_batches)
    by_weight = np.where(in_range, by_batch[np.where(in_range, labels, 0)], 0)
    by_energy = -weights * (by_weight - (weights * by_weight).sum())
    if bandwidth == "local":
        by_energy = by_energy - (temperature * energies * by_energy).mean()
    return loss, by_energy / width
