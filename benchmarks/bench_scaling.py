"""What each of eight devices holds and sends, of programs that are compiled and not run."""

from benchmarks._asv import Swept, tracked
from benchmarks.schema.suite import GRADIENT_PROGRAMS, TRACKED_SCALING

_N_CELLS, _MESH = TRACKED_SCALING


class Scaling(Swept):
    params = (GRADIENT_PROGRAMS, (_N_CELLS,), (_MESH,))
    track_temp_bytes = tracked("temp_bytes")
    track_communicated_bytes = tracked("communicated_bytes")
    track_messages = tracked("messages")
    track_ring_rounds = tracked("ring_rounds")
