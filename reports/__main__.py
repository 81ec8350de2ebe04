"""Command line of the reports: measure, judge, and turn both into pages."""

import contextlib
import functools
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from benchmarks.schema import git
from benchmarks.schema.console import errors_in_one_line, naming_choices
from benchmarks.schema.files import (
    UnwritableError,
    check_replaceable,
    csv_with,
    read_text,
    write_text,
)

with naming_choices():
    from benchmarks.schema.suite import REFERENCE_CELLS, TIERS

from reports.claims.page import build_claims, claims_headline
from reports.claims.reading import read_observations
from reports.claims.verdicts import judge_claims
from reports.commits import change as commits
from reports.commits.errors import coverage, error_rates
from reports.commits.judge import judge_change
from reports.commits.measure import measure_commits
from reports.commits.page import build_change_page
from reports.gate.baseline import write_baseline
from reports.gate.judge import compare_with_baseline
from reports.reproduction.judge import judge_reproduction
from reports.reproduction.text import reproduction_text
from reports.rules.verdicts import Answer
from reports.sources.measurements import Complaint, DamagedError, IncomparableError
from reports.sources.measuring import run_sweep
from reports.sources.published import read_published
from reports.sources.results import read_results
from reports.sources.sweep_file import ReadSweep, read_complete_sweep
from reports.sweep import agreement, publishing
from reports.sweep.page import build_report
from reports.writing.folders import check_folder
from reports.writing.headlines import unusual_rows, verdict_headline

_SWEEP = Path("results/sweep.json")
_OUTPUT = Path("results/report")
_PUBLISHED = Path("reports/published")
_ROUNDS = Path("results/rounds")
_ASV = Path(".asv/results")
_PATH = click.Path(path_type=Path)
# Several paths of what was measured; the sweep by default.
_results = functools.partial(
    click.option, "--results", type=_PATH, multiple=True, default=(_SWEEP,), show_default=True
)
_OF_TIER = click.option(
    "--tier", type=click.Choice(list(TIERS)), default="quick", show_default=True
)
# What can stop a command before it has a verdict.
_STOPPING = (DamagedError, git.GitError, IncomparableError, OSError, subprocess.SubprocessError)


class _Commands(click.Group):
    """Commands that exit with the answer that they return, and with 2 if anything stops them."""

    @errors_in_one_line(*_STOPPING)
    def invoke(self, context: click.Context) -> Any:
        context.exit(super().invoke(context) or Answer.PASSES)


@click.group(cls=_Commands)
def main() -> None:
    """Measure, and turn measurements into pages."""


@main.command()
@_OF_TIER
@click.option("--output", type=_PATH, default=_OUTPUT, show_default=True)
@click.pass_context
def run(context: click.Context, tier: str, output: Path) -> Answer:
    """Run the sweep of a tier in a process of its own, then build its report.

    The sizes are those of the tier at which there is a reference.
    """
    sweep = output.parent / _SWEEP.name
    check_folder(output)
    if output == sweep:
        raise UnwritableError(f"{output}: the sweep is written there, choose another folder")
    sizes = (f"--n-cells={n}" for n in TIERS[tier] if n <= REFERENCE_CELLS)
    run_sweep(sweep, *sizes, tier=tier)
    return context.invoke(build, results=(sweep,), output=output)


def _say(complaints: Iterable[Complaint]) -> None:
    """Say what could not be read."""
    for complaint in complaints:
        click.echo(str(complaint), err=True)


@main.command()
@_results(help="Sweeps, ratios, asv's results folders, and pytest-benchmark's files.")
@click.option("--output", type=_PATH, default=_OUTPUT, show_default=True)
def build(results: tuple[Path, ...], output: Path) -> Answer:
    """Build the page: exit 1 if a loss does not agree or failed, 2 if something is unreadable."""
    check_folder(output)
    read = read_results(results)
    _say(read.measurements.complaints)
    for what, n in read.measurements.left_out.items():
        click.echo(f"left out, {n} times: {what}", err=True)
    click.echo(f"report: {build_report(read, output).resolve()}")
    click.echo(agreement.report_headline(read))
    return agreement.answer(read)


@main.command()
@click.option("--results", type=_PATH, default=Path("results/claims.json"), show_default=True)
@click.option("--output", type=_PATH, default=Path("results/claims"), show_default=True)
def claims(results: Path, output: Path) -> Answer:
    """Build the page of the experiments on the claims: exit 2 if a part is unreadable."""
    check_folder(output)
    read = read_observations(results)
    _say(read.complaints)
    click.echo(f"page: {build_claims(read, output).resolve()}")
    click.echo(claims_headline(judge_claims(read.margins)))
    return Answer.UNJUDGED if read.complaints else Answer.PASSES


