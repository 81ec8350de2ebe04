"""Tight clusters over several devices, which take their anchors from cells of any shard."""

import jax
import pytest

from diffbio.functional import clustering_compactness_loss
from diffbio.sharding import sharded
from tests.functional.test_tight_clusters import assert_equal_to_the_reference, draw
from tests.sharding.losses import mesh_of


@pytest.mark.parametrize("given", [False, True], ids=["means", "given centroids"])
def test_value_and_gradients_of_tight_clusters_are_exact_over_shards(given):
    loss = sharded(clustering_compactness_loss, mesh_of(4))

    @jax.jit
    @jax.value_and_grad
    def program(arrays, where):
        return loss(**arrays, where=where)

    for kind in ("hard", "nearly hard", "rather hard"):
        for spread in (1.0, 1e-2, 1e-4, 1e-6):
            for setting in ({}, {"unequal": True, "masked": True}, {"outlier": 1e18}):
                arrays, where = draw(kind, spread, 10.0, given=given, **setting)
                found = program(arrays, where)
                assert_equal_to_the_reference(found, arrays, where, (kind, spread, setting))
