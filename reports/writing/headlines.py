"""What a command says of its verdicts: one sentence, and the rows that are not as they were."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from benchmarks.schema.suite import MESHES
from reports.rules.verdicts import JUDGED, Answer, Verdict, urgent_first, worst
from reports.writing.quantities import quantity

__all__ = ["unusual_rows", "verdict_headline"]

_ANSWERS = {
    Answer.PASSES: "Passes",
    Answer.FAILS: "Fails",
    Answer.UNJUDGED: "Cannot be judged",
}
_GONE = {Verdict.FAILING: "failed", Verdict.REMOVED: "removed", Verdict.SKIPPED: "skipped"}


def verdict_headline(verdicts: pd.DataFrame, answer: Answer) -> str:
    """Pass or fail, how many of each verdict, and the worst row: what, where and how much.

    What passes is what was judged: measurements that were not measured often enough are left out.
    """
    counts = Counter(verdicts["verdict"])
    n_left = counts[Verdict.UNDECIDED] if answer == Answer.PASSES else 0
    without = f", {n_left} measurement{'s' * (n_left > 1)} not judged" if n_left else ""
    parts = [f"{counts[name]} {name}" for name in Verdict if name in JUDGED or counts[name]]
    named = worst(verdicts)
    rest = "" if named is None else f"; worst: {_row(named)}"
    return f"{_ANSWERS[answer]}{without}: {', '.join(parts)}{rest}."


def _row(row: Any) -> str:
    """A measurement before and now, in words."""
    before = quantity(row.before, row.unit)
    now = _GONE.get(row.verdict) or quantity(row.after, row.unit)
    where = f"{row.metric} of {row.benchmark} at {row.n_cells} cells"
    where += f", {row.device}" * (row.device in MESHES)
    how = ", as a ratio to the lower bound" * (row.unit == "ratio")
    return f"{where}, {before} before, {now} now{how}"


def unusual_rows(verdicts: pd.DataFrame) -> Iterator[str]:
    """What is not as it was, the most urgent first, then the errors of what failed."""
    rows = urgent_first(verdicts[verdicts["verdict"] != Verdict.UNCHANGED])
    if rows.empty:
        return
    sides = {
        side: [quantity(*pair) for pair in zip(rows[side], rows["unit"], strict=True)]
        for side in ("before", "after")
    }
    columns = ["verdict", "benchmark", "source", "n_cells", "device", "metric", *sides]
    yield rows.assign(**sides)[columns].to_string(index=False)
    errors = rows[rows["detail"] != ""].drop_duplicates(["benchmark", "n_cells", "detail"])
    for row in errors.itertuples():
        yield f"{row.benchmark} at {row.n_cells} cells: {row.detail}"
