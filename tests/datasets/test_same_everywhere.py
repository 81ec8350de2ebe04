"""Simulations are the same bits whatever the BLAS, the vector extensions and the threads."""

import functools
import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from benchmarks.catalog.cases import SIMULATIONS
from diffbio.datasets import _normalize, simulate_velocity
from diffbio.datasets._cells import soft_assignments
from diffbio.datasets._grid import snap
from diffbio.datasets._normalize import principal_components

# Whoever changes these lines changes the data, and every published result on them.
_PINNED = {
    "clusters 64": "b8cea6d12f201eda781295b978a8e77c71abae6bb6a7a8f630c122ddb6ad9152",
    "clusters 256": "b0f49910fe2f67f3520f62a3ea2ad914984bc71cee534375b65a0f02c489f5ad",
    "kinetics 64": "bb1d7afbd79c89ce363a920a563adff476404f22485546402b01b818280a58c6",
    "kinetics 256": "0a283e4dde2ca9698303fa583a8ca33942effb106166db6560efbf6d8e8ac781",
    "kinetics_50 64": "9f025f02715665e32b348096aa7bc0f84b8ae34a6ef59ad06dad41611bd8f7c4",
    "kinetics_50 256": "8e0707610572ed61f1957552eea578c84b6ec3db755f9acea5a7aae1fbf52b1e",
}

_EXTENSIONS = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
_AVX512 = [name for name in _EXTENSIONS if "512" in name or name == "X86_V4"]
_OLD_LIBM = "glibc.cpu.hwcaps=-AVX2,-FMA"  # exp and log of the C library, without fused products

# Kernels of OpenBLAS, and an extension that each needs in the two ways that NumPy spells it.
_KERNELS = {"Prescott": set(), "Haswell": {"AVX2", "X86_V3"}, "SkylakeX": {"AVX512_SKX", "X86_V4"}}
_RUNNABLE = [k for k, needs in _KERNELS.items() if not needs or needs & set(_EXTENSIONS)]


def _setting(
    kernel: str, threads: int = 1, without: list[str] | None = None, libm: str = ""
) -> dict[str, str]:
    return {
        "OPENBLAS_CORETYPE": kernel,
        "OPENBLAS_NUM_THREADS": str(threads),
        "OPENBLAS_THREAD_TIMEOUT": "4",  # a thread that waits does not keep a core busy
        "NPY_DISABLE_CPU_FEATURES": " ".join(without or []),
        "GLIBC_TUNABLES": libm,
    }


_SETTINGS = {
    **{f"{k}, {n} threads": _setting(k, n) for k in _RUNNABLE for n in (1, 2)},
    "no AVX512": _setting(_RUNNABLE[-1], without=_AVX512),
    "no extensions": _setting(_RUNNABLE[-1], without=_EXTENSIONS),
    "oldest": _setting("Prescott", without=_EXTENSIONS, libm=_OLD_LIBM),
}
_QUICK = [f"{_RUNNABLE[-1]}, 1 threads", f"{_RUNNABLE[len(_RUNNABLE) // 2]}, 2 threads", "oldest"]

_CHILD = """
import json, sys
import diffbio.datasets
digests = {}
for name, simulate, options, n_cells in json.loads(sys.argv[1]):
    cells = getattr(diffbio.datasets, simulate)(n_cells, **options)
    digests[f"{name} {n_cells}"] = cells.digest
print(json.dumps(digests))
"""


def _skip_where_numpy_crashes(setting: dict[str, str]) -> None:
    """OpenBLAS 0.3.34 breaks its stack in Haswell's kernels on a Zen 4 (its issue 6026)."""
    product = "import numpy as np; np.ones((512, 2000)) @ np.ones((2000, 512))"
    if subprocess.run([sys.executable, "-c", product], env=os.environ | setting).returncode:
        pytest.skip(f"a product of two matrices crashes in NumPy {np.__version__} with {setting}")


def _digests(setting: dict[str, str], *sizes: int) -> dict[str, str]:
    """Digests of all simulations, in a process with that setting."""
    _skip_where_numpy_crashes(setting)
    partials = {name: functools.partial(simulation) for name, simulation in SIMULATIONS.items()}
    calls = [(k, p.func.__name__, p.keywords, n) for k, p in partials.items() for n in sizes]
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps(calls)],
        env=os.environ | setting,
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(child.stdout)


