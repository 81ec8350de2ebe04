"""Small models to train with the losses, as Flax NNX modules.

Each has the protocol of the training examples: ``result, state, metadata =
model.apply(data, state, metadata)``, with arrays by name in ``data`` and ``result``.
"""

from diffbio.models.batch_corrector import BatchCorrector

__all__ = ["BatchCorrector"]
