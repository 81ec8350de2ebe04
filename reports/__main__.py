"""Command line of the reports: ``python -m reports run`` and ``build``."""

import subprocess
import sys
from pathlib import Path

import click

from reports import summary
from reports.render import build as build_report
from reports.results import UnreadableResultsError, read_sweep

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
    command = [sys.executable, "-m", "benchmarks", "sweep", "--output", str(sweep)]
    if subprocess.run(command).returncode:
        click.echo("the sweep did not finish; no report was built", err=True)
        context.exit(2)
    context.invoke(build, results=sweep, output=output)


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


if __name__ == "__main__":
    main()
