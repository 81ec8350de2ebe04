"""The gate: every deterministic measurement of a sweep compared with its baseline."""

import pandas as pd

from benchmarks.schema.differences import differing
from benchmarks.schema.environment import SWEEP_SCOPE
from reports.gate.baseline import (
    baseline_path,
    gated,
    measurements_of,
    read_baseline,
    scope,
)
from reports.rules.counters import judge_counters, mark_unmeasured
from reports.rules.verdicts import gates
from reports.sources.measurements import IncomparableError
from reports.sources.sweep_file import ReadSweep

__all__ = ["compare_with_baseline"]


def compare_with_baseline(results: ReadSweep) -> pd.DataFrame:
    """The verdict on every deterministic measurement of these results, and whether it ``gates``.

    A measurement of the baseline that the results lack gates: a change that takes it away on
    purpose renews the baseline.

    Raises:
        IncomparableError: no baseline for this backend and these versions, or it is of other
            settings, losses or sizes.
        DamagedError: the baseline is damaged, or nothing was measured.
    """
    path = baseline_path(results)
    baseline = read_baseline(path)
    expected = {**baseline.key, **{name: getattr(baseline, name) for name in SWEEP_SCOPE}}
    if found := differing(expected, {**results.compiled_with, **scope(results)}):
        raise IncomparableError(f"not comparable with {path.name}: {'; '.join(found)}")
    before = measurements_of(baseline)
    after = gated(results)
    if results.environment["cores"] != baseline.cores:
        before, after = (rows[rows["metric"] != "hlo_fingerprint"] for rows in (before, after))
    verdicts = judge_counters(before, mark_unmeasured(before, after))
    return verdicts.assign(gates=gates(verdicts))
