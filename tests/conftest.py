import os
from importlib.metadata import version
from pathlib import Path

import jax
import jaxtyping
import pytest
from hypothesis import settings

# Shapes and dtypes in the library's annotations are checked while the tests run.
jaxtyping.install_import_hook("diffbio", "beartype.beartype")

jax.config.update("jax_enable_x64", True)

# How and for which folder the programs were compiled that are kept.
_COMPILED = pytest.StashKey[tuple[bool, Path]]()

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Most of a test's time is compilation: make it short, and keep its results.

    The results lie beside pytest's own cache.
    """
    if not config.getoption("benchmark_enable"):
        _without_fusion_emitters()
    settings = {
        "jax_compilation_cache_dir": str(config.cache.mkdir("jax")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)


def _without_fusion_emitters() -> None:
    """Let XLA make CPU kernels in the older of the two ways that jaxlib 0.10 has.

    It takes half of the time, or a seventh where nothing is optimised. The kernels are as fast, but
    not those of users. The gate compares users' programs with the reference, and what is timed
    keeps them too.
    """
    if version("jaxlib").startswith("0.10."):
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_use_fusion_emitters=false".strip()


@pytest.fixture
def only_our_checks():
    """Without the checks of annotations, which would raise before the library does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def compiled_quickly():
    """Programs that are compiled in a quarter of the time, for tests of what goes into them.

    Their machine code is not the users', and ten times slower. Tests of memory, time and the last
    digits of float32 keep that of the users.
    """


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Optimise what the next test compiles, or not; no program of the other kind is kept.

    Nor is one of another folder, since all of them need gigabytes.
    """
    quickly = "compiled_quickly" in item.fixturenames
    if item.config.stash.get(_COMPILED, None) != (quickly, item.path.parent):
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", quickly)
        item.config.stash[_COMPILED] = (quickly, item.path.parent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of one loss, or the quick ones of a file, go to one process.

    There they share what is compiled. The test that takes longest starts first: no process waits
    for it at the end. The tests that compile quickly come before the others.
    """
    items.sort(
        key=lambda item: (
            item.name != "test_over_eight_devices",
            "compiled_quickly" not in item.fixturenames,
        )
    )
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")
        if case is not None:
            item.add_marker(pytest.mark.xdist_group(case.name))
        elif not any(map(item.get_closest_marker, ("xdist_group", "slow"))):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