@main.command()
@click.argument("base")
@click.argument("head", required=False)
@click.option("--direct", is_flag=True, help="Compare with BASE itself, not where HEAD forked.")
@click.option("--results", type=_PATH, help="A folder of rounds: judge these, measure nothing.")
@click.option("--output", type=_PATH, default=Path("results/comparison"), show_default=True)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="No round begins that would end later.",
)
@click.option(
    "--versions",
    nargs=2,
    help="Compare two releases of jax instead, on one commit: BASE.",
)
@click.option("--gate-on-time", is_flag=True, help="Let slower calls fail the change too.")
def compare(
    base: str,
    head: str | None,
    direct: bool,
    results: Path | None,
    output: Path,
    minutes: float,
    versions: tuple[str, str] | None,
    gate_on_time: bool,
) -> Answer:
    """Did HEAD make anything worse since it forked from BASE? HEAD is the last commit by default.

    BASE...HEAD is accepted too. One sentence, one page and one exit code.
    """
    check_folder(output)
    first, last = commits.revisions(base, head)
    change = commits.change_between(first, first if versions else last, direct=direct)
    needed = None
    if results is None:
        results = _ROUNDS
        needed = measure_commits(results, change, versions or (), minutes)
    names = [commit.name for commit in change.commits]
    judged = judge_change(
        results,
        *names,
        on_time=gate_on_time,
        baseline_renewed=commits.renews_baseline(*names),
        minutes_needed=needed,
    )
    _say(judged.complaints)
    page = build_change_page(judged, change, output)
    click.echo(read_text(page.parent / "comment.md"))
    click.echo(f"page: {page.resolve()}")
    return judged.answer


@main.command("error-rates")
@click.option(
    "--output",
    type=_PATH,
    default=error_rates.TABLE.parent,
    show_default="that of the committed tables",
    help="The folder of the tables.",
)
def simulate(output: Path) -> None:
    """Simulate, in minutes, how often a comparison of times errs, and write the tables."""
    tables = {
        error_rates.TABLE: error_rates.error_rates,
        coverage.TABLE: coverage.coverage,
    }
    for kept in tables:
        header = read_text(kept).splitlines()[0].split(",")
        check_replaceable(output / kept.name, "error rates", csv_with(*header))
    for kept, simulated in tables.items():
        table, path = simulated(), output / kept.name
        write_text(path, table.to_csv(index=False))
        click.echo(table.drop(columns="description", errors="ignore").to_string(index=False))
        click.echo(f"wrote {path}")


@main.command()
@_results(help="A sweep, and files of ratios that were measured beside it.")
def publish(results: tuple[Path, ...]) -> None:
    """Keep what a report is made of, and show it in the README."""
    folder = publishing.publish(read_results(results), _PUBLISHED, Path("README.md"))
    click.echo(f"published: {folder}")


@main.command()
@click.option("--output", type=_PATH, default=Path("results/published"), show_default=True)
def rebuild(output: Path) -> None:
    """Build the pages of all published reports, their list, and the history with asv's results."""
    check_folder(output)
    click.echo(f"page: {publishing.rebuild(_PUBLISHED, output, _ASV).resolve()}")


@main.command()
@click.argument("path", type=_PATH)
@click.option("--results", type=_PATH, help="The sweep measured again; without one, it is run.")
def reproduce(path: Path, results: Path | None) -> Answer:
    """Measure a published report again: exit 1 if what is expected to agree does not."""
    published = read_published(path)
    found_at = results or Path("results/reproduction.json")
    rows = found_at.parent / f"{found_at.stem}.csv"
    check_replaceable(rows, "rows of a reproduction", csv_with("published", "again", "outcome"))
    if results is None:
        run_sweep(found_at, *(f"--n-cells={n}" for n in published.manifest["n_cells"]))
    again = read_complete_sweep(found_at)
    found = judge_reproduction(published.sweep, again)
    write_text(rows, found.rows.to_csv(index=False))
    with contextlib.suppress(BrokenPipeError):  # `| head` does not change the verdict
        click.echo(f"{reproduction_text(found, published, again)}\n\nevery row: {rows}")
    return found.answer


_GIVEN = click.option("--results", type=_PATH, help="A sweep of the tier; without one, it is run.")


@main.command()
@_GIVEN
@_OF_TIER
@click.option("--shrink", is_flag=True, help="Let measurements of the baseline before vanish.")
def baseline(results: Path | None, tier: str, shrink: bool) -> None:
    """Make the deterministic measurements of a tier the baseline that `gate` holds."""
    measured = _results_of_tier(results, tier)
    click.echo(f"wrote {write_baseline(measured, shrink=shrink)}")


@main.command()
@_GIVEN
@_OF_TIER
def gate(results: Path | None, tier: str) -> Answer:
    """Exit 1 if a deterministic measurement got worse than its baseline, 2 without a verdict."""
    verdicts = compare_with_baseline(_results_of_tier(results, tier))
    for line in unusual_rows(verdicts):
        click.echo(line)
    answer = Answer.FAILS if verdicts["gates"].any() else Answer.PASSES
    click.echo(verdict_headline(verdicts, answer))
    return answer


def _results_of_tier(path: Path | None, tier: str) -> ReadSweep:
    if path is None:
        path = Path(f"results/{tier}.json")
        run_sweep(path, "--no-times", tier=tier)
    return read_complete_sweep(path)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
