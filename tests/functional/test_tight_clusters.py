"""Compactness keeps its digits however tight the clusters, far the outlier, or odd the unit."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffbio.functional import clustering_compactness_loss
from reference import compactness as reference
from tests.inputs import for_reference
from tests.tolerances import DTYPES, GRADIENT, VALUE

N_CELLS, DIM, N_GROUPS = 60, 5, 4
CENTROIDS = pytest.mark.parametrize("given", [False, True], ids=["means", "given centroids"])
# By the group of each cell. The last cluster is the outlier's own, or empty.
ASSIGNMENTS = {
    "hard": lambda hard, rng: hard,
    "nearly hard": lambda hard, rng: (1 - 1e-6) * hard + 1e-6 * anything(rng),
    "rather hard": lambda hard, rng: (1 - 1e-3) * hard + 1e-3 * anything(rng),
    "soft": lambda hard, rng: anything(rng),
    "pairs of clusters": lambda hard, rng: of_pairs(hard, rng),
    "pairs, nearly": lambda hard, rng: (1 - 1e-6) * of_pairs(hard, rng) + 1e-6 * anything(rng),
}


def anything(rng):
    return rng.dirichlet(np.ones(N_GROUPS), N_CELLS)


def of_pairs(hard, rng):
    """Two groups become one, which two clusters share."""
    pairs = np.repeat(hard[:, ::2] + hard[:, 1::2], 2, axis=1)
    shares = pairs * rng.uniform(0.2, 0.8, size=hard.shape)
    return shares / shares.sum(axis=1, keepdims=True)


def draw(
    kind,
    spread,
    distance,
    seed=0,
    *,
    given=False,
    scale=1.0,
    offset=0.0,
    outlier=None,
    unequal=False,
    masked=False,
    dtype=jnp.float32,
):
    """Groups of cells at such distances, of ``spread`` times that width, and the outlier."""
    rng = np.random.default_rng(seed)
    sizes = [0.9, 0.05, 0.03, 0.02] if unequal else None
    group = rng.choice(N_GROUPS, size=N_CELLS, p=sizes)
    group[:N_GROUPS] = np.arange(N_GROUPS)
    centres = distance * rng.normal(size=(N_GROUPS, DIM))
    if "pairs" in kind:
        centres = np.repeat(centres[::2], 2, axis=0)
    x = centres[group] + distance * spread * rng.normal(size=(N_CELLS, DIM))
    a = ASSIGNMENTS[kind](np.eye(N_GROUPS)[group], rng)
    a = np.concatenate([a, np.zeros((N_CELLS, 1))], axis=1)
    c = np.concatenate([centres + distance * spread * rng.normal(size=centres.shape), x[7:8]])
    x, c = scale * (x + offset), scale * (c + offset)
    if outlier is not None:
        x[7] = c[-1] = outlier * rng.normal(size=DIM)
        if "hard" in kind:
            a[7] = np.eye(N_GROUPS + 1)[-1]
    arrays = {"embeddings": x, "assignments": a} | ({"centroids": c} if given else {})
    arrays = {name: jnp.asarray(array, dtype) for name, array in arrays.items()}
    return arrays, rng.random(N_CELLS) < (0.7 if masked else 1.1)


@jax.jit
@partial(jax.value_and_grad)
def program(arrays, where, weight):
    return clustering_compactness_loss(**arrays, where=where, separation_weight=weight)


def error(found, expected):
    """Relative, of the norm, beyond what float32 cannot tell from 0."""
    scale = np.abs(expected).max() or 1.0
    difference = np.linalg.norm((np.asarray(found, np.float64) - expected) / scale)
    least = np.sqrt(np.size(expected)) * np.finfo(np.float32).tiny
    return max(difference - least / scale, 0) / (np.linalg.norm(expected / scale) or 1.0)


def assert_exact(arrays, where, about, weight=1.0, dtype="float32"):
    found = program(arrays, where, weight)
    assert_equal_to_the_reference(found, arrays, where, about, weight, dtype)


def assert_equal_to_the_reference(found, arrays, where, about, weight=1.0, dtype="float32"):
    """Value, gradients, and what a softmax makes of the assignments' gradient."""
    arithmetic = jnp.finfo(jnp.promote_types(DTYPES[dtype], jnp.float32))
    options = {
        "where": where,
        "separation_weight": weight,
        "smallest_total": float(arithmetic.tiny) / float(arithmetic.eps),
    }
    value, slopes = found
    exact = for_reference(arrays)
    expected = reference.clustering_compactness_loss(**exact, **options)
    by_name = reference.clustering_compactness_gradients(**exact, **options)
    assert error(value, expected) <= VALUE[dtype], about
    for name, slope in by_name.items():
        assert error(slopes[name], slope) <= GRADIENT[dtype], (about, name)
    a = exact["assignments"]
    pulls = a * np.asarray(slopes["assignments"], np.float64)
    assert error(pulls, a * by_name["assignments"]) <= GRADIENT[dtype], (about, "of softmax")


