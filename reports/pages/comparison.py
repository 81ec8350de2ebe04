"""The page of a comparison of two commits, and the comment for a pull request."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.schema.files import put_text, read_text
from reports.judge.commits import Change
from reports.judge.comparison import Comparison
from reports.pages.folders import replacing_folder
from reports.pages.judging import write_judging
from reports.pages.templating import render_pages
from reports.pages.words import rounds_held, verdict_headline

__all__ = ["build_comparison"]

# A comment must stay below what code hosts accept.
_LONGEST_COMMENT = 60_000
_MOST_COMMENTED_ROWS = 50
_MOST_FILES = 20


def build_comparison(comparison: Comparison, change: Change, output: Path) -> Path:
    """Write a comparison into ``output``, replacing it as a whole, and return the page's path."""
    with replacing_folder(output) as folder:
        _write_comparison(comparison, change, folder)
    return output / "index.html"


def _write_comparison(comparison: Comparison, change: Change, folder: Path) -> None:
    verdicts = comparison.verdicts.to_csv(index=False)
    put_text(folder / "verdicts.csv", verdicts)
    content = {
        "comparison": comparison,
        "change": change,
        "files": _shortened(change.files),
        "headline": verdict_headline(comparison.verdicts, comparison.answer),
        "rounds_held": rounds_held(comparison.held),
        "complaints": comparison.complaints,
        "listed": _rows(comparison.listed),
        "folded": _rows(comparison.folded),
        "excluded_titles": [(f"{metric}: beyond", True) for metric in comparison.undetected],
        "n_shown": _MOST_COMMENTED_ROWS,
        "n_gating": int(comparison.gates.sum()),
        "verdicts": verdicts,
    }
    render_pages(
        folder, content, {"comparison.html.j2": "index.html", "comparison.md.j2": "comment.md"}
    )
    write_judging(folder)
    comment = folder / "comment.md"
    put_text(comment, read_text(comment)[:_LONGEST_COMMENT])


def _shortened(files: Sequence[str]) -> str:
    """The names of the first files, and how many more there are."""
    more = len(files) - _MOST_FILES
    names = ", ".join(files[:_MOST_FILES])
    return f"{names} and {more} more" if more > 0 else names or "none"


def _rows(verdicts: pd.DataFrame) -> list[Any]:
    return list(verdicts.itertuples(index=False))
