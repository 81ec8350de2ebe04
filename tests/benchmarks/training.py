"""A training in several processes, whose clocks differ."""

import jax

from benchmarks.distributed.worker import join
from diffbio.training import _fit
from tests.sharding.trainings import TRAININGS


def train(member, name, options):
    """The losses of a training, for which process 0 wants a checkpoint after every step."""
    join(member, n_devices=2)
    _fit.SECONDS_BETWEEN_CHECKPOINTS = 0.0 if member.process_id == 0 else 1000.0
    training, mesh = TRAININGS[name], jax.make_mesh((jax.device_count(),), ("cells",))
    objective = training.objective(mesh)
    yield _fit.fit(training.model(), training.data, objective, mesh=mesh, **options).losses
    jax.distributed.shutdown()
