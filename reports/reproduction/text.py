"""What `reproduce` prints: one sentence, then what differs, what is expected, what is not met."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reports.reproduction.expectations import Expectation
from reports.reproduction.judge import DATA, Outcome, Reproduction
from reports.rules.verdicts import Answer
from reports.sources.published import Published
from reports.sources.sweep_file import ReadSweep
from reports.writing.quantities import significant

__all__ = ["reproduction_text"]

_MOST_NOT_MET = 20
# Lower bounds whose median moved by less than this share are as fast as then.
_SAME_SPEED = 0.05
_ABSENT = "-"
_ANSWERS = {
    Answer.PASSES: "Reproduced",
    Answer.FAILS: "Not reproduced",
    Answer.UNJUDGED: "Cannot be judged",
}


def reproduction_text(found: Reproduction, published: Published, again: ReadSweep) -> str:
    """The sentence, and below it all that a reader may ask next, a paragraph each."""
    parts = [
        reproduction_headline(found),
        _differing_data(found),
        _origins(found, published.sweep, again),
        _expectations(found),
        _not_met(found),
        _time_ratios(found.time_ratios),
        _recipe(published) if found.differences.code else "",
    ]
    return "\n\n".join(part for part in parts if part)


def reproduction_headline(found: Reproduction) -> str:
    """One sentence: whether data differ, whether what is expected agrees, the speed, the code."""
    n = found.rows[found.rows["kind"] == DATA]["published"].count()
    n_differing = len(found.differing_data)
    data = f", on other data ({n_differing} of {n} data sets differ)" if n_differing else ""
    speed = found.time_ratios["50%"].get("lower_bound_seconds")
    parts = [
        _outcome(found),
        *([_not_expected(found)] if found.not_expected else []),
        *([_speed(speed)] if speed else []),
        *(["the code is not the report's"] if found.differences.code else []),
    ]
    return f"{_ANSWERS[found.answer]}{data}: {'; '.join(parts)}."


def _outcome(found: Reproduction) -> str:
    if found.answer == Answer.UNJUDGED:
        return "nothing of the report is expected to agree here"
    if found.not_met.empty:
        return f"all {found.n_expected} measurements that are expected to agree do"
    first = next(found.not_met.itertuples(index=False))
    n = len(found.not_met)
    said = f"{n} of {found.n_expected} measurements that are expected to agree do not"
    return f"{said}; first: {_row(first)}"


def _not_expected(found: Reproduction) -> str:
    """How many rows are not expected to agree here, and why."""
    reasons = found.not_expected
    told = "; ".join(f"{n}: {reason}" for reason, n in reasons.items())
    return f"not expected to agree here: {sum(reasons.values())} ({told})"


def _row(row: Any) -> str:
    """A row that does not agree, then and now."""
    if row.kind == DATA:
        return f"the cells {row.benchmark}"
    then, now = _shown(row.published), _shown(row.again)
    where = f"{row.metric} of {row.benchmark} at {row.n_cells} {row.source} cells"
    return f"{where}, {then} then, {row.reason if now == _ABSENT else f'{now} now'}"


def _shown(value: Any) -> str:
    """A value with the digits of float32, or the beginning of a hash."""
    if isinstance(value, str):
        return value[:12]
    return _ABSENT if pd.isna(value) else f"{value:.7g}"


def _speed(ratio: float) -> str:
    """How fast the machine is, by the median of its lower bounds over those then."""
    how = f"{significant(ratio)} x slower" if ratio > 1 else f"{significant(1 / ratio)} x faster"
    how = "as fast" if abs(ratio - 1) < _SAME_SPEED else how
    return f"this machine is {how} by its lower bounds"


def _differing_data(found: Reproduction) -> str:
    """Which data sets differ, and what that means for the measurements computed from them."""
    if not found.differing_data:
        return ""
    return (
        f"Data sets that differ: {', '.join(found.differing_data)}.\n"
        "A report keeps the digests of its cells, not the cells: by how much they differ is not "
        "known.\nOf results on such cells only the errors are expected to agree, within their "
        "tolerances."
    )


def _origins(found: Reproduction, published: ReadSweep, again: ReadSweep) -> str:
    """Where and by what both sweeps were measured."""
    return (
        f"then: {_origin(published.environment)}\n"
        f"now:  {_origin(again.environment)} ({found.machines})"
    )


def _origin(environment: Mapping[str, Any]) -> str:
    machine = f"{environment['cores']} cores of {environment['cpu']}"
    commit = (environment["commit"] or "unknown")[:8]
    return f"{machine}, jaxlib {environment['packages']['jaxlib']}, commit {commit}"


def _expectations(found: Reproduction) -> str:
    """How many rows meet each expectation."""
    rows = found.rows
    none = rows["outcome"] == Outcome.NOT_EXPECTED
    counts = pd.crosstab(rows[~none]["expectation"], rows[~none]["outcome"])
    if counts.empty:
        return ""
    counts = counts.reindex(
        index=[expectation for expectation in Expectation if expectation in counts.index],
        columns=[Outcome.MET, Outcome.NOT_MET],
        fill_value=0,
    )
    return counts.reset_index().to_string(index=False)


def _not_met(found: Reproduction) -> str:
    """The first rows that do not agree."""
    rows = found.not_met
    if rows.empty:
        return ""
    columns = ["benchmark", "source", "n_cells", "device", "metric"]
    shown = rows[[*columns, "published", "again", "reason"]].head(_MOST_NOT_MET)
    for side in ("published", "again"):
        shown[side] = shown[side].map(_shown)
    more = len(rows) - len(shown)
    return shown.to_string(index=False) + (f"\nand {more} more" if more else "")


def _time_ratios(found: pd.DataFrame) -> str:
    """The quartiles of the times, which inform."""
    if found.empty:
        return ""
    table = found.round(3).reset_index().to_string(index=False)
    return f"times now over then, quartiles over programs (1: as then, 2: twice as long):\n{table}"


def _recipe(published: Published) -> str:
    """How to measure the report again with the code that it was measured by."""
    environment = published.sweep.environment
    commit = environment["commit"]
    if commit is None or environment.get("changes"):
        return "The report was measured by code that is no commit: it cannot be checked out."
    folder, sweep = f"../diffbio-{commit[:8]}", published.manifest["command"]
    return "\n".join(
        [
            "By this code bits and counters are not expected to agree. With the report's own code:",
            f"  git worktree add --detach {folder} {commit}",
            f"  make -C {folder} .venv/.complete",
            f"  (cd {folder} && .venv/bin/{sweep})",
            f"  python -m reports reproduce {published.folder} "
            f"--results {folder}/results/sweep.json",
        ]
    )
