"""The baseline of the deterministic figures, and the gate that holds a change against it."""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.schema.differences import differing
from benchmarks.schema.files import UnwritableError, check_replaceable, json_with, write_json
from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import JAX_SETTINGS, Status
from reports.judge.rules import judge_counters, mark_unmeasured
from reports.judge.verdict import DETERMINISTIC, gates
from reports.sources.baseline import BASELINE_COLUMNS, checked_baseline
from reports.sources.frame import KEY, DamagedError, load_json, naming_damaged
from reports.sources.schemas import SWEEP_SCOPE, BaselineFile
from reports.sources.sweep import Sweep

__all__ = ["IncomparableError", "baseline_path", "compare_with_baseline", "write_baseline"]

_FOLDER = Path(__file__).parents[1] / "baselines"
_SCHEMA_VERSION = 2


class IncomparableError(ValueError):
    """There is no baseline that these figures could be held against; the message says why."""


def key(results: Sweep) -> dict[str, Any]:
    """What the figures depend on, besides the code.

    Experiments show that on a CPU no counter depends on the instruction set
    (``--xla_cpu_max_isa``). Only the fingerprint depends on the number of cores, over which
    XLA partitions its loops.
    """
    environment = results.environment
    packages = environment["packages"]
    return {
        "backend": environment["devices"][0].split(":")[0],
        "jax": packages["jax"],
        "jaxlib": packages["jaxlib"],
        "xla_flags": environment["xla_flags"],
        **{name: environment[name] for name in JAX_SETTINGS},
    }


def _scope(results: Sweep) -> dict[str, Any]:
    """What the sweep was asked to measure."""
    if results.environment["tier"] is None:
        raise IncomparableError(f"{results.path}: says no tier; measure it again")
    return {name: results.environment[name] for name in SWEEP_SCOPE}


def baseline_path(results: Sweep) -> Path:
    """Where the baseline for such results lies."""
    found = key(results)
    return _FOLDER / f"{found['backend']}-jaxlib-{found['jaxlib']}.json"


def write_baseline(results: Sweep, *, shrink: bool = False) -> Path:
    """Make these results the baseline; whole or not at all.

    Args:
        results: a sweep of a tier.
        shrink: whether figures of the baseline before may be missing.

    Raises:
        DamagedError: nothing was measured, or a benchmark failed: neither can be a baseline.
        IncomparableError: the sweep does not say what it was asked to measure.
        UnwritableError: figures of the baseline before are missing, or it cannot be replaced.
    """
    rows = _deterministic(results)
    failed = rows[rows["status"] == Status.FAILED]
    if not failed.empty:
        names = ", ".join(sorted(set(failed["benchmark"])))
        raise DamagedError(f"no baseline was written, these failed: {names}")
    measured = rows[rows["status"] == Status.OK]
    _check_some(measured)
    content = {
        "schema_version": _SCHEMA_VERSION,
        "key": key(results),
        **_scope(results),
        "cores": results.environment["cores"],
        "commit": results.commit,
        "rows": measured[BASELINE_COLUMNS].to_numpy().tolist(),
    }
    path = baseline_path(results)
    check_replaceable(path, "a baseline", json_with("schema_version", "key", "rows"))
    if path.exists() and not shrink:
        _check_keeps(path, measured)
    write_json(path, content)
    return path


def _check_keeps(path: Path, measured: pd.DataFrame) -> None:
    """Refuse to lose a figure of the baseline that is there."""
    try:
        before = _figures(_read_baseline(path))
    except DamagedError as error:
        raise UnwritableError(f"{error}: not replaced without --shrink") from error
    lost = before[~_named(before).isin(_named(measured))]
    if not lost.empty:
        first = next(lost.itertuples(index=False))
        raise UnwritableError(
            f"{path}: not replaced without --shrink, it would lose {len(lost)} of {len(before)} "
            f"figures, first {first.metric} of {first.benchmark} at {first.n_cells} cells"
        )


def compare_with_baseline(results: Sweep) -> pd.DataFrame:
    """The verdict on every deterministic figure of these results, and whether it ``gates``.

    A figure of the baseline that the results lack gates: a change that takes it away on
    purpose renews the baseline.

    Raises:
        IncomparableError: no baseline for this backend and these versions, or it is of other
            settings, losses or sizes.
        DamagedError: the baseline is damaged, or nothing was measured.
    """
    path = baseline_path(results)
    baseline = _read_baseline(path)
    expected = {**baseline.key, **{name: getattr(baseline, name) for name in SWEEP_SCOPE}}
    if found := differing(expected, {**key(results), **_scope(results)}):
        raise IncomparableError(f"not comparable with {path.name}: {'; '.join(found)}")
    before = _figures(baseline)
    after = _deterministic(results)
    if results.environment["cores"] != baseline.cores:
        before, after = (rows[rows["metric"] != "hlo_fingerprint"] for rows in (before, after))
    _check_some(after[after["status"] == Status.OK])
    verdicts = judge_counters(before, mark_unmeasured(before, after))
    return verdicts.assign(gates=gates(verdicts))


def _check_some(measured: pd.DataFrame) -> None:
    if measured.empty:
        raise DamagedError("nothing was measured on this backend")


def _read_baseline(path: Path) -> BaselineFile:
    if not path.exists():
        raise IncomparableError(
            f"no baseline {path.name}: write one with `python -m reports baseline`"
        )
    with naming_damaged(path):
        return checked_baseline(load_json(path))


def _figures(baseline: BaselineFile) -> pd.DataFrame:
    return pd.DataFrame(baseline.rows, columns=BASELINE_COLUMNS).assign(status=Status.OK)


def _named(rows: pd.DataFrame) -> pd.MultiIndex:
    """What names the figures of the rows."""
    return pd.MultiIndex.from_frame(rows[KEY])


def _deterministic(results: Sweep) -> pd.DataFrame:
    """The figures that gate on the results' own backend, and what was not measured."""
    # Several devices of a backend, "cpu x 8", are named after it.
    backends = results.frame["device"].str.split().str[0]
    rows = results.frame[backends == key(results)["backend"]]
    gating = rows["metric"].map(lambda metric: METRICS[metric].kind in DETERMINISTIC)
    return rows[gating | (rows["status"] != Status.OK)]
