"""These tests need eight devices; ``tests/test_sharding.py`` runs them in a process that has them.

Each would be as fast there as here, but with eight virtual devices XLA:CPU compiles every
program differently, those of all other tests too.
"""

import jax
import pytest

from diffbio.functional import _edge_visits, _ring_edges
from diffbio.neighbors import _exact

N_DEVICES = 8

collect_ignore_glob = [] if jax.device_count() >= N_DEVICES else ["test_*.py"]


@pytest.fixture(autouse=True, scope="session")
def small_parts():
    """Shards of a few cells still visit in several pieces, and take turns in several groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_exact, "_SMALLEST_PIECE", 4)
        patch.setattr(_edge_visits, "_SMALLEST_PIECE", 3)
        patch.setattr(_ring_edges, "_SMALLEST_GROUP", 5)
        yield
