"""Tensors of every layout are read as they are; what is no tensor is named."""

import doctest
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import diffbio.torch  # noqa: E402
from diffbio.functional import Perplexity  # noqa: E402
from diffbio.torch import _programs  # noqa: E402

pytestmark = pytest.mark.usefixtures("compiled_quickly")

LABELS = torch.arange(30) % 3
X = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))


def mixing(x=X, labels=LABELS, **options):
    return diffbio.torch.batch_mixing_loss(x, labels, **options)


def test_the_example_of_the_folder_runs():
    result = doctest.testmod(diffbio.torch)
    assert result.attempted
    assert not result.failed


LAYOUTS = {
    "transposed": X.T.contiguous().T,
    "every other": torch.stack([X, X], 1).flatten(0, 1)[::2],
    "columns": torch.cat([X, X], 1)[:, :4],
    "not aligned": torch.cat([X[:1], X])[1:],
    "negated": torch._neg_view(-X),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_and_gradients_do_not_depend_on_the_layout(layout):
    x = LAYOUTS[layout].detach().requires_grad_()
    plain = X.clone().requires_grad_()
    loss, expected = mixing(x), mixing(plain)
    loss.backward()
    expected.backward()
    assert torch.equal(loss, expected)
    assert torch.equal(x.grad, plain.grad)


def test_one_row_expanded_to_all_is_read_as_all():
    row = torch.softmax(torch.randn(1, 5), 1)
    expected = diffbio.torch.shannon_diversity(row.repeat(9, 1))
    assert torch.equal(diffbio.torch.shannon_diversity(row.expand(9, 5)), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_labels_may_be_integers_of_any_width(dtype):
    assert torch.equal(mixing(labels=LABELS.to(dtype)), mixing())


def test_masking_equals_removing_the_cells():
    where = torch.arange(30) % 4 != 1
    torch.testing.assert_close(mixing(where=where), mixing(X[where], LABELS[where]))


def test_neighbors_may_be_given():
    lists = torch.cdist(X, X).fill_diagonal_(torch.inf).topk(15, largest=False).indices
    torch.testing.assert_close(mixing(neighbor_indices=lists), mixing())


def test_proportions_may_be_a_tensor_or_a_list():
    shares = [0.5, 0.25, 0.25]
    x = X.clone().requires_grad_()
    torch.testing.assert_close(
        mixing(x, proportions=torch.tensor(shares)).detach(), mixing(proportions=shares)
    )


BAD = {
    "embeddings from NumPy": (TypeError, r"embeddings must be a torch.Tensor, got numpy.ndarray"),
    "labels in a list": (TypeError, r"batch_labels must be a torch.Tensor, got builtins.list"),
    "sparse": (TypeError, r"embeddings must be a dense tensor, got one of layout torch.sparse_coo"),
    "elsewhere": (ValueError, r"all tensors must lie on one device, got cpu and meta"),
    "all elsewhere": (ValueError, r"the tensors lie on meta, where JAX has no device"),
    "mask of numbers": (TypeError, r"where must have dtype bool, got int64"),
    "label": (ValueError, r"batch_labels must lie in \[0, 3\)"),
    "integers": (TypeError, r"embeddings must have a real floating dtype, got int64"),
    "temperature": (ValueError, r"temperature must be a finite number above 0, got -1"),
    "a set": (TypeError, r"temperature must be hashable, .* got \{1\}"),
    "temperature tensor": (ValueError, r"temperature must be a finite number above 0, got -1"),
}
X_META = X.to("meta")
CALLS = {
    "embeddings from NumPy": lambda x: mixing(x.detach().numpy()),
    "labels in a list": lambda x: mixing(x, LABELS.tolist()),
    "sparse": lambda x: mixing(x.detach().to_sparse()),
    "elsewhere": lambda x: mixing(X_META),
    "all elsewhere": lambda x: mixing(X_META, LABELS.to("meta")),
    "mask of numbers": lambda x: mixing(x, where=LABELS),
    "label": lambda x: mixing(x, LABELS + 2**32),
    "integers": lambda x: mixing(x.detach().long()),
    "temperature": lambda x: mixing(x, temperature=-1.0),
    "a set": lambda x: mixing(x, temperature={1}),
    "temperature tensor": lambda x: mixing(
        x, temperature=torch.tensor(-1.0, requires_grad=x.requires_grad)
    ),
}


@pytest.mark.usefixtures("only_our_checks")
@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_argument_is_named(name, requires_grad):
    error, message = BAD[name]
    with pytest.raises(error, match=message):
        CALLS[name](X.clone().requires_grad_(requires_grad))


LISTS = torch.cdist(X, X).fill_diagonal_(torch.inf).topk(5, largest=False).indices
PER_CELL = torch.full((30,), 2.0)
# Calls of one program: the first number is accepted, the second is not.
NUMBERS = {
    "labels": (lambda labels: mixing(labels=labels), LABELS, LABELS + 1, "batch_labels must lie"),
    "masked labels": (
        lambda labels: mixing(labels=labels, where=torch.arange(30) > 0),
        torch.cat([torch.tensor([7]), LABELS[1:]]),
        torch.cat([LABELS[:-1], torch.tensor([7])]),
        "batch_labels must lie",
    ),
    "lists": (lambda lists: mixing(neighbor_indices=lists), LISTS, LISTS + 30, "must be below"),
    "a perplexity": (
        lambda number: mixing(temperature=Perplexity(number)),
        2.0,
        0.5,
        "must lie between 1 and",
    ),
    "a perplexity in lists": (
        lambda number: mixing(temperature=Perplexity(number), neighbor_indices=LISTS[:, [0, 0, 1]]),
        1.5,
        2.5,
        "number of neighbours 2, got 2.5",
    ),
    "perplexities": (
        lambda numbers: mixing(temperature=Perplexity(numbers)),
        PER_CELL,
        PER_CELL - 1.5,
        "at least 1 for every cell",
    ),
    "shares": (
        lambda shares: mixing(proportions=shares),
        torch.tensor([0.5, 0.25, 0.25]),
        torch.tensor([0.5, 0.25, 0.5]),
        "sum to 1",
    ),
    "a share of none": (
        lambda shares: mixing(proportions=shares),
        torch.tensor([0.5, 0.25, 0.25]),
        torch.tensor([0.5, 0.5, 0.0]),
        "got 0 for batch 2",
    ),
    "weights": (
        lambda weights: diffbio.torch.combined_loss(X, LABELS, X.softmax(1), weights=weights),
        torch.tensor([1.0, 1.0, 1.0]),
        torch.tensor([1.0, torch.nan, 1.0]),
        "weights.cluster must be a finite number, got nan",
    ),
    "a number of a term": (
        lambda number: diffbio.torch.combined_loss(
            X,
            LABELS,
            X.softmax(1),
            mixing=partial(diffbio.torch.batch_mixing_loss, temperature=number),
        ),
        1.0,
        -1.0,
        "temperature must be a finite number above 0, got -1.0",
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers_of_every_call_of_a_program_are_checked(name):
    call, accepted, refused, message = NUMBERS[name]
    call(accepted)
    programs = _programs.evaluate._cache_size()
    with pytest.raises(ValueError, match=message):
        call(refused)
    assert _programs.evaluate._cache_size() == programs
    call(accepted)


def test_numpy_s_numbers_are_numbers():
    assert torch.equal(
        mixing(temperature=np.float32(2), n_neighbors=np.int64(9)),
        mixing(temperature=2.0, n_neighbors=9),
    )


def test_a_wrong_call_is_an_error_that_names_the_function():
    for call, message in (
        (lambda: mixing(bandwidth="local"), r"batch_mixing_loss\(\) got an unexpected.*bandwidth"),
        (lambda: diffbio.torch.batch_mixing_loss(X), r"batch_mixing_loss\(\) missing.*labels"),
    ):
        with pytest.raises(TypeError, match=message):
            call()
