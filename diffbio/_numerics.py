"""Small numerical pieces that several losses share."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from diffbio._platform import Platform
from diffbio._shards import AxisName, n_cells_of_all, sum_of_all

__all__ = [
    "above_lowest",
    "entropy_sum",
    "entropy_terms",
    "in_accumulation_dtype",
    "mean_over_cells",
    "n_counted",
    "power_of_two",
    "safe_inverse",
    "safe_norm",
    "safe_ratio",
    "safe_sqrt",
    "softmax_over",
    "sums_over_last_axis",
    "zeroed",
]


def in_accumulation_dtype(*arrays: Array) -> tuple[Array, ...]:
    """Cast to ``promote_types(input, float32)``: half precision computes in float32."""
    dtype = jnp.result_type(*arrays)
    if jnp.finfo(dtype).bits < 32:
        dtype = jnp.dtype(jnp.float32)
    return tuple(array.astype(dtype) for array in arrays)


def zeroed(array: Float[Array, "n_cells *rest"], where: Bool[Array, " n_cells"] | None) -> Array:
    """Replace the masked cells' rows by 0, so that neither they nor their gradient count."""
    if where is None:
        return array
    return jnp.where(where.reshape((-1,) + (1,) * (array.ndim - 1)), array, 0)


def mean_over_cells(
    per_cell: Float[Array, " n_cells"],
    where: Bool[Array, " n_cells"] | None,
    axis_name: AxisName = None,
) -> Float[Array, ""]:
    """Mean over the unmasked cells of all shards; 0 if there are none."""
    if where is None and axis_name is None:
        return jnp.mean(per_cell)
    total = sum_of_all(jnp.sum(zeroed(per_cell, where)), axis_name)
    return total / n_counted(per_cell, where, axis_name)


def n_counted(
    like: Array, where: Bool[Array, " n_cells"] | None, axis_name: AxisName = None
) -> Float[Array, ""]:
    """Number of unmasked cells of all shards, at least 1, in the dtype of ``like``."""
    if where is None:
        return jnp.asarray(n_cells_of_all(like.shape[0], axis_name), like.dtype)
    return jnp.maximum(sum_of_all(jnp.sum(where, dtype=like.dtype), axis_name), 1)


