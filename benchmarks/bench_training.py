"""A whole training step per model: steps per second, the loss's share, compilation, memory."""

from benchmarks._asv import Swept, Table, device_named, swept_table, tracked, with_attributes
from benchmarks.schema.suite import DEVICES, TRAINED_CELLS, TRAINING_PROGRAMS


class Training(Swept):
    """Steps on minibatches of ``n_cells``, all measured once, in one process."""

    params = (TRAINING_PROGRAMS, TRAINED_CELLS, DEVICES)

    @with_attributes(timeout=3600)
    def setup_cache(self) -> Table:
        return trained_table()

    track_steps_per_second = tracked("steps_per_second")
    track_loss_share = tracked("loss_share")
    track_compile_seconds = tracked("compile_seconds")
    track_temp_bytes = tracked("temp_bytes")


def trained_table() -> Table:
    """The measurements on every device that is there; none where the training is not installed."""
    try:
        from benchmarks.measure.training import measure_trainings
    except ImportError:
        return {}
    found = []
    for name in DEVICES:
        try:
            found += measure_trainings(device_named(name))
        except NotImplementedError:
            continue
    return swept_table(record.row() for record in found)
