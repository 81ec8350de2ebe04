"""Approximate search with an inverted file: every cell is compared with the lists near it.

The cells stand in a table of rows of near cells (see ``_lists``). All cells of a row are
compared with the same rows, those with the nearest centres. That makes the search a matrix
product per row, without a gather per cell. The product is in float32 and centred on the
row, so that its errors are small beside the distances of near cells. The best
candidates are measured again by differences, in the precision of the input.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from diffbio._numerics import in_accumulation_dtype, zeroed
from diffbio._platform import Platform
from diffbio.neighbors._bounds import FAR, finite_cells, normalization_of, normalized
from diffbio.neighbors._keys import squared_distance
from diffbio.neighbors._lists import in_table, nearest_lists, sample_of
from diffbio.neighbors._measured import Cells, Neighbors, Ranked, nearest_candidates
from diffbio.neighbors._selection import group_sizes, smallest_per_column

__all__ = ["default_lists", "default_probes", "search_lists"]

# By default the number of probed lists is this factor times the root of the number of lists.
# It is larger if lists of mean size would hold fewer cells than the second number: few cells
# hold few true neighbours, and comparing with more of them takes little time.
_PROBES_PER_ROOT = 2
_FEWEST_PROBED_CELLS = 2048
# Candidates measured beside the k wanted ones and the cell itself.
_SPARE_CANDIDATES = 4
# Distances that an accelerator computes at once, half a gigabyte. A CPU searches one row of
# the table at a time, whose product is large enough for it.
_STEP = 1 << 27
# The coordinates of an empty row's centre. Those of all cells lie in [-1, 1].
_BEYOND_ALL = 2.0**40


def default_lists(n_cells: int) -> int:
    """The root of the number of cells: as many lists as a list has cells."""
    return math.isqrt(n_cells)


def default_probes(n_cells: int, n_lists: int) -> int:
    """Twice the root of the number of lists, and lists of 2048 cells at least."""
    of_root = math.ceil(_PROBES_PER_ROOT * math.sqrt(n_lists))
    of_cells = math.ceil(_FEWEST_PROBED_CELLS * n_lists / n_cells)
    return min(n_lists, max(of_root, of_cells))


def search_lists(
    x: Float[Array, "n_cells dim"], n_neighbors: int, n_lists: int, n_probes: int, seed: int
) -> Neighbors:
    """The nearest neighbours in the lists probed, of checked arguments."""
    (x,) = in_accumulation_dtype(x)
    platform = _platform_of(x)
    # Cell i is in the list of the centroid c that minimises |z_i - c|, and in one row R_i of it.
    # With the centre m_R of a row, and P(R), the rows with the centres nearest to m_R:
    # N_k(i) = argmin^k_{j in the rows P(R_i), j != i} |x_i - x_j|^2
    z, finite, unit = _normalized_cells(x)
    nearest = nearest_lists(z, sample_of(len(x), n_lists, seed), n_lists, platform)
    table = in_table(np.asarray(nearest), n_lists)
    n_probed_rows = _rows_to_probe(table, len(x), n_neighbors, n_probes / n_lists)
    return _search_table(
        x, z, finite, unit, jnp.asarray(table), n_neighbors, n_probed_rows, platform
    )


def _platform_of(x: Array) -> Platform:
    """The platform of the device that holds an array."""
    on_cpu = all(device.platform == "cpu" for device in x.devices())
    return Platform.CPU if on_cpu else Platform.ACCELERATOR


@jax.jit
def _normalized_cells(
    x: Float[Array, "n_cells dim"],
) -> tuple[Float[Array, "n_cells dim"], Bool[Array, " n_cells"], Float[Array, ""]]:
    """The cells, normalised; which of them are finite; and the unit. Non-finite cells are 0."""
    normalization, finite = normalization_of(x, None, None), finite_cells(x)
    return zeroed(normalized(x, normalization), finite), finite, normalization.unit


def _rows_to_probe(table: np.ndarray, n_cells: int, n_neighbors: int, share: float) -> int:
    """The number of rows to probe: the given share of all, or more if these could be too few.

    The returned number of rows holds ``n_neighbors + 1`` cells, whichever rows they are.
    """
    sizes = np.sum(table < n_cells, axis=1)
    fewest = np.cumsum(np.sort(sizes[sizes > 0]))
    enough = int(np.searchsorted(fewest, n_neighbors + 1)) + 1
    return max(math.ceil(share * len(table)), enough)


@functools.partial(jax.jit, static_argnames=("n_neighbors", "n_probed_rows", "platform"))
def _search_table(
    x: Float[Array, "n_cells dim"],
    z: Float[Array, "n_cells dim"],
    finite: Bool[Array, " n_cells"],
    unit: Float[Array, ""],
    table: Int[Array, "n_rows capacity"],
    n_neighbors: int,
    n_probed_rows: int,
    platform: Platform,
) -> Neighbors:
    """Search the cells of every row among the cells of the rows with the nearest centres."""
    (n_cells, dim), capacity = x.shape, table.shape[1]
    all_cells = Cells(x, None, 0)
    n_candidates = min(n_neighbors + 1 + _SPARE_CANDIDATES, n_cells)
    n_entries = n_probed_rows * capacity
    groups = group_sizes(platform, n_entries, n_candidates)
    padding = -n_entries % math.prod(groups)
    centres = lax.map(lambda row: _centre(z, row), table, batch_size=capacity)

    def search_row(row: tuple[Array, Array]) -> Ranked:
        queries, centre = row
        probed = _nearest_centres(centres, centre, n_probed_rows)
        cells = jnp.pad(table[probed].ravel(), (0, padding), constant_values=n_cells)
        distances = _distances(z, finite, queries, cells, centre)
        best, _ = smallest_per_column(platform, distances, n_candidates, groups)
        rows = jnp.minimum(queries, n_cells - 1)
        return nearest_candidates(
            platform, all_cells, all_cells, rows, cells[best], n_neighbors, unit
        )

    # The gathered cells, their distances, and the differences to the candidates.
    largest = max(n_entries * max(dim, capacity), n_candidates * capacity * dim)
    rows_at_once = None if platform is Platform.CPU else max(1, _STEP // largest)
    found = lax.map(search_row, (table, centres), batch_size=rows_at_once)
    entry = jnp.arange(table.size, dtype=jnp.int32)
    entries = jnp.zeros(n_cells, jnp.int32).at[table.ravel()].set(entry, mode="drop")
    found = jax.tree.map(lambda array: array.reshape(table.size, -1)[entries], found)
    return Neighbors(found.indices, squared_distance(found.keys, unit))


def _centre(z: Float[Array, "n_cells dim"], row: Int[Array, " capacity"]) -> Float[Array, " dim"]:
    """The mean of a row's cells."""
    inside = row < len(z)
    total = jnp.sum(z.at[row].get(mode="fill", fill_value=0), axis=0)
    return jnp.where(inside[0], total / jnp.maximum(jnp.sum(inside), 1), _BEYOND_ALL)


