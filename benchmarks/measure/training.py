"""A whole update of a training: its time, its compilation, its memory, and the loss's share."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.catalog.cases import Arrays
from benchmarks.catalog.trainings import TrainingCase, training
from benchmarks.measure.environment import environment
from benchmarks.measure.programs import Program, call_in_turn, compile_cold, counters, warm_up
from benchmarks.schema.files import write_json
from benchmarks.schema.records import Record, Source, Status
from benchmarks.schema.suite import STEP, TRAINED_CELLS, TRAININGS
from diffbio.training import Update

__all__ = ["measure_trainings", "run_trainings"]

_MOST_CALLS = 200


def _programs(chosen: TrainingCase, batch_size: int, device: jax.Device) -> tuple[Program, Program]:
    """An update of the training, and its loss alone with its gradient, on the device.

    The loss gets the first update's results.
    """
    model = chosen.model()
    first = Update(model, chosen.objective, 1e-3)
    cells = chosen.data()
    rows = np.random.default_rng(0).permutation(len(next(iter(cells.values()))))
    rows = rows[:batch_size].astype(np.int32)
    inputs = {"cells": cells, "rows": rows, "where": np.ones(batch_size, bool)}
    minibatch = {name: array[rows] for name, array in cells.items()}
    results, _, _ = model.apply(minibatch, {}, None)

    def update(trained: Arrays, inputs: Arrays) -> Any:
        return first.update(trained["leaves"], **inputs)

    def loss_of(results: Arrays, inputs: Arrays) -> Any:
        return chosen.loss(results, inputs["minibatch"], inputs["where"])

    put = partial(jax.device_put, device=device)
    return (
        Program(update, put({"leaves": first.leaves}), put(inputs)),
        Program(
            jax.value_and_grad(loss_of),
            put(results),
            put({"minibatch": minibatch, "where": inputs["where"]}),
        ),
    )


def run_trainings(path: Path | None) -> None:
    """Measure and print all trainings, and write the records if there is a path."""
    found = measure_trainings(jax.devices()[0])
    click.echo(_table(found))
    if path:
        rows = [record.row() for record in found]
        write_json(path, {"environment": environment(), "steps": rows})


def measure_training(
    name: str, batch_size: int, device: jax.Device, *, seconds: float = 3.0
) -> list[Record]:
    """All metrics of a training's update on minibatches of one size.

    Args:
        name: the training's, in the catalog.
        batch_size: cells per minibatch.
        device: where the update runs.
        seconds: how long updates are sampled, in turn with calls of the loss alone.

    Returns:
        A record per metric. The time of the loss includes its gradient's. Its share of the
        update is at most 1: what exceeds that is noise.
    """
    update, loss = _programs(training(name), batch_size, device)
    phases = compile_cold(update)._asdict()
    compiled = phases.pop("compiled")
    calls = {
        "update": partial(compiled, *update.arguments),
        "loss": partial(compile_cold(loss).compiled, *loss.arguments),
    }
    warm_up(calls)
    order = np.random.default_rng(0)
    samples = call_in_turn(calls, order, seconds=seconds, most=_MOST_CALLS)
    took = {part: float(np.median(samples[part])) for part in samples}
    measured = {
        "steps_per_second": 1 / took["update"],
        "loss_share": min(1.0, took["loss"] / took["update"]),
        **phases,
        "temp_bytes": counters(compiled)["temp_bytes"],
    }
    return [_record(name, batch_size, device, *each) for each in measured.items()]


def measure_trainings(
    device: jax.Device,
    names: Sequence[str] = TRAININGS,
    batch_sizes: Sequence[int] = TRAINED_CELLS,
    *,
    seconds: float = 3.0,
) -> list[Record]:
    """All metrics of the named trainings, at every size. A training that fails says so."""
    wanted = [(name, batch_size) for name in names for batch_size in batch_sizes]
    found: list[Record] = []
    for name, batch_size in tqdm(wanted, unit="training", dynamic_ncols=True):
        try:
            found += measure_training(name, batch_size, device, seconds=seconds)
        except Exception as error:
            failed = ("steps_per_second", None, Status.FAILED, f"{type(error).__name__}: {error}")
            found.append(_record(name, batch_size, device, *failed))
    return found


def _record(
    name: str,
    batch_size: int,
    device: jax.Device,
    metric: str,
    value: float | None,
    status: Status = Status.OK,
    detail: str = "",
) -> Record:
    where = (f"{name}:{STEP}", Source.SIMULATED, batch_size, "float32", device.platform)
    return Record(*where, metric, value, (), status, detail)


_COLUMNS = {
    "steps_per_second": ("steps/s", 1.0),
    "loss_share": ("loss share", 1.0),
    "trace_seconds": ("trace s", 1.0),
    "lower_seconds": ("lower s", 1.0),
    "compile_seconds": ("compile s", 1.0),
    "temp_bytes": ("temp MB", 1e-6),
}


def _table(records: Sequence[Record]) -> str:
    """A line per training and size; under the lines, why one was not measured."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for record in records:
        row = found.setdefault((record.loss, record.n_cells), {})
        heading, scale = _COLUMNS[record.metric]
        row[heading] = None if record.value is None else scale * float(record.value)
    rows = [
        {"training": name, "batch size": batch_size, **row}
        for (name, batch_size), row in found.items()
    ]
    text = pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format)
    failures = [f"{r.benchmark} {r.n_cells}: {r.detail}" for r in records if r.detail]
    return "\n".join([text, *failures])
