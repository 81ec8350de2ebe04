"""The page of a comparison of two commits, and the comment for a pull request."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.schema.files import put_text, read_text
from reports.commits.change import Change
from reports.commits.judged_change import JudgedChange
from reports.commits.method import write_method
from reports.commits.time_verdicts import FEWEST_TO_EXCLUDE, RATE
from reports.rules.verdicts import WALL_CLOCK, Verdict
from reports.writing.folders import replacing_folder
from reports.writing.headlines import verdict_headline
from reports.writing.quantities import percent, quantity
from reports.writing.templating import render_pages

__all__ = ["build_change_page"]

_PAGES = {"commits/change.html.j2": "index.html", "commits/comment.md.j2": "comment.md"}
# A comment must stay below what code hosts accept.
_LONGEST_COMMENT = 60_000
_MOST_COMMENTED_ROWS = 50


def build_change_page(judged: JudgedChange, change: Change, output: Path) -> Path:
    """Write the page of two commits into ``output``, replacing it as a whole; return its path."""
    with replacing_folder(output) as folder:
        _write(judged, change, folder)
    return output / "index.html"


def _write(judged: JudgedChange, change: Change, folder: Path) -> None:
    verdicts = judged.verdicts.to_csv(index=False)
    put_text(folder / "verdicts.csv", verdicts)
    content = {
        "judged": judged,
        "change": change,
        "headline": verdict_headline(judged.verdicts, judged.answer),
        "complaints": judged.complaints,
        "listed": _rows(judged.listed),
        "folded": _rows(judged.folded),
        "excluded_titles": [(f"{metric}: beyond", True) for metric in judged.undetected],
        "n_shown": _MOST_COMMENTED_ROWS,
        "n_gating": int(judged.gates.sum()),
        "verdicts": verdicts,
        "false_alarm_rate": RATE,
        "excluded": _excluded,
        "note": _note,
        "threshold": _threshold,
    }
    render_pages(folder, content, _PAGES)
    write_method(folder)
    comment = folder / "comment.md"
    put_text(comment, read_text(comment)[:_LONGEST_COMMENT])


def _rows(verdicts: pd.DataFrame) -> list[Any]:
    return list(verdicts.itertuples(index=False))


def _note(row: Any) -> str:
    """How a time is given, whether it is unstable, and what it does not exclude or lacks."""
    said = ["ratio to the bound"] * (row.unit == "ratio") + ["unstable"] * bool(row.unstable)
    if row.verdict in (Verdict.NOISE, Verdict.UNCHANGED) and pd.notna(row.undetected):
        said.append(
            f"a change below {row.undetected:.0%} would not show"
            if np.isfinite(row.undetected)
            else _excludes_nothing()
        )
    if pd.notna(needed := getattr(row, "rounds_needed", None)):
        said.append(f"at least {needed:.0f} {'second ' * row.opened}rounds are needed")
    return "; ".join(said)


def _excluded(share: float) -> str:
    """Beyond which change the times of a loss exclude one."""
    if pd.isna(share):
        return ""
    return percent(share) if np.isfinite(share) else _excludes_nothing()


def _excludes_nothing() -> str:
    return f"excludes no change: at least {FEWEST_TO_EXCLUDE} rounds are needed"


def _threshold(row: Any) -> str:
    """How much counts as a change: a share of a time, an amount of anything else."""
    if row.kind in WALL_CLOCK and pd.notna(row.threshold):
        return f"{row.threshold:.0%}"
    return quantity(row.threshold, row.unit)
