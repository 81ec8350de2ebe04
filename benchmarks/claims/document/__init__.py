"""The document's claims, one file per loss that they are about."""

from benchmarks.claims.document import (
    batch_mixing,
    collapse,
    compactness,
    diversity,
    dominance,
    silhouette,
    velocity,
    weighting,
)
from benchmarks.claims.experiment import Claim

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *batch_mixing.CLAIMS,
    *compactness.CLAIMS,
    *silhouette.CLAIMS,
    *velocity.CLAIMS,
    *diversity.CLAIMS,
    *collapse.CLAIMS,
    *dominance.CLAIMS,
    *weighting.CLAIMS,
)
