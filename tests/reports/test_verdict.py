"""Verdicts on wall-clock samples: steps are found, noise is not, direction follows the unit."""

import numpy as np
import pandas as pd
import pytest

from reports.judge.samples import judge_samples, usual_change
from reports.judge.verdict import gates, urgent_first, worst

N_SEEDS = 100


def history(seed, noise=0.05):
    """Medians of 30 commits, and the samples of two more, ten each."""
    rng = np.random.default_rng(seed)
    samples = 1e-3 * (1 + noise * rng.standard_normal((32, 10)))
    return np.median(samples[:30], axis=1), samples[30], samples[31]


def verdicts(step, **options):
    for seed in range(N_SEEDS):
        medians, before, after = history(seed)
        yield judge_samples(before, after * step, medians, **options).verdict


def test_a_step_of_a_fifth_is_found_and_pure_noise_is_not():
    assert list(verdicts(1.2)).count("regressed") >= 95
    assert list(verdicts(1 / 1.2)).count("improved") >= 95
    assert sum(v in ("regressed", "improved") for v in verdicts(1.0)) <= 1


def test_a_higher_throughput_is_better():
    assert list(verdicts(1.2, better="higher")).count("improved") >= 95


def test_identical_programs_make_every_difference_noise():
    assert set(verdicts(1.5, same_program=True)) == {"noise"}


def test_a_spike_in_one_sample_is_not_a_step():
    for seed in range(N_SEEDS):
        medians, before, after = history(seed)
        after[0] *= 20
        assert judge_samples(before, after, medians).verdict not in ("regressed", "improved")


def test_a_large_effect_of_few_or_scattered_samples_is_no_verdict():
    assert judge_samples([1.0] * 5, [2.0] * 20).verdict == "insufficient history"
    scattered = judge_samples([1, 1, 1, 4, 4, 4], [1, 1, 4, 4, 4, 4])
    assert scattered.verdict == "noise"
    assert scattered.p > 0.002


def test_a_time_that_comes_of_nothing_is_infinitely_longer():
    assert judge_samples([0.0] * 20, [1.0] * 20).ratio == np.inf
    assert judge_samples([0.0] * 20, [0.0] * 20).verdict == "unchanged"


def test_a_small_effect_is_unchanged_however_certain():
    before = np.linspace(1, 1.001, 40)
    result = judge_samples(before, before * 1.04)
    assert (result.verdict, result.threshold) == ("unchanged", 0.05)
    assert result.p < 1e-9
    assert judge_samples(before, before * 1.06).verdict == "regressed"


def test_a_noisy_history_raises_the_threshold():
    quiet, noisy = (history(0, noise)[0] for noise in (0.01, 0.3))
    assert usual_change(quiet) < 0.05 < usual_change(noisy)
    assert usual_change([]) == usual_change([1.0, 2.0]) == 0
    # |changes| of 0, 0, 1, 0: quartiles 0 and 0.25
    assert usual_change([1, 1, 1, 2, 2]) == pytest.approx(0.25 + 3 * 0.25)


def rows(*found):
    frame = pd.DataFrame(found, columns=["metric", "kind", "verdict", "ratio"])
    return frame.assign(gates=gates(frame))


ROWS = rows(
    ("flops", "counter", "unchanged", 1.01),
    ("temp_bytes", "memory", "regressed", 1.5),
    ("call_seconds", "time", "regressed", 9.0),
    ("hlo_instructions", "counter", "improved", 0.1),
    ("retraces", "counter", "regressed", np.inf),
    ("value_error", "accuracy", "removed", np.nan),
    ("gradient_error", "accuracy", "failing", np.nan),
)


def test_what_failed_or_went_comes_first_then_what_moved_farthest():
    assert list(urgent_first(ROWS)["metric"]) == [
        "gradient_error", "value_error", "retraces", "call_seconds", "temp_bytes",
        "hlo_instructions", "flops",
    ]  # fmt: skip


def test_the_worst_row_is_one_that_fails_the_change_where_there_is_one():
    assert worst(ROWS).metric == "gradient_error"
    assert worst(ROWS[ROWS["verdict"] == "regressed"]).metric == "retraces"
    assert worst(ROWS[ROWS["metric"].isin(["call_seconds", "temp_bytes"])]).metric == "temp_bytes"
    assert worst(ROWS[ROWS["metric"] == "call_seconds"]).metric == "call_seconds"
    assert worst(ROWS[ROWS["verdict"] == "unchanged"]) is None
