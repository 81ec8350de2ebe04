"""The loop of a training: steps, their losses, checkpoints."""

import functools
import hashlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from jaxtyping import Array, Float
from tqdm.auto import tqdm

from diffbio import _checks
from diffbio._types import AnyArray, Scalar, StaticInteger
from diffbio.training._checkpoints import Checkpoints, Identity, Progress, as_numbers, like
from diffbio.training._minibatches import minibatches, rows_of
from diffbio.training._placement import OnMesh, OnOneDevice, placement
from diffbio.training._step import Objective, Update

__all__ = ["History", "fit"]

SECONDS_BETWEEN_CHECKPOINTS = 10.0
_STEPS_IN_FLIGHT = 4


@dataclass(frozen=True, eq=False)
class History:
    """What a training recorded.

    Attributes:
        losses: ``(n_steps,)`` the objective on each step's minibatch, before its update.
        seconds: time spent, compilation and earlier parts of a resumed training included.

    Example:
        >>> import numpy as np
        >>> history = History(np.array([2.0, 1.5, 1.25]), seconds=0.5)
        >>> float(history.losses[-1])
        1.25
    """

    losses: Float[np.ndarray, " n_steps"]
    seconds: float


def fit(
    model: nnx.Module,
    data: Mapping[str, AnyArray],
    objective: Objective,
    *,
    n_steps: StaticInteger = 400,
    batch_size: StaticInteger = 1024,
    learning_rate: Scalar = 1e-3,
    seed: StaticInteger = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    mesh: Mesh | None = None,
) -> History:
    """Minimise an objective over a model's parameters with Adam, on minibatches of cells.

    Every epoch goes through all cells in a new order. Its last minibatch is filled up with
    cells that ``where`` masks, so that the step is compiled once. The same arguments give
    the same bits, on a GPU with ``XLA_FLAGS=--xla_gpu_deterministic_ops=true``. The model
    changes when training ends; an error leaves it as it was.

    On a mesh, the cells stay on the host, each device gets its share of every minibatch, and
    all devices hold the model. Losses are those of one device, to rounding, whatever the
    objective computes. An objective whose losses are :func:`diffbio.sharding.sharded` over the
    same mesh also needs less memory per device: otherwise a loss over neighbours gathers the
    whole minibatch on every device.

    Args:
        model: has ``result, state, metadata = model.apply(batch, state, metadata)``; see
            :mod:`diffbio.models`. Its ``nnx.Param`` variables are trained, in place.
        data: arrays by name, each with the cells along its first axis.
        objective: ``objective(result, batch, where) -> scalar`` to minimise: the model's
            results, the minibatch's rows of ``data``, and the ``(batch_size,)`` mask of
            the cells that count. On a mesh, ``batch_size`` is rounded up to a multiple of
            the number of devices; the mask leaves out the cells that are added.
        n_steps: number of updates.
        batch_size: cells per minibatch; all cells if there are fewer.
        learning_rate: Adam's, concrete.
        seed: seed of the order of the cells.
        checkpoint: folder for checkpoints: one about every ten seconds, one at the end. A
            training that was interrupted continues from the last one, to the same bits. Give
            the model as it was before the first step. A training that has ended returns at
            once, or continues if ``n_steps`` is larger now. The number of devices may differ;
            the losses are then the same, the bits are not.
        progress: show a progress bar.
        mesh: devices that train together, along its axis ``"cells"``; None: one device.

    Returns:
        :class:`History`.

    Raises:
        ValueError: shapes that disagree, an impossible configuration, integers that JAX cannot
            hold (beyond int32 where 64-bit types are off), what the model refuses, a
            checkpoint of another training, or a file in the folder's place.
        TypeError: wrong dtypes, no such model, or an objective that is no floating scalar.
        FloatingPointError: a loss or a gradient is not finite; the message names the step.

    References:
        Kingma and Ba, Adam: A method for stochastic optimization, ICLR 2015.

    Example:
        >>> import numpy as np
        >>> from flax import nnx
        >>> from diffbio.functional import batch_mixing_loss
        >>> from diffbio.models import BatchCorrector
        >>> rng = np.random.default_rng(0)
        >>> batch_ids = np.arange(60) % 2
        >>> features = rng.normal(size=(60, 3)) + batch_ids[:, None]
        >>> data = {"features": features, "batch_ids": batch_ids}
        >>> def objective(result, batch, where):
        ...     return batch_mixing_loss(
        ...         result["corrected_features"], batch["batch_ids"], n_batches=2, where=where
        ...     )
        >>> model = BatchCorrector(3, 2, rngs=nnx.Rngs(0))
        >>> history = fit(model, data, objective, n_steps=20, progress=False)
        >>> bool(history.losses[-1] < history.losses[0])
        True
    """
    started = time.perf_counter()
    n_steps = _checks.positive_integer("n_steps", n_steps)
    seed = _checks.non_negative_integer("seed", seed)
    _checks.positive("learning_rate", learning_rate)
    _checks.flag("progress", progress)
    placed = placement(data, mesh)
    n_cells = len(next(iter(placed.cells.values())))
    batch_size = min(_checks.positive_integer("batch_size", batch_size), n_cells)
    first = next(minibatches(n_cells, batch_size, seed))
    if not isinstance(model, nnx.Module) or not callable(getattr(model, "apply", None)):
        raise TypeError(
            f"model must be a flax.nnx.Module with an apply method, got {type(model).__name__}"
        )
    step = Update(model, objective, float(learning_rate))
    # Outside of the compiled step the model's checks can read values, such as labels.
    step.model(step.leaves).apply(rows_of(placed.cells, first[0]), {}, None)
    arguments = placed.model(step.leaves), *placed.minibatch(*first)
    lowered = jax.jit(step.update, out_shardings=placed.result).lower(*arguments)
    compiled = functools.cache(lowered.compile)
    beginning = Progress(step.leaves, np.empty(0, lowered.out_info[1][0].dtype), 0.0)
    checkpoints, begun = None, None
    if checkpoint is not None:
        identity = _identity(seed, batch_size, placed, step, lowered.as_text())
        checkpoints = Checkpoints(checkpoint, identity)
        begun = checkpoints.newest(beginning, lambda: float(compiled()(*arguments)[1][0]))
    begun = begun or beginning
    n_done = len(begun.losses)
    if n_done > n_steps:
        raise ValueError(f"n_steps={n_steps}, but checkpoint={str(checkpoint)!r} holds {n_done}")
    if n_done < n_steps:
        left = itertools.islice(minibatches(n_cells, batch_size, seed, n_done), n_steps - n_done)
        with tqdm(left, total=n_steps, initial=n_done, unit="step", disable=not progress) as bar:
            begun = _train(
                compiled(),
                itertools.starmap(placed.minibatch, bar),
                begun._replace(leaves=placed.model(begun.leaves)),
                started - begun.seconds,
                checkpoints.save if checkpoints else None,
            )
    leaves = map(like, step.leaves, map(as_numbers, begun.leaves)) if mesh else begun.leaves
    nnx.update(model, nnx.state(step.model(list(leaves))))
    return History(begun.losses, begun.seconds)


