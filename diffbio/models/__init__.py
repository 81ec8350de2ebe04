"""Small models to train with the losses, as Flax NNX modules.

Each has the protocol of the training examples: ``result, state, metadata =
model.apply(data, state, metadata)``, with arrays by name in ``data`` and ``result``.
"""

from diffbio.models.batch_corrector import BatchCorrector
from diffbio.models.integration_autoencoder import IntegrationAutoencoder
from diffbio.models.soft_clusterer import SoftClusterer
from diffbio.models.velocity_model import VelocityModel

__all__ = ["BatchCorrector", "IntegrationAutoencoder", "SoftClusterer", "VelocityModel"]
