"""Every public function and class has an example in its docstring, and it runs."""

import doctest
import inspect
from importlib import import_module
from importlib.util import find_spec

import pytest

import diffbio
from diffbio.datasets import OfflineError
from tests.tiers import slow_unless

pytestmark = pytest.mark.usefixtures("compiled_quickly")

# PyTorch is not among the packages that all tests need.
FOLDERS = [
    name
    for name in diffbio.__all__
    if not name.startswith("__") and (name != "torch" or find_spec("torch"))
]


def documented(folder):
    """The functions and classes that a folder exports, by name; constants belong to a class."""
    module = import_module(f"diffbio.{folder}")
    exported = {name: getattr(module, name) for name in module.__all__}
    return {
        name: value
        for name, value in exported.items()
        if inspect.isfunction(value) or inspect.isclass(value)
    }


NAMES = [(folder, name) for folder in FOLDERS for name in documented(folder)]
# The examples of the other folders train models or load data.
QUICK = ("functional", "losses", "neighbors", "sharding", "torch")


@pytest.mark.parametrize(
    ("folder", "name"),
    [pytest.param(*one, marks=slow_unless(one[0] in QUICK)) for one in NAMES],
)
def test_the_example_runs(folder, name):
    value = documented(folder)[name]
    scope = dict(vars(inspect.getmodule(value)))
    (test,) = doctest.DocTestFinder(recurse=False).find(value, name, globs=scope)
    assert test.examples, "no example"
    try:
        doctest.DebugRunner().run(test)
    except doctest.DocTestFailure as failure:
        pytest.fail(f"{failure.example.source}gave {failure.got}not {failure.example.want}")
    except doctest.UnexpectedException as unexpected:
        error = unexpected.exc_info[1]
        if isinstance(error, OfflineError):
            pytest.skip(str(error))
        raise error from None
