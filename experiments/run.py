"""Run all experiments into one file: a process per core, resumable after each experiment."""

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from benchmarks.measure.checkpoint import Checkpoint, interruptible
from benchmarks.measure.environment import environment, usable_cores
from benchmarks.measure.processes import end_with_parent
from benchmarks.schema.files import reserved
from benchmarks.schema.observations import OBSERVATIONS_VERSION
from experiments.experiment import Experiment, Observed, Size

__all__ = ["run_experiments"]


def run_experiments(path: Path, experiments: Sequence[Experiment], size: Size) -> None:
    """Measure the experiments into a file, which is written after each of them.

    Where the file holds the beginning of the same run, only what is missing is measured.
    Each experiment has a core to itself, so that its seconds are those of one core.

    Args:
        path: the JSON file.
        experiments: what is measured; long ones first, so that the cores end together.
        size: how much each does.

    Raises:
        UnwritableError: another run is writing the file, or it cannot be written.
        KeyboardInterrupt: interrupted; the message says whether the file holds some experiments.
    """
    named = {experiment.name: experiment for experiment in experiments}
    with reserved(path):
        checkpoint = Checkpoint(
            path,
            {**environment(), "size": size._asdict()},
            list(named),
            version=OBSERVATIONS_VERSION,
            empty=Observed().parts(),
        )
        with interruptible(path, checkpoint):
            _fill(checkpoint, named, size)


def _fill(checkpoint: Checkpoint, named: Mapping[str, Experiment], size: Size) -> None:
    unfinished, n_finished = checkpoint.unfinished, checkpoint.n_finished
    with _workers(len(unfinished)) as pool:
        names = {pool.submit(named[name].measure, size): name for name in unfinished}
        ended = tqdm(as_completed(names), "experiments", len(named), initial=n_finished)
        for done in ended:
            checkpoint.add(names[done], done.result())


@contextmanager
def _workers(n_tasks: int) -> Iterator[ProcessPoolExecutor]:
    """A process for every core, which starts afresh, since JAX does not survive a fork."""
    spawn = multiprocessing.get_context("spawn")
    cores = spawn.Queue()
    for core in usable_cores():
        cores.put(core)
    n_workers = max(1, min(len(usable_cores()), n_tasks))
    pool = ProcessPoolExecutor(n_workers, spawn, initializer=_keep_to_one, initargs=(cores,))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    else:
        pool.shutdown()


def _keep_to_one(cores: "multiprocessing.Queue[int]") -> None:
    """Keep this process to a core of its own, where the system can do that.

    More threads of BLAS than cores wait for each other: sweeps took ten times as long.
    """
    end_with_parent()
    threadpool_limits(1)
    core = cores.get()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