SPREADS = (1.0, 0.3, 0.1, 0.05, 0.02, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
SETTINGS = {
    "near the origin": {},
    "far from the origin": {"offset": 1e3},
    "masked": {"masked": True},
    "unequal clusters": {"unequal": True},
    "huge": {"scale": 1e12},
    "tiny": {"scale": 1e-10},
    "an outlier": {"outlier": 1e5},
    "an outlier out of sight": {"outlier": 1e18, "masked": True},
}


def weight_of(kind):
    """Of pairs the scatter alone; their centroids may nearly coincide, without a direction."""
    return 0.0 if "pairs" in kind else 1.0


@CENTROIDS
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", ASSIGNMENTS)
def test_value_and_gradients_are_exact_at_every_spread(kind, setting, given):
    for distance in (1.0, 10.0, 1e3):
        for spread in SPREADS:
            cells = draw(kind, spread, distance, given=given, **SETTINGS[setting])
            assert_exact(*cells, (distance, spread), weight_of(kind))


@settings(max_examples=200)
@given(
    kind=st.sampled_from(list(ASSIGNMENTS)),
    spread=st.floats(-6, 0),
    distance=st.floats(0, 3),
    unit=st.floats(-15, 15),
    setting=st.sampled_from(["", "masked", "unequal", "offset", "outlier"]),
    size=st.floats(3, 18),
    given=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_value_and_gradients_are_exact_for_any_cells(
    kind, spread, distance, unit, setting, size, given, seed
):
    options = {
        "": {},
        "masked": {"masked": True},
        "unequal": {"unequal": True},
        "offset": {"offset": 10 ** (size / 5)},
        "outlier": {"outlier": 10**size},
    }[setting]
    if setting != "outlier":
        # Squares that float32 can tell from 0.
        options["scale"] = 10 ** max(unit, -14 - spread - distance)
    cells = draw(kind, 10**spread, 10**distance, seed, given=given, **options)
    assert_exact(*cells, "drawn", weight_of(kind))


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@CENTROIDS
def test_other_dtypes_are_exact_too(dtype, given):
    for kind in ASSIGNMENTS:
        for spread in (1.0, 1e-2, 1e-4, 1e-6):
            cells = draw(kind, spread, 10.0, given=given, dtype=DTYPES[dtype])
            assert_exact(*cells, (kind, spread), weight_of(kind), dtype)


@pytest.mark.parametrize("setting", ["near the origin", "far from the origin", "huge", "masked"])
def test_identical_cells_are_exactly_at_their_centroids(setting):
    arrays, where = draw("hard", 0.0, 10.0, **SETTINGS[setting])
    value, slopes = program(arrays, where, 0.0)
    own = np.asarray(arrays["assignments"]) * np.asarray(slopes["assignments"])
    assert float(value) == 0
    assert np.all(np.asarray(slopes["embeddings"]) == 0)
    assert np.all(own == 0)


def test_the_separation_of_two_clusters_of_one_tight_group_is_exact():
    """Their centroids are closer than the cells, and 1e5 cells' widths from the others."""
    for seed in range(20):
        for kind in ("pairs of clusters", "pairs, nearly"):
            for spread in (1e-2, 1e-3, 1e-4, 1e-5):
                assert_exact(*draw(kind, spread, 10.0, seed), (seed, kind, spread), weight=1.0)


def test_vmapped_losses_are_exact_where_some_have_tight_clusters():
    cells = [draw("hard", spread, 10.0) for spread in (1.0, 1e-4, 1e-2)]
    stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *cells)
    found = jax.vmap(program, in_axes=(0, 0, None))(*stacked, 1.0)
    for at, (arrays, where) in enumerate(cells):
        assert_equal_to_the_reference(jax.tree.map(lambda a, i=at: a[i], found), arrays, where, at)
