"""The baseline of the deterministic figures, and the gate that holds a change against it."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.records import METRICS, write_json
from reports.results import Results, UnreadableResultsError
from reports.verdict import KEY, judge_counters

__all__ = ["IncomparableError", "baseline_path", "compare_with_baseline", "write_baseline"]

_FOLDER = Path(__file__).parent / "baselines"
_KINDS = ("memory", "counter", "accuracy")
_COLUMNS = [*KEY, "value"]
_SCHEMA_VERSION = 1


class IncomparableError(ValueError):
    """There is no baseline that these figures could be held against; the message says why."""


def key(results: Results) -> dict[str, Any]:
    """What the figures depend on, besides the code.

    Found by experiment: on a CPU no counter depends on the instruction set
    (``--xla_cpu_max_isa``), and only the fingerprint on the number of cores, over which XLA
    partitions its loops.
    """
    environment = results.environment
    packages = environment["packages"]
    return {
        "backend": environment["devices"][0].split(":")[0],
        "jax": packages["jax"],
        "jaxlib": packages["jaxlib"],
        "xla_flags": environment["xla_flags"],
    }


def baseline_path(results: Results) -> Path:
    """Where the baseline for such results lies."""
    found = key(results)
    return _FOLDER / f"{found['backend']}-jaxlib-{found['jaxlib']}.json"


def write_baseline(results: Results) -> Path:
    """Make these results the baseline; whole or not at all.

    Raises:
        UnreadableResultsError: a benchmark failed, which is nothing to hold others against.
    """
    rows = _deterministic(results)
    failed = rows[rows["status"] == "failed"]
    if not failed.empty:
        names = ", ".join(sorted(set(failed["benchmark"])))
        raise UnreadableResultsError(f"no baseline was written, these failed: {names}")
    content = {
        "schema_version": _SCHEMA_VERSION,
        "key": key(results),
        "cores": results.environment["cores"],
        "commit": results.environment["commit"],
        "rows": rows[_COLUMNS].to_numpy().tolist(),
    }
    path = baseline_path(results)
    write_json(path, content)
    return path


def compare_with_baseline(results: Results) -> pd.DataFrame:
    """The verdict on every deterministic figure of these results.

    Raises:
        IncomparableError: no baseline for this backend and these versions.
        UnreadableResultsError: the baseline is damaged, or nothing was measured.
    """
    path = baseline_path(results)
    baseline = _read_baseline(path)
    expected, found = baseline["key"], key(results)
    if differing := [name for name in found if found[name] != expected[name]]:
        reasons = ", ".join(f"{n} is {found[n]!r}, was {expected[n]!r}" for n in differing)
        raise IncomparableError(f"not comparable with {path.name}: {reasons}")
    before = pd.DataFrame(baseline["rows"], columns=_COLUMNS).assign(status="ok")
    after = _deterministic(results)
    if results.environment["cores"] != baseline["cores"]:
        before, after = (rows[rows["metric"] != "hlo_fingerprint"] for rows in (before, after))
    if not (after["status"] == "ok").any():
        raise UnreadableResultsError("nothing was measured on this backend")
    return judge_counters(before, _spread_failures(before, after))


def _read_baseline(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
        if content["schema_version"] == _SCHEMA_VERSION:
            return content
        raise UnreadableResultsError(f"{path}: schema version {content['schema_version']}")
    except FileNotFoundError:
        raise IncomparableError(
            f"no baseline {path.name}: write one with `python -m reports baseline`"
        ) from None
    except UnreadableResultsError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableResultsError(f"{path}: not a baseline ({error!r})") from error


def _deterministic(results: Results) -> pd.DataFrame:
    """The figures that gate on the results' own backend, and what failed."""
    rows = results.frame[results.frame["device"] == key(results)["backend"]]
    gating = rows["metric"].map(lambda metric: METRICS[metric].kind in _KINDS)
    return rows[(gating & (rows["status"] == "ok")) | (rows["status"] == "failed")]


def _spread_failures(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """A benchmark fails as a whole: mark every figure that it had before."""
    where = KEY[:-1]
    failed = after[after["status"] == "failed"]
    failed = failed.merge(before[KEY], on=where, how="left", suffixes=("", "_before"))
    failed["metric"] = failed["metric_before"].fillna(failed["metric"])
    return pd.concat([after[after["status"] == "ok"], failed])
