"""The page of a comparison of two commits, and the comment for a pull request."""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.schema.files import put_text, read_text
from reports.judge.comparison import Comparison
from reports.pages.folders import replacing_folder
from reports.pages.judging import write_judging
from reports.pages.templating import render_pages
from reports.pages.words import verdict_headline

__all__ = ["build_comparison"]

# A comment must stay below what code hosts accept.
_LONGEST_COMMENT = 60_000
_MOST_COMMENTED_ROWS = 50


def build_comparison(comparison: Comparison, output: Path) -> Path:
    """Write a comparison into ``output``, replacing it as a whole, and return the page's path."""
    with replacing_folder(output) as folder:
        _write_comparison(comparison, folder)
    return output / "index.html"


def _write_comparison(comparison: Comparison, folder: Path) -> None:
    verdicts = comparison.verdicts.to_csv(index=False)
    put_text(folder / "verdicts.csv", verdicts)
    content = {
        "comparison": comparison,
        "headline": verdict_headline(comparison.verdicts, comparison.answer),
        "complaints": comparison.complaints,
        "environments": list(comparison.verdicts["environment"].unique()),
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
    if comparison.in_rounds:
        write_judging(folder)
    comment = folder / "comment.md"
    put_text(comment, read_text(comment)[:_LONGEST_COMMENT])


def _rows(verdicts: pd.DataFrame) -> list[Any]:
    return list(verdicts.itertuples(index=False))
