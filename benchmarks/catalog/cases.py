"""The catalog: all that tests, benchmarks and reports need to know about each loss.

Adding a loss is one file in ``diffbio/functional``, its reference in ``reference`` and one
:class:`Case` here; tests, benchmarks and the report then cover it.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

import diffbio.functional as F
import reference.batch_mixing
import reference.combined
import reference.compactness
import reference.diversity
import reference.transition
import reference.velocity
from benchmarks.catalog.real import REAL_CELLS, fields_read, real_cells
from benchmarks.schema.suite import CHECKED_CELLS, MIXING_NEIGHBORS, TRANSITION_NEIGHBORS
from diffbio import losses
from diffbio.datasets import CellData, simulate_clusters, simulate_velocity
from diffbio.neighbors import nearest_neighbors

# New references are imported here.

__all__ = ["CATALOG", "Arrays", "Case", "case", "simulated_cells"]

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One loss at one setting, that of DiffBio's documentation if its name says no other.

    Attributes:
        name: identifier, the first parameter of every benchmark.
        title: what a page calls it.
        simulation: the simulator that makes its cells, as a name in ``SIMULATIONS``.
        select: the loss's arguments, by name, from a :class:`CellData`.
        loss: the functional form, called with those arguments.
        module: the NNX form, called likewise; None if there is none.
        reference: the NumPy reference's value, called likewise.
        reference_gradients: its analytic gradients, by argument name.
        differentiable: the arguments gradients are taken for.
        lower_bound: the least work that bounds it, as a name in ``LOWER_BOUNDS``.
        n_neighbors: neighbours that the loss searches for; None if it searches for none. The
            reference of a loss that searches accepts ``neighbor_indices``.
    """

    name: str
    title: str
    simulation: str
    select: Callable[[CellData], Arrays]
    loss: Callable[..., Any]
    module: Callable[..., Any] | None
    reference: Callable[..., Any]
    reference_gradients: Callable[..., dict[str, np.ndarray]]
    differentiable: tuple[str, ...]
    lower_bound: str
    n_neighbors: int | None = field(default=None)

    def make_inputs(self, n_cells: int, seed: int = 0, dtype: Any = np.float32) -> Arrays:
        """The arguments for simulated cells."""
        return self.arguments(simulated_cells(self.simulation, n_cells, seed), dtype)

    def real_inputs(self, dtype: Any = np.float32, n_cells: int = 700) -> Arrays:
        """The arguments for the real data set of that many cells."""
        return self.arguments(real_cells(n_cells), dtype)

    def real_sizes(self) -> list[int]:
        """The sizes of the real data sets with all fields that the loss selects."""
        needed = fields_read(self.select, simulated_cells(self.simulation, CHECKED_CELLS, 0))
        return [n_cells for n_cells, real in REAL_CELLS.items() if needed <= real.fields]

    def arguments(self, cells: CellData, dtype: Any = np.float32) -> Arrays:
        """The loss's arguments for given cells, with floating arrays in the dtype."""
        return {
            name: array.astype(dtype) if np.issubdtype(array.dtype, np.floating) else array
            for name, array in self.select(cells).items()
        }


SIMULATIONS: dict[str, Callable[..., CellData]] = {
    "clusters": simulate_clusters,
    "kinetics": simulate_velocity,
    "kinetics_50": functools.partial(simulate_velocity, n_genes=50),
}


@functools.lru_cache(maxsize=4)
def simulated_cells(simulation: str, n_cells: int, seed: int) -> CellData:
    """Cells of a named simulation; the latest few are kept."""
    return SIMULATIONS[simulation](n_cells, seed=seed)


def _fields(*names: str) -> Callable[[CellData], Arrays]:
    return lambda cells: {name: getattr(cells, name) for name in names}


def _with_neighbors(cells: CellData) -> Arrays:
    indices = nearest_neighbors(jnp.asarray(cells.embeddings), MIXING_NEIGHBORS).indices
    return {
        **_fields("embeddings", "batch_labels")(cells),
        "neighbor_indices": np.asarray(indices),
    }


def _with_reconstruction(cells: CellData) -> Arrays:
    """The embedding stands in for the features, half of it for their reconstruction."""
    return {
        **_fields("embeddings", "batch_labels", "assignments")(cells),
        "features": cells.embeddings,
        "reconstructed": np.asarray(cells.embeddings) / 2,
    }


@functools.wraps(F.combined_loss)
def _combined_total(*arguments: Any, **options: Any) -> Any:
    return F.combined_loss(*arguments, **options).total


def _transition_module(expression: Any, velocity: Any) -> Any:
    module = losses.VelocityConsistencyLoss(
        cosine_weight=0.0, magnitude_weight=0.0, transition_weight=1.0
    )
    return module(expression, velocity, expression)


