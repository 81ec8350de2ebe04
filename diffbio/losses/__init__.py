"""The losses as Flax NNX modules: configuration, validation and one call each."""

from diffbio.losses.singlecell_losses import (
    BatchMixingLoss,
    ClusteringCompactnessLoss,
    ShannonDiversityLoss,
    SimpsonDiversityLoss,
    VelocityConsistencyLoss,
)

__all__ = [
    "BatchMixingLoss",
    "ClusteringCompactnessLoss",
    "ShannonDiversityLoss",
    "SimpsonDiversityLoss",
    "VelocityConsistencyLoss",
]
