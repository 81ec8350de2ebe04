"""Lower bounds of all squared distances, in float32, from one matrix product per block of rows."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio._blocks import over_row_blocks, read_rows, rows_for, write_rows
from diffbio._numerics import n_counted, power_of_two, zeroed
from diffbio._platform import Platform
from diffbio._shards import AxisName, largest_of_all, n_cells_of_all, sum_of_all

__all__ = ["FAR", "Frame", "frame_of", "lower_bounds", "places", "search_columns"]

# The norm of a cell without a place, and that of a row that stands for no cell. Both are
# above every bound of two cells with a place. They are finite, so that no product with
# them is NaN, and powers of two, so that a key with fewer bits still holds them.
FAR = 2.0**100
_ABSENT = 2.0**110
# The product's rows are made in blocks of this size, which saves a second array of all rows.
_COLUMN_BLOCK = 4096


class Frame(NamedTuple):
    """What the points are centred by, and then divided by, before they are multiplied.

    Attributes:
        centre: a point in the middle of the cells with a place.
        unit: a power of 2, at least the size of any cell with a place unless that is near the
            largest float. Dividing by it rounds nothing, nor does multiplying by its inverse,
            which is a normal number too.
    """

    centre: Float[Array, " dim"]
    unit: Float[Array, ""]


def frame_of(
    x: Float[Array, "n_cells dim"], where: Bool[Array, " n_cells"] | None, axis_name: AxisName
) -> Frame:
    """The mean and the largest size of the cells with a place, of all shards."""
    sizes, placed = _sizes_and_places(x)
    counted = placed if where is None else placed & where
    largest = largest_of_all(jnp.max(sizes, where=counted, initial=0), axis_name)
    finfo = jnp.finfo(x.dtype)
    power = 2 * _shrink(x) * power_of_two(largest)
    unit = jnp.where(power > 0, jnp.minimum(power, 1 / finfo.tiny), 1)
    # The sum of this share of every cell stays finite.
    share = 0.5 ** n_cells_of_all(len(x), axis_name).bit_length()
    total = sum_of_all(jnp.sum(zeroed(x, counted) * share, axis=0), axis_name)
    return Frame(total / (n_counted(x, counted, axis_name) * share), unit)


def _sizes_and_places(
    x: Float[Array, "n_cells dim"],
) -> tuple[Float[Array, " n_cells"], Bool[Array, " n_cells"]]:
    """Each cell's size, the sum of its coordinates' sizes, and whether it has a place.

    A cell has a place if its coordinates are numbers. The sizes are divided by a power of 2, so
    that a sum is finite if its terms are. A sum is NaN if one of its terms is. A maximum of many
    terms, as XLA finds it on a CPU, need not be.
    """
    sizes = jnp.sum(jnp.abs(x) * (1 / _shrink(x)), axis=1)
    return sizes, jnp.isfinite(sizes)


def places(x: Float[Array, "n_cells dim"]) -> Bool[Array, " n_cells"]:
    """Which cells have a place: coordinates that are numbers."""
    return _sizes_and_places(x)[1]


def _shrink(x: Float[Array, "n_cells dim"]) -> int:
    """A power of 2 that is at least the number of coordinates."""
    return 1 << x.shape[1].bit_length()


def search_columns(
    platform: Platform,
    x: Float[Array, "n_cells dim"],
    where: Bool[Array, " n_cells"] | None,
    frame: Frame,
    multiple: int,
) -> Float[Array, "n_padded dim_plus_2"]:
    """Rows ``[-2 z, n, 1]`` of the bounds' product, for centred and scaled float32 data z.

    ``n = (1 - slack) |z|^2 - underflow``. The slack is above every rounding error of the
    product, the norms, the centring and the cast to float32 (first-order bounds, any order
    of summation). The underflow is above every error of results that are flushed to 0.
    A cell without a place gets z = 0 and n = ``FAR``. A masked cell, and the padding to a
    ``multiple``, get z = 0 and a larger n.
    """
    n_cells, dim = x.shape
    placed = places(x)
    counted = placed if where is None else placed & where
    slack = (3 * dim + 20) * float(jnp.finfo(jnp.float32).eps) / 2
    underflow = 16 * (dim + 1) * float(jnp.finfo(jnp.float32).tiny)
    block = min(n_cells, _column_block_size(platform, dim))

    def step(start: Int[Array, ""], _: Array, columns: Array) -> Array:
        inside = read_rows(counted, start, block)
        z = (read_rows(x, start, block) - frame.centre[None]) * (1 / frame.unit)
        z = zeroed(z.astype(jnp.float32), inside)
        norms = (1 - slack) * jnp.sum(z * z, axis=1) - underflow
        outside = FAR if where is None else jnp.where(read_rows(where, start, block), FAR, _ABSENT)
        norms = jnp.where(inside, norms, outside)
        rows = jnp.concatenate([-2 * z, norms[:, None], jnp.ones_like(norms)[:, None]], axis=1)
        return write_rows(columns, rows, start)

    padding = jnp.zeros(dim + 2, jnp.float32).at[dim].set(_ABSENT).at[dim + 1].set(1)
    columns = jnp.broadcast_to(padding, (n_cells + -n_cells % multiple, dim + 2))
    return over_row_blocks(n_cells, block, step, columns)


def _column_block_size(platform: Platform, dim: int) -> int:
    if platform is Platform.CPU:
        return _COLUMN_BLOCK
    return rows_for(dim, budget=1 << 26, smallest=_COLUMN_BLOCK, largest=1 << 26)


def lower_bounds(
    columns: Float[Array, "n_padded dim_plus_2"], own: Float[Array, "block dim_plus_2"]
) -> Float[Array, "n_padded block"]:
    """Numbers no larger than ``|z_j - z_i|^2``, for all cells j and the cells i of ``own``.

    One product of ``[-2 z_j, n_j, 1]`` with ``[z_i, 1, n_i]``: the norms ride along as
    two more columns, so that no second pass over the block adds them.
    """
    query = jnp.concatenate([-own[:, :-2] / 2, own[:, -1:], own[:, -2:-1]], axis=1)
    return jnp.dot(columns, query.T, precision=lax.Precision.HIGHEST)
