"""The document's claims, one file per loss that they are about."""

from benchmarks.claims.document import batch_mixing, compactness, diversity, velocity
from benchmarks.claims.experiment import Claim

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *batch_mixing.CLAIMS,
    *compactness.CLAIMS,
    *velocity.CLAIMS,
    *diversity.CLAIMS,
)
