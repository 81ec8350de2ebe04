"""Command line of the benchmarks: ``python -m benchmarks sweep``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.measure.checkout import UncommittedError, clean_commit
from benchmarks.schema.children import end_with_caller
from benchmarks.schema.console import errors_in_one_line, json_option, naming_choices
from benchmarks.schema.files import reserved
from benchmarks.schema.git import GitError

with naming_choices():
    from benchmarks.schema.rounds import Side, SideError, Stage
    from benchmarks.schema.suite import CELL_COUNTS, LOSSES, SCALING, chosen

if TYPE_CHECKING:
    from benchmarks.rounds.sides import PreparedSide


_CELLS = click.IntRange(min=1)


class _Commands(click.Group):
    """Commands that say in one line what stops them."""

    @errors_in_one_line(GitError, SideError, UncommittedError)
    def invoke(self, context: click.Context) -> Any:
        return super().invoke(context)


@click.group(cls=_Commands)
def main() -> None:
    """Measure the losses."""


_losses = click.option("--loss", "losses", multiple=True, help="Losses instead of all.")
_cell_counts = click.option(
    "--n-cells", type=_CELLS, multiple=True, help="Instead of the usual numbers of cells."
)


@main.command()
@json_option(
    "--output",
    "a sweep",
    "schema_version",
    "environment",
    "records",
    default=Path("results/sweep.json"),
)
@_cell_counts
@_losses
@click.option("--times/--no-times", default=True, help="Whether anything is timed.")
def sweep(path: Path, n_cells: tuple[int, ...], losses: tuple[str, ...], times: bool) -> None:
    """Measure the catalog once, in this process, into one JSON file.

    The file is whole after every step: interrupt it, and the same command goes on.
    """
    try:
        names = chosen(losses) if losses else LOSSES
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    from benchmarks.measure.sweep.run import run_sweep

    sizes = tuple(dict.fromkeys(n_cells)) or CELL_COUNTS
    run_sweep(path, sizes, names, times=times, scaling=SCALING)
    click.echo(f"wrote {path}")


def _of_two_commits(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments that say what is compared, and where both sides are prepared."""
    options = (
        click.argument("base"),
        click.argument("head"),
        click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True),
        click.option("--jax", "releases", nargs=2, help="Releases of jax, for base and for head."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _sides(
    base: str, head: str, folder: Path, releases: tuple[str, str] | None
) -> "list[PreparedSide]":
    from benchmarks.rounds.sides import prepare

    given = zip(Side, (base, head), releases or (None, None), strict=True)
    return [prepare(side, commit, folder / side, jax) for side, commit, jax in given]


@main.command()
@_of_two_commits
def counters(base: str, head: str, folder: Path, releases: tuple[str, str] | None) -> None:
    """Take the deterministic counters of two commits into FOLDER/counters.json."""
    from benchmarks.rounds.counting import count

    path = folder / "counters.json"
    with reserved(folder / "sides"):
        count(path, _sides(base, head, folder, releases))
    click.echo(f"wrote {path}")


@main.command()
@_of_two_commits
@click.option("--rounds", "number", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--stage", type=click.Choice([*map(str, Stage)]), default="first", show_default=True)
@click.option("--compile", "compiled", multiple=True, help="Programs to compile; all by default.")
@click.option("--call", "called", multiple=True, help="Programs to call; all by default.")
@click.option("--minutes", type=float, default=10.0, show_default=True, help="None ends later.")
@click.option("--fewest", type=int, default=1, show_default=True, help="Stop if fewer fit.")
@click.option("--command", help="What measures the same again, for the page; this by default.")
def rounds(
    base: str, head: str, folder: Path, releases: tuple[str, str] | None, **plan: Any
) -> None:
    """Time two commits in turn, a fresh process each in every round, into FOLDER/rounds.json.

    The file is whole after every round: interrupt it, and the same command goes on.
    """
    from benchmarks.rounds.run import Plan, run_rounds

    plan["stage"] = Stage(plan["stage"])
    if not (plan["compiled"] or plan["called"]):
        plan |= {"compiled": None, "called": None}
    path = folder / "rounds.json"
    with reserved(folder / "sides"):
        run_rounds(path, _sides(base, head, folder, releases), Plan(**plan))
    click.echo(f"wrote {path}")


@main.command()
def commit() -> None:
    """Print the commit that is checked out; exit 2 if there are uncommitted changes."""
    click.echo(clean_commit())


@main.command()
@_losses
@_cell_counts
@click.option("--peers", is_flag=True, help="Measure the installed peers as well.")
@json_option("--json", "ratios alone", "environment", "ratios")
def ratios(
    losses: tuple[str, ...], n_cells: tuple[int, ...], peers: bool, path: Path | None
) -> None:
    """Compare each loss with its lower bound, and with its peers, in turn."""
    from benchmarks.peers.compare import run_ratios

    run_ratios(losses, n_cells, path, peers=peers)


@main.command()
@json_option("--json", "the updates of trainings alone", "environment", "steps")
def training(path: Path | None) -> None:
    """Measure a whole training step of every model, and the share of its loss."""
    from benchmarks.measure.training import run_trainings

    run_trainings(path)


@main.command()
@click.option("--n-cells", type=_CELLS, default=1_000_000, show_default=True)
@json_option("--json", "a run on a million cells", "phase", "n_cells")
def million(n_cells: int, path: Path | None) -> None:
    """Batch mixing with its gradient on a million cells, exact and approximate."""
    from benchmarks.measure.long.searches import run_million

    run_million(n_cells, path)


@main.command()
@click.option("--cells", "n_cells", type=_CELLS, default=100_000, show_default=True)
@json_option("--json", "searches alone", "environment", "searches")
def recall(n_cells: int, path: Path | None) -> None:
    """Seconds and recall of exact and approximate searches of neighbours."""
    from benchmarks.measure.long.searches import run_recall

    run_recall(n_cells, path)


if __name__ == "__main__":
    end_with_caller()
    main()
