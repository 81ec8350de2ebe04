"""Calls of a loss and of its lower bound, and the ratios of times that were taken in turn."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.catalog.cases import Case
from benchmarks.catalog.lower_bounds import LOWER_BOUNDS
from benchmarks.measure.programs import Program
from benchmarks.schema.records import LOWER_BOUND, Ratio

__all__ = ["calls_to_compare", "ratios_of"]


def calls_to_compare(
    case: Case, transform: str, ready: Program, compiled: Any
) -> dict[str, Callable[[], Any]]:
    """Calls of the program and of the case's lower bound, on the arrays where they lie."""
    bound = jax.jit(LOWER_BOUNDS[case.lower_bound][transform]).lower(ready.arrays).compile()
    return {
        "loss": partial(compiled, *ready.arguments),
        f"{LOWER_BOUND}: {case.lower_bound}": partial(bound, ready.arrays),
    }


def ratios_of(
    case: Case,
    transform: str,
    ready: Program,
    compiled: Any,
    samples: Mapping[str, Sequence[float]],
) -> list[Ratio]:
    """One ratio for everything that was called in turn with the loss."""
    arrays = ready.arrays.values()
    temp_bytes = compiled.memory_analysis().temp_size_in_bytes
    own = np.array(samples["loss"])
    return [
        Ratio(
            loss=case.name,
            transform=transform,
            n_cells=len(next(iter(arrays))),
            other=name,
            **_summary(own, np.array(other)),
            temp_bytes=temp_bytes,
            input_bytes=sum(array.nbytes for array in arrays),
            n_rounds=len(own),
        )
        for name, other in samples.items()
        if name != "loss"
    ]


def _summary(own: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Medians, their ratio, and the interquartile range of the rounds' own ratios."""
    low, high = np.quantile(own / other, [0.25, 0.75])
    own_seconds, other_seconds = float(np.median(own)), float(np.median(other))
    return {
        "ours_seconds": own_seconds,
        "other_seconds": other_seconds,
        "ratio": own_seconds / other_seconds,
        "ratio_low": float(low),
        "ratio_high": float(high),
    }
