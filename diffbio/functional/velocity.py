"""Velocity consistency: does the extrapolated change point where the cell went?"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from diffbio import _checks
from diffbio._blocks import varying_alike
from diffbio._numerics import in_accumulation_dtype, mean_over_cells, zeroed
from diffbio._shards import AxisName
from diffbio._types import AnyArray, Scalar
from diffbio.functional._directions.directions import compare_directions

__all__ = ["check_velocity_configuration", "velocity_consistency_loss"]

Profiles = Float[Array, "n_cells n_genes"]


def velocity_consistency_loss(
    expression: Float[AnyArray, "n_cells n_genes"],
    velocity: Float[AnyArray, "n_cells n_genes"],
    future_expression: Float[AnyArray, "n_cells n_genes"],
    *,
    dt: Scalar = 0.1,
    cosine_weight: Scalar = 1.0,
    magnitude_weight: Scalar = 1.0,
    where: Bool[AnyArray, " n_cells"] | None = None,
    reduce: bool = True,
    axis_name: AxisName = None,
) -> Float[Array, "..."]:
    r"""Disagreement of the extrapolated with the observed change, in direction and length.

    .. math::
        p_i = \Delta t \, v_i, \quad a_i = f_i - x_i, \quad
        L = \frac{1}{N} \sum_i \left[ \alpha (1 - \cos(p_i, a_i))
            + \beta (\lVert p_i \rVert - \lVert a_i \rVert)^2 \right]

    Args:
        expression: ``(n_cells, n_genes)`` expression x, any linear unit.
        velocity: ``(n_cells, n_genes)`` velocity v, that unit per time.
        future_expression: ``(n_cells, n_genes)`` expression f after ``dt``.
        dt: time step, finite and above 0; may be traced.
        cosine_weight: weight of the direction; may be traced.
        magnitude_weight: weight of the length; may be traced.
        where: ``(n_cells,)`` mask of the cells that count.
        reduce: static; False returns the ``(n_cells,)`` per-cell losses (0 where masked).
        axis_name: static; the mesh's axis over which the cells lie in shards, inside of
            ``jax.shard_map``. See :mod:`diffbio.sharding`.

    Returns:
        Scalar, or ``(n_cells,)``, in ``promote_types(input, float32)``; at least 0.

    Raises:
        ValueError: shapes that disagree, ``dt`` not above 0, non-finite configuration.
        TypeError: non-floating arrays, non-boolean mask.

    Gradient:
        With respect to all three arrays and the traced scalars. A vector that is exactly
        0 has cosine 0 and no gradient through its direction or length. Tiny vectors have
        their true cosine. Reverse mode only with respect to the arrays; second
        derivatives by forward over reverse mode, as in ``jax.hessian``, or twice reverse.

    Example:
        The first cell moves as observed, the second the other way, by the same length.

        >>> import jax.numpy as jnp
        >>> x = jnp.zeros((2, 2))
        >>> future = jnp.array([[0.1, 0.0], [0.0, 0.2]])
        >>> velocity = jnp.array([[1.0, 0.0], [0.0, -2.0]])
        >>> losses = velocity_consistency_loss(x, velocity, future, dt=0.1, reduce=False)
        >>> [round(float(loss), 4) for loss in losses]
        [0.0, 2.0]

    References:
        La Manno et al., RNA velocity of single cells, Nature 560, 2018.
    """
    arrays = {
        "expression": _checks.floating("expression", expression, ("n_cells", "n_genes")),
        "velocity": _checks.floating("velocity", velocity, ("n_cells", "n_genes")),
        "future_expression": _checks.floating(
            "future_expression", future_expression, ("n_cells", "n_genes")
        ),
    }
    for axis, name in enumerate(("n_cells", "n_genes")):
        _checks.same_axis(name, {key: (array, axis) for key, array in arrays.items()})
    dt, cosine_weight, magnitude_weight = check_velocity_configuration(
        dt, cosine_weight, magnitude_weight
    )
    _checks.flag("reduce", reduce)
    where = _checks.mask(where, arrays["expression"].shape[0])
    return _velocity_consistency_loss(
        *arrays.values(),
        dt,
        cosine_weight,
        magnitude_weight,
        where,
        reduce=reduce,
        axis_name=axis_name,
    )


def check_velocity_configuration(
    dt: Scalar, cosine_weight: Scalar, magnitude_weight: Scalar
) -> tuple[Scalar, Scalar, Scalar]:
    """Raise for a configuration that no data could make valid; return its numbers."""
    return (
        _checks.positive("dt", dt),
        _checks.finite("cosine_weight", cosine_weight),
        _checks.finite("magnitude_weight", magnitude_weight),
    )


@partial(jax.jit, static_argnames=("reduce", "axis_name"))
def _velocity_consistency_loss(
    expression: Profiles,
    velocity: Profiles,
    future: Profiles,
    dt: Scalar,
    cosine_weight: Scalar,
    magnitude_weight: Scalar,
    where: Bool[Array, " n_cells"] | None,
    *,
    reduce: bool,
    axis_name: AxisName,
) -> Float[Array, "..."]:
    dtype = in_accumulation_dtype(expression, velocity, future)[0].dtype
    dt, cosine_weight, magnitude_weight = (
        jnp.asarray(scalar, dtype) for scalar in (dt, cosine_weight, magnitude_weight)
    )
    weights = None if reduce else (cosine_weight, magnitude_weight)
    fixed_dt, weights = lax.stop_gradient((dt, weights))
    # turn_i = 1 - cos(p_i, a_i),  excess_i = |p_i| - |a_i|,  p_i = dt v_i,  a_i = f_i - x_i
    turn, excess, speed = compare_directions(
        *varying_alike((velocity, expression, future, fixed_dt, weights, where))
    )
    excess += (dt - fixed_dt) * speed  # 0, with the derivative by dt
    losses = cosine_weight * turn + magnitude_weight * excess * excess
    return mean_over_cells(losses, where, axis_name) if reduce else zeroed(losses, where)
