"""Command line of the experiments: ``python -m experiments``."""

from pathlib import Path

import click

from benchmarks.schema.console import errors_in_one_line, json_option
from benchmarks.schema.git import GitError


@click.command()
@json_option(
    "--output",
    "the results of experiments",
    "schema_version",
    "environment",
    "margins",
    default=Path("results/claims.json"),
)
@click.option("--only", default="", help="Only the experiments whose name contains this.")
@click.option("--small", is_flag=True, help="Few seeds, cells and steps: to try the tool.")
@errors_in_one_line(GitError)
def main(path: Path, only: str, small: bool) -> None:
    """Put every claim to the test, and train models beside the field's methods.

    The file is whole after every experiment: interrupt it, and the same command goes on.
    """
    from experiments.catalog import EXPERIMENTS
    from experiments.experiment import FULL, SMALL
    from experiments.run import run_experiments

    chosen = [experiment for experiment in EXPERIMENTS if only in experiment.name]
    if not chosen:
        raise click.UsageError(f"--only={only}: no experiment has that in its name")
    run_experiments(path, chosen, SMALL if small else FULL)
    click.echo(f"wrote {path}")


if __name__ == "__main__":
    main()
