"""What an interrupted training goes on from: one folder, which is whole at every moment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

__all__ = ["Checkpoints", "Progress", "as_numbers"]


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


class Checkpoints:
    """The checkpoints of one training, written by orbax under a temporary name and renamed.

    The folder holds the newest one. It also holds the identity of its training: whatever
    the bits of the result follow from. A training of another identity is refused.

    Args:
        folder: where they are; made if it is not there.
        identity: names and values, of which at least one differs between two trainings.

    Raises:
        ValueError: a file is where the folder should be.
    """

    def __init__(self, folder: str | Path, identity: Mapping[str, str | int | float]) -> None:
        import orbax.checkpoint as ocp

        self._orbax = ocp.args
        self._folder = Path(folder).absolute()
        if self._folder.exists() and not self._folder.is_dir():
            raise ValueError(f"checkpoint must be a folder, got the file {str(folder)!r}")
        self._identity = dict(identity)
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False),
        )

    def newest(self, like: Progress) -> Progress | None:
        """Read the newest checkpoint, whose arrays are of the kinds of those in ``like``.

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
        self._refuse_another(run["identity"])
        template = _as_tree(like.leaves, np.empty(step, like.losses.dtype))
        restored = args.Composite(arrays=args.StandardRestore(template))
        arrays = self._manager.restore(step, args=restored)["arrays"]
        leaves = [_like(arrays["leaves"][f"{at}"], leaf) for at, leaf in enumerate(like.leaves)]
        return Progress(leaves, np.asarray(arrays["losses"]), run["seconds"])

    def save(self, progress: Progress) -> None:
        """Write the progress down; until that is done the folder holds the one before.

        Nothing is written for a step that the folder holds already.
        """
        if self._manager.latest_step() == len(progress.losses):
            return
        args = self._orbax
        tree = _as_tree(progress.leaves, progress.losses)
        run = {"identity": self._identity, "seconds": progress.seconds}
        content = args.Composite(arrays=args.StandardSave(tree), run=args.JsonSave(run))
        self._manager.save(len(progress.losses), args=content, force=True)

    def _refuse_another(self, theirs: Mapping[str, Any]) -> None:
        differing = [name for name in self._identity if theirs.get(name) != self._identity[name]]
        if differing:
            listed = "; ".join(
                f"{name} was {theirs.get(name)}, is {self._identity[name]}" for name in differing
            )
            raise ValueError(
                f"checkpoint={str(self._folder)!r} holds another training ({listed}); "
                "give another folder, or delete this one to start anew"
            )


def _as_tree(leaves: Sequence[Array], losses: np.ndarray) -> dict[str, Any]:
    numbers = {f"{at}": as_numbers(leaf) for at, leaf in enumerate(leaves)}
    return {"leaves": numbers, "losses": losses}


def as_numbers(leaf: Array) -> np.ndarray:
    """The numbers of an array; those inside of a random key."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _like(numbers: Any, leaf: Array) -> Array:
    """The numbers as an array of the leaf's kind."""
    array = jnp.asarray(numbers)
    return (
        jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else array
    )


def _is_key(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
