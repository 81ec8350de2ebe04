"""Command line of the reports: measure, judge, and turn both into pages."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import click

from benchmarks.schema.children import run_child
from benchmarks.schema.console import print_in_any_locale
from benchmarks.schema.files import check_replaceable, csv_with, read_text, write_text
from benchmarks.schema.suite import REPORT_CELLS, TIERS
from reports.judge import agreement, commits, error_rates
from reports.judge.baseline import IncomparableError, compare_with_baseline, write_baseline
from reports.judge.claims import judged_claims
from reports.judge.compare_asv import compare_asv
from reports.judge.compare_rounds import compare_rounds
from reports.judge.measuring import measure_commits
from reports.judge.reproduction import reproduced
from reports.judge.verdict import Answer
from reports.pages import publishing
from reports.pages.claims import build_claims, claims_headline
from reports.pages.comparison import build_comparison
from reports.pages.folders import check_folder
from reports.pages.report import build_report
from reports.pages.reproduced import reproduction_text
from reports.pages.words import report_headline, unusual_rows, verdict_headline
from reports.sources.frame import DamagedError
from reports.sources.manifest import read_published
from reports.sources.observations import read_observations
from reports.sources.results import read_results
from reports.sources.rounds import holds_rounds
from reports.sources.sweep import Sweep, read_complete_sweep

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


class _Judging(click.Group):
    """Commands that exit 1 for a verdict alone, and 2 if anything stops them before it."""

    def invoke(self, context: click.Context) -> Any:
        print_in_any_locale()
        try:
            return super().invoke(context)
        except (DamagedError, IncomparableError, OSError, subprocess.SubprocessError) as error:
            _stop(context, error)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort):
            _stop(context, "interrupted")
        except Exception as error:
            traceback.print_exc()
            _stop(context, f"no verdict, this is a mistake of the program: {error!r}")


@click.group(cls=_Judging)
def main() -> None:
    """Measure, and turn measurements into pages."""


@main.command()
@click.option("--output", type=_PATH, default=_OUTPUT, show_default=True)
@click.pass_context
def run(context: click.Context, output: Path) -> None:
    """Run the sweep in a process of its own, then build its report."""
    sweep = output.parent / _SWEEP.name
    check_folder(output)
    if output == sweep:
        _stop(context, f"{output}: the sweep is written there, choose another folder")
    _measure(context, sweep, *(f"--n-cells={n}" for n in REPORT_CELLS))
    context.invoke(build, results=(sweep,), output=output)


def _measure(context: click.Context, path: Path, *options: str, tier: str = "standard") -> None:
    """Run the sweep in a process of its own; exit 2 if it does not finish."""
    command = [sys.executable, "-m", "benchmarks", "sweep", "--output", str(path), *options]
    if run_child(command, env={**os.environ, "DIFFBIO_BENCH_TIER": tier}).returncode:
        _stop(context, "the sweep did not finish")


def _stop(context: click.Context, reason: object) -> NoReturn:
    """Say why there is no judgement, and exit 2."""
    click.echo(str(reason), err=True)
    context.exit(Answer.UNJUDGED)


@main.command()
@_results(help="Sweeps, asv's results folders, pytest-benchmark's files, or folders of such files.")
@click.option("--output", type=_PATH, default=_OUTPUT, show_default=True)
@click.pass_context
def build(context: click.Context, results: tuple[Path, ...], output: Path) -> None:
    """Build the page: exit 1 if a loss does not agree or failed, 2 if something is unreadable."""
    check_folder(output)
    read = read_results(results)
    for complaint in read.measurements.complaints:
        click.echo(str(complaint), err=True)
    for what, n in read.measurements.left_out.items():
        click.echo(f"left out, {n} times: {what}", err=True)
    click.echo(f"report: {build_report(read, output).resolve()}")
    click.echo(report_headline(read))
    context.exit(agreement.answer(read))


@main.command()
@click.option("--results", type=_PATH, default=Path("results/claims.json"), show_default=True)
@click.option("--output", type=_PATH, default=Path("results/claims"), show_default=True)
@click.pass_context
def claims(context: click.Context, results: Path, output: Path) -> None:
    """Build the page of the experiments on the claims: exit 2 if a part is unreadable."""
    check_folder(output)
    read = read_observations(results)
    for complaint in read.complaints:
        click.echo(str(complaint), err=True)
    click.echo(f"page: {build_claims(read, output).resolve()}")
    click.echo(claims_headline(judged_claims(read.margins)))
    context.exit(2 if read.complaints else 0)


@main.command()
@click.argument("base")
@click.argument("head", default="HEAD")
@click.option(
    "--results",
    type=_PATH,
    help="A folder of rounds, or asv's results: judge these, and measure nothing.",
)
@click.option("--output", type=_PATH, default=Path("results/comparison"), show_default=True)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="No round begins after that.",
)
@click.option(
    "--versions",
    nargs=2,
    help="Compare two releases of jax instead, on one commit: BASE.",
)
@click.option("--gate-on-time", is_flag=True, help="Let slower calls fail the change too.")
@click.pass_context
def compare(
    context: click.Context,
    base: str,
    head: str,
    results: Path | None,
    output: Path,
    minutes: float,
    versions: tuple[str, str] | None,
    gate_on_time: bool,
) -> None:
    """Did HEAD make anything worse than BASE? One sentence, one page and one exit code."""
    check_folder(output)
    base, head = commits.resolve(base), commits.resolve(base if versions else head)
    if results is None:
        results = _ROUNDS
        measure_commits(results, (base, head), versions or (), minutes)
    renewed = commits.renews_baseline(base, head)
    judge = compare_rounds if holds_rounds(results) else compare_asv
    comparison = judge(results, base, head, on_time=gate_on_time, baseline_renewed=renewed)
    for complaint in comparison.complaints:
        click.echo(str(complaint), err=True)
    page = build_comparison(comparison, output)
    click.echo(read_text(page.parent / "comment.md"))
    click.echo(f"page: {page.resolve()}")
    context.exit(comparison.answer)


@main.command("error-rates")
@click.option("--output", type=_PATH, default=error_rates.TABLE, show_default="the committed table")
def simulate(output: Path) -> None:
    """Simulate how often a comparison of times errs, in a minute, and write the table."""
    check_replaceable(output, "error rates", csv_with(*error_rates.COLUMNS))
    table = error_rates.error_rates()
    write_text(output, table.to_csv(index=False))
    click.echo(table.drop(columns="description").to_string(index=False))
    click.echo(f"wrote {output}")


@main.command()
@_results(help="A sweep, and files of ratios that were measured beside it.")
def publish(results: tuple[Path, ...]) -> None:
    """Keep what a report is made of, and show it in the README."""
    folder = publishing.publish(read_results(results), _PUBLISHED, Path("README.md"))
    click.echo(f"published: {folder}")


@main.command()
@click.option("--output", type=_PATH, default=Path("results/published"), show_default=True)
def rebuild(output: Path) -> None:
    """Build the pages of all published reports, their list, and asv's pages of the history."""
    check_folder(output)
    click.echo(f"page: {publishing.rebuild(_PUBLISHED, output, _ASV).resolve()}")


