"""Every option of every loss, in every form that is accepted; read from the signatures.

An option is an argument that is no array per cell, cluster or neighbour. A new one is an error
here until ``VALUES`` has a value for it.
"""

import functools
import inspect
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from diffbio import functional, losses
from diffbio.functional import Local, LossWeights, Perplexity
from tests.tiers import slow_unless

N_CELLS = 12
RNG = np.random.default_rng(0)
POINTS, VELOCITY, FUTURE = RNG.normal(size=(3, N_CELLS, 2))
LABELS = np.arange(N_CELLS) % 3
ARRAYS = {
    "embeddings": POINTS,
    "batch_labels": LABELS,
    "assignments": RNG.dirichlet(np.ones(4), N_CELLS),
    "expression": POINTS,
    "velocity": VELOCITY,
    "future_expression": FUTURE,
}
# Arrays that a call may leave out, terms, what NNX wants, and what belongs to shard_map.
NO_OPTIONS = {
    "axis_name", "centroids", "compactness", "features", "mixing", "neighbor_indices",
    "reconstructed", "rngs", "self", "where",
}  # fmt: skip

# For every option its values, each with the options that it needs.
VALUES = {
    "n_batches": [(3, {})],
    "n_neighbors": [(4, {})],
    "block_size": [(5, {})],
    "temperature": [(2.0, {}), (Local(2.0), {}), (Perplexity(2.0), {})],
    "normalize": [(True, {}), (False, {})],
    "reduce": [(True, {}), (False, {})],
    "proportions": [((0.25, 0.25, 0.5), {}), ("uniform", {}), ("observed", {})],
    "index": [("entropy", {}), ("simpson", {})],
    "over": [("cells", {}), ("clusters", {})],
    "weights": [(LossWeights(2.0, 1.0, 3.0), {})],
    "separation_weight": [(2.0, {})],
    "min_separation": [(2.0, {})],
    "dt": [(2.0, {})],
    "cosine_weight": [(2.0, {})],
    "magnitude_weight": [(2.0, {})],
    "transition_weight": [(2.0, {})],
    "transition_temperature": [(2.0, {})],
}

# An option of each kind: an integer, a word, a flag, shares and a number.
ONE_OF_EACH_KIND = {
    "batch_mixing_loss": ("n_neighbors", "index", "normalize", "proportions"),
    "clustering_compactness_loss": ("separation_weight",),
    "shannon_diversity": ("over",),
}

FUNCTIONS = {name: getattr(functional, name) for name in functional.__all__ if name[0].islower()}
MODULES = {name: getattr(losses, name) for name in losses.__all__}


def call_of(function):
    """The arrays that a call needs, and a few neighbours, since there are few cells."""
    parameters = inspect.signature(function).parameters
    arrays = {name: array for name, array in ARRAYS.items() if name in parameters}
    few = {
        "n_neighbors": 4,
        "mixing": functools.partial(functional.batch_mixing_loss, n_neighbors=4),
    }
    return arrays, {name: value for name, value in few.items() if name in parameters}


def takes_shards(loss):
    """Whether a loss can be spread over devices: a new one need not."""
    return "axis_name" in inspect.signature(loss).parameters


def options_of(function):
    """The options of a function or class, with the annotations that say what they accept."""
    called = function.__init__ if inspect.isclass(function) else function
    parameters = inspect.signature(called, eval_str=True).parameters.values()
    return {
        p.name: p.annotation
        for p in parameters
        if p.name not in ARRAYS and p.name not in NO_OPTIONS
    }


def values_of(function, option):
    """The values of an option of a function or class, each with the options that it needs."""
    accepted = typing.get_args(options_of(function)[option])
    records = (Local, Perplexity)
    return [v for v in VALUES[option] if not isinstance(v[0], records) or type(v[0]) in accepted]


def every_option(functions, *, quick=None):
    """Parametrizes a test over the functions or classes, each with one of its options.

    The quick tier has all of them, or the options in ``quick``, which are listed by function.
    """
    return pytest.mark.parametrize(
        ("name", "option"),
        [
            pytest.param(
                name,
                option,
                marks=slow_unless(quick is None or option in quick.get(name, ())),
                id=f"{name}-{option}",
            )
            for name, function in functions.items()
            for option in options_of(function)
        ],
    )


def forms(annotation, value, further=lambda annotation, value: []):
    """The value in the forms that the annotation accepts, the plain one first."""
    if isinstance(value, Local | Perplexity):
        (number,) = jax.tree.leaves(value)
        return [type(value)(form) for form in forms(annotation, number, further)]
    if isinstance(value, str):
        return [value, np.str_(value)]
    if annotation is bool:
        return [value, np.bool_(value)]
    if isinstance(value, tuple):
        return [value, *_tuples(value), *further(annotation, value)]
    accepted = typing.get_args(annotation)
    if float in accepted:
        return [value, *_numbers(value), *_integers(int(value)), *further(annotation, value)]
    assert int in accepted, f"no forms are known of {annotation}"
    return [value, *_integers(value), LABELS.max() - 2 + value, *further(annotation, value)]


def _numbers(value):
    types = (np.float16, np.float32, np.float64, np.longdouble)
    arrays = [np.asarray(value, dtype) for dtype in ("f4", "f8", ">f4", ">f8", np.longdouble)]
    return [*(kind(value) for kind in types), *arrays, jnp.float32(value), jnp.asarray(value)]


def _integers(value):
    types = (np.uint8, np.int32, np.int64, np.uint64)
    arrays = [np.asarray(value, dtype) for dtype in ("i2", "i8", ">i4", ">i8", "u4")]
    return [value, *(kind(value) for kind in types), *arrays, jnp.int8(value), jnp.asarray(value)]


def _tuples(value):
    plain = tuple(value)
    arrays = [np.asarray(plain, dtype) for dtype in ("f4", ">f8", np.longdouble)]
    rows = [list(map(kind, plain)) for kind in (float, np.float32, np.asarray, jnp.asarray)]
    named = [LossWeights(*row) for row in rows] if isinstance(value, LossWeights) else []
    return [plain, *rows, *map(tuple, rows), *named, *arrays, jnp.asarray(plain), pd.Series(plain)]


def no_values(value):
    """What an option with this value refuses by its name."""
    if isinstance(value, Local | Perplexity):
        return [type(value)(number) for number in no_values(2.0)]
    if isinstance(value, str | bool):
        return [object(), 2.5, pd.NA, b"uniform"]
    return [
        np.ma.masked, np.ma.array(2.0, mask=True), pd.NA, "2", np.array("2"), b"2", 2j,
        np.complex64(2), np.array([2, 2]), [2.0, 2.0], object(), np.datetime64("2020"),
        np.array([object()] * 3),
    ]  # fmt: skip
