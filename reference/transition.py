r"""Velocity transitions, cell by cell.

With delta_j = x_j - x_i for the neighbours j of one cell i, p = dt v_i, q_j = |delta_j - p|^2:

    T = softmax_j(cos(delta_j, p) / sigma),   loss_i = sum_j T_j q_j

    dloss/dcos_j   = T_j (q_j - loss_i) / sigma = T_j (s_j - sum_l T_l s_l) / sigma
    dloss/ddelta_j = dloss/dcos_j (p^ - cos_j delta_j^) / |delta_j| + 2 T_j (delta_j - p)
    dloss/dp       = sum_j dloss/dcos_j (delta_j^ - cos_j p^) / |p| - 2 T_j (delta_j - p)

with s_j = |delta_j|^2 - 2 delta_j . p, which differs from q_j by |p|^2: where the step p is much
longer than the deltas, the differences of the q_j are rounded away.

Then x_j gets dloss/ddelta_j, x_i gets minus their sum, and v_i gets dt dloss/dp.
"""

import numpy as np

from reference.counting import mean_over_cells, n_counted
from reference.neighbors import nearest_neighbors, usable


def velocity_transition_loss(expression, velocity, **options):
    """Mean loss over the unmasked cells."""
    losses, _, _ = _losses_and_gradients(expression, velocity, **options)
    return mean_over_cells(losses, options.get("where"))


def velocity_transition_gradients(expression, velocity, **options):
    """Gradients with respect to expression and velocity."""
    losses, by_x, by_v = _losses_and_gradients(expression, velocity, **options)
    n_cells = n_counted(losses, options.get("where"))
    return {"expression": by_x / n_cells, "velocity": by_v / n_cells}


def _losses_and_gradients(
    x, v, *, dt=0.1, n_neighbors=30, temperature=0.1, neighbor_indices=None, where=None
):
    x, v = np.asarray(x, dtype=np.float64), np.asarray(v, dtype=np.float64)
    where = None if where is None else np.asarray(where)
    if neighbor_indices is None:
        neighbor_indices = nearest_neighbors(x, n_neighbors, where)
    losses, by_x, by_v = np.zeros(len(x)), np.zeros_like(x), np.zeros_like(v)
    for i in range(len(x)):
        neighbors = usable(neighbor_indices, i, where)
        if len(neighbors) == 0:
            continue
        losses[i], by_change, by_p = _one_cell(x[neighbors] - x[i], dt * v[i], temperature)
        np.add.at(by_x, neighbors, by_change)
        by_x[i] -= by_change.sum(axis=0)
        by_v[i] = dt * by_p
    return losses, by_x, by_v


def _one_cell(changes, p, temperature):
    """The loss of one cell and its derivatives by the changes to its neighbours and by p."""
    lengths, length = np.sqrt((changes**2).sum(axis=1)), np.sqrt((p**2).sum())
    per_length = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    per_p = 1 / length if length > 0 else 0.0
    directions, heading = changes * per_length[:, None], p * per_p
    cosines = directions @ heading
    transitions = np.exp((cosines - cosines.max()) / temperature)
    transitions /= transitions.sum()
    misses = changes - p
    squares = (misses**2).sum(axis=1)
    loss = (transitions * squares).sum()

    slopes = (changes**2).sum(axis=1) - 2 * changes @ p
    by_cosine = transitions * (slopes - transitions @ slopes) / temperature
    turns = (heading - cosines[:, None] * directions) * per_length[:, None]
    by_change = by_cosine[:, None] * turns + 2 * transitions[:, None] * misses
    own_turns = (directions - cosines[:, None] * heading) * per_p
    by_p = (by_cosine[:, None] * own_turns - 2 * transitions[:, None] * misses).sum(axis=0)
    return loss, by_change, by_p
