r"""Velocity consistency, all cells at once.

With p = dt v and a = f - x of one cell:

    loss = alpha (1 - cos(p, a)) + beta (|p| - |a|)^2

    dloss/dp = -alpha (a^ - cos p^) / |p| + 2 beta (|p| - |a|) p^
    dloss/da = -alpha (p^ - cos a^) / |a| - 2 beta (|p| - |a|) a^

where ^ marks unit vectors, and every term with a zero vector's direction is 0.
Then v gets dt dloss/dp, f gets dloss/da and x gets -dloss/da.

What cancels is a sum of small terms, not a difference of large sums:

    1 - cos = |p^ - a^|^2 / 2
    a^ - cos p^ = (a^ - p^) + (1 - cos) p^
    |p| - |a| = (p - a).(p + a) / (|p| + |a|)
"""

import numpy as np

from reference.counting import mean_over_cells, n_counted


def velocity_consistency_loss(expression, velocity, future_expression, **options):
    """Mean loss over the unmasked cells; options as in ``velocity_consistency_per_cell``."""
    losses = velocity_consistency_per_cell(expression, velocity, future_expression, **options)
    return mean_over_cells(losses, options.get("where"))


def velocity_consistency_per_cell(
    expression,
    velocity,
    future_expression,
    *,
    dt=0.1,
    cosine_weight=1.0,
    magnitude_weight=1.0,
    where=None,
):
    """The loss of every cell, 0 where masked."""
    *_, turn, excess = _geometry(expression, velocity, future_expression, dt)
    losses = cosine_weight * turn + magnitude_weight * excess**2
    return losses if where is None else np.where(where, losses, 0)


def velocity_consistency_gradients(
    expression,
    velocity,
    future_expression,
    *,
    dt=0.1,
    cosine_weight=1.0,
    magnitude_weight=1.0,
    where=None,
):
    """Gradients with respect to expression, velocity and future expression."""
    p_unit, p_length, a_unit, a_length, turn, excess = _geometry(
        expression, velocity, future_expression, dt
    )
    slope = 2 * magnitude_weight * excess
    turn_p = (a_unit - p_unit) + turn[:, None] * p_unit
    turn_a = (p_unit - a_unit) + turn[:, None] * a_unit
    by_p = slope[:, None] * p_unit - cosine_weight * turn_p * _inverse(p_length)[:, None]
    by_a = -slope[:, None] * a_unit - cosine_weight * turn_a * _inverse(a_length)[:, None]
    n_cells = n_counted(by_p, where)
    if where is not None:
        by_p, by_a = np.where(where[:, None], by_p, 0), np.where(where[:, None], by_a, 0)
    by_p, by_a = by_p / n_cells, by_a / n_cells
    return {"expression": -by_a, "velocity": dt * by_p, "future_expression": by_a}


def _geometry(x, v, f, dt):
    """p^, |p|, a^, |a|, 1 - cos and |p| - |a|."""
    x, v, f = (np.asarray(array, dtype=np.float64) for array in (x, v, f))
    p, a = dt * v, f - x
    p_length, a_length = _length(p), _length(a)
    p_unit, a_unit = p * _inverse(p_length)[:, None], a * _inverse(a_length)[:, None]
    turn = ((p_unit - a_unit) ** 2).sum(axis=1) / 2
    turn = np.where((p_length == 0) | (a_length == 0), 1, turn)
    per_both = _inverse(p_length + a_length)[:, None]
    excess = ((p - a) * ((p + a) * per_both)).sum(axis=1)
    return p_unit, p_length, a_unit, a_length, turn, excess


def _length(vectors):
    """Norm of each row; scaled first, so that tiny vectors keep their length."""
    scale = np.abs(vectors).max(axis=1)
    scaled = vectors * _inverse(scale)[:, None]
    return scale * np.sqrt((scaled**2).sum(axis=1))


def _inverse(lengths):
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
