"""The losses as pure functions: all the maths, no configuration objects."""

from diffbio.functional.batch_mixing import RECOMMENDED_MIXING, batch_mixing_loss
from diffbio.functional.combined import (
    BALANCED,
    CLEAR_CELL_TYPES,
    STRONG_BATCH_EFFECTS,
    CombinedLoss,
    LossWeights,
    combined_loss,
)
from diffbio.functional.compactness import clustering_compactness_loss
from diffbio.functional.diversity import shannon_diversity, simpson_diversity
from diffbio.functional.temperature import Local, Perplexity
from diffbio.functional.transition import velocity_transition_loss
from diffbio.functional.velocity import velocity_consistency_loss

# New losses are imported here.

__all__ = [
    "BALANCED",
    "CLEAR_CELL_TYPES",
    "RECOMMENDED_MIXING",
    "STRONG_BATCH_EFFECTS",
    "CombinedLoss",
    "Local",
    "LossWeights",
    "Perplexity",
    "batch_mixing_loss",
    "clustering_compactness_loss",
    "combined_loss",
    "shannon_diversity",
    "simpson_diversity",
    "velocity_consistency_loss",
    "velocity_transition_loss",
    # New losses are named here.
]
