"""Training of the models: minibatches, progress, checkpoints.

Needs the extra ``train``: optax, orbax-checkpoint and tqdm.
"""

from diffbio.training._fit import History, fit
from diffbio.training._step import Objective, Update

__all__ = ["History", "Objective", "Update", "fit"]
