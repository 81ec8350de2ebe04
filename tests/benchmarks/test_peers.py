"""Each peer computes the same function; one that is not installed is skipped, visibly."""

import jax
import numpy as np
import pytest

from benchmarks.catalog.cases import case
from benchmarks.measure.sweep.accuracy import relative_error
from benchmarks.peers.registry import PEERS
from tests.inputs import split
from tests.tiers import slow_unless

pytestmark = pytest.mark.usefixtures("compiled_quickly")

SAME = [(peer, loss) for peer in PEERS if peer.same_function for loss in peer.losses]
SEARCHES = [peer for peer in PEERS if peer.name.endswith("search")]


def require(peer):
    if not peer.installed:
        pytest.skip(f"{peer.name} needs the extra: peers")


@pytest.mark.slow
@pytest.mark.parametrize(("peer", "loss"), SAME, ids=lambda value: getattr(value, "name", value))
def test_values_and_gradients_are_the_losses(peer, loss):
    require(peer)
    entry = case(loss)
    arrays = entry.make_inputs(300)
    value, gradients = peer.prepare(loss, "value_and_grad", arrays)()
    differentiated, constant = split(entry, arrays)
    expected, expected_gradients = jax.value_and_grad(lambda d: entry.loss(**d, **constant))(
        differentiated
    )
    assert relative_error(value, expected) <= 1e-4
    assert relative_error(peer.prepare(loss, "value", arrays)(), expected) <= 1e-4
    for name, gradient in zip(entry.differentiable, gradients, strict=True):
        assert relative_error(gradient, expected_gradients[name]) <= 1e-4, name


@pytest.mark.parametrize("peer", SEARCHES, ids=lambda peer: peer.name)
def test_searches_find_the_same_distances(peer):
    require(peer)
    arrays = case("batch_mixing").make_inputs(300)
    results = peer.prepare("batch_mixing", "value", arrays)()
    from diffbio.neighbors import nearest_neighbors

    expected = np.asarray(nearest_neighbors(arrays["embeddings"], 15).squared_distances)
    found = np.asarray(results[0])
    found = found[:, 1:] if found.shape[1] == 16 else found**2
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "peer",
    [pytest.param(p, id=p.name, marks=slow_unless(p.name == "dense JAX")) for p in PEERS],
)
def test_every_peer_runs_for_every_loss_it_stands_beside(peer):
    require(peer)
    for loss in peer.losses:
        assert peer.prepare(loss, "value", case(loss).make_inputs(300))() is not None
