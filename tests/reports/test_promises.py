"""What a published figure promises depends on what is the same when it is measured again."""

import pytest

from reports.judge.promises import Conditions, promise_of_data, promise_of_figure
from reports.judge.relation import machines
from reports.sources.sweep import read_sweep
from tests.reports.reproducing import DIGESTS, OTHER_CODE, OTHER_MACHINE, figures, judged
from tests.reports.written import ENVIRONMENT, sweep
from tests.scratch import commit, git

SAME = Conditions(*[True] * len(Conditions._fields))
BITS, TOLERANCE, COUNTER, NONE = (
    "identical bits", "within tolerance", "equal counter", "not promised",
)  # fmt: skip


# What is left of the promises where one condition is not met.
PROMISES = {
    None: (BITS, BITS, COUNTER, COUNTER),
    "cells": (NONE, NONE, COUNTER, COUNTER),
    "code": (TOLERANCE, NONE, NONE, NONE),
    "versions": (TOLERANCE, NONE, NONE, NONE),
    "instruction_set": (TOLERANCE, NONE, COUNTER, COUNTER),
    # One core and two give gradients of compactness with other bits.
    "cores": (TOLERANCE, NONE, COUNTER, NONE),
    "numpy": (BITS, BITS, COUNTER, COUNTER),
}


@pytest.mark.parametrize("lacking", PROMISES)
def test_a_promise_is_as_strong_as_its_conditions(lacking):
    same = SAME._replace(**({lacking: False} if lacking else {}))
    metrics = ("value", "result_digest", "flops", "hlo_fingerprint")
    assert tuple(promise_of_figure(name, same).promise for name in metrics) == PROMISES[lacking]
    for name in ("value_error", "gradient_error", "finite_difference_error"):
        assert promise_of_figure(name, same).promise == TOLERANCE
    for name in ("call_seconds", "compile_seconds", "lower_bound_ratio", "peak_memory_bytes"):
        assert promise_of_figure(name, same).promise == NONE


@pytest.mark.parametrize("lacking", [None, *Conditions._fields])
def test_digests_of_data_are_promised_where_the_same_kernels_simulate_them(lacking):
    same = SAME._replace(**({lacking: False} if lacking else {}))
    expected = BITS if lacking in (None, "cells", "versions") else NONE
    assert promise_of_data(same).promise == expected


@pytest.mark.parametrize(
    ("changes", "conditions"),
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
        (OTHER_CODE, {"code"}),
        ({"commit": None}, {"code"}),
        ({"changes": "abc"}, {"code"}),
        ({"digests": {**DIGESTS, "real 700": "00"}}, {"cells"}),
    ],
)
def test_what_is_the_same_is_read_off_the_environments(tmp_path, changes, conditions):
    same = judged(tmp_path, figures(), **changes).same
    assert {name for name, met in same._asdict().items() if not met} == conditions


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({}, {}, "the same kind of machine"),
        ({}, {"cores": 8}, "another machine of the same instruction set"),
        ({}, {"cpu": "Another"}, "another machine of the same instruction set"),
        ({}, OTHER_MACHINE, "another instruction set"),
        # Without known extensions only the processor's name tells.
        ({"vector_extensions": []}, {"vector_extensions": []}, "the same kind of machine"),
        (
            {"vector_extensions": []},
            {"vector_extensions": [], "cpu": "Another"},
            "another instruction set",
        ),
    ],
)
def test_machines_are_the_same_or_share_instructions_or_are_others(tmp_path, then, now, expected):
    paths = [
        sweep(tmp_path / f"{name}.json", figures(), **environment)
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
    found = judged(tmp_path, figures(), published=published, **environment)
    assert found.same.code == same
