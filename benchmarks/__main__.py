"""Command line of the benchmarks: ``python -m benchmarks sweep``."""

import sys
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
@click.option("--n-cells", type=int, multiple=True, help="Cell counts instead of the tier's.")
def sweep(output: Path, n_cells: tuple[int, ...]) -> None:
    """Measure the whole catalog once, in this process, into one JSON file.

    The file is whole after every step: interrupt it, and the same command goes on.
    """
    from benchmarks.measure.sweep import run_sweep
    from benchmarks.schema.suite import CELL_COUNTS

    try:
        run_sweep(output, n_cells or CELL_COUNTS)
    except KeyboardInterrupt:
        click.echo(f"interrupted; {output} holds what was measured, run again to go on", err=True)
        sys.exit(130)
    click.echo(f"wrote {output}")


@main.command()
@click.option("--loss", "losses", multiple=True, help="Losses of the catalog; all by default.")
@click.option("--n-cells", type=int, multiple=True, help="Cell counts instead of the targets'.")
@click.option("--peers", is_flag=True, help="Measure the installed peers as well.")
@click.option(
    "--json",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the ratios there too.",
)
def ratios(
    losses: tuple[str, ...], n_cells: tuple[int, ...], peers: bool, path: Path | None
) -> None:
    """Compare each loss with its lower bound, and with its peers, in turn."""
    from benchmarks.measure.environment import environment
    from benchmarks.peers.compare import compare_all, missing_peers, table, write_ratios

    if peers:
        for peer in missing_peers():
            click.echo(f"not installed, not measured: {peer.name} ({peer.requires})", err=True)
    found = compare_all(losses, n_cells, peers=peers)
    click.echo(table(found))
    if path:
        write_ratios(path, environment(), found)


@main.command()
@click.option("--n-cells", type=int, default=1_000_000, show_default=True)
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path))
def million(n_cells: int, path: Path | None) -> None:
    """Batch mixing with its gradient on a million cells, exact and approximate."""
    from benchmarks.measure.million import run_million

    run_million(n_cells, path)


if __name__ == "__main__":
    main()
