"""Proportions that batch mixing aims at, and its two indices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure.sweep.accuracy import relative_error
from diffbio import losses
from diffbio.functional import Local, Perplexity, batch_mixing_loss, combined_loss
from reference import batch_mixing as reference
from tests.inputs import N_CELLS
from tests.tiers import tiered
from tests.tolerances import GRADIENT, VALUE

pytestmark = pytest.mark.usefixtures("compiled_quickly")

rng = np.random.default_rng(0)
X = jnp.asarray(rng.normal(size=(N_CELLS, 4)))
LABELS = np.minimum(rng.geometric(0.5, size=N_CELLS) - 1, 2)
SHARES = np.bincount(LABELS) / N_CELLS
WHERE = rng.random(N_CELLS) < 0.7

OPTIONS = {
    "given": {"proportions": (0.2, 0.3, 0.5)},
    "given, normalized": {"proportions": (0.2, 0.3, 0.5), "normalize": True},
    "observed, local": {"proportions": "observed", "temperature": Local()},
    "observed, perplexity": {"proportions": "observed", "temperature": Perplexity()},
    "observed, masked": {"proportions": "observed", "where": WHERE},
    "Simpson, normalized": {"index": "simpson", "normalize": True},
    "Simpson, local, masked": {"index": "simpson", "temperature": Local(), "where": WHERE},
    "LISI": {"index": "simpson", "temperature": Perplexity(4.5)},
}


# Each option at least once.
QUICK = ("given, normalized", "observed, perplexity", "Simpson, local, masked", "LISI")


@pytest.mark.parametrize("name", tiered(OPTIONS, quick=QUICK))
def test_options_together_equal_the_reference(name):
    options = OPTIONS[name]
    found = jax.value_and_grad(lambda x: batch_mixing_loss(x, LABELS, **options))(X)
    value = reference.batch_mixing_loss(X, LABELS, **options)
    slopes = reference.batch_mixing_gradients(X, LABELS, **options)["embeddings"]
    assert relative_error(found[0], value) <= VALUE["float64"]
    assert relative_error(found[1], slopes) <= GRADIENT["float64"]


def test_uniform_proportions_are_the_default():
    expected = batch_mixing_loss(X, LABELS)
    assert batch_mixing_loss(X, LABELS, proportions="uniform") == expected
    thirds = batch_mixing_loss(X, LABELS, proportions=np.full(3, 1 / 3))
    assert float(thirds) == pytest.approx(float(expected), rel=1e-14)


def test_observed_proportions_are_the_shares_of_the_counted_cells():
    expected = batch_mixing_loss(X, LABELS, proportions=SHARES)
    found = batch_mixing_loss(X, LABELS, proportions="observed")
    assert float(found) == pytest.approx(float(expected), rel=1e-14)
    shares = np.bincount(LABELS[WHERE]) / WHERE.sum()
    expected = batch_mixing_loss(X, LABELS, proportions=shares, where=WHERE)
    found = batch_mixing_loss(X, LABELS, proportions="observed", where=WHERE)
    assert float(found) == pytest.approx(float(expected), rel=1e-14)


@given(seed=st.integers(0, 10_000))
def test_the_loss_is_lowest_where_the_shares_are_the_proportions(seed):
    """All cells alike, so that the shares are those of the others' labels."""
    counts = np.random.default_rng(seed).multinomial(40, [0.5, 0.3, 0.2]) + 1
    labels = np.append(0, np.repeat(np.arange(3), counts))
    x = jnp.ones((44, 2))

    def first(q):
        return batch_mixing_loss(x, labels, n_neighbors=43, proportions=q, reduce=False)[0]

    shares = counts / 43
    assert float(first(shares)) == pytest.approx(-np.log(3), rel=1e-14)
    others = (shares + np.random.default_rng(seed).dirichlet(np.ones(3))) / 2
    assert first(others) > first(shares)


def test_a_batch_that_is_not_expected_costs_infinitely_under_jit_and_nothing_where_it_is_absent():
    q = jnp.array([0.4, 0.6, 0.0])

    @jax.jit
    def loss(labels, q):
        return batch_mixing_loss(X, labels, proportions=q, n_neighbors=N_CELLS - 1)

    assert float(loss(LABELS, q)) == np.inf
    absent = LABELS % 2
    assert float(loss(absent, q)) == pytest.approx(
        float(batch_mixing_loss(X, absent, proportions=q, n_neighbors=N_CELLS - 1)), rel=1e-14
    )
    assert np.isfinite(loss(absent, q))
    hidden = batch_mixing_loss(X, LABELS, proportions=q, where=LABELS < 2)
    assert np.isfinite(hidden)


def test_proportions_are_constants_under_differentiation():
    slope = jax.grad(lambda q: batch_mixing_loss(X, LABELS, proportions=q))(jnp.asarray(SHARES))
    assert np.all(np.asarray(slope) == 0)


@pytest.mark.parametrize("options", [{}, {"normalize": True}], ids=["plain", "normalized"])
def test_simpson_s_index_keeps_its_range(options):
    lowest, highest = (0.0, 1.0) if options else (1 / 3, 1.0)
    apart = jnp.asarray(100.0 * np.eye(3)[LABELS]) + X[:, :3]
    call = {"index": "simpson", "n_neighbors": 3, "reduce": False, **options}
    assert np.allclose(batch_mixing_loss(apart, LABELS, **call), highest)
    corners, labels = jnp.eye(4), np.array([0, 1, 2, 0])
    assert float(batch_mixing_loss(corners, labels, **call)[3]) == pytest.approx(lowest, abs=1e-15)
    alone = batch_mixing_loss(X, LABELS, where=np.arange(N_CELLS) < 1, **call)
    assert float(alone[0]) == highest
    assert np.all(np.asarray(alone[1:]) == 0)


def test_the_module_and_the_combined_loss_hand_the_options_on():
    assignments = jnp.asarray(rng.dirichlet(np.ones(4), N_CELLS))
    for name in ("given", "LISI"):
        call = OPTIONS[name]
        expected = batch_mixing_loss(X, LABELS, **call)
        assert losses.BatchMixingLoss(**call)(X, LABELS) == expected
        mixing = functools.partial(batch_mixing_loss, **call)
        assert combined_loss(X, LABELS, assignments, mixing=mixing).batch == expected
    listed = losses.BatchMixingLoss(proportions=[0.2, 0.3, 0.5])
    assert listed(X, LABELS) == batch_mixing_loss(X, LABELS, proportions=(0.2, 0.3, 0.5))


def test_new_proportions_and_perplexities_trace_nothing():
    traces = 0

    @jax.jit
    def loss(q, perplexity):
        nonlocal traces
        traces += 1
        options = {"temperature": Perplexity(perplexity)}
        return batch_mixing_loss(X, LABELS, proportions=q, **options)

    values = {float(loss(q, p)) for q, p in ((SHARES, 3.0), (np.full(3, 1 / 3), 4.0))}
    assert (traces, len(values)) == (1, 2)
