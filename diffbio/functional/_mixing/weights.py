"""The weights of a cell's neighbours, for each kind of temperature.

A number:    w_ij = softmax_j -d_ij^2 / T
Local:       w_ij = softmax_j -d_ij^2 / (scale * mean_j d_ij^2)
Perplexity:  w_ij = softmax_j -d_ij / T_i, with T_i such that the entropy of w_i is ln P
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from diffbio._numerics import above_lowest, safe_ratio, softmax_over
from diffbio._shards import AxisName
from diffbio.functional._edges.units import Units, of_points, of_temperature
from diffbio.functional._mixing.perplexity import perplexity_weights
from diffbio.functional.temperature import Local, Perplexity, Temperature

__all__ = ["Weights", "number_per_cell", "weights_for"]

# Of squared distances, the number of each cell, and which neighbours carry weight.
Weights = Callable[[Array, Array, Array], Array]


def weights_for(temperature: Temperature) -> Weights:
    """The function that weighs the neighbours of a block of cells."""
    return _WEIGHTS.get(type(temperature), _fixed_weights)


def number_per_cell(
    temperature: Temperature,
    x: Float[Array, "n_cells dim"],
    usable: Bool[Array, "n_cells k"],
    axis_name: AxisName,
) -> tuple[Units, Float[Array, " n_cells"]]:
    """The number of each cell that its weights depend on: T, the scale, or P.

    With it come the units in which distances are squared. Weights of the last two kinds do not
    depend on the unit.
    """
    number: Any
    match temperature:
        case Local(number) | Perplexity(number):
            units = of_points(axis_name, x)
            if number is None:
                number = jnp.sum(usable, axis=1, dtype=x.dtype) / 3
        case _:
            units, number = of_temperature(jnp.asarray(temperature, x.dtype))
    return units, jnp.broadcast_to(jnp.asarray(number, x.dtype), len(x))


def _fixed_weights(squared_distances: Array, temperature: Array, usable: Array) -> Array:
    """Squares that overflowed are equally far, without a gradient."""
    overflowed = squared_distances == jnp.inf
    largest = jnp.finfo(squared_distances.dtype).max
    energies = above_lowest(jnp.where(overflowed, largest, squared_distances), usable)
    return softmax_over(energies, temperature, usable)


def _local_weights(squared_distances: Array, scale: Array, usable: Array) -> Array:
    """Weights are uniform where all distances are 0."""
    distances = jnp.where(usable, squared_distances, 0)
    n_usable = jnp.sum(usable, axis=0, dtype=distances.dtype)
    mean = (jnp.sum(distances, axis=0) / jnp.maximum(n_usable, 1))[None]
    return softmax_over(above_lowest(safe_ratio(distances, mean), usable), scale, usable)


_WEIGHTS: Mapping[type, Weights] = {Local: _local_weights, Perplexity: perplexity_weights}
