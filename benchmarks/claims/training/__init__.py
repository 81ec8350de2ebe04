"""Models trained with the losses on real cells, beside the field's methods."""

from benchmarks.claims.training import comparison, pictures

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = (*comparison.EXPERIMENTS, *pictures.EXPERIMENTS)
