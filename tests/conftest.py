import jax
import jaxtyping
import pytest
from hypothesis import settings

# Shapes and dtypes in the library's annotations are checked while the tests run.
jaxtyping.install_import_hook("diffbio", "beartype.beartype")

jax.config.update("jax_enable_x64", True)

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled programs beside pytest's own cache: most of a test's time is compilation."""
    settings = {
        "jax_compilation_cache_dir": str(config.cache.mkdir("jax")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)


@pytest.fixture
def only_our_checks():
    """Without the checks of annotations, which would raise before the library does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def compiled_quickly():
    """Programs that are compiled in half of the time, for tests of what goes into them.

    Their machine code is not the users'. Tests of numbers, memory and time keep that, and share no
    program with the tests that ask for this.
    """
    jax.clear_caches()
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of one loss go to one process, where they share what is compiled.

    The test that takes longest starts first: no process waits for it at the end.
    """
    items.sort(key=lambda item: item.name != "test_over_eight_devices")
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")
        if case is not None:
            item.add_marker(pytest.mark.xdist_group(case.name))
