"""Lists of neighbours: a row is a set, and what carries no weight changes nothing."""

import functools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure.sweep.accuracy import relative_error
from diffbio.functional import (
    Local,
    Perplexity,
    batch_mixing_loss,
    combined_loss,
    velocity_transition_loss,
)
from diffbio.losses import BatchMixingLoss, VelocityConsistencyLoss
from diffbio.neighbors import Neighbors, nearest_neighbors
from diffbio.sharding import sharded
from reference import batch_mixing as reference
from reference import transition as reference_transition
from tests.tiers import slow_unless

pytestmark = pytest.mark.usefixtures("compiled_quickly")

N, K, WIDE, N_BATCHES = 40, 6, 15, 3
rng = np.random.default_rng(0)
X, V = rng.normal(size=(2, N, 4))
LABELS = rng.integers(N_BATCHES, size=N)
A = rng.dirichlet(np.ones(3), N)
NEAREST = np.asarray(nearest_neighbors(X, K).indices)

SETTINGS = {
    "global": {},
    "local": {"temperature": Local()},
    "perplexity": {"temperature": Perplexity()},
    "recommended": {"temperature": Perplexity(), "proportions": "observed"},
    "a given perplexity": {"temperature": Perplexity(2.5)},
    "LISI": {"temperature": Perplexity(), "index": "simpson", "normalize": True},
}


def wider(lists, seed, kinds=("padding", "itself", "repeats"), width=WIDE):
    """The same sets in random order, filled up with what carries no weight."""
    draw = np.random.default_rng(seed)
    rows = np.full((len(lists), width), -1)
    for i, row in enumerate(lists):
        fill = {"padding": [-1, -7], "itself": [i], "repeats": row[row >= 0]}
        extra = draw.choice(np.concatenate([fill[kind] for kind in kinds]), width - len(row))
        rows[i] = draw.permutation([*row, *extra])
    return rows


def mixing(x, lists, **options):
    return batch_mixing_loss(x, LABELS, neighbor_indices=lists, reduce=False, **options)


def mesh():
    return jax.make_mesh((1,), ("cells",))


# Every way in which lists reach a loss, each with the options of batch mixing where it has any.
ENTRANCES = {
    "function": lambda x, lists, **o: mixing(x, lists, **o),
    "Neighbors": lambda x, lists, **o: mixing(x, Neighbors(lists, 0.0 * lists), **o),
    "module": lambda x, lists, **o: BatchMixingLoss(**o)(x, LABELS, neighbor_indices=lists),
    "combined": lambda x, lists, **o: (
        combined_loss(
            x, LABELS, A, neighbor_indices=lists, mixing=partial(batch_mixing_loss, **o)
        ).total
    ),
    "sharded": lambda x, lists, **o: sharded(batch_mixing_loss, mesh())(
        x, LABELS, neighbor_indices=lists, **o
    ),
    "transition": lambda x, lists, **_: velocity_transition_loss(x, V, neighbor_indices=lists),
    "transition module": lambda x, lists, **_: VelocityConsistencyLoss(transition_weight=1.0)(
        x, V, X + V, neighbor_indices=lists
    ),
}


def entrances_with_settings():
    """Three settings are quick for the function, and the recommended one for every entrance."""
    for entrance in ENTRANCES:
        transition = "transition" in entrance
        for setting in ["global"] if transition else SETTINGS:
            of_function = entrance == "function" and setting in ("local", "LISI")
            is_quick = transition or of_function or setting == "recommended"
            yield pytest.param(entrance, setting, marks=slow_unless(is_quick))


@pytest.mark.parametrize(("entrance", "setting"), list(entrances_with_settings()))
def test_what_carries_no_weight_changes_no_loss_and_no_gradient(entrance, setting):
    def loss(x, lists):
        return jnp.sum(ENTRANCES[entrance](x, lists, **SETTINGS[setting]))

    found = jax.value_and_grad(loss)(X, wider(NEAREST, 1))
    expected = jax.value_and_grad(loss)(X, NEAREST)
    assert relative_error(found[0], expected[0]) <= 1e-12
    assert relative_error(found[1], expected[1]) <= 1e-11


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_same_under_jit_where_the_lists_are_unknown(setting):
    program = jax.jit(lambda x, lists: mixing(x, lists, **SETTINGS[setting]))
    np.testing.assert_allclose(program(X, wider(NEAREST, 2)), program(X, NEAREST), rtol=1e-12)


@functools.cache
def program_of_lists(setting):
    return jax.jit(lambda lists: mixing(X, lists, **SETTINGS[setting]))