def power_of_two(numbers: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The nearest powers of 2, with which products round nothing: constants to derivatives."""
    numbers = lax.stop_gradient(numbers)
    return lax.reduce_precision(numbers, jnp.finfo(numbers.dtype).nexp, 0)


@jax.custom_vjp
def entropy_terms(probabilities: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``-p ln p`` with value *and* gradient 0 at p = 0; NaN for negative p.

    Equals ``entr``, whose slope at 0 is infinite. The smallest normal number is added
    inside the logarithm instead of selecting on p = 0: it changes no p above 1e-30, and
    a selection would make XLA on a CPU write out all logarithms before it sums them.
    """
    return -probabilities * _log(probabilities)


def _log(probabilities: Array) -> Array:
    return jnp.log(probabilities + jnp.finfo(probabilities.dtype).tiny)


def _entropy_terms_forward(probabilities: Array) -> tuple[Array, Array]:
    # The plain function, so that forward mode over this pass meets no custom rule.
    return entropy_terms.fun(probabilities), probabilities


def _entropy_terms_backward(probabilities: Array, terms_bar: Array) -> tuple[Array]:
    slopes = -(_log(probabilities) + 1)
    return (terms_bar * jnp.where(probabilities == 0, 0, slopes),)


entropy_terms.defvjp(_entropy_terms_forward, _entropy_terms_backward)


@jax.custom_vjp
def entropy_sum(probabilities: Float[Array, "*shape"]) -> Float[Array, ""]:
    """``sum -p ln p``: the sum of ``entropy_terms``, with one logarithm for both passes.

    The gradient reuses the value's logarithms. They are taken over a flat array, because
    XLA on a CPU vectorises over the minor axis alone. A row of 20 clusters fills one
    vector and leaves a remainder, which XLA handles entry by entry at a higher cost.
    """
    return jnp.sum(entropy_terms(probabilities))


def _entropy_sum_forward(probabilities: Array) -> tuple[Float[Array, ""], Array]:
    flat = probabilities.reshape(-1)
    logs = _log(flat)
    total = -jnp.dot(flat, logs, precision=lax.Precision.HIGHEST)
    return total, logs.reshape(probabilities.shape)


def _entropy_sum_backward(logs: Array, total_bar: Float[Array, ""]) -> tuple[Array]:
    at_zero = logs < jnp.log(1.5 * jnp.finfo(logs.dtype).tiny)
    return (total_bar * jnp.where(at_zero, 0, -(logs + 1)),)


entropy_sum.defvjp(_entropy_sum_forward, _entropy_sum_backward)


def safe_inverse(norm: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """``1 / norm``, and 0 at norm = 0: the zero vector has no direction and no gradient."""
    return safe_ratio(jnp.ones_like(norm), norm)


def safe_norm(vectors: Float[Array, "*shape dim"]) -> Float[Array, "*shape"]:
    """Euclidean norm over the last axis, without under- or overflow of the squares.

    The zero vector has norm 0 and gradient 0, where ``sqrt`` alone would give NaN.
    """
    scale = lax.stop_gradient(jnp.max(jnp.abs(vectors), axis=-1, keepdims=True))
    scale = jnp.where(scale == 0, 1, scale)
    scaled = vectors / scale
    return scale[..., 0] * safe_sqrt(jnp.sum(scaled * scaled, axis=-1))


@jax.custom_jvp
def safe_ratio(
    numerator: Float[Array, "*shape"], denominator: Float[Array, "#*shape"]
) -> Float[Array, "*shape"]:
    """``numerator / denominator``, and 0 without a gradient where the denominator is 0.

    A subnormal denominator counts as 0, since its inverse may be infinite. The derivative
    divides by the denominator once, or twice in a row. Autodiff would divide by the
    denominator's square, which leaves the range of floats.
    """
    return numerator * _inverse(denominator)


def _inverse(denominator: Array) -> Array:
    zero = denominator < jnp.finfo(denominator.dtype).tiny
    return jnp.where(zero, 0, 1 / jnp.where(zero, 1, denominator))


@safe_ratio.defjvp
def _safe_ratio_derivative(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    ratio = safe_ratio(*primals)
    return ratio, (tangents[0] - ratio * tangents[1]) * _inverse(primals[1])


def safe_sqrt(squares: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The square root, with gradient 0 at 0 instead of an infinite one."""
    return jnp.where(squares == 0, 0, jnp.sqrt(jnp.where(squares == 0, 1, squares)))


@jax.custom_jvp
def above_lowest(
    energies: Float[Array, "k n_cells"], usable: Bool[Array, "k n_cells"]
) -> Float[Array, "k n_cells"]:
    """The energies above the lowest usable one of each column; 0 for those that are not usable.

    The derivative leaves out that of the lowest. So it is right for what depends on differences
    of energies alone.
    """
    lowest = jnp.min(energies, axis=0, where=usable, initial=jnp.inf)[None]
    # The maximum makes XLA round the energies as they were when the lowest was found.
    return jnp.where(usable, jnp.maximum(energies, lowest) - lowest, 0)


@above_lowest.defjvp
def _above_lowest_derivative(
    primals: tuple[Array, Array], tangents: tuple[Array, Any]
) -> tuple[Array, Array]:
    return above_lowest(*primals), jnp.where(primals[1], tangents[0], 0)


@jax.custom_vjp
def softmax_over(
    energies: Float[Array, "k n_cells"],
    temperature: Float[Array, " n_cells"],
    usable: Bool[Array, "k n_cells"],
) -> Float[Array, "k n_cells"]:
    """Softmax of ``-energies / temperature`` over each column's usable entries; 0 elsewhere.

    The energies are those above the column's lowest, so that nothing large cancels:
    ``jax.nn.softmax`` subtracts two large quotients instead. The derivative divides by T once,
    where autodiff divides by T^2 and leaves the range of floats.
    """
    return _softmax_forward(energies, temperature, usable)[0]


def _softmax_forward(
    energies: Array, temperature: Array, usable: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
    quotients = energies / temperature[None]
    exponentials = jnp.where(usable, jnp.exp(-quotients), 0)
    total = jnp.sum(exponentials, axis=0)
    weights = exponentials / jnp.where(total == 0, 1, total)[None]
    return weights, (weights, quotients, temperature)


def _softmax_backward(
    residuals: tuple[Array, Array, Array], weights_bar: Array
) -> tuple[Array, Array, None]:
    weights, quotients, temperature = residuals
    logits_bar = weights * (weights_bar - jnp.sum(weights * weights_bar, axis=0, keepdims=True))
    # A quotient is infinite only where its weight is 0.
    moment = jnp.sum(jnp.where(weights == 0, 0, logits_bar * quotients), axis=0)
    return -logits_bar / temperature[None], moment / temperature, None


softmax_over.defvjp(_softmax_forward, _softmax_backward)


def sums_over_last_axis(
    platform: Platform, terms: Callable[..., tuple[Array, ...]], *operands: Float[Array, "..."]
) -> tuple[Array, ...]:
    """The sum over the last axis of each of the ``terms(*operands)``, in one read.

    XLA on a CPU adds the entries of a row one after the other, so the chain of additions
    limits the speed. One reduction over two halves of the row side by side makes the
    chain half as long. More pieces do not fit the registers. A GPU adds the entries of a
    row in parallel. There the barrier keeps XLA from adding them again for every use.
    """
    if platform is Platform.ACCELERATOR:
        sums = tuple(jnp.sum(term, axis=-1) for term in terms(*operands))
        return lax.optimization_barrier(sums)
    half = operands[0].shape[-1] // 2
    left, right, odd = (
        terms(*(operand[..., entries] for operand in operands))
        for entries in (slice(half), slice(half, 2 * half), slice(2 * half, None))
    )
    halves = _sums_in_one_reduction(left + right)
    return tuple(
        a + b + jnp.sum(c, axis=-1)
        for a, b, c in zip(halves[: len(left)], halves[len(left) :], odd, strict=True)
    )


@jax.custom_jvp
def _sums_in_one_reduction(terms: tuple[Array, ...]) -> tuple[Array, ...]:
    """The sum over the last axis of each term.

    JAX has no derivative of such a reduction where one term has none, and a slow one where
    all have. The derivative of a sum is the sum.
    """
    zeros = tuple(jnp.zeros((), term.dtype) for term in terms)
    return tuple(lax.reduce(terms, zeros, _add_all, (terms[0].ndim - 1,)))


@_sums_in_one_reduction.defjvp
def _derivative_of_sums(
    primals: tuple[tuple[Array, ...]], tangents: tuple[tuple[Array, ...]]
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    slopes = tuple(jnp.sum(tangent, axis=-1) for tangent in tangents[0])
    return _sums_in_one_reduction(*primals), slopes


def _add_all(left: tuple[Array, ...], right: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(map(jnp.add, left, right))
