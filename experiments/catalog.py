"""All experiments: trained models, validity, and the document's claims."""

from experiments.document import (
    batch_mixing,
    collapse,
    compactness,
    diversity,
    velocity,
    weighting,
)
from experiments.experiment import Claim, Experiment
from experiments.training import correctors, pictures
from experiments.validity import compactness as beside_silhouette
from experiments.validity import mixing as beside_ilisi
from experiments.validity import velocity as beside_confidence

__all__ = ["CLAIMS", "EXPERIMENTS"]

CLAIMS: tuple[Claim, ...] = (
    *batch_mixing.CLAIMS,
    *compactness.CLAIMS,
    *velocity.CLAIMS,
    *diversity.CLAIMS,
    *collapse.CLAIMS,
    *weighting.CLAIMS,
)
# The long ones come first, so that the cores end together.
EXPERIMENTS: tuple[Experiment, ...] = (
    *correctors.EXPERIMENTS,
    *pictures.EXPERIMENTS,
    *beside_ilisi.EXPERIMENTS,
    *beside_silhouette.EXPERIMENTS,
    *beside_confidence.EXPERIMENTS,
    *(claim.experiment for claim in CLAIMS),
)
