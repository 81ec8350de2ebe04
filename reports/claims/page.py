"""The page of the experiments: verdicts on claims, correlations, trained methods, pictures."""

from pathlib import Path
from typing import Any

from reports.claims.correlations import correlations, settings
from reports.claims.intervals import Interval
from reports.claims.methods import methods
from reports.claims.plots import claim_plots
from reports.claims.reading import Observations
from reports.claims.verdicts import Finding, JudgedClaim, judge_claims
from reports.writing.environment import environment_rows
from reports.writing.folders import replacing_folder
from reports.writing.plotting import write_plots
from reports.writing.quantities import number, significant
from reports.writing.templating import render_pages

__all__ = ["build_claims", "claims_headline"]

_PAGES = {"claims/claims.html.j2": "index.html", "claims/claims.md.j2": "claims.md"}
_TRAINING_NOTE = (
    "Mean and 95 % interval over seeds. iLISI and cLISI (90 neighbours) and kBET are those of "
    "scib-metrics, ARI is that of k-means against the published types; all are better when "
    "higher. The variance moved is the mean squared move over the total variance. The weight of "
    "the move was chosen for every trained method by one rule, on STARmap with a seed that is "
    "used for nothing else, from five weights in steps of 2 around the best one of a coarse "
    "scan: the best iLISI among those whose cLISI is not below that of the uncorrected cells and "
    "that move at most 3 % of the variance; without such a weight, the one that moves least. It "
    "is kept for the unbalanced cells. The recommended setting has the weight 1 everywhere. "
    "Shuffled cells are the ends of the scale: within types the batches are as mixed as they can "
    "be. Each method ran on one core."
)
# The columns of the table of methods, in order, with the title of each.
_COLUMNS = {
    "ilisi": "iLISI",
    "clisi": "cLISI",
    "kbet": "kBET",
    "ari": "ARI",
    "moved": "variance moved",
    "seconds": "seconds",
}


def build_claims(read: Observations, output: Path) -> Path:
    """Write the page into ``output``, replacing it as a whole, and return the page's path."""
    with replacing_folder(output) as folder:
        drawn = list(claim_plots(read))
        write_plots(folder, drawn)
        judged = judge_claims(read.margins)
        trained = methods(read.trainings)
        correlated = correlations(read.associations)
        content: dict[str, Any] = {
            "headline": claims_headline(judged),
            "complaints": read.complaints,
            "environment": environment_rows(read.environment),
            "command": read.environment["command"],
            "claims": judged,
            "correlations": [row for row in correlated if row.recommended],
            "settings": settings(correlated),
            "methods": trained,
            "columns": {name: title for name, title in _COLUMNS.items() if _has(trained, name)},
            "tunings": _tunings(read),
            "plots": drawn,
            "training_note": _TRAINING_NOTE,
            "mean_and_interval": mean_and_interval,
        }
        render_pages(folder, content, _PAGES)
        (folder / "observations.json").write_bytes(read.path.read_bytes())
    return output / "index.html"


def claims_headline(judged: list[JudgedClaim]) -> str:
    """One sentence: how many claims hold, hold under conditions, or do not."""
    counts = {finding: sum(claim.finding == finding for claim in judged) for finding in Finding}
    return (
        f"Of {len(judged)} claims, {counts[Finding.HOLDS]} hold, "
        f"{counts[Finding.HOLDS_ONLY_IF]} hold only under a condition, "
        f"{counts[Finding.DOES_NOT_HOLD]} do not hold."
    )


def mean_and_interval(found: Interval | None) -> str:
    """A mean with its interval, and the mean alone where nothing varies."""
    if found is None:
        return "-"
    if found.low == found.high:
        return number(found.mean)
    return f"{significant(found.mean)} [{significant(found.low)}, {significant(found.high)}]"


def _has(trained: list[Any], name: str) -> bool:
    return any(name in method.measurements for method in trained)


def _tunings(read: Observations) -> list[dict[str, Any]]:
    """The rows from which weights were chosen."""
    rows = read.trainings[read.trainings["tuning"].astype(bool)]
    return rows.to_dict("records")
