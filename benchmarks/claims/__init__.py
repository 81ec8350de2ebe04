"""Experiments: the document's claims put to the test, validity, and trained models.

The document is DiffBio's documentation page "Single-Cell Losses", from which the library
starts. A claim that does not hold is listed with the others. Its numbers show how it fails,
and the README says what we do instead.
"""

from benchmarks.claims import document, training, validity
from benchmarks.claims.experiment import FULL, SMALL, Experiment

__all__ = ["EXPERIMENTS", "FULL", "SMALL"]

# The long ones come first, so that the cores end together.
EXPERIMENTS: tuple[Experiment, ...] = (
    *training.EXPERIMENTS,
    *validity.EXPERIMENTS,
    *(claim.experiment for claim in document.CLAIMS),
)
