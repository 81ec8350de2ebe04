"""Command line of the benchmarks: ``python -m benchmarks sweep``."""

from pathlib import Path

import click


@click.group()
def main() -> None:
    """Measure the losses."""


@main.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("results/sweep.json"),
    show_default=True,
    help="JSON file to write.",
)
@click.option("--n-cells", type=int, multiple=True, help="Cell counts instead of the default.")
def sweep(output: Path, n_cells: tuple[int, ...]) -> None:
    """Measure the whole catalog once, in this process, into one JSON file."""
    from benchmarks.names import CELL_COUNTS
    from benchmarks.sweep import run_sweep

    run_sweep(output, n_cells or CELL_COUNTS)
    click.echo(f"wrote {output}")


if __name__ == "__main__":
    main()
