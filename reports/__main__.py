"""Command line of the reports: ``python -m reports run`` and ``build``."""

import os
import subprocess
import sys
from pathlib import Path

import click

from benchmarks.names import REPORT_CELLS
from reports import summary
from reports.gate import IncomparableError, compare_with_baseline, write_baseline
from reports.render import build as build_report
from reports.results import Results, UnreadableResultsError, read_sweep
from reports.verdict import GATING, sentence

_SWEEP = Path("results/sweep.json")
_OUTPUT = Path("results/report")


@click.group()
def main() -> None:
    """Measure, and turn measurements into pages."""


@main.command()
@click.option("--output", type=click.Path(path_type=Path), default=_OUTPUT, show_default=True)
@click.pass_context
def run(context: click.Context, output: Path) -> None:
    """Run the sweep in a process of its own, then build its report."""
    sweep = output.parent / _SWEEP.name
    _measure(context, sweep, *(f"--n-cells={n}" for n in REPORT_CELLS))
    context.invoke(build, results=sweep, output=output)


def _measure(context: click.Context, path: Path, *options: str, tier: str = "standard") -> None:
    """Run the sweep in a process of its own; exit 2 if it does not finish."""
    command = [sys.executable, "-m", "benchmarks", "sweep", "--output", str(path), *options]
    if subprocess.run(command, env={**os.environ, "DIFFBIO_BENCH_TIER": tier}).returncode:
        click.echo("the sweep did not finish", err=True)
        context.exit(2)


@main.command()
@click.option("--results", type=click.Path(path_type=Path), default=_SWEEP, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=_OUTPUT, show_default=True)
@click.pass_context
def build(context: click.Context, results: Path, output: Path) -> None:
    """Build the report of a sweep: exit 1 if a loss does not agree, 2 if unreadable."""
    try:
        measured = read_sweep(results)
    except UnreadableResultsError as error:
        click.echo(str(error), err=True)
        context.exit(2)
    page = build_report(measured, results, output)
    click.echo(f"report: {page.resolve()}")
    click.echo(summary.headline(measured))
    agreed = all(row.holds for row in summary.agreement(measured))
    failed = (measured.frame["status"] == "failed").any()
    context.exit(0 if agreed and not failed else 1)


_GIVEN = click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="A sweep of the quick tier; without one, it is run.",
)


@main.command()
@_GIVEN
@click.pass_context
def baseline(context: click.Context, results: Path | None) -> None:
    """Make the deterministic figures of the quick tier the baseline that `gate` holds."""
    try:
        click.echo(f"wrote {write_baseline(_quick_results(context, results))}")
    except UnreadableResultsError as error:
        click.echo(str(error), err=True)
        context.exit(2)


@main.command()
@_GIVEN
@click.pass_context
def gate(context: click.Context, results: Path | None) -> None:
    """Exit 1 if a deterministic figure got worse than its baseline, 2 if it cannot be judged."""
    try:
        verdicts = compare_with_baseline(_quick_results(context, results))
    except (IncomparableError, UnreadableResultsError) as error:
        click.echo(str(error), err=True)
        context.exit(2)
    told = verdicts[verdicts["verdict"] != "unchanged"].sort_values(["verdict", "benchmark"])
    if not told.empty:
        click.echo(told.to_string(index=False))
    click.echo(sentence(verdicts))
    context.exit(int(verdicts["verdict"].isin(GATING).any()))


def _quick_results(context: click.Context, path: Path | None) -> Results:
    if path is None:
        path = Path("results/quick.json")
        _measure(context, path, tier="quick")
    return read_sweep(path)


if __name__ == "__main__":
    main()
