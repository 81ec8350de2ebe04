"""The catalog's cases as calls of the losses for PyTorch."""

import jax.numpy as jnp
import pytest

torch = pytest.importorskip("torch")

from benchmarks.catalog.cases import case  # noqa: E402
from benchmarks.peers import torch_bridge  # noqa: E402
from tests.inputs import N_CELLS, draw, every_case, search_options, split  # noqa: E402

# One case for every function; other options of batch mixing take the same way.
ONE_OF_EACH = [
    case(name)
    for name in (
        "batch_mixing_recommended",
        "compactness",
        "velocity",
        "velocity_transition",
        "shannon",
        "simpson",
        "combined",
    )
]
each_case = every_case(quick=("batch_mixing_recommended", "compactness", "shannon"))
# What is the same for all functions is quick for those that compile fastest.
each_loss = every_case(quick=("compactness", "shannon"), cases=ONE_OF_EACH)


def function_of(case):
    """The function of ``diffbio.torch`` for a case, which returns one tensor."""
    function = torch_bridge.function_of(case)
    if case.name == "combined":
        return lambda **arguments: function(**arguments).total
    return function


def tensors_of(case, arrays):
    """The arrays as tensors, those to differentiate requiring a gradient."""
    tensors = {name: torch.from_dlpack(array).clone() for name, array in arrays.items()}
    for name in case.differentiable:
        tensors[name].requires_grad_()
    return tensors


def drawn(case, kind="random", dtype=jnp.float64, n_cells=N_CELLS):
    """Tensors for a case, and the options of its search."""
    return tensors_of(case, draw(case, kind, n_cells, dtype=dtype)), search_options(case)


def differentiated(case, tensors):
    """The tensors to differentiate."""
    return list(split(case, tensors)[0].values())
