r"""Weights of a given perplexity over distances, as t-SNE and LISI calibrate them.

With the distances d of a cell to its neighbours, ``w = softmax(-d / T)``. T is such that the
entropy of w is ``ln P``: the neighbours then count as much as P equal ones. The entropy grows
with T from the logarithm of the number of nearest neighbours to that of all neighbours.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio._numerics import above_lowest, safe_ratio, safe_sqrt, softmax_over

__all__ = ["perplexity_weights"]

# Distances that differ from the smallest by this many roundings are equal to it.
_ROUNDINGS = 8
# At most so many steps of the solver. Six do for usual neighbours, 32 for distances of 16 orders of
# magnitude.
_STEPS = 32
# exp(-_FAR) is 0 in both dtypes, and _FAR^2 is finite.
_FAR = 1000.0


def perplexity_weights(
    squared_distances: Float[Array, "k n_cells"],
    perplexity: Float[Array, " n_cells"],
    usable: Bool[Array, "k n_cells"],
) -> Float[Array, "k n_cells"]:
    """``softmax(-d / T)`` over each column's usable entries, of the given perplexity.

    No T gives a column this perplexity if it has too few usable entries, or if so many are
    nearest that they exceed it alone. The weights are then the nearest possible ones,
    uniform over the usable or over the nearest entries, and have no gradient.
    """
    d = safe_sqrt(squared_distances)
    excess = above_lowest(d, usable)
    rounding = _ROUNDINGS * jnp.finfo(d.dtype).eps * (d - excess)
    nearest = usable & (excess <= rounding)
    crowded = _count(nearest, d) >= perplexity
    uniform = crowded | (_count(usable, d) <= perplexity)
    temperature = _temperature(excess, jnp.maximum(perplexity, 1), usable, ~uniform)
    usable = jnp.where(crowded[None], nearest, usable)
    return softmax_over(excess, jnp.where(uniform, jnp.inf, temperature), usable)


def _count(entries: Array, like: Array) -> Float[Array, " n_cells"]:
    return jnp.sum(entries, axis=0, dtype=like.dtype)


@jax.custom_jvp
def _temperature(
    excess: Float[Array, "k n_cells"],
    perplexity: Float[Array, " n_cells"],
    usable: Bool[Array, "k n_cells"],
    solvable: Bool[Array, " n_cells"],
) -> Float[Array, " n_cells"]:
    """T with ``entropy(softmax(-excess / T)) = ln P``, and 0 for the other columns.

    The solver sees the distances beyond the nearest one, over their mean, so that their
    scale does not matter.
    """
    n = jnp.maximum(_count(usable, excess), 1)
    mean = jnp.sum(excess, axis=0) / n
    scaled = safe_ratio(excess, mean[None])
    b = _inverse_temperature(scaled, n, perplexity, usable, solvable)
    return jnp.where(solvable, mean / b, 0)


@_temperature.defjvp
def _temperature_derivative(
    primals: tuple[Array, Array, Array, Array], tangents: tuple[Array, Array, Any, Any]
) -> tuple[Array, Array]:
    """The implicit function theorem: what T must do for the entropy to stay ``ln P``.

    In the energies ``e = d / T``, the entropy changes by ``-Cov_w(e, e')``, where
    ``e' = (d' - e T') / T``. So ``T' = (Cov_w(e, d') + T P' / P) / Var_w(e)``.
    """
    excess, perplexity, usable, _ = primals
    excess_dot, perplexity_dot, *_ = tangents
    temperature = _temperature(*primals)
    energies = safe_ratio(excess, temperature[None])
    weights = _boltzmann(energies, usable)
    weights = weights / jnp.maximum(jnp.sum(weights, axis=0), 1)[None]
    energies = jnp.where(weights == 0, 0, energies)
    centered = energies - jnp.sum(weights * energies, axis=0)[None]
    variance = jnp.sum(weights * centered * centered, axis=0)
    covariance = jnp.sum(weights * centered * excess_dot, axis=0)
    change = covariance + temperature * (perplexity_dot / perplexity)
    return temperature, safe_ratio(change, variance)


def _boltzmann(energies: Array, usable: Array) -> Array:
    return jnp.where(usable, jnp.exp(-energies), 0)


class _Solver(NamedTuple):
    """What a step of the solver reads and writes: the active columns, their b and its bracket."""

    n_steps: Int[Array, ""]
    active: Bool[Array, " n_cells"]
    b: Float[Array, " n_cells"]
    low: Float[Array, " n_cells"]
    high: Float[Array, " n_cells"]


def _inverse_temperature(
    excess: Float[Array, "k n_cells"],
    n_usable: Float[Array, " n_cells"],
    perplexity: Float[Array, " n_cells"],
    usable: Bool[Array, "k n_cells"],
    solvable: Bool[Array, " n_cells"],
) -> Float[Array, " n_cells"]:
    """The b with ``entropy(softmax(-b excess)) = ln P``, for an excess of mean 1 and minimum 0.

    Newton's steps in ``ln b``, in which the entropy is nearly a line. A step that leaves
    the bracket goes to its geometric mean instead. The entropy is at least ``ln n - b`` by
    Jensen's inequality, so b is at least ``ln n - ln P``. At the upper end of the bracket
    all but the nearest of k neighbours together weigh less than rounding.

    A column's last step starts where its entropy is right to the rounding of a sum of n terms,
    whatever the other columns need. One that is not solvable takes no step.
    """
    finfo = jnp.finfo(excess.dtype)
    second = jnp.min(excess, axis=0, where=usable & (excess > 0), initial=jnp.inf)
    low = jnp.maximum(jnp.log(n_usable / perplexity), finfo.eps)
    high = jnp.maximum(math.log(len(excess) / finfo.eps) / second, low)

    def step(state: _Solver) -> _Solver:
        n_steps, active, b, low, high = state
        surplus, variance = _surplus_and_variance(b[None] * excess, perplexity, usable)
        low, high = jnp.where(surplus > 0, b, low), jnp.where(surplus > 0, high, b)
        newton = b * jnp.exp(surplus / jnp.maximum(variance, finfo.tiny))
        inside = (newton >= low) & (newton <= high)
        improved = jnp.where(inside, newton, jnp.sqrt(low) * jnp.sqrt(high))
        unsolved = active & (jnp.abs(surplus) > finfo.eps * n_usable)
        return _Solver(n_steps + 1, unsolved, jnp.where(active, improved, b), low, high)

    start = jnp.minimum(math.e * low, jnp.sqrt(low) * jnp.sqrt(high))
    state = _Solver(jnp.int32(0), solvable, start, low, high)
    return lax.while_loop(lambda s: jnp.any(s.active) & (s.n_steps < _STEPS), step, state).b


def _surplus_and_variance(
    energies: Float[Array, "k n_cells"],
    perplexity: Float[Array, " n_cells"],
    usable: Bool[Array, "k n_cells"],
) -> tuple[Float[Array, " n_cells"], Float[Array, " n_cells"]]:
    """``ln Z + <e> - ln P``, by which the entropy of ``w = exp(-e) / Z`` is too large.

    With it comes the variance of e under w.
    """
    energies = jnp.minimum(energies, _FAR)
    terms = _boltzmann(energies, usable)
    z = jnp.sum(terms, axis=0)
    mean = jnp.sum(terms * energies, axis=0) / z
    square = jnp.sum(terms * energies * energies, axis=0) / z
    return jnp.log(z / perplexity) + mean, square - mean * mean
