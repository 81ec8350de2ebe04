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
        "files": _shortened(change.files),
        "headline": verdict_headline(judged.verdicts, judged.answer),
        "rounds_held": rounds_held(judged.held),
        "complaints": judged.complaints,
        "listed": _rows(judged.listed),
        "folded": _rows(judged.folded),
        "excluded_titles": [(f"{metric}: beyond", True) for metric in judged.undetected],
        "n_shown": _MOST_COMMENTED_ROWS,
        "n_gating": int(judged.gates.sum()),
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
