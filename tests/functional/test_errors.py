"""Every row of the table of errors: the right type, and a message that names the argument."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jax.experimental import sparse as jsparse
from scipy import sparse

from diffbio import losses
from diffbio.functional import (
    Local,
    Perplexity,
    batch_mixing_loss,
    clustering_compactness_loss,
    combined_loss,
    shannon_diversity,
    simpson_diversity,
    velocity_consistency_loss,
    velocity_transition_loss,
)
from diffbio.neighbors import nearest_neighbors

pytestmark = pytest.mark.usefixtures("only_our_checks", "compiled_quickly")

X = jnp.zeros((20, 3))
LABELS = jnp.zeros(20, int)
A = jnp.full((20, 4), 0.25)
SHORT = jnp.zeros((19, 3))
INF, NAN = float("inf"), float("nan")


def mixing(x=X, labels=LABELS, **options):
    return lambda: batch_mixing_loss(x, labels, **options)


def compactness(x=X, a=A, *c, **options):
    return lambda: clustering_compactness_loss(x, a, *c, **options)


def velocity(x=X, v=X, f=X, **options):
    return lambda: velocity_consistency_loss(x, v, f, **options)


def combined(**options):
    return lambda: combined_loss(X, LABELS, A, **options)


def transition(x=X, v=X, **options):
    return lambda: velocity_transition_loss(x, v, **{"n_neighbors": 5, **options})


ERRORS = [
    # wrong rank, mismatched sizes: both shapes
    (mixing(X[0]), ValueError, r"embeddings.*\(n_cells, dim\).*\(3,\)"),
    (mixing(labels=LABELS[:, None]), ValueError, r"batch_labels.*\(20, 1\)"),
    (mixing(labels=LABELS[:19]), ValueError, r"n_cells.*\(20, 3\).*\(19,\)"),
    (mixing(neighbor_indices=jnp.zeros((19, 2), int)), ValueError, r"\(19, 2\).*\(20, 3\)"),
    (compactness(SHORT), ValueError, r"n_cells.*\(19, 3\).*\(20, 4\)"),
    (compactness(X, A, jnp.zeros((3, 3))), ValueError, r"n_clusters.*\(20, 4\).*\(3, 3\)"),
    (compactness(X, A, jnp.zeros((4, 2))), ValueError, r"dim.*\(20, 3\).*\(4, 2\)"),
    (velocity(v=SHORT), ValueError, r"n_cells.*\(20, 3\).*\(19, 3\)"),
    (velocity(f=X[:, :2]), ValueError, r"n_genes.*\(20, 3\).*\(20, 2\)"),
    (transition(v=X[:, :2]), ValueError, r"n_genes.*\(20, 3\).*\(20, 2\)"),
    (lambda: shannon_diversity(A[0]), ValueError, r"assignments.*\(4,\)"),
    (lambda: combined_loss(X, LABELS, A, features=X, reconstructed=SHORT), ValueError, "n_cells"),
    (lambda: combined_loss(X, LABELS, A, features=X), ValueError, "no reconstructed"),
    (mixing(where=jnp.ones(19, bool)), ValueError, r"where.*\(20,\).*\(19,\)"),
    # neighbours and cells
    (mixing(n_neighbors=20), ValueError, "n_neighbors=20 needs at least 21 cells, got 20"),
    (
        mixing(X[:10], LABELS[:10]),
        ValueError,
        "n_neighbors=15 needs at least 16 cells, got 10: take .* larger batch_size",
    ),
    (mixing(n_neighbors=0), ValueError, "n_neighbors.*at least 1.*0"),
    (mixing(jnp.zeros((0, 3)), LABELS[:0]), ValueError, r"embeddings.*\(0, 3\)"),
    (mixing(neighbor_indices=jnp.zeros((20, 0), int)), ValueError, r"neighbor_indices.*\(20, 0\)"),
    (lambda: shannon_diversity(A[:, :0]), ValueError, r"assignments.*empty.*\(20, 0\)"),
    (transition(n_neighbors=20), ValueError, "n_neighbors=20 needs at least 21 cells"),
    (lambda: nearest_neighbors(X, 20), ValueError, "n_neighbors=20"),
    (lambda: nearest_neighbors(X, 0), ValueError, "n_neighbors"),
    (mixing(neighbor_indices=jnp.full((20, 2), 20)), ValueError, "neighbor_indices.*20"),
    # configuration
    (mixing(temperature=0.0), ValueError, "temperature.*above 0.*0"),
    (mixing(temperature=-1.0), ValueError, "temperature"),
    (mixing(temperature=NAN), ValueError, "temperature.*nan"),
    (mixing(n_batches=0), ValueError, "n_batches"),
    (mixing(block_size=0), ValueError, "block_size"),
    (mixing(n_batches=1, normalize=True), ValueError, "normalize=True.*n_batches"),
    (mixing(temperature="local"), TypeError, r"temperature.*number, Local.*Perplexity.*'local'"),
    (mixing(temperature=Local), TypeError, "temperature.*number, Local.*Perplexity.*class"),
    (mixing(temperature=Local(0.0)), ValueError, "temperature.scale.*above 0, got 0.0"),
    (mixing(temperature=Local("1")), TypeError, "temperature.scale must be a real number, got '1'"),
    (mixing(temperature=Local(X[:, 0])), ValueError, r"temperature.scale.*scalar.*\(20,\)"),
    (mixing(index="gini"), ValueError, "index.*'entropy', 'simpson'.*'gini'"),
    (mixing(temperature=Perplexity(1.0)), ValueError, "perplexity.*between 1 and.*15"),
    (mixing(temperature=Perplexity(15)), ValueError, "perplexity.*15, got 15"),
    (mixing(temperature=Perplexity(NAN)), ValueError, "perplexity.*nan"),
    (
        mixing(
            temperature=Perplexity(), neighbor_indices=(np.arange(20)[:, None] + [1, 2, 3]) % 20
        ),
        ValueError,
        "perplexity.*number of neighbours 3, got 1.0",
    ),
    (mixing(proportions="equal"), ValueError, "proportions.*'uniform', 'observed'.*'equal'"),
    (mixing(proportions=(0.5, 0.5)), ValueError, r"proportions.*\(n_batches,\) = \(3,\).*\(2,\)"),
    (mixing(proportions=(0.5, 0.5, 0.1)), ValueError, "proportions.*sum to 1.*1.1"),
    (mixing(proportions=(1.5, -0.5, 0.0)), ValueError, "proportions.*at least 0.*-0.5"),
    (mixing(proportions=(NAN, 0.5, 0.5)), ValueError, "proportions.*at least 0.*nan"),
    (mixing(proportions=(0.0, 0.5, 0.5)), ValueError, "proportions.*above 0.*batch 0"),
    (mixing(index="simpson", proportions="observed"), ValueError, "'simpson'.*got 'observed'"),
    (mixing(index="simpson", proportions=(0.2, 0.3, 0.5)), ValueError, "'simpson'.*'uniform'"),
    (mixing(n_batches=1, normalize=True, index="simpson"), ValueError, "normalize=True.*n_batche"),
    (compactness(min_separation=-1.0), ValueError, "min_separation"),
    (compactness(separation_weight=INF), ValueError, "separation_weight.*inf"),
    (velocity(dt=0.0), ValueError, "dt.*above 0"),
    (velocity(cosine_weight=NAN), ValueError, "cosine_weight"),
    (transition(temperature=0.0), ValueError, "temperature"),
    (transition(dt=-0.1), ValueError, "dt"),
    (transition(block_size=0), ValueError, "block_size"),
    (lambda: shannon_diversity(A, over="genes"), ValueError, "over.*'cells', 'clusters'.*'genes'"),
    (lambda: simpson_diversity(A, over="clusters", reduce=False), ValueError, "reduce=False"),
    (lambda: nearest_neighbors(X, 3, block_size=0), ValueError, "block_size"),
    # dtypes
    (mixing(labels=LABELS.astype(float)), TypeError, "batch_labels.*integer.*float64"),
    (mixing(X.astype(int)), TypeError, "embeddings.*floating.*int64"),
    (mixing(X.astype(complex)), TypeError, "embeddings.*complex128"),
    (mixing(labels=LABELS.astype(complex)), TypeError, "batch_labels.*complex128"),
    (mixing(where=jnp.ones(20)), TypeError, "where.*bool.*float64"),
    (mixing(neighbor_indices=jnp.zeros((20, 2))), TypeError, "neighbor_indices.*integer"),
    (mixing(temperature=1j), TypeError, "temperature"),
    (mixing(n_neighbors=2.0), TypeError, "n_neighbors.*integer.*2.0"),
    (compactness(a=A.astype(int)), TypeError, "assignments.*floating"),
    (compactness(a=A.astype(complex)), TypeError, "assignments.*complex"),
    (compactness(X, A, jnp.zeros((4, 3), int)), TypeError, "centroids.*floating"),
    (velocity(v=X.astype(int)), TypeError, "velocity.*floating"),
    (velocity(where=jnp.ones(20, int)), TypeError, "where.*bool"),
    (transition(X.astype(int)), TypeError, "expression.*floating"),
    (lambda: shannon_diversity(A.astype(int)), TypeError, "assignments.*floating"),
    (lambda: nearest_neighbors(X.astype(int), 3), TypeError, "x.*floating"),
    # what is no array of numbers, and what is no number
    (mixing(sparse.csr_array(np.eye(20))), TypeError, "embeddings.*dense.*csr_array"),
    (mixing(neighbor_indices=sparse.csr_array(np.eye(20))), TypeError, "neighbor_indices.*dense"),
    (mixing(jsparse.BCOO.fromdense(X)), TypeError, "embeddings.*dense.*BCOO"),
    (mixing(neighbor_indices=np.eye(20, dtype=int)), ValueError, "neighbor_indices.*adjacency"),
    (mixing(labels=["a", "b"] * 10), TypeError, "batch_labels.*integer.*<U1 from list.*0, 1, 2"),
    (mixing(labels=pd.Categorical(["a", "b"] * 10)), TypeError, "batch_labels.*from Categorical"),
    (mixing(labels=None), TypeError, "batch_labels.*integer.*object from NoneType"),
    (mixing(None), TypeError, "embeddings.*floating.*object from NoneType"),
    (mixing([[1.0], [1.0, 2.0]]), ValueError, "embeddings must be an array"),
    (mixing(where=[True] * 19 + ["no"]), TypeError, "where.*bool.*from list"),
    (mixing(temperature=None), TypeError, "temperature must be a real number, got None"),
    (mixing(temperature="1"), TypeError, "temperature must be a number, Local.*got '1'"),
    (mixing(temperature=jnp.ones(2)), ValueError, r"temperature must be a scalar.*\(2,\)"),
    (mixing(n_batches=jnp.ones(1, int)), TypeError, "n_batches must be an integer"),
    (mixing(n_batches=True), TypeError, "n_batches must be an integer, got True"),
    (mixing(block_size=jnp.asarray(2.0)), TypeError, "block_size must be an integer"),
    (mixing(index=X), ValueError, "index must be one of"),
    (mixing(proportions=None), TypeError, "proportions must be one of.*got None"),
    (mixing(proportions=(1, 0, 0)), TypeError, "proportions.*floating number per batch"),
    (mixing(temperature=Perplexity("5")), TypeError, "perplexity must be a real"),
    (
        combined(mixing=losses.BatchMixingLoss(n_neighbors=20)),
        ValueError,
        "n_neighbors=20 needs at least 21 cells",
    ),
    (
        combined(mixing=losses.BatchMixingLoss(n_neighbors=5, reduce=False)),
        ValueError,
        r"the result of mixing must have shape \(\), got shape \(20,\)",
    ),
    (combined(mixing=None), TypeError, "mixing must be a function.*None"),
    (
        combined(compactness=losses.ClusteringCompactnessLoss),
        TypeError,
        "compactness must be a function.*ClusteringCompactnessLoss",
    ),
    (combined(weights=(1.0, 2.0)), TypeError, r"weights.*\(batch, cluster, reconstruction\).*2.0"),
    (combined(weights=0.5), TypeError, "weights must be LossWeights or three numbers.*0.5"),
    (combined(weights=(1.0, None, 1.0)), TypeError, "weights.cluster must be a real number"),
    # labels
    (mixing(labels=LABELS.at[3].set(3)), ValueError, r"\[0, 3\).*from 0 to 3"),
    (mixing(labels=LABELS.at[3].set(-1)), ValueError, r"\[0, 3\).*from -1 to 0"),
    (mixing(labels=np.full(20, 2**32 + 1)), ValueError, r"\[0, 3\).*from 4294967297"),
    # at construction
    (lambda: losses.VelocityConsistencyLoss(transition_weight=None), TypeError, "transition_w"),
    (lambda: losses.BatchMixingLoss(temperature=0.0), ValueError, "temperature"),
    (lambda: losses.BatchMixingLoss(n_neighbors=0), ValueError, "n_neighbors"),
    (lambda: losses.BatchMixingLoss(n_batches=0), ValueError, "n_batches"),
    (lambda: losses.BatchMixingLoss(n_batches=1, normalize=True), ValueError, "normalize"),
    (lambda: losses.BatchMixingLoss(bandwidth="x"), TypeError, "bandwidth is no option.*index"),
    (lambda: losses.BatchMixingLoss(block_size=0), ValueError, "block_size"),
    (lambda: losses.BatchMixingLoss(index="x"), ValueError, "index"),
    (lambda: losses.BatchMixingLoss(temperature=Local(-1.0)), ValueError, "temperature.scale"),
    (lambda: losses.BatchMixingLoss(proportions=[0.5, 0.6, 0.1]), ValueError, "proportions"),
    (lambda: losses.ClusteringCompactnessLoss(min_separation=-1.0), ValueError, "min_separation"),
    (lambda: losses.ClusteringCompactnessLoss(INF), ValueError, "separation_weight"),
    (lambda: losses.VelocityConsistencyLoss(dt=0.0), ValueError, "dt"),
    (
        lambda: losses.VelocityConsistencyLoss(transition_weight=NAN),
        ValueError,
        "transition_weight",
    ),
    (lambda: losses.VelocityConsistencyLoss(n_neighbors=0), ValueError, "n_neighbors"),
    (
        lambda: losses.VelocityConsistencyLoss(transition_temperature=0.0),
        ValueError,
        "transition_temperature",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "message"), ERRORS, ids=[f"{at}" for at in range(len(ERRORS))]
)
def test_error(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_errors_come_before_tracing_under_jit_too():
    with pytest.raises(ValueError, match="n_neighbors=20"):
        jax.jit(lambda x: batch_mixing_loss(x, LABELS, n_neighbors=20))(X)


def test_static_integers_cannot_be_traced():
    with pytest.raises(TypeError, match="n_batches must be an integer known before tracing"):
        jax.jit(lambda labels: batch_mixing_loss(X, labels, n_batches=labels.max() + 1))(LABELS)


def test_unknown_labels_under_jit_count_for_no_batch():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(20, 3)))
    labels = jnp.arange(20) % 3
    outside = labels.at[4].set(7)
    loss = jax.jit(lambda labels: batch_mixing_loss(x, labels, n_neighbors=19, temperature=50.0))
    four = jax.jit(
        lambda labels: batch_mixing_loss(x, labels, n_batches=8, n_neighbors=19, temperature=50.0)
    )
    assert np.isfinite(loss(outside))
    assert float(loss(outside)) > float(four(outside))
    assert float(loss(labels)) == pytest.approx(float(four(labels)), rel=1e-14)


def test_the_gradient_knows_that_unknown_labels_count_for_no_batch():
    rng = np.random.default_rng(3)
    x, direction = jnp.asarray(rng.normal(size=(2, 20, 3)))
    labels = (jnp.arange(20) % 3).at[jnp.array([4, 11])].set(7)

    @jax.jit  # with the labels as an argument, so that they cannot be checked
    def loss(x, labels):
        return batch_mixing_loss(x, labels, n_neighbors=19, temperature=5.0)

    slope = jnp.sum(jax.grad(loss)(x, labels) * direction)
    ends = [float(loss(x + step * direction, labels)) for step in (1e-5, -1e-5)]
    difference = (ends[0] - ends[1]) / 2e-5
    assert float(slope) == pytest.approx(difference, rel=1e-8)


def test_masked_labels_may_be_anything():
    where = jnp.arange(20) != 4
    assert np.isfinite(batch_mixing_loss(X, LABELS.at[4].set(-1), where=where))


def test_too_few_unmasked_cells_leave_fewer_neighbors():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(20, 3)))
    labels = jnp.arange(20) % 2
    where = jnp.arange(20) < 4
    few = batch_mixing_loss(x, labels, n_batches=2, where=where)
    expected = batch_mixing_loss(x[:4], labels[:4], n_batches=2, n_neighbors=3)
    assert float(few) == pytest.approx(float(expected), rel=1e-14)
    assert float(batch_mixing_loss(x, labels, n_batches=2, where=jnp.arange(20) < 1)) == 0
