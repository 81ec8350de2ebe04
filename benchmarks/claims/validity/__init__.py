"""Validity: our losses beside the measures that the field uses, over sweeps of cells."""

from benchmarks.claims.experiment import Experiment
from benchmarks.claims.validity import compactness, mixing, velocity

__all__ = ["EXPERIMENTS"]

EXPERIMENTS: tuple[Experiment, ...] = (
    *mixing.EXPERIMENTS,
    *compactness.EXPERIMENTS,
    *velocity.EXPERIMENTS,
)
