"""The terms of the combined loss from PyTorch are functions of either kind, or modules."""

from functools import partial

import pytest

torch = pytest.importorskip("torch")

import diffbio.torch  # noqa: E402
from diffbio import functional, losses  # noqa: E402
from diffbio.functional import Perplexity  # noqa: E402
from diffbio.torch import _programs  # noqa: E402

pytestmark = pytest.mark.usefixtures("compiled_quickly")

X = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.arange(30) % 3
A = torch.softmax(X[:, :3], 1)
OPTIONS = {"n_neighbors": 5, "temperature": Perplexity(2.0)}
MIXING = {
    "ours": partial(diffbio.torch.batch_mixing_loss, **OPTIONS),
    "functional": partial(functional.batch_mixing_loss, **OPTIONS),
    "module": losses.BatchMixingLoss(**OPTIONS),
}


def parts_of(mixing):
    x = X.clone().requires_grad_()
    return x, diffbio.torch.combined_loss(x, LABELS, A, mixing=mixing)


@pytest.mark.parametrize("kind", MIXING)
def test_a_term_has_the_value_and_the_gradient_that_it_has_alone(kind):
    x, parts = parts_of(MIXING[kind])
    alone = X.clone().requires_grad_()
    expected = diffbio.torch.batch_mixing_loss(alone, LABELS, **OPTIONS)
    (found,) = torch.autograd.grad(parts.batch, x)
    torch.testing.assert_close(parts.batch, expected)
    torch.testing.assert_close(found, torch.autograd.grad(expected, alone)[0])


def test_a_new_partial_function_in_every_step_is_no_new_program():
    def step(perplexity):
        options = {**OPTIONS, "temperature": Perplexity(perplexity)}
        parts_of(partial(diffbio.torch.batch_mixing_loss, **options))[1].total.backward()

    step(2.0)
    before = _programs.evaluate._cache_size()
    step(2.5)
    assert _programs.evaluate._cache_size() == before


def test_a_number_of_a_term_may_be_learned():
    perplexity = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    mixing = partial(diffbio.torch.batch_mixing_loss, temperature=Perplexity(perplexity))
    diffbio.torch.combined_loss(X, LABELS, A, mixing=mixing).batch.backward()
    assert torch.isfinite(perplexity.grad)
    assert perplexity.grad != 0
