"""A step that calls a loss may be compiled by PyTorch, which leaves the loss as it is."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import diffbio.torch  # noqa: E402
from tests.options import FUNCTIONS  # noqa: E402
from tests.torch.calls import differentiated, drawn, each_loss, function_of  # noqa: E402

pytestmark = pytest.mark.usefixtures("compiled_quickly")

needs_compiler = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="inductor needs a C++ compiler"
)
BACKENDS = [
    "eager",
    pytest.param("aot_eager", marks=pytest.mark.slow),
    pytest.param("inductor", marks=[needs_compiler, pytest.mark.slow]),
]


@pytest.fixture(autouse=True)
def nothing_compiled():
    torch._dynamo.reset()


class Model(torch.nn.Module):
    """A model that calls the loss of its outputs, with options that a user may change."""

    def __init__(self, loss, options):
        super().__init__()
        self.loss, self.options = loss, options
        self.scale = torch.nn.Parameter(torch.tensor(1.5, dtype=torch.float64))

    def forward(self, moving, constant):
        scaled = {name: self.scale * tensor for name, tensor in moving.items()}
        return 2 * self.loss(**scaled, **constant, **self.options) + self.scale.square()


def value_and_gradients(step, model, case):
    tensors, _ = drawn(case)
    moving = differentiated(case, tensors)
    constant = {name: t for name, t in tensors.items() if name not in case.differentiable}
    value = step(dict(zip(case.differentiable, moving, strict=True)), constant)
    return value, *torch.autograd.grad(value, [*moving, model.scale])


@pytest.mark.parametrize("backend", BACKENDS)
@each_loss
def test_a_compiled_step_has_the_value_and_the_gradients_of_the_step(case, backend):
    model = Model(function_of(case), drawn(case)[1])
    expected = value_and_gradients(model, model, case)
    for step in (
        torch.compile(model, backend=backend),
        torch.compile(lambda moving, constant: model(moving, constant), backend=backend),
    ):
        found = value_and_gradients(step, model, case)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


@each_loss
def test_a_graph_that_must_be_whole_is_an_error_that_names_the_loss_and_the_way_out(case):
    model = Model(function_of(case), drawn(case)[1])
    name = getattr(function_of(case), "func", diffbio.torch.combined_loss).__name__
    with pytest.raises(Exception, match=rf"diffbio.torch.{name} runs .*without fullgraph=True"):
        value_and_gradients(torch.compile(model, backend="eager", fullgraph=True), model, case)


def test_every_loss_has_its_name_in_the_error():
    from diffbio.torch._uncompiled import UNCOMPILED

    assert set(UNCOMPILED) == set(FUNCTIONS)


X, LABELS = torch.randn(30, 4, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 3


def test_a_loss_is_right_beyond_the_number_of_variants_that_are_compiled():
    def step(x, temperature):
        return diffbio.torch.batch_mixing_loss(x * 2, LABELS, temperature=temperature)

    compiled = torch.compile(step, backend="eager")
    for temperature in range(1, 3 + torch._dynamo.config.recompile_limit):
        assert torch.equal(compiled(X, 0.5 * temperature), step(X, 0.5 * temperature))


def test_a_loss_may_be_compiled_alone_without_gradients_and_in_place_of_a_step():
    compiled = torch.compile(diffbio.torch.batch_mixing_loss, backend="eager")
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            x = X.clone().requires_grad_()
            found, expected = compiled(x, LABELS), diffbio.torch.batch_mixing_loss(x, LABELS)
        assert torch.equal(found, expected)
        assert found.requires_grad == grad


@pytest.mark.usefixtures("only_our_checks")
def test_a_bad_argument_is_named_in_a_compiled_step_too():
    step = torch.compile(
        lambda x, temperature: diffbio.torch.batch_mixing_loss(x, LABELS, temperature=temperature),
        backend="eager",
    )
    with pytest.raises(ValueError, match="temperature must be a finite number above 0"):
        step(X, -1.0)
    assert torch.isfinite(step(X, 1.0))


def test_the_compiler_is_not_imported_without_its_use():
    code = (
        "import sys, torch, diffbio.torch as d; assert 'torch._dynamo' not in sys.modules; "
        "d.shannon_diversity(torch.full((3, 2), 0.5)); assert 'torch._dynamo' not in sys.modules"
    )
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, timeout=120)
    assert not found.returncode, found.stderr.decode()
