"""Errors of a loss and its gradient against the NumPy reference and finite differences."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.catalog.cases import Arrays, Case
from benchmarks.schema.tolerances import LEAST_VALUE
from reference import finite_difference, neighbors

__all__ = [
    "KeptSearch",
    "differing_arrays",
    "digest",
    "gradient_v_curve",
    "neighbor_error",
    "reference_errors",
    "reference_results",
    "relative_error",
    "worst",
]

Search = Callable[[Any, int], np.ndarray]


class KeptSearch:
    """A search that keeps what it found among the latest points.

    Several losses in a row search among the same cells, and a search takes seconds to run, as the
    reference's does, or to compile.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._points: Any = None
        self._found: dict[int, np.ndarray] = {}

    def __call__(self, points: Any, n_neighbors: int) -> np.ndarray:
        """Indices of the nearest neighbours, (n_cells, n_neighbors)."""
        if not np.array_equal(self._points, points):
            self._points, self._found = points, {}
        if n_neighbors not in self._found:
            self._found[n_neighbors] = self._search(points, n_neighbors)
        return self._found[n_neighbors]

    def clear(self) -> None:
        """Let go of the points and of what was found."""
        self._points, self._found = None, {}


def reference_results(
    case: Case, arrays: Arrays, found: np.ndarray | None = None
) -> tuple[float, dict[str, np.ndarray]]:
    """The reference's value and gradients in float64, over the neighbours that the loss found.

    A loss jumps where its neighbour sets change, so that value and gradient can be compared
    for the same sets only. :func:`neighbor_error` says whether these sets are right.
    """
    options = dict(arrays) if found is None else {**arrays, "neighbor_indices": found}
    return case.reference(**options), case.reference_gradients(**options)


def neighbor_error(points: Any, found: Any, search: Search = neighbors.nearest_neighbors) -> float:
    """Largest relative difference between the squared distances of found and nearest cells.

    The distances are computed in float64 and sorted in each row. Two cells that are equally
    far to the last digit of float32 may therefore stand for each other; any other exchange
    shows. The error is 1 if a cell stands twice in a row.
    """
    found = np.asarray(found)
    if (np.diff(np.sort(found, axis=1)) == 0).any():
        return 1.0
    points = np.ascontiguousarray(points, dtype=np.float64)
    nearest = search(points, found.shape[1])
    expected, distances = (_sorted_distances(points, rows) for rows in (nearest, found))
    return float(np.max(np.abs(distances - expected) / np.where(expected > 0, expected, 1)))


def _sorted_distances(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    columns = [((points[column] - points) ** 2).sum(axis=1) for column in rows.T]
    return np.sort(np.stack(columns, axis=1), axis=1)


def relative_error(found: Any, expected: Any, *, least: float = 0.0) -> float:
    """Norm of the difference over that of what is expected, or over ``least`` if it is larger."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    norm = max(float(np.linalg.norm(expected)), least)
    with np.errstate(invalid="ignore"):  # infinite results give NaN
        return float(np.linalg.norm(found - expected) / (norm if norm > 0 else 1.0))


def reference_errors(
    expected: tuple[float, Mapping[str, np.ndarray]], value: Any, gradients: Mapping[str, Any]
) -> dict[str, float]:
    """Relative error of the value, and the worst error of the gradients if there are any.

    A value near 0 is ill-conditioned: where one neighbour takes all the weight, the mean entropy
    is 4e-5, and moves by 1e-5 of itself if the exact distances are merely rounded to float32. It
    is held to an absolute error, that of ``LEAST_VALUE``.
    """
    expected_value, expected_gradients = expected
    found = {"value_error": relative_error(value, expected_value, least=LEAST_VALUE)}
    of_gradients = [
        relative_error(gradient, expected_gradients[name]) for name, gradient in gradients.items()
    ]
    return {**found, "gradient_error": worst(of_gradients)} if of_gradients else found


def worst(errors: Sequence[float]) -> float:
    """The largest error; NaN if any error is NaN, which ``max`` would miss."""
    return float(np.max(errors))


def digest(results: Any) -> str:
    """A hash of the bits of all arrays, in the order of their names."""
    found = hashlib.sha256()
    for array in jax.tree.leaves(results):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def differing_arrays(first: Any, second: Any) -> int:
    """How many arrays of two results differ in a bit."""
    pairs = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    return sum(digest(one) != digest(other) for one, other in pairs)


def gradient_v_curve(case: Case, *, n_cells: int, seed: int = 1) -> dict[str, Any]:
    """Central differences of the reference against the library's float64 gradient, over the step.

    The differences go along one random unit direction through all differentiated arrays. A
    test comes first: neither a kink nor a change of a neighbour set may lie within the
    largest step that counts.
    """
    arrays = _away_from_the_boundary(case.make_inputs(n_cells, seed, np.float64))
    names = case.differentiable
    sizes = [arrays[name].size for name in names]
    at = np.concatenate([arrays[name].ravel() for name in names])

    def unpack(flat: np.ndarray) -> dict[str, Any]:
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        return {
            name: part.reshape(arrays[name].shape) for name, part in zip(names, parts, strict=True)
        }

    def value(flat: np.ndarray) -> float:
        return case.reference(**{**arrays, **unpack(flat)})

    with jax.enable_x64(True):
        differentiated = {name: jnp.asarray(array) for name, array in unpack(at).items()}
        constant = {name: array for name, array in arrays.items() if name not in names}
        gradients = jax.grad(lambda d: case.loss(**d, **constant))(differentiated)
        flat_gradient = np.concatenate([np.ravel(gradients[name]) for name in names])

    direction = finite_difference.unit_direction(at.shape, seed)
    finite_difference.require_smooth(value, at, direction)
    slope = float(flat_gradient @ direction)
    errors = finite_difference.step_sweep(value, at, direction, slope)
    return {
        "loss": case.name,
        "n_cells": n_cells,
        "steps": list(finite_difference.STEPS),
        "errors": [float(e) for e in errors],
        "plateau": finite_difference.plateau(errors),
    }


def _away_from_the_boundary(arrays: Arrays) -> Arrays:
    """The arrays, with uniform assignments mixed in, so that no step leads to p < 0."""
    if "assignments" not in arrays:
        return arrays
    assignments = arrays["assignments"]
    return {**arrays, "assignments": (assignments + 1 / assignments.shape[1]) / 2}
