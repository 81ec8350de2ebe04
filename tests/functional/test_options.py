"""Every option of every loss, in every form that is accepted, is the option in its plain form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh

from diffbio import losses
from diffbio.functional import Local, Perplexity
from diffbio.sharding import sharded
from tests.options import (
    FUNCTIONS,
    MODULES,
    ONE_OF_EACH_KIND,
    call_of,
    every_option,
    forms,
    no_values,
    options_of,
    takes_shards,
    values_of,
)
from tests.tiers import tiered

pytestmark = pytest.mark.usefixtures("compiled_quickly")

MESH = Mesh(np.array(jax.devices()[:1]), ("cells",))


def loss_of(name, options):
    """The loss with its options, and the arrays that it is called with."""
    if name in FUNCTIONS:
        arrays, few = call_of(FUNCTIONS[name])
        return FUNCTIONS[name], arrays, few | options
    arrays, _ = call_of(MODULES[name].__call__)
    few = {"n_neighbors": 4} if "n_neighbors" in options_of(MODULES[name]) else {}
    return MODULES[name](**(few | options)), arrays, {}


def total(result):
    return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(result))


@pytest.mark.usefixtures("only_our_checks")
@every_option(FUNCTIONS | MODULES, quick=ONE_OF_EACH_KIND)
def test_every_form_of_an_option_means_the_same(name, option):
    annotation = options_of((FUNCTIONS | MODULES)[name])[option]
    for value, needed in values_of((FUNCTIONS | MODULES)[name], option):
        expected = None
        for form in forms(annotation, value):
            loss, arrays, options = loss_of(name, needed | {option: form})
            (first, x), *others = arrays.items()

            def called(x, loss=loss, first=first, others=others, options=options):
                return total(loss(**{first: x}, **dict(others), **options))

            found = float(called(x))
            expected = found if expected is None else expected
            assert found == pytest.approx(expected, rel=1e-6), (form, type(form))
            # Inside of transformations, of which none is compiled.
            jax.eval_shape(jax.grad(called), x)
            jax.jit(jax.grad(called)).trace(x)
            if takes_shards(loss):
                over_all = sharded(loss, MESH)
                jax.eval_shape(lambda x, f=over_all, c=called: c(x, loss=f), jnp.asarray(x))


@pytest.mark.usefixtures("only_our_checks")
@pytest.mark.parametrize(
    "name", tiered(MODULES, quick=["BatchMixingLoss", "ClusteringCompactnessLoss"])
)
def test_a_module_of_any_form_may_be_an_argument_of_a_program(name):
    for option, annotation in options_of(MODULES[name]).items():
        value, needed = values_of(MODULES[name], option)[0]
        for form in forms(annotation, value):
            loss, arrays, _ = loss_of(name, needed | {option: form})
            nnx.jit(lambda loss, arrays: total(loss(**arrays))).eval_shape(loss, arrays)
            nnx.split(loss)
            assert isinstance(loss, getattr(losses, name))


def refused(name, option, needed, given, over_all):
    """Calls a loss with what is no value of the option."""
    loss, arrays, options = loss_of(name, needed | {option: given})
    (sharded(loss, MESH) if over_all and takes_shards(loss) else loss)(**arrays, **options)


@pytest.mark.usefixtures("only_our_checks")
@pytest.mark.parametrize("over_all", [False, True], ids=["", "sharded"])
@every_option(FUNCTIONS | MODULES)
def test_what_is_no_option_is_refused_by_name(name, option, over_all):
    for value, needed in values_of((FUNCTIONS | MODULES)[name], option):
        for given in no_values(value):
            with pytest.raises((TypeError, ValueError), match=rf"^{option}\b"):
                refused(name, option, needed, given, over_all)


@pytest.mark.usefixtures("only_our_checks")
@pytest.mark.parametrize("over_all", [False, True], ids=["", "sharded"])
@every_option(FUNCTIONS | MODULES)
def test_a_number_in_a_tensor_is_refused_and_told_where_it_belongs(name, option, over_all):
    torch = pytest.importorskip("torch")
    for value, needed in values_of((FUNCTIONS | MODULES)[name], option):
        if not isinstance(value, str | bool):
            for given in in_tensors(value, torch):
                with pytest.raises(TypeError, match=rf"^{option}\b.*torch.Tensor.*diffbio.torch"):
                    refused(name, option, needed, given, over_all)


def in_tensors(value, torch):
    """The value as a tensor, and as a list of tensors."""
    if isinstance(value, Local | Perplexity):
        return [type(value)(torch.tensor(2.0))]
    return [torch.tensor(value), [*map(torch.tensor, np.atleast_1d(value).tolist())]]