@given(
    seed=st.integers(0, 10_000),
    lengths=st.lists(st.integers(0, K), min_size=N, max_size=N),
    kinds=st.sets(st.sampled_from(["padding", "itself", "repeats"]), min_size=1),
    setting=st.sampled_from(sorted(SETTINGS)),
)
def test_no_cell_depends_on_the_rows_of_others(seed, lengths, kinds, setting):
    """One wide row among narrow ones changes its own cell alone."""
    shorter = np.where(np.arange(K) < np.array([*lengths[1:], K])[:, None], NEAREST, -1)
    lists = np.pad(shorter, ((0, 0), (0, WIDE - K)), constant_values=-1)
    hub = lists.copy()
    hub[0] = np.random.default_rng(seed).permutation(np.arange(1, N))[:WIDE]
    program = program_of_lists(setting)
    losses = np.asarray(program(wider(lists[:, :K], seed, kinds | {"padding"})))
    np.testing.assert_allclose(losses, reference_losses(shorter, setting), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(program(hub)[1:], losses[1:], rtol=1e-10, atol=1e-12)


def reference_losses(lists, setting):
    return reference.batch_mixing_per_cell(X, LABELS, neighbor_indices=lists, **SETTINGS[setting])


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_repeated_index_is_one_neighbour_in_the_reference_too(setting):
    lists = np.column_stack([NEAREST, NEAREST[:, :3], np.arange(N)])
    expected = reference_losses(NEAREST, setting)
    np.testing.assert_allclose(reference_losses(lists, setting), expected, rtol=1e-12)
    np.testing.assert_allclose(mixing(X, lists, **SETTINGS[setting]), expected, rtol=1e-10)
    found = velocity_transition_loss(X, V, neighbor_indices=lists)
    expected = reference_transition.velocity_transition_loss(X, V, neighbor_indices=NEAREST)
    assert float(found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("searched", "setting"),
    [
        pytest.param(s, o, id=f"{label}-{o}", marks=slow_unless(o in quick))
        for s, label, quick in (
            (True, "searched", ["recommended"]),
            (False, "listed", ["recommended", "local"]),
        )
        for o in SETTINGS
    ],
)
@pytest.mark.parametrize("n_counted", [1, 2, 5, 12, N])
def test_masking_equals_removing_whatever_is_derived_from_a_count(setting, n_counted, searched):
    """k and the perplexity follow from the cells that count, not from the length of an array."""
    counted = np.sort(np.random.default_rng(n_counted).permutation(N)[:n_counted])
    where = np.isin(np.arange(N), counted)
    lists = np.asarray(nearest_neighbors(X, 10, where=where).indices)
    options = {**SETTINGS[setting], "n_neighbors": 10}
    masked = options if searched else {**options, "neighbor_indices": lists}
    found = batch_mixing_loss(X, LABELS, where=where, reduce=False, **masked)
    renumbered = np.searchsorted(counted, lists[where], side="left")
    alone = np.where(lists[where] < 0, -1, renumbered)
    expected = reference.batch_mixing_per_cell(
        X[where], LABELS[where], neighbor_indices=alone, **SETTINGS[setting]
    )
    np.testing.assert_allclose(np.asarray(found)[where], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("listed", [True, False])
def test_a_perplexity_per_cell_is_each_cells_own(listed):
    perplexities = np.linspace(1, K - 0.5, N)
    options = {"neighbor_indices": NEAREST if listed else None, "n_neighbors": K, "reduce": False}
    each_its_own = {"temperature": Perplexity(perplexities), **options}
    found = batch_mixing_loss(X, LABELS, **each_its_own)
    over_devices = sharded(batch_mixing_loss, mesh())(X, LABELS, **each_its_own)
    np.testing.assert_allclose(over_devices, found, rtol=1e-12)
    for i in range(1, N, 7):
        alone = batch_mixing_loss(
            X, LABELS, temperature=Perplexity(float(perplexities[i])), **options
        )
        assert float(found[i]) == pytest.approx(float(alone[i]), rel=1e-12)


@pytest.mark.parametrize(
    ("perplexity", "message"),
    [
        (np.full(N, 0.5), "perplexity must be finite and at least 1 for every cell, got 0.5"),
        (np.full(N, np.nan), "perplexity must be finite and at least 1 for every cell, got nan"),
        (np.full(N - 1, 2.0), r"perplexity must be .* \(n_cells,\) = \(40,\), got .*\(39,\)"),
        (6.0, "perplexity must lie between 1 and the number of neighbours 6, got 6.0"),
    ],
)
@pytest.mark.usefixtures("only_our_checks")
def test_a_perplexity_out_of_range_is_refused_however_wide_the_lists_are(perplexity, message):
    options = {"temperature": Perplexity(perplexity)}
    with pytest.raises(ValueError, match=message):
        mixing(X, wider(NEAREST, 3), **options)
