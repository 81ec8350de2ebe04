"""What is expected of a measurement depends on what is the same when it is repeated."""

import pytest

from reports.reproduction.differences import machines
from reports.reproduction.expectations import (
    Differences,
    expectation_of_data,
    expectation_of_measurement,
)
from reports.sources.sweep_file import read_sweep
from tests.reports.reproduction.reproducing import (
    DIGESTS,
    OTHER_CODE,
    OTHER_MACHINE,
    judged,
    measurements,
)
from tests.reports.written import ENVIRONMENT, sweep
from tests.scratch import commit, git

SAME = Differences()
BITS, TOLERANCE, COUNTER, NONE = (
    "identical bits", "within tolerance", "equal counter", "not expected",
)  # fmt: skip


# What is still expected where one condition is not met.
EXPECTATIONS = {
    None: (BITS, BITS, COUNTER, COUNTER),
    "settings": (NONE, NONE, NONE, NONE),
    "cells": (NONE, NONE, COUNTER, COUNTER),
    "code": (TOLERANCE, NONE, NONE, NONE),
    "versions": (TOLERANCE, NONE, NONE, NONE),
    "instruction_set": (TOLERANCE, NONE, COUNTER, COUNTER),
    # One core and two give gradients of compactness with other bits.
    "cores": (TOLERANCE, NONE, COUNTER, NONE),
    "numpy": (BITS, BITS, COUNTER, COUNTER),
}


def differing_in(name):
    return SAME._replace(**({name: f"other {name}"} if name else {}))


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_as_much_is_expected_as_is_the_same(name):
    found = differing_in(name)
    metrics = ("value", "result_digest", "flops", "hlo_fingerprint")
    expected = [expectation_of_measurement(metric, found) for metric in metrics]
    assert tuple(one.expectation for one in expected) == EXPECTATIONS[name]
    assert {one.reason for one in expected if one.expectation == NONE} <= {f"other {name}"}
    for metric in ("value_error", "gradient_error", "finite_difference_error"):
        expected = NONE if name == "settings" else TOLERANCE
        assert expectation_of_measurement(metric, found).expectation == expected
    for metric in ("call_seconds", "compile_seconds", "lower_bound_ratio", "peak_memory_bytes"):
        assert expectation_of_measurement(metric, found).expectation == NONE


@pytest.mark.parametrize("name", [None, *Differences._fields])
def test_digests_of_data_are_expected_to_agree_where_the_same_kernels_simulate_them(name):
    expected = BITS if name in (None, "settings", "cells", "versions") else NONE
    assert expectation_of_data(differing_in(name)).expectation == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"cpu": "Another"}, set()),
        ({"cores": 8}, {"cores"}),
        (OTHER_MACHINE, {"instruction_set"}),
        ({"architecture": "aarch64"}, {"instruction_set"}),
        ({"devices": ["gpu: H100", "cpu: cpu"]}, {"instruction_set", "versions"}),
        ({"packages": {"jax": "0.11.0", "jaxlib": "0.10.2"}}, {"versions"}),
        ({"packages": {"jax": "0.10.2", "jaxlib": "0.11.0"}}, {"versions"}),
        ({"packages": {**ENVIRONMENT["packages"], "numpy": "2"}}, {"numpy"}),
        ({"xla_flags": "--xla_x"}, {"versions"}),
        ({"jax_enable_x64": True}, {"settings"}),
        ({"jax_default_matmul_precision": "bfloat16"}, {"settings"}),
        ({"jax_disable_jit": True}, {"settings"}),
        ({"jax_disable_most_optimizations": True}, {"settings"}),
        (OTHER_CODE, {"code"}),
        ({"commit": None}, {"code"}),
        ({"changes": "abc"}, {"code"}),
        ({"digests": {**DIGESTS, "real 700": "00"}}, {"cells"}),
    ],
)
def test_what_differs_is_read_off_the_environments(tmp_path, changes, expected):
    found = judged(tmp_path, measurements(), **changes).differences
    assert {name for name, phrase in found._asdict().items() if phrase} == expected


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({}, {}, "the same kind of machine"),
        ({}, {"cores": 8}, "another machine of the same instruction set"),
        ({}, {"cpu": "Another"}, "another machine of the same instruction set"),
        (
            {},
            OTHER_MACHINE,
            "another instruction set: vector_extensions with avx512f",
        ),
        (
            {},
            {"architecture": "aarch64", "vector_extensions": []},
            "another instruction set: architecture is 'aarch64', was 'x86_64'; "
            "vector_extensions without avx2",
        ),
        (
            {"devices": ["gpu: A", "gpu: A"]},
            {"devices": ["gpu: A"]},
            "another instruction set: devices is ['gpu: A'], was ['gpu: A', 'gpu: A']",
        ),
        # Without known extensions only the processor's name tells.
        ({"vector_extensions": []}, {"vector_extensions": []}, "the same kind of machine"),
        (
            {"vector_extensions": []},
            {"vector_extensions": [], "cpu": "Another"},
            "another instruction set: cpu is 'Another', was 'A processor'",
        ),
    ],
)
def test_machines_are_the_same_or_share_instructions_or_are_others(tmp_path, then, now, expected):
    paths = [
        sweep(tmp_path / f"{name}.json", measurements(), **environment)
        for name, environment in (("then", then), ("now", now))
    ]
    assert machines(*map(read_sweep, paths)) == expected


@pytest.fixture
def commits(tmp_path, monkeypatch):
    """Three commits: the second changes a page, the third the library."""
    monkeypatch.chdir(tmp_path)

    git(tmp_path, "init", "--quiet")
    found = []
    for name in ("diffbio/a.py", "reports/a.html", "diffbio/b.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
        commit(tmp_path)
        found.append(git(tmp_path, "rev-parse", "HEAD"))
    return found


@pytest.mark.parametrize(
    ("at", "changes", "same"), [(1, None, True), (2, None, False), (1, "abc", False)]
)
def test_commits_that_measure_alike_are_the_same_code(tmp_path, commits, at, changes, same):
    environment = {"commit": commits[at], "changes": changes}
    published = {"commit": commits[0], "changes": changes}
    found = judged(tmp_path, measurements(), published=published, **environment)
    assert (found.differences.code == "") == same
