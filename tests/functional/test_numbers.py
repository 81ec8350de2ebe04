"""Arrays of every kind are read as the numbers they hold, or refused by name, everywhere."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax import nnx
from jax.sharding import Mesh

from diffbio import losses, models
from diffbio.neighbors import approximate_neighbors, nearest_neighbors
from diffbio.sharding import sharded
from diffbio.training import fit
from tests.options import ARRAYS, FUNCTIONS, N_CELLS, POINTS, RNG, call_of, takes_shards
from tests.tiers import tiered

pytestmark = pytest.mark.usefixtures("only_our_checks", "compiled_quickly")

MESH = Mesh(np.array(jax.devices()[:1]), ("cells",))
FURTHER = {
    "centroids": RNG.normal(size=(4, 2)),
    "features": POINTS,
    "reconstructed": POINTS + 0.5,
    "neighbor_indices": (np.arange(N_CELLS)[:, None] + np.arange(1, 5)) % N_CELLS,
    "where": np.arange(N_CELLS) != 7,
}


def total(result):
    return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(result))


def entrance(loss):
    parameters = inspect.signature(loss).parameters
    arrays = {name: a for name, a in (ARRAYS | FURTHER).items() if name in parameters}
    _, few = call_of(loss)
    return arrays, lambda **given: total(loss(**given, **few))


def searches():
    x = {"x": POINTS}
    return {
        "nearest_neighbors": (
            x | {"where": FURTHER["where"]},
            lambda **given: nearest_neighbors(**given, n_neighbors=3).squared_distances[0].sum(),
        ),
        "approximate_neighbors": (
            x,
            lambda x: approximate_neighbors(x, 3).squared_distances.sum(),
        ),
    }


def trained(mesh):
    def objective(result, batch, where):
        return jnp.mean(result["corrected_features"] ** 2 * where[:, None])

    def called(**data):
        model = models.BatchCorrector(2, 3, rngs=nnx.Rngs(0))
        return fit(model, data, objective, n_steps=1, progress=False, mesh=mesh).losses[0]

    return {"features": POINTS.astype("f4"), "batch_ids": ARRAYS["batch_labels"]}, called


def modelled():
    model = models.BatchCorrector(2, 3, rngs=nnx.Rngs(0))
    arrays = {"features": POINTS, "batch_ids": ARRAYS["batch_labels"]}
    return arrays, lambda **data: total(model.apply(data, {}, None)[0])


MODULES = [
    losses.BatchMixingLoss(4), losses.ClusteringCompactnessLoss(), losses.ShannonDiversityLoss(),
    losses.VelocityConsistencyLoss(transition_weight=1.0, n_neighbors=4),
]  # fmt: skip
ENTRANCES = (
    {name: entrance(loss) for name, loss in FUNCTIONS.items()}
    | {
        f"sharded {name}": entrance(sharded(loss, MESH))
        for name, loss in FUNCTIONS.items()
        if takes_shards(loss)
    }
    | {type(module).__name__: entrance(module) for module in MODULES}
    | searches()
    | {"model": modelled(), "fit": trained(None), "fit on a mesh": trained(MESH)}
)
OUTSIDE_OF_JIT = ("approximate_neighbors", "fit", "fit on a mesh")
QUICK = [
    "batch_mixing_loss",
    "combined_loss",
    "sharded batch_mixing_loss",
    "VelocityConsistencyLoss",
]
QUICK += ["sharded clustering_compactness_loss", *searches(), "model", "fit", "fit on a mesh"]
every_entrance = pytest.mark.parametrize("name", tiered(ENTRANCES, quick=QUICK))


class Subclass(np.ndarray):
    """What NumPy's matrix is, which is deprecated."""


def strided(array):
    wide = np.repeat(array, 2, axis=0)[::2]
    return np.asfortranarray(wide)[::-1][::-1]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def nullable(array):
    kind = {"f": "Float64" if array.itemsize == 8 else "Float32", "i": "Int64", "b": "boolean"}
    columns = [pd.array(column, dtype=kind[array.dtype.kind]) for column in np.atleast_2d(array.T)]
    return pd.Series(columns[0]) if array.ndim == 1 else pd.DataFrame(dict(enumerate(columns)))


def mixed(array):
    """A table of nullable and plain columns, or pandas' array of one."""
    table = nullable(array)
    return (
        table.assign(**{"0": array[:, 0]})[["0", 1, *range(2, array.shape[1])]]
        if array.ndim > 1
        else table.array
    )


KINDS = {
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "long double": lambda a: a.astype(np.longdouble) if a.dtype.kind == "f" else a.astype(a.dtype),
    "masked array without masked entries": np.ma.array,
    "subclass": lambda a: a.view(Subclass),
    "strided": strided,
    "read-only": read_only,
    "nullable": nullable,
    "mixed columns": mixed,
    "list": lambda a: a.tolist() if a.itemsize != 4 else a,
}


@every_entrance
def test_numbers_in_every_kind_of_array_mean_the_same(name):
    arrays, called = ENTRANCES[name]
    expected = float(called(**arrays))
    for kind, make in KINDS.items():
        given = {key: make(array) for key, array in arrays.items()}
        assert float(called(**given)) == pytest.approx(expected, rel=1e-6), kind
        if name not in OUTSIDE_OF_JIT:
            jax.eval_shape(lambda called=called, given=given: called(**given))


def with_masked(array):
    mask = np.zeros(array.shape, bool)
    mask.flat[1] = True
    return np.ma.array(array, mask=mask)


def with_missing(array):
    table = nullable(array)
    if array.ndim == 1:
        table.iloc[1] = pd.NA
    else:
        table.iloc[1, 0] = pd.NA
    return table


WRONG = {
    "masked": (with_masked, ValueError, "must have a number in every entry, got 1 masked"),
    "missing": (
        with_missing,
        ValueError,
        r"must have a number in every entry, got 1 missing \(NA\)",
    ),
    "objects": (lambda a: a.astype(object), TypeError, "must .*object"),
    "complex": (lambda a: a + 1j, TypeError, "must .*complex"),
    "words": (lambda a: a.astype(str), TypeError, "must .*<U"),
    "dates": (lambda a: a.astype("i8").astype("M8[s]"), TypeError, "must .*datetime64"),
}


@every_entrance
def test_what_holds_no_plain_numbers_is_refused_by_name(name):
    arrays, called = ENTRANCES[name]
    for key, array in arrays.items():
        for make, error, message in WRONG.values():
            with pytest.raises(error, match=rf"{key}('\])? {message}"):
                called(**arrays | {key: make(array)})


@every_entrance
def test_a_tensor_is_refused_by_name_and_told_where_it_belongs(name):
    torch = pytest.importorskip("torch")
    arrays, called = ENTRANCES[name]
    for key, array in arrays.items():
        tensor = torch.tensor(array)
        learned = tensor.requires_grad_() if tensor.is_floating_point() else tensor
        for given in (tensor, learned, list(tensor)):
            with pytest.raises(TypeError, match=rf"{key}.* got a torch.Tensor; .*diffbio.torch"):
                called(**arrays | {key: given})
