"""What an interrupted training goes on from: one folder, which is whole at every moment."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from diffbio._types import AnyArray

__all__ = ["Checkpoints", "Identity", "Progress", "as_numbers", "like"]

# First losses on different devices agree up to this, relative to them or to 1.
_FIRST_LOSS_ERROR = 1e-4
_FRESH_MODEL = (
    "to go on with the training in this folder, give the model as it was before the first step, "
    "made anew with its seed, not the trained one, whose arrays the folder holds; "
    "to train this model further, "
)


class Progress(NamedTuple):
    """Where a training stands after its last finished step.

    Attributes:
        leaves: the arrays of model and optimizer.
        losses: ``(n_finished,)`` the loss of every finished step.
        seconds: time spent so far.
    """

    leaves: Sequence[Array]
    losses: np.ndarray
    seconds: float


class Identity(NamedTuple):
    """All that decides the bits of a training's result, on one machine.

    Attributes:
        seed: of the order of the cells.
        data: digest of all cells.
        initial_model: digest of model and optimizer before the first step.
        batch_size: cells per minibatch.
        learning_rate: Adam's.
        devices: how many share a minibatch.
        program_of_a_step: digest of the program.
    """

    seed: int
    data: str
    initial_model: str
    batch_size: int
    learning_rate: float
    devices: int
    program_of_a_step: str


class Checkpoints:
    """The checkpoints of one training, written by orbax under a temporary name and renamed.

    The folder holds the newest one. It also holds the identity of its training. A training
    of another identity is refused, except that it may go on on another number of devices. The
    programs differ then, and the first losses must agree instead.

    Args:
        folder: where they are; made if it is not there.
        identity: of this training.

    Raises:
        ValueError: a file is where the folder should be.
    """

    def __init__(self, folder: str | Path, identity: Identity) -> None:
        import orbax.checkpoint as ocp

        self._orbax = ocp.args
        self._folder = _folder_of(folder)
        if self._folder.exists() and not self._folder.is_dir():
            raise ValueError(f"checkpoint must be a folder, got the file {str(folder)!r}")
        self._identity = identity
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False),
        )

    def newest(self, beginning: Progress, first_loss: Callable[[], float]) -> Progress | None:
        """Read the newest checkpoint.

        Args:
            beginning: the progress before the first step, with arrays of the same kinds.
            first_loss: computes the loss of the first step.

        Returns:
            The progress, or None if the folder holds none.

        Raises:
            ValueError: the checkpoint is another training's; the message says in what.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        args = self._orbax
        run = self._manager.restore(step, args=args.Composite(run=args.JsonRestore()))["run"]
        differing = {
            name: (run["identity"].get(name), own)
            for name, own in self._identity._asdict().items()
            if run["identity"].get(name) != own
        }
        moved = "devices" in differing
        if moved:
            for name in ("devices", "program_of_a_step"):
                differing.pop(name, None)
        self._refuse(differing)
        template = _as_tree(beginning.leaves, np.empty(step, beginning.losses.dtype))
        restored = args.Composite(arrays=args.StandardRestore(template))
        arrays = self._manager.restore(step, args=restored)["arrays"]
        losses = np.asarray(arrays["losses"])
        if moved:
            self._refuse(_differing_losses(float(losses[0]), first_loss()))
        leaves = [like(leaf, arrays["leaves"][f"{at}"]) for at, leaf in enumerate(beginning.leaves)]
        return Progress(leaves, losses, run["seconds"])

    def save(self, progress: Progress) -> None:
        """Write the progress down; until that is done the folder holds the one before.

        Nothing is written for a step that the folder holds already.
        """
        if self._manager.latest_step() == len(progress.losses):
            return
        args = self._orbax
        tree = _as_tree(progress.leaves, progress.losses)
        run = {"identity": self._identity._asdict(), "seconds": progress.seconds}
        content = args.Composite(arrays=args.StandardSave(tree), run=args.JsonSave(run))
        self._manager.save(len(progress.losses), args=content, force=True)

    def _refuse(self, differing: Mapping[str, tuple[Any, Any]]) -> None:
        if differing:
            listed = "; ".join(
                f"{name.replace('_', ' ')} was {was}, is {now}"
                for name, (was, now) in differing.items()
            )
            raise ValueError(
                f"checkpoint={str(self._folder)!r} holds another training ({listed}); "
                + (_FRESH_MODEL if "initial_model" in differing else "")
                + "give another folder, or delete this one to start anew"
            )


def _folder_of(checkpoint: object) -> Path:
    """The folder that a path means, in which ~ is the user's."""
    if not isinstance(checkpoint, str | os.PathLike):
        raise TypeError(f"checkpoint must be the path of a folder, got {checkpoint!r}")
    try:
        return Path(checkpoint).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"checkpoint={str(checkpoint)!r} names no folder: {error}") from error


def _differing_losses(was: float, now: float) -> dict[str, tuple[float, float]]:
    error = _FIRST_LOSS_ERROR
    return (
        {} if math.isclose(was, now, rel_tol=error, abs_tol=error) else {"first_loss": (was, now)}
    )


def _as_tree(leaves: Sequence[Array], losses: np.ndarray) -> dict[str, Any]:
    numbers = {f"{at}": as_numbers(leaf) for at, leaf in enumerate(leaves)}
    return {"leaves": numbers, "losses": losses}


def as_numbers(leaf: AnyArray) -> np.ndarray:
    """The numbers of an array; those inside of a random key."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def like(leaf: Array, numbers: Any) -> Array:
    """The numbers as an array of the leaf's kind, on the default device."""
    array = jnp.asarray(numbers)
    return (
        jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else array
    )


def _is_key(leaf: AnyArray) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