def _batch_mixing(name: str, title: str, **options: Any) -> Case:
    """Batch mixing with some options."""
    return Case(
        name=name,
        title=title,
        simulation="clusters",
        select=_fields("embeddings", "batch_labels"),
        loss=functools.partial(F.batch_mixing_loss, **options),
        module=losses.BatchMixingLoss(**options),
        reference=functools.partial(reference.batch_mixing.batch_mixing_loss, **options),
        reference_gradients=functools.partial(
            reference.batch_mixing.batch_mixing_gradients, **options
        ),
        differentiable=("embeddings",),
        lower_bound="search",
        n_neighbors=options.get("n_neighbors", MIXING_NEIGHBORS),
    )


CATALOG: tuple[Case, ...] = (
    _batch_mixing(
        "batch_mixing_recommended", "Batch mixing, recommended setting", **F.RECOMMENDED_MIXING
    ),
    _batch_mixing("batch_mixing", "Batch mixing"),
    _batch_mixing("batch_mixing_local", "Batch mixing, local bandwidth", temperature=F.Local()),
    Case(
        name="batch_mixing_precomputed",
        title="Batch mixing, precomputed neighbours",
        simulation="clusters",
        select=_with_neighbors,
        loss=F.batch_mixing_loss,
        module=losses.BatchMixingLoss(),
        reference=reference.batch_mixing.batch_mixing_loss,
        reference_gradients=reference.batch_mixing.batch_mixing_gradients,
        differentiable=("embeddings",),
        lower_bound="gather",
    ),
    _batch_mixing("batch_mixing_simpson", "Batch mixing, Simpson's index", index="simpson"),
    Case(
        name="compactness",
        title="Clustering compactness",
        simulation="clusters",
        select=_fields("embeddings", "assignments"),
        loss=F.clustering_compactness_loss,
        module=losses.ClusteringCompactnessLoss(),
        reference=reference.compactness.clustering_compactness_loss,
        reference_gradients=reference.compactness.clustering_compactness_gradients,
        differentiable=("embeddings", "assignments"),
        lower_bound="products",
    ),
    Case(
        name="velocity",
        title="Velocity consistency",
        simulation="kinetics",
        select=_fields("expression", "velocity", "future_expression"),
        loss=F.velocity_consistency_loss,
        module=losses.VelocityConsistencyLoss(),
        reference=reference.velocity.velocity_consistency_loss,
        reference_gradients=reference.velocity.velocity_consistency_gradients,
        differentiable=("expression", "velocity", "future_expression"),
        lower_bound="read and write",
    ),
    Case(
        name="velocity_transition",
        title="Velocity transitions",
        simulation="kinetics_50",
        select=_fields("expression", "velocity"),
        loss=F.velocity_transition_loss,
        module=_transition_module,
        reference=reference.transition.velocity_transition_loss,
        reference_gradients=reference.transition.velocity_transition_gradients,
        differentiable=("expression", "velocity"),
        lower_bound="search and gather",
        n_neighbors=TRANSITION_NEIGHBORS,
    ),
    Case(
        name="shannon",
        title="Shannon diversity",
        simulation="clusters",
        select=_fields("assignments"),
        loss=F.shannon_diversity,
        module=losses.ShannonDiversityLoss(),
        reference=reference.diversity.shannon_diversity,
        reference_gradients=reference.diversity.shannon_gradients,
        differentiable=("assignments",),
        lower_bound="logs and write",
    ),
    Case(
        name="simpson",
        title="Simpson diversity",
        simulation="clusters",
        select=_fields("assignments"),
        loss=F.simpson_diversity,
        module=losses.SimpsonDiversityLoss(),
        reference=reference.diversity.simpson_diversity,
        reference_gradients=reference.diversity.simpson_gradients,
        differentiable=("assignments",),
        lower_bound="read and write",
    ),
    Case(
        name="combined",
        title="Combined objective",
        simulation="clusters",
        select=_with_reconstruction,
        loss=_combined_total,
        module=None,
        reference=lambda **arrays: reference.combined.combined_loss(**arrays)[0],
        reference_gradients=reference.combined.combined_gradients,
        differentiable=("embeddings", "assignments", "reconstructed"),
        lower_bound="search",
        n_neighbors=MIXING_NEIGHBORS,
    ),
    # New cases go here.
)


def case(name: str) -> Case:
    """The case of that name."""
    for candidate in CATALOG:
        if candidate.name == name:
            return candidate
    raise KeyError(f"no case {name!r}; there are {', '.join(c.name for c in CATALOG)}")
