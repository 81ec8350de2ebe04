"""Training of the models: minibatches, progress, checkpoints.

Needs the extra ``train``: optax, orbax-checkpoint and tqdm.
"""

import hashlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float
from tqdm.auto import tqdm

from diffbio import _checks
from diffbio._checkpoints import Checkpoints, Progress, as_numbers
from diffbio._types import AnyArray, Scalar, StaticInteger

__all__ = ["History", "Objective", "fit"]

Objective = Callable[[dict[str, Array], dict[str, Array], Bool[Array, " batch_size"]], Array]

Step = Callable[..., tuple[list[Array], tuple[Array, Array]]]

SECONDS_BETWEEN_CHECKPOINTS = 10.0
_STEPS_IN_FLIGHT = 4


@dataclass(frozen=True, eq=False)
class History:
    """What a training recorded.

    Attributes:
        losses: ``(n_steps,)`` the objective on each step's minibatch, before its update.
        seconds: time spent, compilation and earlier parts of a resumed training included.
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
) -> History:
    """Minimise an objective over a model's parameters with Adam, on minibatches of cells.

    Every epoch goes through all cells in a new order. Its last minibatch is filled up with
    cells that ``where`` masks, so that the step is compiled once. The same arguments give
    the same bits. The model changes when training ends; an error leaves it as it was.

    Args:
        model: has ``result, state, metadata = model.apply(batch, state, metadata)``; see
            :mod:`diffbio.models`. Its ``nnx.Param`` variables are trained, in place.
        data: arrays by name, each with the cells along its first axis.
        objective: ``objective(result, batch, where) -> scalar`` to minimise: the model's
            results, the minibatch's rows of ``data``, and the ``(batch_size,)`` mask of
            the cells that count.
        n_steps: number of updates.
        batch_size: cells per minibatch; all cells if there are fewer.
        learning_rate: Adam's, concrete.
        seed: seed of the order of the cells.
        checkpoint: folder for checkpoints: one about every ten seconds, one at the end.
            A training that was interrupted goes on from there, to the same bits; one that
            ended returns at once. More ``n_steps`` than it was written with train on.
        progress: show a progress bar.

    Returns:
        :class:`History`.

    Raises:
        ValueError: shapes that disagree, an impossible configuration, what the model
            refuses, or a checkpoint of another training.
        TypeError: wrong dtypes.
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
    cells = _on_device(data)
    n_cells = len(next(iter(cells.values())))
    batch_size = min(_checks.positive_integer("batch_size", batch_size), n_cells)
    rows, where = next(_minibatches(n_cells, batch_size, seed))
    program = _Program(model, objective, float(learning_rate), cells, rows, where)

    checkpoints = None if checkpoint is None else Checkpoints(checkpoint, program.identity(seed))
    begun = (checkpoints and checkpoints.newest(program.beginning())) or program.beginning()
    n_done = len(begun.losses)
    if n_done > n_steps:
        raise ValueError(f"n_steps={n_steps}, but checkpoint={str(checkpoint)!r} holds {n_done}")
    if n_done < n_steps:
        left = itertools.islice(_minibatches(n_cells, batch_size, seed, n_done), n_steps - n_done)
        with tqdm(left, total=n_steps, initial=n_done, unit="step", disable=not progress) as bar:
            begun = _train(
                program.compiled(),
                cells,
                bar,
                begun,
                started - begun.seconds,
                checkpoints.save if checkpoints else None,
            )
    program.update(model, begun.leaves)
    return History(begun.losses, begun.seconds)


