"""The document's claims, each put to the test."""

from benchmarks.claims.claims import CLAIMS, Claim, Evidence, examine

__all__ = ["CLAIMS", "Claim", "Evidence", "examine"]
