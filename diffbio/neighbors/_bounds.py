"""Lower bounds of all squared distances, in float32, from one matrix product per block of rows."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._numerics import n_counted, power_of_two, zeroed
from diffbio._platform import Platform
from diffbio._shards import AxisName, largest_of_all, n_cells_of_all, sum_of_all

__all__ = [
    "FAR",
    "Normalization",
    "factor_rows",
    "finite_cells",
    "lower_bounds",
    "normalization_of",
    "normalized",
]

# The squared norms that stand for a cell with a NaN or infinite coordinate, and for no cell.
# Both are larger than every bound between two finite cells. They are finite, so that no product
# with them is NaN. They are powers of 2, so that the shortened keys of the selection hold them.
FAR = 2.0**100
_ABSENT = 2.0**110
# The factor's rows are made in blocks of this size, which saves a second array of all rows.
_FACTOR_BLOCK = 4096


class Normalization(NamedTuple):
    """The centre that is subtracted from the cells, and the unit that they are divided by.

    Attributes:
        centre: the mean of the finite cells.
        unit: a power of 2, at least the size of any finite cell unless that is near the largest
            float. Dividing by it rounds nothing, nor does multiplying by its inverse, which is
            a normal number too.
    """

    centre: Float[Array, " dim"]
    unit: Float[Array, ""]


def normalization_of(
    x: Float[Array, "n_cells dim"], where: Bool[Array, " n_cells"] | None, axis_name: AxisName
) -> Normalization:
    """The mean and the largest size of the finite cells of all shards."""
    sizes, finite = _sizes_and_finite(x)
    counted = finite if where is None else finite & where
    largest = largest_of_all(jnp.max(sizes, where=counted, initial=0), axis_name)
    finfo = jnp.finfo(x.dtype)
    power = 2 * _shrink(x) * power_of_two(largest)
    unit = jnp.where(power > 0, jnp.minimum(power, 1 / finfo.tiny), 1)
    # The sum of this share of every cell stays finite.
    share = 0.5 ** n_cells_of_all(len(x), axis_name).bit_length()
    total = sum_of_all(jnp.sum(zeroed(x, counted) * share, axis=0), axis_name)
    return Normalization(total / (n_counted(x, counted, axis_name) * share), unit)


def normalized(
    x: Float[Array, "n_cells dim"], normalization: Normalization
) -> Float[Array, "n_cells dim"]:
    """The cells z, centred and divided by the unit."""
    # z = (x - centre) / unit
    return (x - normalization.centre[None]) * (1 / normalization.unit)


def _sizes_and_finite(
    x: Float[Array, "n_cells dim"],
) -> tuple[Float[Array, " n_cells"], Bool[Array, " n_cells"]]:
    """Each cell's size, the sum of its coordinates' sizes, and whether all of them are finite.

    The sizes are divided by a power of 2, so that a sum is finite if its terms are. A sum is NaN
    if one of its terms is. A maximum of many terms, as XLA finds it on a CPU, need not be.
    """
    sizes = jnp.sum(jnp.abs(x) * (1 / _shrink(x)), axis=1)
    return sizes, jnp.isfinite(sizes)


def finite_cells(x: Float[Array, "n_cells dim"]) -> Bool[Array, " n_cells"]:
    """Which cells have no NaN and no infinite coordinate."""
    return _sizes_and_finite(x)[1]


def _shrink(x: Float[Array, "n_cells dim"]) -> int:
    """A power of 2 that is at least the number of coordinates."""
    return 1 << x.shape[1].bit_length()


def factor_rows(
    platform: Platform,
    x: Float[Array, "n_cells dim"],
    where: Bool[Array, " n_cells"] | None,
    normalization: Normalization,
    multiple: int,
) -> Float[Array, "n_padded dim_plus_2"]:
    """Rows ``[-2 z, n, 1]`` of the left factor of the bounds' product, for normalised cells z.

    ``n = (1 - slack) |z|^2 - underflow``. The slack is larger than every rounding error of the
    product, the norms, the centring and the cast to float32 (first-order bounds, any order
    of summation). The underflow is larger than every error of results that are flushed to 0.
    A non-finite cell gets z = 0 and n = ``FAR``. A masked cell, and the padding to a
    ``multiple``, get z = 0 and a larger n.
    """
    n_cells, dim = x.shape
    finite = finite_cells(x)
    counted = finite if where is None else finite & where
    slack = (3 * dim + 20) * float(jnp.finfo(jnp.float32).eps) / 2
    underflow = 16 * (dim + 1) * float(jnp.finfo(jnp.float32).tiny)
    block = min(n_cells, _factor_block_size(platform, dim))

    def step(start: Int[Array, ""], _: Array, factor: Array) -> Array:
        inside = read_rows(counted, start, block)
        z = normalized(read_rows(x, start, block), normalization)
        z = zeroed(z.astype(jnp.float32), inside)
        norms = (1 - slack) * jnp.sum(z * z, axis=1) - underflow
        outside = FAR if where is None else jnp.where(read_rows(where, start, block), FAR, _ABSENT)
        norms = jnp.where(inside, norms, outside)
        rows = jnp.concatenate([-2 * z, norms[:, None], jnp.ones_like(norms)[:, None]], axis=1)
        return write_rows(factor, rows, start)

    padding = jnp.zeros(dim + 2, jnp.float32).at[dim].set(_ABSENT).at[dim + 1].set(1)
    factor = jnp.broadcast_to(padding, (n_cells + -n_cells % multiple, dim + 2))
    return over_row_blocks(n_cells, block, step, factor)


def _factor_block_size(platform: Platform, dim: int) -> int:
    if platform is Platform.CPU:
        return _FACTOR_BLOCK
    return rows_for(dim, budget=1 << 26, smallest=_FACTOR_BLOCK, largest=1 << 26)


def lower_bounds(
    factor: Float[Array, "n_padded dim_plus_2"], own: Float[Array, "block dim_plus_2"]
) -> Float[Array, "n_padded block"]:
    """Numbers no larger than ``|z_j - z_i|^2``, for all cells j and the cells i of ``own``.

    The norms are two more columns of the product, so that no second pass over the block adds
    them.
    """
    # -2 z_j . z_i + n_j + n_i = [-2 z_j, n_j, 1] . [z_i, 1, n_i]  <=  |z_j - z_i|^2
    query = jnp.concatenate([-own[:, :-2] / 2, own[:, -1:], own[:, -2:-1]], axis=1)
    return jnp.dot(factor, query.T, precision=lax.Precision.HIGHEST)
