"""Calls of a loss and of its lower bound, and the ratios of times that were taken in turn."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.catalog.cases import Case
from benchmarks.catalog.lower_bounds import LOWER_BOUNDS
from benchmarks.measure.programs import Program
from benchmarks.schema.records import Ratio

__all__ = ["contest", "ratios_of"]


def contest(
    case: Case, transform: str, ready: Program, compiled: Any
) -> dict[str, Callable[[], Any]]:
    """Calls of the program and of the case's lower bound, on the arrays where they lie."""
    bound = jax.jit(LOWER_BOUNDS[case.lower_bound][transform]).lower(ready.arrays).compile()
    return {
        "ours": partial(compiled, *ready.arguments),
        f"lower bound: {case.lower_bound}": partial(bound, ready.arrays),
    }


def ratios_of(
    case: Case,
    transform: str,
    ready: Program,
    compiled: Any,
    samples: Mapping[str, Sequence[float]],
) -> list[Ratio]:
    """One ratio per contestant that was called in turn with "ours"."""
    arrays = ready.arrays.values()
    temp_bytes = compiled.memory_analysis().temp_size_in_bytes
    ours = np.array(samples["ours"])
    return [
        Ratio(
            loss=case.name,
            transform=transform,
            n_cells=len(next(iter(arrays))),
            other=name,
            **_summary(ours, np.array(other)),
            temp_bytes=temp_bytes,
            input_bytes=sum(array.nbytes for array in arrays),
            n_rounds=len(ours),
        )
        for name, other in samples.items()
        if name != "ours"
    ]


def _summary(ours: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Medians, their ratio, and the interquartile range of the rounds' own ratios."""
    low, high = np.quantile(ours / other, [0.25, 0.75])
    ours_seconds, other_seconds = float(np.median(ours)), float(np.median(other))
    return {
        "ours_seconds": ours_seconds,
        "other_seconds": other_seconds,
        "ratio": ours_seconds / other_seconds,
        "ratio_low": float(low),
        "ratio_high": float(high),
    }
