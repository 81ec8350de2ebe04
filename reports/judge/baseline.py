"""The baseline of the deterministic figures, and the gate that holds a change against it."""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.schema.files import check_replaceable, json_with, write_json
from benchmarks.schema.metrics import METRICS
from benchmarks.schema.records import Status
from reports.judge.rules import judge_counters, mark_unmeasured
from reports.judge.verdict import DETERMINISTIC, gates
from reports.sources.baseline import BASELINE_COLUMNS, checked_baseline
from reports.sources.frame import DamagedError, load_json
from reports.sources.schemas import BaselineFile
from reports.sources.sweep import Sweep

__all__ = ["IncomparableError", "baseline_path", "compare_with_baseline", "write_baseline"]

_FOLDER = Path(__file__).parents[1] / "baselines"
_SCHEMA_VERSION = 1


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
    }


def baseline_path(results: Sweep) -> Path:
    """Where the baseline for such results lies."""
    found = key(results)
    return _FOLDER / f"{found['backend']}-jaxlib-{found['jaxlib']}.json"


def write_baseline(results: Sweep) -> Path:
    """Make these results the baseline; whole or not at all.

    Raises:
        DamagedError: a benchmark failed, and a failure cannot be a baseline.
    """
    rows = _deterministic(results)
    failed = rows[rows["status"] == Status.FAILED]
    if not failed.empty:
        names = ", ".join(sorted(set(failed["benchmark"])))
        raise DamagedError(f"no baseline was written, these failed: {names}")
    measured = rows[rows["status"] == Status.OK]
    content = {
        "schema_version": _SCHEMA_VERSION,
        "key": key(results),
        "cores": results.environment["cores"],
        "commit": results.commit,
        "rows": measured[BASELINE_COLUMNS].to_numpy().tolist(),
    }
    path = baseline_path(results)
    check_replaceable(path, "a baseline", json_with("schema_version", "key", "rows"))
    write_json(path, content)
    return path


def compare_with_baseline(results: Sweep) -> pd.DataFrame:
    """The verdict on every deterministic figure of these results, and whether it ``gates``.

    A figure of the baseline that the results lack gates: a change that takes it away on
    purpose renews the baseline.

    Raises:
        IncomparableError: no baseline for this backend and these versions.
        DamagedError: the baseline is damaged, or nothing was measured.
    """
    path = baseline_path(results)
    try:
        baseline = _read_baseline(path)
    except DamagedError as error:
        raise DamagedError(f"{path}: {error}") from error
    expected, found = baseline.key, key(results)
    if differing := [name for name in found if found[name] != expected.get(name)]:
        reasons = ", ".join(f"{n} is {found[n]!r}, was {expected.get(n)!r}" for n in differing)
        raise IncomparableError(f"not comparable with {path.name}: {reasons}")
    before = pd.DataFrame(baseline.rows, columns=BASELINE_COLUMNS).assign(status=Status.OK)
    after = _deterministic(results)
    if results.environment["cores"] != baseline.cores:
        before, after = (rows[rows["metric"] != "hlo_fingerprint"] for rows in (before, after))
    if not (after["status"] == Status.OK).any():
        raise DamagedError("nothing was measured on this backend")
    verdicts = judge_counters(before, mark_unmeasured(before, after))
    return verdicts.assign(gates=gates(verdicts))


def _read_baseline(path: Path) -> BaselineFile:
    if not path.exists():
        raise IncomparableError(
            f"no baseline {path.name}: write one with `python -m reports baseline`"
        )
    return checked_baseline(load_json(path))


def _deterministic(results: Sweep) -> pd.DataFrame:
    """The figures that gate on the results' own backend, and what was not measured."""
    # Several devices of a backend, "cpu x 8", are named after it.
    backends = results.frame["device"].str.split().str[0]
    rows = results.frame[backends == key(results)["backend"]]
    gating = rows["metric"].map(lambda metric: METRICS[metric].kind in DETERMINISTIC)
    return rows[gating | (rows["status"] != Status.OK)]