class _Losses:
    """The losses so far. Each is read a few steps late: the device has work meanwhile."""

    def __init__(self, earlier: np.ndarray) -> None:
        self._read = list(earlier)
        self._dtype = earlier.dtype
        self._in_flight: deque[tuple[Array, Array]] = deque()

    def add(self, loss: Array, finite: Array) -> None:
        self._in_flight.append((loss, finite))
        self._catch_up(_STEPS_IN_FLIGHT)

    def all(self) -> np.ndarray:
        """All of them; this waits for the last step."""
        self._catch_up(0)
        return np.asarray(self._read, self._dtype)

    def _catch_up(self, n_unread: int) -> None:
        while len(self._in_flight) > n_unread:
            loss, finite = jax.device_get(self._in_flight.popleft())
            if not finite:
                raise FloatingPointError(
                    f"step {len(self._read)} (the first is 0): the loss is {loss}, "
                    "and it or its gradient is not finite"
                )
            self._read.append(loss)


def _train(
    step: Callable[..., tuple[list[Array], tuple[Array, Array]]],
    left: Iterable[Any],
    begun: Progress,
    started: float,
    save: Callable[[Progress], None] | None,
) -> Progress:
    """Run the steps that are left, and save what is reached from time to time."""
    leaves, losses = begun.leaves, _Losses(begun.losses)
    saved = time.perf_counter()
    for minibatch in left:
        leaves, (loss, finite) = step(leaves, *minibatch)
        losses.add(loss, finite)
        if save and _in_every_process(time.perf_counter() - saved >= SECONDS_BETWEEN_CHECKPOINTS):
            save(Progress(leaves, losses.all(), time.perf_counter() - started))
            saved = time.perf_counter()
    ended = Progress(leaves, losses.all(), time.perf_counter() - started)
    if save:
        save(ended)
    return ended


def _in_every_process(due: bool) -> bool:
    """Whether it is due in process 0: all processes write a checkpoint together."""
    if jax.process_count() == 1:
        return due
    return bool(multihost_utils.broadcast_one_to_all(np.bool_(due)))


def _identity(
    seed: int, batch_size: int, placed: OnOneDevice | OnMesh, step: Update, program: str
) -> Identity:
    return Identity(
        seed,
        data=_digest(*(placed.cells[name] for name in sorted(placed.cells))),
        initial_model=_digest(*step.leaves),
        batch_size=batch_size,
        learning_rate=step.learning_rate,
        devices=placed.n_devices,
        program_of_a_step=hashlib.sha256(program.encode()).hexdigest()[:12],
    )


def _digest(*arrays: AnyArray) -> str:
    """A few letters that depend on dtypes, shapes and bytes."""
    sha = hashlib.sha256()
    for array in map(as_numbers, arrays):
        sha.update(f"{array.dtype} {array.shape}\n".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()[:12]
