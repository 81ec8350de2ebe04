"""The losses for PyTorch: tensors in and out, computed by the compiled JAX programs.

Needs the extra ``torch``. The functions have the names, arguments and formulas of
:mod:`diffbio.functional`, where each is described in full:

>>> import torch
>>> import diffbio.torch
>>> z = torch.tensor([[0.0], [1.0], [3.0], [7.0]], requires_grad=True)
>>> loss = diffbio.torch.batch_mixing_loss(
...     z, torch.tensor([0, 1, 0, 1]), n_batches=2, n_neighbors=2
... )
>>> loss.backward()
>>> z.grad.shape
torch.Size([4, 1])

What holds for all of them:

- **Memory and device.** JAX reads a tensor's memory where it lies, on a CPU or on JAX's GPU, and
  the results are JAX's memory. A tensor that is not contiguous, or on a CPU does not begin at a
  multiple of 64 bytes (as ``x[1:]`` may), is copied.
- **Dtypes.** The arithmetic and the result are in float32, or in float64 if a tensor with a row
  per cell is; a gradient has the dtype of its tensor. JAX's own setting of 64-bit types does
  not matter.
- **Options** may be numbers of Python or NumPy, arrays, or tensors. A single integer is read and
  becomes part of the program, however it is given.
- **Gradients** are taken for every floating tensor that requires one, 0-d tensors given for a
  number (``temperature``) included, and have no derivative themselves. Those of a single number
  are computed with it, by one program. Forward mode and the transforms of ``torch.func`` are not
  supported.
- **Compilation.** A program is compiled, in seconds, for each new shape and each new integer,
  flag or name. Let every minibatch have as many cells (``drop_last=True``, or pad the last one
  and mask the padding with ``where``). Floating arguments may change in every step.
- **Terms** of :func:`combined_loss` are functions of this module or of :mod:`diffbio.functional`,
  partial ones of them, or modules of :mod:`diffbio.losses`. A function of your own is given JAX's
  arrays and is part of the program: what it closes over is read when it is compiled, and a new
  function, such as a ``lambda`` in a loop, is compiled anew. Hand it what changes by a partial. The
  numbers that it computes are not checked.
- **torch.compile** compiles what is around a loss: the graph breaks there, and the loss runs as it
  does without. With ``fullgraph=True`` that is an error.
- **Processes.** JAX does not survive a fork. Let the workers of a ``DataLoader`` that call a loss
  be spawned: ``multiprocessing_context="spawn"``.
- **Errors.** Besides those of :mod:`diffbio.functional`, a TypeError for an array that is no
  dense tensor, a ValueError for tensors on several devices or on one that JAX lacks, and a
  RuntimeError for a second derivative, or in a process that was forked after JAX was used.
"""

from diffbio.torch.losses import (
    batch_mixing_loss,
    clustering_compactness_loss,
    combined_loss,
    shannon_diversity,
    simpson_diversity,
    velocity_consistency_loss,
    velocity_transition_loss,
)

__all__ = [
    "batch_mixing_loss",
    "clustering_compactness_loss",
    "combined_loss",
    "shannon_diversity",
    "simpson_diversity",
    "velocity_consistency_loss",
    "velocity_transition_loss",
]