def _nearest_centres(
    centres: Float[Array, "n_rows dim"], centre: Float[Array, " dim"], count: int
) -> Int[Array, " count"]:
    differences = (centres - centre).astype(jnp.float32)
    return lax.top_k(-jnp.sum(differences * differences, axis=1), count)[1]


def _distances(
    z: Float[Array, "n_cells dim"],
    finite: Bool[Array, " n_cells"],
    queries: Int[Array, " capacity"],
    cells: Int[Array, " n_entries"],
    centre: Float[Array, " dim"],
) -> Float[Array, "n_entries capacity"]:
    """Squared distances by one product, up to rounding.

    A distance to a non-finite cell is ``FAR``. One to an entry without a cell is infinite.
    """

    def centred(cells: Int[Array, " n"]) -> tuple[Array, Array]:
        rows = (z.at[cells].get(mode="clip") - centre).astype(jnp.float32)
        return rows, jnp.sum(rows * rows, axis=1)

    rows, norms = centred(cells)
    norms = jnp.where(finite.at[cells].get(mode="clip"), norms, FAR)
    norms = jnp.where(cells < len(z), norms, jnp.inf)
    own, own_norms = centred(queries)
    product = jnp.dot(rows, own.T, precision=lax.Precision.HIGHEST)
    # |y_j - y_i|^2 = |y_j|^2 - 2 y_j . y_i + |y_i|^2, for cells y = z - m_R
    return norms[:, None] - 2 * product + own_norms
