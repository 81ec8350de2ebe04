"""Verdicts on wall-clock samples: steps are found, noise is not, direction follows the unit."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from reports.judge.samples import fewest_samples, judge_samples, usual_change
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


def test_a_peak_that_comes_of_nothing_is_infinitely_higher():
    assert judge_samples([0.0], [1.0]).ratio == np.inf
    assert judge_samples([0.0], [0.0]).ratio == 1


def test_the_fewest_samples_are_those_that_can_alarm():
    assert [fewest_samples(p) for p in (0.0022, 0.002, 0.0005, 1e-6)] == [6, 7, 8, 12]
    for n in (6, 7):
        verdict = judge_samples([1 + 1e-3 * at for at in range(n)], [2.0] * n).verdict
        assert verdict == ("regressed" if n == 7 else "insufficient history")


@pytest.mark.parametrize("n", [7, 8, 12])
def test_what_is_not_excluded_is_the_end_of_the_interval_that_belongs_to_the_test(n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        before, after = np.exp(0.3 * rng.standard_normal((2, n)))
        after *= 1.5
        slowdown = 1 + judge_samples(before, after).undetected
        for factor, excluded in ((1.0001, True), (0.9999, False)):
            slowed = before * slowdown * factor
            test = mannwhitneyu(slowed, after, alternative="greater", method="exact")
            assert (test.pvalue < 0.002 / 2) == excluded


def test_seconds_and_cells_per_second_get_the_same_verdict():
    """Also where the effect is 5 % of the one and less of the other."""
    for seed in range(20):
        medians, before, after = history(seed, noise=0.01)
        for step in (1.0, 0.951, 1.051, 1.2):
            seconds = judge_samples(before, step * after, medians)
            speeds = judge_samples(1 / before, 1 / (step * after), 1 / medians, better="higher")
            assert speeds.verdict == seconds.verdict
            assert speeds.ratio == pytest.approx(1 / seconds.ratio, rel=1e-12)
            assert speeds.p == seconds.p
            assert speeds.threshold == pytest.approx(seconds.threshold)
            assert speeds.undetected == pytest.approx(seconds.undetected)


def test_a_noisy_history_raises_the_threshold():
    quiet, noisy = (history(0, noise)[0] for noise in (0.01, 0.3))
    assert usual_change(quiet) < 0.05 < usual_change(noisy)
    assert usual_change([]) == usual_change([1.0, 2.0]) == 0
    # steps of 0, 0, log 2, 0: quartiles 0 and log 2 / 4, and 0.25 + 3 * 0.25 = 1
    assert usual_change([1, 1, 1, 2, 2]) == pytest.approx(1)
    assert usual_change([1, 1, 1, 0.5, 0.5]) == pytest.approx(1)


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
