"""From PyTorch every option is accepted in every form, with gradients and without."""

import typing

import pytest

torch = pytest.importorskip("torch")

import diffbio.torch  # noqa: E402
from diffbio.functional import LossWeights  # noqa: E402
from tests.options import (  # noqa: E402
    FUNCTIONS,
    LABELS,
    ONE_OF_EACH_KIND,
    call_of,
    every_option,
    forms,
    no_values,
    options_of,
    values_of,
)

pytestmark = pytest.mark.usefixtures("compiled_quickly")


def tensors(annotation, value):
    """The value in the forms that only PyTorch has."""
    if isinstance(value, tuple):
        rows = [torch.tensor(value), torch.tensor(value, dtype=torch.float64).requires_grad_()]
        singles = list(map(torch.tensor, value))
        named = [LossWeights(*singles)] if isinstance(value, LossWeights) else []
        return [*rows, singles, tuple(singles), *named]
    integers = [torch.tensor(int(value)), torch.tensor(int(value), dtype=torch.uint8)]
    if float in typing.get_args(annotation):
        return [*integers, torch.tensor(value), torch.tensor(value, requires_grad=True)]
    return [*integers, torch.as_tensor(LABELS).max() - 2 + int(value)]


def total(result):
    return sum(term.sum() for term in result) if isinstance(result, tuple) else result.sum()


def given(name):
    arrays, few = call_of(FUNCTIONS[name])
    held = {key: torch.as_tensor(array).clone() for key, array in arrays.items()}
    x = next(iter(held.values())).requires_grad_()
    return getattr(diffbio.torch, name), x, held, few


@pytest.mark.usefixtures("only_our_checks")
@every_option(FUNCTIONS, quick=ONE_OF_EACH_KIND | {"batch_mixing_loss": ("n_neighbors", "index")})
def test_every_form_of_an_option_means_the_same_with_and_without_gradients(name, option):
    annotation = options_of(getattr(diffbio.torch, name))[option]
    loss, x, held, few = given(name)
    for value, needed in values_of(FUNCTIONS[name], option):
        expected = None
        for form in forms(annotation, value, tensors):
            options = few | needed | {option: form}
            with torch.no_grad():
                unrecorded = total(loss(**held, **options)).item()
            recorded = total(loss(**held, **options))
            (slope,) = torch.autograd.grad(recorded, x)
            expected = expected or (unrecorded, slope)
            assert unrecorded == pytest.approx(expected[0], rel=1e-6), (form, type(form))
            assert recorded.item() == pytest.approx(expected[0], rel=1e-6), (form, type(form))
            torch.testing.assert_close(slope, expected[1], rtol=1e-5, atol=1e-8)


def test_a_float_in_any_form_may_change_without_a_new_program_and_an_integer_is_part_of_it():
    loss, _, held, few = given("batch_mixing_loss")
    for kind in (float, torch.tensor):
        first = loss(**held, **few, temperature=kind(3.0))
        again = loss(**held, **few, temperature=kind(0.3))
        assert first.item() != again.item()
    assert loss(**held, n_neighbors=torch.tensor(5)).item() != first.item()


@pytest.mark.usefixtures("only_our_checks")
@every_option(FUNCTIONS)
def test_what_is_no_option_is_refused_by_name_with_and_without_gradients(name, option):
    loss, _, held, few = given(name)
    for value, needed in values_of(FUNCTIONS[name], option):
        wrong = no_values(value)
        if not isinstance(value, str | bool):
            wrong += [torch.ones(2), torch.tensor(2j), torch.ones(2).to_sparse()]
        for form in wrong:
            for enabled in (False, True):
                with (
                    pytest.raises((TypeError, ValueError), match=rf"^{option}\b"),
                    torch.set_grad_enabled(enabled),
                ):
                    loss(**held, **few | needed | {option: form})
