"""The page of a comparison of two commits, and the comment for a pull request."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.schema.files import put_text, read_text
from reports.commits.change import Change
from reports.commits.judged_change import JudgedChange
from reports.commits.method import write_method
from reports.commits.notes import excluded, note, rounds_held, threshold, tone
from reports.writing.folders import replacing_folder
from reports.writing.headlines import verdict_headline
from reports.writing.templating import render_pages

__all__ = ["build_change_page"]

_PAGES = {"commits/change.html.j2": "index.html", "commits/comment.md.j2": "comment.md"}
# A comment must stay below what code hosts accept.
_LONGEST_COMMENT = 60_000
_MOST_COMMENTED_ROWS = 50
_MOST_FILES = 20


def build_change_page(comparison: JudgedChange, change: Change, output: Path) -> Path:
    """Write a comparison into ``output``, replacing it as a whole, and return the page's path."""
    with replacing_folder(output) as folder:
        _write_comparison(comparison, change, folder)
    return output / "index.html"


def _write_comparison(comparison: JudgedChange, change: Change, folder: Path) -> None:
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
        "excluded": excluded,
        "note": note,
        "threshold": threshold,
        "tone": tone,
    }
    render_pages(folder, content, _PAGES)
    write_method(folder)
    comment = folder / "comment.md"
    put_text(comment, read_text(comment)[:_LONGEST_COMMENT])


def _shortened(files: Sequence[str]) -> str:
    """The names of the first files, and how many more there are."""
    more = len(files) - _MOST_FILES
    names = ", ".join(files[:_MOST_FILES])
    return f"{names} and {more} more" if more > 0 else names or "none"


def _rows(verdicts: pd.DataFrame) -> list[Any]:
    return list(verdicts.itertuples(index=False))
