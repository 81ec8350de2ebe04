"""Command line of the benchmarks: ``python -m benchmarks sweep``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.distributed.launcher import ProcessEndedError
from benchmarks.measure.checkout import UncommittedError, clean_commit
from benchmarks.schema.children import end_with_caller
from benchmarks.schema.console import print_in_any_locale
from benchmarks.schema.files import (
    UnwritableError,
    check_replaceable,
    json_with,
    reserved,
    write_json,
)
from benchmarks.schema.git import GitError
from benchmarks.schema.rounds import Side, SideError, Stage

if TYPE_CHECKING:
    from benchmarks.rounds.sides import PreparedSide


# What can stop a command.
_STOPPING = (GitError, ProcessEndedError, SideError, UncommittedError, UnwritableError)


class _Commands(click.Group):
    """Commands that say in one line what stops them: exit 2 for an error, 130 for an interrupt."""

    def invoke(self, context: click.Context) -> Any:
        print_in_any_locale()
        try:
            return super().invoke(context)
        except _STOPPING as error:
            click.echo(str(error), err=True)
            context.exit(2)
        except KeyboardInterrupt as interrupt:
            click.echo(f"interrupted; {interrupt}".rstrip("; "), err=True)
            context.exit(130)


def _only_over(kind: str, *names: str) -> Callable[[Any, Any, Path | None], Path | None]:
    """A callback that refuses, before anything is measured, to replace another kind of file."""

    def check(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
        if path is not None:
            check_replaceable(path, kind, json_with(*names))
        return path

    return check


@click.group(cls=_Commands)
def main() -> None:
    """Measure the losses."""


@main.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("results/sweep.json"),
    show_default=True,
    callback=_only_over("a sweep", "schema_version", "environment", "records"),
    help="JSON file to write.",
)
@click.option("--n-cells", type=int, multiple=True, help="Cell counts instead of the tier's.")
@click.option("--loss", "losses", multiple=True, help="Losses instead of the environment's.")
@click.option("--times/--no-times", default=True, help="Whether anything is timed.")
def sweep(output: Path, n_cells: tuple[int, ...], losses: tuple[str, ...], times: bool) -> None:
    """Measure the catalog once, in this process, into one JSON file.

    The file is whole after every step: interrupt it, and the same command goes on.
    """
    try:
        from benchmarks.schema.suite import CELL_COUNTS, LOSSES, SCALING, chosen

        names = chosen(losses) if losses else LOSSES
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    from benchmarks.measure.sweep.run import run_sweep

    run_sweep(output, n_cells or CELL_COUNTS, names, times=times, scaling=SCALING)
    click.echo(f"wrote {output}")


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
    """Take the deterministic figures of two commits into FOLDER/counters.json."""
    from benchmarks.rounds.counters import count

    path = folder / "counters.json"
    with reserved(folder / "sides"):
        count(path, _sides(base, head, folder, releases))
    click.echo(f"wrote {path}")


@main.command()
@_of_two_commits
@click.option("--rounds", "number", type=int, default=8, show_default=True)
@click.option(
    "--stage",
    type=click.Choice([stage.value for stage in Stage]),
    default=Stage.FIRST.value,
    show_default=True,
)
@click.option("--compile", "compiled", multiple=True, help="Programs to compile; all by default.")
@click.option("--call", "called", multiple=True, help="Programs to call; all by default.")
@click.option("--minutes", type=float, default=10.0, show_default=True, help="None ends later.")
@click.option("--fewest", type=int, default=1, show_default=True, help="Stop if fewer fit.")
@click.option("--command", help="What measures the same again, for the page; this by default.")
def rounds(
    base: str,
    head: str,
    folder: Path,
    releases: tuple[str, str] | None,
    number: int,
    stage: str,
    compiled: tuple[str, ...],
    called: tuple[str, ...],
    minutes: float,
    fewest: int,
    command: str | None,
) -> None:
    """Time two commits in turn, a fresh process each in every round, into FOLDER/rounds.json.

    The file is whole after every round: interrupt it, and the same command goes on.
    """
    from benchmarks.rounds.run import Rounds, run_rounds

    some = bool(compiled or called)
    programs = (compiled if some else None, called if some else None)
    wanted = Rounds(Stage(stage), number, *programs, minutes, fewest, command)
    path = folder / "rounds.json"
    with reserved(folder / "sides"):
        run_rounds(path, _sides(base, head, folder, releases), wanted)
    click.echo(f"wrote {path}")


@main.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("results/claims.json"),
    show_default=True,
    callback=_only_over("the results of experiments", "schema_version", "environment", "margins"),
    help="JSON file to write.",
)
@click.option("--only", default="", help="Only the experiments whose name contains this.")
@click.option("--small", is_flag=True, help="Few seeds, cells and steps: to try the tool.")
def claims(output: Path, only: str, small: bool) -> None:
    """Put every claim to the test, and train models beside the field's methods.

    The file is whole after every experiment: interrupt it, and the same command goes on.
    """
    from benchmarks.claims import EXPERIMENTS, FULL, SMALL
    from benchmarks.claims.run import run_experiments

    chosen = [experiment for experiment in EXPERIMENTS if only in experiment.name]
    if not chosen:
        raise click.UsageError(f"--only={only}: no experiment has that in its name")
    run_experiments(output, chosen, SMALL if small else FULL)
    click.echo(f"wrote {output}")


@main.command()
def commit() -> None:
    """Print the commit that is checked out; exit 2 if there are uncommitted changes."""
    click.echo(clean_commit())


@main.command()
@click.option("--loss", "losses", multiple=True, help="Losses of the catalog; all by default.")
@click.option("--n-cells", type=int, multiple=True, help="Cell counts instead of the targets'.")
@click.option("--peers", is_flag=True, help="Measure the installed peers as well.")
@click.option(
    "--json",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_only_over("ratios alone", "environment", "ratios"),
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
@click.option(
    "--json",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_only_over("the steps of trainings alone", "environment", "steps"),
    help="Write the measurements there too.",
)
def training(path: Path | None) -> None:
    """Measure a whole training step of every model, and the share of its loss."""
    import jax

    from benchmarks.measure.environment import environment
    from benchmarks.measure.training import measure_trainings, table

    found = measure_trainings(jax.devices()[0])
    click.echo(table(found))
    if path:
        rows = [record.row() for record in found]
        write_json(path, {"environment": environment(), "steps": rows})


@main.command()
@click.option("--n-cells", type=int, default=1_000_000, show_default=True)
@click.option(
    "--json",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_only_over("a run on a million cells", "phase", "n_cells"),
)
def million(n_cells: int, path: Path | None) -> None:
    """Batch mixing with its gradient on a million cells, exact and approximate."""
    from benchmarks.measure.long.searches import run_million

    run_million(n_cells, path)


@main.command()
@click.option("--cells", "n_cells", type=int, default=100_000, show_default=True)
@click.option(
    "--json",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_only_over("searches alone", "environment", "searches"),
)
def recall(n_cells: int, path: Path | None) -> None:
    """Seconds and recall of exact and approximate searches of neighbours."""
    from benchmarks.measure.long.searches import run_recall

    run_recall(n_cells, path)


@main.command()
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--devices-per-process", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--loss", "losses", multiple=True, help="Losses of the catalog; all by default.")
@click.option("--n-cells", type=click.IntRange(min=64), default=1003, show_default=True)
@click.option(
    "--json",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_only_over("a comparison of processes", "environment", "processes", "comparisons"),
    help="Write the comparisons there too.",
)
def distributed(
    processes: int,
    devices_per_process: int,
    losses: tuple[str, ...],
    n_cells: int,
    path: Path | None,
) -> None:
    """Compare every loss in several processes with one: exit 1 where they do not agree.

    The processes run here, on the loopback address, and each has several virtual devices.
    """
    from benchmarks.distributed.comparison import compare_processes, table
    from benchmarks.measure.environment import environment
    from benchmarks.schema.suite import chosen

    try:
        names = chosen(losses)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    found = compare_processes(names, n_cells, processes, devices_per_process)
    click.echo(table(found))
    if path:
        content = {
            "environment": environment(),
            "processes": processes,
            "devices_per_process": devices_per_process,
            "comparisons": [one.row() for one in found],
        }
        write_json(path, content)
    if not all(one.agrees for one in found):
        raise SystemExit(1)


if __name__ == "__main__":
    end_with_caller()
    main()
