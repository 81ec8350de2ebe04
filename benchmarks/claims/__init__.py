"""The claims of DiffBio's documentation page "Single-Cell Losses", each put to the test.

A claim that does not hold is listed with the others. Its numbers show how it fails, and the
README says what we do instead.
"""

from benchmarks.claims import batch_mixing, compactness, diversity, velocity
from benchmarks.claims.evidence import Claim, Evidence, examine

__all__ = ["CLAIMS", "Claim", "Evidence", "examine"]

CLAIMS: tuple[Claim, ...] = (
    *batch_mixing.CLAIMS,
    *compactness.CLAIMS,
    *velocity.CLAIMS,
    *diversity.CLAIMS,
)
