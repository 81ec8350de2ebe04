"""Verdicts on rounds: laws of the effects, exactness of p, and what is called a change."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.schema.rounds import Side, Stage
from reports.commits.effects import effects
from reports.commits.ranks import smallest_p
from reports.commits.time_verdicts import (
    RATE,
    TEST_LEVEL,
    fewest_again_rounds,
    judge_stages,
    judge_times,
    open_times,
)
from tests.reports.commits.drawn_rounds import LOSSES, drawn, only, rows


def both_stages(step_first, step_again, n_again=12, **options):
    first = rows(*drawn(1, step=step_first, spread=0.01), **options)
    return [first, rows(*drawn(2, n_again, step_again, 0.01), stage=Stage.AGAIN, **options)]


def verdict(*parts, same_programs=()):
    """The verdict on the only time."""
    (found,) = judge_times(pd.concat(parts), same_programs)["verdict"]
    return found


SAMPLES = st.lists(st.sampled_from([float(n) for n in range(1, 9)]), min_size=1, max_size=7)
DISTINCT = st.lists(st.floats(0.1, 10.0), min_size=2, max_size=14, unique=True)


@given(DISTINCT, st.data())
def test_p_is_that_of_scipys_exact_test(values, data):
    n = data.draw(st.integers(1, len(values) - 1))
    expected = stats.mannwhitneyu(values[n:], values[:n], method="exact").pvalue
    assert only(effects(rows(values[:n], values[n:]))).p == pytest.approx(expected, rel=1e-12)


def test_the_effect_is_the_median_over_all_pairs():
    before, after = [1.0, 2.0, 8.0], [3.0, 16.0, 64.0, 1.5]
    logs = [np.log(b / a) for a in before for b in after]
    assert only(effects(rows(before, after))).ratio == pytest.approx(np.exp(np.median(logs)))


@given(SAMPLES, SAMPLES)
def test_with_ties_p_is_not_below_that_of_any_way_to_break_them(before, after):
    shifts = [1e-3 * np.array(s) for s in itertools.product((-1, 1), repeat=len(after))]
    broken = [np.array(after) + shift for shift in shifts]
    expected = max(stats.mannwhitneyu(own, before, method="exact").pvalue for own in broken)
    assert only(effects(rows(before, after))).p >= expected - 1e-12


@given(SAMPLES)
def test_equal_samples_show_nothing(samples):
    row = only(effects(rows(samples, samples)))
    assert (row.ratio, row.p) == (pytest.approx(1.0), 1.0)


@given(SAMPLES, SAMPLES)
def test_exchanged_sides_invert_the_ratio_and_keep_p(before, after):
    there, back = only(effects(rows(before, after))), only(effects(rows(after, before)))
    assert there.ratio * back.ratio == pytest.approx(1.0)
    assert there.p == back.p
    assert (there.before, there.n_before) == (back.after, back.n_after)


def test_another_unit_changes_nothing_and_rates_mirror_seconds():
    before, after = drawn(0, step=1.1)
    seconds = only(effects(rows(before, after)))
    scaled = only(effects(rows(1e3 * before, 1e3 * after)))
    rates = only(effects(rows(1 / before, 1 / after)))
    assert scaled.ratio == pytest.approx(seconds.ratio)
    assert rates.ratio == pytest.approx(1 / seconds.ratio)
    assert seconds.p == scaled.p == rates.p


@pytest.mark.parametrize(("step", "found"), [(1.2, "regressed"), (1.04, "unchanged")])
def test_rates_get_the_mirrored_verdict(step, found):
    mirrored = {"regressed": "improved"}.get(found, found)
    assert verdict(*both_stages(step, step)) == found
    assert verdict(*both_stages(1 / step, 1 / step)) == mirrored


def test_the_ratio_counts_where_the_machine_changed_its_speed():
    before, after = drawn(0, step=1.2, spread=0.01)
    speed = np.linspace(1, 3, 8)
    row = only(effects(rows(before * speed, after * speed, ratios=(before, after))))
    assert (row.measured_by, row.unit) == ("ratio to the lower bound", "ratio")
    assert row.ratio == pytest.approx(1.2, rel=0.02)
    row = only(effects(rows(before, after, ratios=(before * speed, after * speed))))
    assert (row.measured_by, row.unit) == ("seconds", "s")


def test_measurements_keep_their_order_and_their_own_rounds():
    parts = [rows(*drawn(i, n=4 + i), loss=loss) for i, loss in enumerate(LOSSES)]
    parts[1] = parts[1][parts[1]["side"] == Side.BASE]
    together = effects(pd.concat(parts))
    assert list(together["benchmark"]) == [f"{loss}:value_and_grad" for loss in LOSSES]
    assert list(together["n_before"]) == [4, 5, 6]
    assert list(together["n_after"]) == [4, 0, 6]
    assert together["p"].isna().tolist() == [False, True, False]
    for i, part in enumerate(parts):
        pd.testing.assert_frame_equal(
            together.iloc[[i]].reset_index(drop=True), effects(part), check_dtype=False
        )


def test_a_change_must_be_seen_twice_and_in_one_direction():
    assert verdict(*both_stages(1.2, 1.2)) == "regressed"
    assert verdict(*both_stages(1 / 1.2, 1 / 1.2)) == "improved"
    assert verdict(*both_stages(1.2, 1 / 1.2)) == "noise"
    assert verdict(*both_stages(1.2, 1.0)) == "unchanged"
    assert verdict(*both_stages(1.0, 1.2)) == "unchanged"


def test_a_small_effect_is_unchanged_however_sure():
    first, again = both_stages(1.2, 1.045)
    assert verdict(first, again) == "unchanged"
    assert only(effects(again)).p < 1e-5
    assert open_times(effects(rows(*drawn(0, step=1.045, spread=0.001)))).empty


@pytest.mark.parametrize("step", [1.0515, 1 / 1.0515])
def test_slower_and_faster_count_from_the_same_step_on(step):
    assert len(open_times(effects(rows(*drawn(0, step=step, spread=1e-4))))) == 1


def test_a_large_effect_that_chance_explains_is_noise():
    before, after = drawn(3, step=1.1, spread=0.4)
    assert only(effects(rows(before, after))).p > 0.1
    assert verdict(rows(before, after)) == "noise"


def test_too_few_rounds_or_no_second_look_leave_a_measurement_undecided():
    assert verdict(rows(*drawn(0, n=3))) == "undecided"
    assert verdict(rows(*drawn(0, n=4))) in ("unchanged", "noise")
    first, again = rows(*drawn(12, step=1.08)), rows(*drawn(2, 4, 1.3, 0.01), stage=Stage.AGAIN)
    assert len(open_times(effects(first))) == 1
    assert verdict(first) == verdict(first, again) == "undecided"
    assert verdict(first, again[again["side"] == Side.HEAD]) == "undecided"
    assert verdict(first, rows(*drawn(2, 5, 1.3, 0.01), stage=Stage.AGAIN)) == "regressed"


def test_three_first_rounds_are_enough_for_what_is_measured_again():
    first = rows(*drawn(1, 3, 1.3, 0.01))
    for step, found in ((1.3, "regressed"), (1.0, "unchanged")):
        assert verdict(first, rows(*drawn(2, 8, step, 0.01), stage=Stage.AGAIN)) == found


def test_an_undecided_measurement_says_how_many_rounds_it_needs():
    few = only(judge_times(rows(*drawn(0, n=3))))
    assert (few.rounds_needed, few.opened, few.tested) == (4, False, False)
    parts = [rows(*drawn(12, step=1.08), loss=loss) for loss in LOSSES]
    found = judge_times(pd.concat(parts))
    assert found["opened"].all()
    assert set(found["rounds_needed"]) == {fewest_again_rounds(3)} == {6}
    enough = only(judge_times(rows(*drawn(0))))
    assert (np.isnan(enough.rounds_needed), enough.tested) == (True, True)


def test_what_the_first_rounds_show_beyond_doubt_needs_no_second_look():
    """Two new rounds can show nothing: the first ones count, among all times of the report."""
    parts = [rows(*drawn(i), loss=f"loss_{i}") for i in range(23)]
    parts.append(rows(*drawn(1, step=1.3), loss="slower"))
    short = rows(*drawn(2, 2, 1.3), stage=Stage.AGAIN, loss="slower")
    for found in (judge_times(pd.concat(parts)), judge_times(pd.concat([*parts, short]))):
        named = found[found["verdict"] == "regressed"]
        assert list(named["benchmark"]) == ["slower:value_and_grad"]
        assert set(named["stage"]) == {"first"}
        assert only(named).p == smallest_p(8, 8)
    faster = pd.concat([*parts, rows(*drawn(2, 20, 1.0), stage=Stage.AGAIN, loss="slower")])
    assert "regressed" not in set(judge_times(faster)["verdict"])


def test_all_tests_of_a_report_together_keep_the_rate():
    """Two stages are tested, and in each of them two quantities may be looked at."""
    assert 2 * 2 * TEST_LEVEL == RATE


def test_among_many_open_measurements_so_few_rounds_could_not_pass():
    parts = [
        part
        for i, loss in enumerate(LOSSES)
        for part in (
            rows(*drawn(12, step=1.08), loss=loss),
            rows(*drawn(i, 5, 1.08, 1e-3), stage=Stage.AGAIN, loss=loss),
        )
    ]
    assert verdict(*parts[:2]) == "regressed"
    found = judge_times(pd.concat(parts))
    assert (found["stage"] == Stage.FIRST).all()
    assert set(found["verdict"]) == {"undecided"}


def test_calls_of_identical_programs_are_noise_and_their_compilations_are_not():
    same = {("simpson:value_and_grad", 4096, "cpu")}
    call = both_stages(1.2, 1.2)
    assert open_times(effects(call[0]), same).empty
    assert verdict(*call, same_programs=same) == "noise"
    compilation = both_stages(1.2, 1.2, metric="cold_compile_seconds")
    assert verdict(*compilation, same_programs=same) == "regressed"


def test_open_measurements_are_tested_together_on_the_new_rounds_alone():
    """The one that changed passes among many that did not, and p is that of the second look."""
    names = [f"loss_{i}" for i in range(20)]
    first = [rows(*drawn(i, step=1.3, spread=0.01), loss=name) for i, name in enumerate(names)]
    again = [
        rows(*drawn(100 + i, 12, 1.3 if i == 7 else 1.0), stage=Stage.AGAIN, loss=name)
        for i, name in enumerate(names)
    ]
    once, twice = effects(pd.concat(first)), effects(pd.concat(again))
    found = judge_stages(once, twice)
    assert found["p"].tolist() == twice["p"].tolist()
    assert found[found["verdict"] == "regressed"].index.tolist() == [7]
    # Values of p of which the procedure passes some, and a fixed level others.
    twice = twice.assign(p=np.linspace(0.0003, 0.1, 20), ratio=1.3)
    passes = stats.false_discovery_control(twice["p"]) <= TEST_LEVEL
    named = judge_stages(once, twice)["verdict"] == "regressed"
    assert named.tolist() == passes.tolist()
    assert 0 < passes.sum() < (twice["p"] <= TEST_LEVEL).sum()


def test_a_named_change_has_an_interval_and_the_others_say_what_they_exclude():
    parts = [rows(*drawn(i, spread=0.02 * (i + 1)), loss=loss) for i, loss in enumerate(LOSSES)]
    parts += both_stages(1.3, 1.3, loss="compactness")
    found = judge_times(pd.concat(parts))
    unnamed, named = found.iloc[:3], found.iloc[3]
    assert (named["verdict"], named["stage"]) == ("regressed", "again")
    assert np.isnan(named["undetected"])
    assert named["low"] < named["ratio"] < named["high"]
    assert unnamed["undetected"].is_monotonic_increasing
    assert (unnamed["undetected"] > np.maximum(unnamed["high"], 1 / unnamed["low"]) - 1).all()


def test_a_process_is_one_sample():
    times = rows(*drawn(0))
    with pytest.raises(ValueError, match="two rows of simpson:value_and_grad"):
        effects(pd.concat([times, times]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 0.0}, "seconds is 0.0, accepted are numbers above 0"),
        ({"ratio": np.nan}, "ratio is nan"),
        ({"stage": [Stage.FIRST, Stage.AGAIN] * 8}, "rounds of two stages"),
    ],
)
def test_times_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        effects(rows(*drawn(0)).assign(**change))
    with pytest.raises(ValueError, match="column 'ratio' is missing"):
        effects(rows(*drawn(0)).drop(columns="ratio"))
    with pytest.raises(ValueError, match="nothing was measured"):
        judge_times(rows(*drawn(0)).iloc[:0])
