"""What a claim of the document is, and how the evidence for it becomes a row.

The document is DiffBio's documentation page "Single-Cell Losses", from which the library
starts.
"""

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["N_CELLS", "N_CLUSTERS", "Claim", "Evidence", "examine"]

# Sizes of the experiments: small, since each claim is about a direction.
N_CELLS, N_CLUSTERS = 512, 5


class Evidence(NamedTuple):
    """Whether a claim holds, and the numbers that show it."""

    holds: bool
    numbers: str


class Claim(NamedTuple):
    """A statement of the document about one of the losses, and how it is put to the test."""

    loss: str
    statement: str
    examined: Callable[[], Evidence]


def examine(claim: Claim) -> dict[str, str | bool]:
    """The claim and its evidence, as a row; an error is evidence against it."""
    try:
        evidence = claim.examined()
    except Exception as error:  # the report shows it, and the sweep goes on
        evidence = Evidence(False, f"{type(error).__name__}: {error}")
    return {"loss": claim.loss, "statement": claim.statement, **evidence._asdict()}
