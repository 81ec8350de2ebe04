"""Velocity consistency: does the extrapolated change point where the cell went?"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from diffbio import _checks
from diffbio._blocks import varying_alike
from diffbio._derivatives import reverse_only
from diffbio._numerics import (
    in_accumulation_dtype,
    mean_over_cells,
    safe_inverse,
    sums_over_last_axis,
    zeroed,
)
from diffbio._platform import Platform, by_platform
from diffbio._shards import AxisName
from diffbio._types import AnyArray, Scalar

__all__ = ["check_velocity_configuration", "velocity_consistency_loss"]

Profiles = Float[Array, "n_cells n_genes"]
PerCell = Float[Array, " n_cells"]
Moments = tuple[PerCell, PerCell, PerCell]
_Residuals = tuple[Profiles, Profiles, Profiles, Moments]


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
    x, v, f = (zeroed(a, where) for a in in_accumulation_dtype(expression, velocity, future))
    x, v, f = reverse_only("velocity_consistency_loss", x, v, f)
    cosine, speed, distance = _compare_directions(*varying_alike((v, x, f, where)))
    dt, cosine_weight, magnitude_weight = (
        jnp.asarray(scalar, x.dtype) for scalar in (dt, cosine_weight, magnitude_weight)
    )
    losses = cosine_weight * (1 - cosine) + magnitude_weight * (dt * speed - distance) ** 2
    return mean_over_cells(losses, where, axis_name) if reduce else zeroed(losses, where)


@jax.custom_vjp
def _compare_directions(
    v: Profiles, x: Profiles, f: Profiles, where: Bool[Array, " n_cells"] | None
) -> Moments:
    """``cos(v, f - x)``, ``|v|`` and ``|f - x|`` of every cell.

    The custom derivative needs only these three numbers per cell beside the inputs, so that
    the backward pass is one read of the inputs and one write of their gradients.
    """
    return by_platform(_moments, v, x, f, where)


def _moments(
    platform: Platform,
    v: Profiles,
    x: Profiles,
    f: Profiles,
    where: Bool[Array, " n_cells"] | None,
) -> Moments:
    """The three numbers per cell, from one pass over the inputs, or from two.

    If squares left the float range, a second pass repeats the work on scaled inputs. A
    zero vector looks like squares that underflowed, so it causes the second pass too. That
    costs time, but no accuracy.
    """
    smallest = jnp.finfo(v.dtype).tiny / jnp.finfo(v.dtype).eps
    largest = jnp.finfo(v.dtype).max
    vv, aa, va = sums_over_last_axis(platform, _products, v, f - x)
    out_of_range = (vv < smallest) | (aa < smallest) | (vv > largest) | (aa > largest)
    if where is not None:
        out_of_range &= where

    def directly() -> Moments:
        return _cosine(vv, aa, va), jnp.sqrt(vv), jnp.sqrt(aa)

    def after_scaling() -> Moments:
        v_scale = jnp.max(jnp.abs(v), axis=1, keepdims=True)
        change_scale = jnp.max(jnp.abs(f - x), axis=1, keepdims=True)
        vv, aa, va = sums_over_last_axis(
            platform, _products, v * safe_inverse(v_scale), (f - x) * safe_inverse(change_scale)
        )
        cosine = _cosine(vv, aa, va)
        return cosine, v_scale[:, 0] * jnp.sqrt(vv), change_scale[:, 0] * jnp.sqrt(aa)

    return lax.cond(jnp.any(out_of_range), after_scaling, directly)


def _cosine(vv: PerCell, aa: PerCell, va: PerCell) -> PerCell:
    return va * safe_inverse(jnp.sqrt(vv)) * safe_inverse(jnp.sqrt(aa))


def _products(own: Array, change: Array) -> tuple[Array, Array, Array]:
    """The terms of ``own.own``, ``change.change`` and ``own.change``."""
    return own * own, change * change, own * change


def _compare_directions_forward(
    v: Profiles, x: Profiles, f: Profiles, where: Bool[Array, " n_cells"] | None
) -> tuple[Moments, _Residuals]:
    moments = by_platform(_moments, v, x, f, where)
    return moments, (v, x, f, moments)


def _compare_directions_backward(
    residuals: _Residuals, cotangents: Moments
) -> tuple[Profiles, Profiles, Profiles, None]:
    r"""With unit vectors: d cos / dv = (a^ - cos v^) / |v|, d|v| / dv = v^, and alike for a."""
    v, x, f, (cosine, speed, distance) = residuals
    cosine_bar, speed_bar, distance_bar = cotangents
    per_speed, per_distance = safe_inverse(speed), safe_inverse(distance)
    v_unit = v * per_speed[:, None]
    a_unit = (f - x) * per_distance[:, None]

    def gradient(own: Profiles, other: Profiles, per_norm: PerCell, norm_bar: PerCell) -> Profiles:
        along_own = norm_bar - cosine_bar * per_norm * cosine
        return along_own[:, None] * own + (cosine_bar * per_norm)[:, None] * other

    v_bar = gradient(v_unit, a_unit, per_speed, speed_bar)
    f_bar = gradient(a_unit, v_unit, per_distance, distance_bar)
    return v_bar, -f_bar, f_bar, None


_compare_directions.defvjp(_compare_directions_forward, _compare_directions_backward)