@pytest.fixture(autouse=True)
def _one_thread():
    """Threads that wait for each other make small products slow on a busy machine."""
    with threadpool_limits(1):
        yield


on_x86 = pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="the settings are those of x86-64"
)


@on_x86
@pytest.mark.parametrize("setting", _QUICK)
def test_digests_are_those_of_every_other_machine(setting):
    assert _digests(_SETTINGS[setting], 64, 256) == _PINNED


@on_x86
@pytest.mark.slow
def test_cells_are_the_same_under_every_setting():
    digests = {name: _digests(setting, 300, 1024) for name, setting in _SETTINGS.items()}
    assert digests == dict.fromkeys(digests, next(iter(digests.values())))


def test_errors_far_above_rounding_change_no_bit(monkeypatch):
    """What differs between processors gets errors of 1e-12, thousands of times its own."""
    sizes = {"clusters": 256, "kinetics_50": 4096}
    before = _digests_here(sizes)
    rng = np.random.default_rng(0)

    def with_errors(array):
        return array * (1 + 1e-12 * rng.uniform(-1, 1, np.shape(array)))

    for name in ("exp", "expm1", "log1p"):
        exact = getattr(np, name)
        monkeypatch.setattr(np, name, lambda values, exact=exact: with_errors(exact(values)))
    for name in ("qr", "eigh"):
        exact = getattr(np.linalg, name)
        monkeypatch.setattr(
            np.linalg, name, lambda a, exact=exact: tuple(with_errors(p) for p in exact(a))
        )
    assert _digests_here(sizes) == before


def _digests_here(sizes: dict[str, int]) -> list[str]:
    return [SIMULATIONS[name](n_cells).digest for name, n_cells in sizes.items()]


def test_errors_of_the_axes_change_no_score_of_many_cells(monkeypatch):
    """Without rounded loadings the errors would grow with the number of cells."""
    values = np.random.default_rng(0).normal(size=(200_000, 4)).astype(np.float32)
    scores = principal_components(values.copy(), 3)
    exact = np.linalg.eigh
    monkeypatch.setattr(
        np.linalg, "eigh", lambda a: (exact(a)[0], exact(a)[1] * (1 + 1e-9 * np.tri(len(a))))
    )
    np.testing.assert_array_equal(principal_components(values, 3), scores)


def test_the_order_of_cells_and_components_changes_no_bit():
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(50_000, 30)) + 3).astype(np.float32)
    scores = principal_components(values.copy(), 20)
    order = rng.permutation(len(values))
    np.testing.assert_array_equal(principal_components(values[order], 20), scores[order])
    points, labels = scores + np.float32(64), rng.integers(20, size=len(scores))
    np.testing.assert_array_equal(
        soft_assignments(points[:, ::-1], labels, 20), soft_assignments(points, labels, 20)
    )


def test_scores_are_exact_sums_before_they_are_rounded(monkeypatch):
    """A product of a value and a loading is a multiple of 2^-42; an inexact sum is not."""
    seen = {}

    def remember(values, bits=16):
        seen[bits] = values
        return snap(values, bits)

    monkeypatch.setattr(_normalize, "snap", remember)
    values = 8 * np.random.default_rng(0).random((500, 300))
    principal_components(values, 20)
    _assert_multiples(seen[13], 42)


def test_arrays_are_multiples_of_powers_of_two():
    cells = simulate_velocity(100, n_genes=40, noise=0.0)
    _assert_multiples(cells.expression, 16)
    _assert_multiples(cells.velocity, 16)
    _assert_multiples(cells.embeddings, 13)
    _assert_multiples(snap(np.array([-1e-9, 0.3]), 4), 4)


def _assert_multiples(array, bits):
    units = array.astype(np.float64) * 2**bits
    np.testing.assert_array_equal(units, np.rint(units))
    assert not np.signbit(array[array == 0]).any()


@pytest.mark.parametrize("n_cells", [1, 2, 40])
def test_a_component_without_variance_is_zero(n_cells):
    values = np.random.default_rng(0).normal(0, 4, size=(n_cells, 300)).astype(np.float32)
    scores = principal_components(values, 50)
    assert scores.shape == (n_cells, n_cells)
    np.testing.assert_array_equal(scores[:, -1], 0)
    assert scores[:, :-1].any(axis=0).all()