@main.command()
@click.argument("path", type=_PATH)
@click.option("--results", type=_PATH, help="The sweep measured again; without one, it is run.")
@click.pass_context
def reproduce(context: click.Context, path: Path, results: Path | None) -> None:
    """Measure a published report again: exit 1 if a promised figure does not hold."""
    published = read_published(path)
    found_at = results or Path("results/reproduction.json")
    rows = found_at.with_suffix(".csv")
    check_replaceable(rows, "rows of a reproduction", csv_with("published", "again", "outcome"))
    if results is None:
        _measure(context, found_at, *(f"--n-cells={n}" for n in published.manifest["n_cells"]))
    again = read_complete_sweep(found_at)
    found = reproduced(published.sweep, again)
    write_text(rows, found.rows.to_csv(index=False))
    with contextlib.suppress(BrokenPipeError):  # `| head` does not change the verdict
        click.echo(f"{reproduction_text(found, published, again)}\n\nevery row: {rows}")
    context.exit(found.answer)


_GIVEN = click.option("--results", type=_PATH, help="A sweep of the tier; without one, it is run.")
_OF_TIER = click.option(
    "--tier", type=click.Choice(list(TIERS)), default="quick", show_default=True
)


@main.command()
@_GIVEN
@_OF_TIER
@click.pass_context
def baseline(context: click.Context, results: Path | None, tier: str) -> None:
    """Make the deterministic figures of a tier the baseline that `gate` holds."""
    click.echo(f"wrote {write_baseline(_results_of_tier(context, results, tier))}")


@main.command()
@_GIVEN
@_OF_TIER
@click.pass_context
def gate(context: click.Context, results: Path | None, tier: str) -> None:
    """Exit 1 if a deterministic figure got worse than its baseline, 2 if it cannot be judged."""
    verdicts = compare_with_baseline(_results_of_tier(context, results, tier))
    for line in unusual_rows(verdicts):
        click.echo(line)
    answer = Answer.FAILS if verdicts["gates"].any() else Answer.PASSES
    click.echo(verdict_headline(verdicts, answer))
    context.exit(answer)


def _results_of_tier(context: click.Context, path: Path | None, tier: str) -> Sweep:
    if path is None:
        path = Path(f"results/{tier}.json")
        _measure(context, path, tier=tier)
    return read_complete_sweep(path)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