def _on_device(data: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays on the device, all with the same cells."""
    if not data:
        raise ValueError("data must hold at least one array, got none")
    arrays = {name: _checks.cells(name, value) for name, value in data.items()}
    _checks.same_axis("n_cells", {name: (array, 0) for name, array in arrays.items()})
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def _minibatches(
    n_cells: int, batch_size: int, seed: int, first: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and mask of every minibatch from step ``first`` on, without an end.

    The order of an epoch follows from seed and epoch alone. A training that is resumed
    needs no other state.
    """
    per_epoch = -(-n_cells // batch_size)
    shape = (per_epoch, batch_size)
    where = np.arange(per_epoch * batch_size).reshape(shape) < n_cells
    for epoch in itertools.count(first // per_epoch):
        order = np.random.default_rng([seed, epoch]).permutation(n_cells).astype(np.int32)
        # This repeats the order's first rows at its end.
        rows = np.resize(order, shape)
        begin = max(first - epoch * per_epoch, 0)
        yield from zip(rows[begin:], where[begin:], strict=True)


class _Program:
    """The update of model and optimizer on one minibatch, traced once."""

    def __init__(
        self,
        model: nnx.Module,
        objective: Objective,
        learning_rate: float,
        cells: dict[str, Array],
        rows: np.ndarray,
        where: np.ndarray,
    ) -> None:
        optimizer = nnx.Optimizer(model, optax.adam(learning_rate), wrt=nnx.Param)
        self._graph, state = nnx.split((model, optimizer))
        self.leaves, self._structure = jax.tree.flatten(state)
        self._cells = cells
        # Outside of the compiled step the model's checks can read values, such as labels.
        self._merged(self.leaves)[0].apply(_rows_of(cells, rows), {}, None)
        self._lowered = jax.jit(partial(self._step, objective)).lower(
            self.leaves, cells, rows, where
        )

    def _step(
        self,
        objective: Objective,
        leaves: list[Array],
        cells: dict[str, Array],
        rows: Array,
        where: Array,
    ) -> tuple[list[Array], tuple[Array, Array]]:
        """The updated arrays; the loss, and whether it and its gradient are finite."""
        model, optimizer = self._merged(leaves)
        batch = _rows_of(cells, rows)

        def loss_of(model: Any) -> Array:
            result, _, _ = model.apply(batch, {}, None)
            return objective(result, batch, where)

        loss, gradients = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, gradients)
        finite = [jnp.all(jnp.isfinite(array)) for array in (loss, *jax.tree.leaves(gradients))]
        return jax.tree.leaves(nnx.state((model, optimizer))), (loss, jnp.all(jnp.stack(finite)))

    def compiled(self) -> Step:
        """The step, compiled."""
        return self._lowered.compile()

    def beginning(self) -> Progress:
        """The state before the first step."""
        _, (loss, _) = self._lowered.out_info
        return Progress(self.leaves, np.empty(0, loss.dtype), 0.0)

    def identity(self, seed: int) -> dict[str, str | int]:
        """Whatever the bits of the result follow from, on one machine."""
        return {
            "seed": seed,
            "data": _digest(*(self._cells[name] for name in sorted(self._cells))),
            "initial model": _digest(*self.leaves),
            "program of a step": hashlib.sha256(self._lowered.as_text().encode()).hexdigest()[:12],
        }

    def update(self, model: nnx.Module, leaves: Sequence[Array]) -> None:
        """Give the model the parameters among the leaves."""
        nnx.update(model, nnx.state(self._merged(leaves)[0]))

    def _merged(self, leaves: Sequence[Array]) -> tuple[Any, nnx.Optimizer]:
        return nnx.merge(self._graph, jax.tree.unflatten(self._structure, leaves))


def _rows_of(cells: dict[str, Array], rows: AnyArray) -> dict[str, Array]:
    return {name: array[rows] for name, array in cells.items()}


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
    step: Step,
    cells: dict[str, Array],
    minibatches: Iterable[Any],
    begun: Progress,
    started: float,
    save: Callable[[Progress], None] | None,
) -> Progress:
    """Run the steps that are left, and save what is reached from time to time."""
    leaves, losses = begun.leaves, _Losses(begun.losses)
    saved = time.perf_counter()
    for rows, where in minibatches:
        leaves, (loss, finite) = step(leaves, cells, rows, where)
        losses.add(loss, finite)
        if save and time.perf_counter() - saved >= SECONDS_BETWEEN_CHECKPOINTS:
            save(Progress(leaves, losses.all(), time.perf_counter() - started))
            saved = time.perf_counter()
    ended = Progress(leaves, losses.all(), time.perf_counter() - started)
    if save:
        save(ended)
    return ended


def _digest(*arrays: Array) -> str:
    """A few letters that depend on dtypes, shapes and bytes."""
    sha = hashlib.sha256()
    for array in map(as_numbers, arrays):
        sha.update(f"{array.dtype} {array.shape}\n".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()[:12]
