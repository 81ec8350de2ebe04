"""What `reproduce` prints: one sentence, then what differs, what is promised, what is broken."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reports.reproduction.expectations import Promise
from reports.reproduction.judge import DATA, Outcome, Reproduction
from reports.reproduction.speeds import Speed, speed_of
from reports.rules.verdicts import Answer
from reports.sources.published import Published
from reports.sources.sweep_file import Sweep
from reports.writing.quantities import significant

__all__ = ["reproduction_text"]

_MOST_BROKEN = 20
# Lower bounds whose median moved by less than this share are as fast as then.
_SAME_SPEED = 0.05
_ABSENT = "-"
_ANSWERS = {
    Answer.PASSES: "Reproduced",
    Answer.FAILS: "Not reproduced",
    Answer.UNJUDGED: "Cannot be judged",
}


def reproduction_text(found: Reproduction, published: Published, again: Sweep) -> str:
    """The sentence, and below it all that a reader may ask next, a paragraph each."""
    parts = [
        reproduction_headline(found),
        _differing_data(found),
        _origins(found, published.sweep, again),
        _promises(found),
        _broken(found),
        _speeds(found.speeds),
        _recipe(published) if found.differences.code else "",
    ]
    return "\n\n".join(part for part in parts if part)


def reproduction_headline(found: Reproduction) -> str:
    """One sentence: whether the data differ, whether the promises hold, the speed, the code."""
    n = found.rows[found.rows["kind"] == DATA]["published"].count()
    n_differing = len(found.differing_data)
    data = f", on other data ({n_differing} of {n} data sets differ)" if n_differing else ""
    speed = speed_of(found.speeds, "lower_bound_seconds")
    parts = [
        _outcome(found),
        *([_not_promised(found)] if found.not_promised else []),
        *([_speed(speed)] if speed else []),
        *(["the code is not the report's"] if found.differences.code else []),
    ]
    return f"{_ANSWERS[found.answer]}{data}: {'; '.join(parts)}."


def _outcome(found: Reproduction) -> str:
    if found.answer == Answer.UNJUDGED:
        return "no figure of the report is promised here"
    if found.broken.empty:
        return f"all {found.n_promised} promised figures hold"
    first = next(found.broken.itertuples(index=False))
    n = len(found.broken)
    return f"{n} of {found.n_promised} promised figures do not hold; first: {_row(first)}"


def _not_promised(found: Reproduction) -> str:
    """How many rows promise nothing here, and why."""
    reasons = found.not_promised
    told = "; ".join(f"{n}: {reason}" for reason, n in reasons.items())
    return f"not promised here: {sum(reasons.values())} ({told})"


def _row(row: Any) -> str:
    """A broken row in words."""
    if row.kind == DATA:
        return f"the cells {row.benchmark}"
    then, now = _shown(row.published), _shown(row.again)
    place = f"{row.metric} of {row.benchmark} at {row.n_cells} {row.source} cells"
    return f"{place}, {then} then, {row.reason if now == _ABSENT else f'{now} now'}"


def _shown(value: Any) -> str:
    """A value with the digits of float32, or the beginning of a hash."""
    if isinstance(value, str):
        return value[:12]
    return _ABSENT if pd.isna(value) else f"{value:.7g}"


def _speed(speed: Speed) -> str:
    if abs(speed.median - 1) < _SAME_SPEED:
        return "this machine is as fast by its lower bounds"
    if speed.median > 1:
        return f"this machine is {significant(speed.median)} x slower by its lower bounds"
    return f"this machine is {significant(1 / speed.median)} x faster by its lower bounds"


def _differing_data(found: Reproduction) -> str:
    """Which data sets differ, and what that means for the figures computed from them."""
    if not found.differing_data:
        return ""
    return (
        f"Data sets that differ: {', '.join(found.differing_data)}.\n"
        "A report keeps the digests of its cells, not the cells: by how much they differ is not "
        "known.\nOf results on such cells only the errors are promised, within their tolerances."
    )


def _origins(found: Reproduction, published: Sweep, again: Sweep) -> str:
    """Where and by what both sweeps were measured."""
    return (
        f"then: {_origin(published.environment)}\n"
        f"now:  {_origin(again.environment)} ({found.machines})"
    )


def _origin(environment: Mapping[str, Any]) -> str:
    machine = f"{environment['cores']} cores of {environment['cpu']}"
    commit = (environment["commit"] or "unknown")[:8]
    return f"{machine}, jaxlib {environment['packages']['jaxlib']}, commit {commit}"


def _promises(found: Reproduction) -> str:
    """How many rows kept each promise, and why others promise nothing here."""
    rows = found.rows
    none = rows["outcome"] == Outcome.NOT_PROMISED
    kept = pd.crosstab(rows[~none]["promise"], rows[~none]["outcome"])
    kept = kept.reindex(
        index=[promise for promise in Promise if promise in kept.index],
        columns=[Outcome.KEPT, Outcome.BROKEN],
        fill_value=0,
    )
    equal = rows["published"] == rows["again"]
    reasons = equal[none].groupby(rows[none]["reason"]).agg(["count", "sum"])
    reasons = reasons.set_axis(["rows", "equal"], axis=1).rename_axis("not promised here")
    tables = [table.reset_index().to_string(index=False) for table in (kept, reasons) if len(table)]
    return "\n\n".join(tables)


def _broken(found: Reproduction) -> str:
    """The first broken rows."""
    rows = found.broken
    if rows.empty:
        return ""
    columns = ["benchmark", "source", "n_cells", "device", "metric"]
    shown = rows[[*columns, "published", "again", "reason"]].head(_MOST_BROKEN)
    for side in ("published", "again"):
        shown[side] = shown[side].map(_shown)
    more = len(rows) - len(shown)
    return shown.to_string(index=False) + (f"\nand {more} more" if more else "")


def _speeds(found: list[Speed]) -> str:
    """The quartiles of the times, which inform."""
    if not found:
        return ""
    table = pd.DataFrame(found).round(3).to_string(index=False)
    return f"times now over then, quartiles over programs (1: as then, 2: twice as long):\n{table}"


def _recipe(published: Published) -> str:
    """How to measure the report again with the code that it was measured by."""
    environment = published.sweep.environment
    commit = environment["commit"]
    if commit is None or environment.get("changes"):
        return "The report was measured by code that is no commit: it cannot be checked out."
    folder, sizes = f"../diffbio-{commit[:8]}", published.manifest["n_cells"]
    sweep = " ".join(["python -m benchmarks sweep", *(f"--n-cells={n}" for n in sizes)])
    return "\n".join(
        [
            "By this code bits and counters are not promised. With the report's own code:",
            f"  git worktree add --detach {folder} {commit}",
            f"  make -C {folder} .venv/.complete",
            f"  (cd {folder} && .venv/bin/{sweep})",
            f"  python -m reports reproduce {published.folder} "
            f"--results {folder}/results/sweep.json",
        ]
    )
