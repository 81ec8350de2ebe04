"""Whether a search in float32 could tell near cells apart beside the farthest ones."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from diffbio._numerics import zeroed
from diffbio.neighbors._bounds import finite_cells, normalization_of, normalized

__all__ = ["n_unresolved"]

# Coordinates that differ by fewer roundings than this, relative to the largest, are equal.
_ROUNDINGS = 16
# Smaller differences, in a unit that all cells fit in, have squares that lose digits.
_SMALLEST = 1e-15


@jax.jit
def n_unresolved(
    x: Float[Array, "n_cells dim"], farthest: Int[Array, " n_cells"]
) -> Int[Array, ""]:
    """How many cells have a k-th neighbour that equals them in float32, but not in the input.

    A search in float32 centres the cells and divides them by the size of the farthest one. Cells
    that differ in the input by no more than its rounding are not counted: any of them will do.

    Args:
        x: the cells.
        farthest: the k-th neighbour of each.
    """
    finite = finite_cells(x)
    z = zeroed(normalized(x, normalization_of(x, None, None)), finite).astype(jnp.float32)
    differ = _largest(x[farthest] - x) > _ROUNDINGS * _eps(x) * _largest(x)
    resolved = jnp.maximum(_ROUNDINGS * _eps(z) * _largest(z), _SMALLEST)
    return jnp.sum(finite & finite[farthest] & differ & (_largest(z[farthest] - z) <= resolved))


def _largest(x: Float[Array, "n_cells dim"]) -> Float[Array, " n_cells"]:
    return jnp.max(jnp.abs(x), axis=1)


def _eps(x: Array) -> float:
    return float(jnp.finfo(x.dtype).eps)
