"""These tests need eight devices; ``tests/test_sharding.py`` runs them in a process that has them.

With eight virtual devices XLA:CPU compiles every program differently. In a process of their
own, they leave the programs of all other tests as they are.
"""

import os

import jax
import pytest

from diffbio.functional._edges import blocks, ring, visits
from diffbio.neighbors import _exact
from tests.test_sharding import EIGHT_DEVICES

collect_ignore_glob = [] if EIGHT_DEVICES in os.environ.get("XLA_FLAGS", "") else ["test_*.py"]


@pytest.fixture(scope="module")
def small_parts():
    """A shard of 15 cells is several pieces, groups and blocks, and the last begin early."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_exact, "_SMALLEST_PIECE", 4)
        patch.setattr(visits, "_SMALLEST_PIECE", 4)
        patch.setattr(ring, "_SMALLEST_GROUP", 5)
        for module, rows in {_exact: 4, blocks: 3, visits: 4}.items():
            patch.setattr(module, "rows_for", lambda *_, rows=rows, **__: rows)
        jax.clear_caches()
        yield
    jax.clear_caches()
