"""The plots of the experiments: losses beside measures, trainings, cells before and after."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.claims.correlations import correlations
from reports.claims.methods import Method, methods
from reports.claims.reading import Observations
from reports.writing.plotting import BLUE, GREY, Plot

__all__ = ["claim_plots"]

_MEASURES = {
    "ilisi": "iLISI",
    "kbet": "kBET",
    "clisi": "cLISI",
    "ari": "ARI",
    "moved": "variance moved",
}
# The controls would stretch these axes until the methods cannot be told apart.
_NARROW, _MOST_SHOWN = ("clisi", "moved"), 1.0
_SWEEPS = (BLUE, "#D55E00", "#009E73")
_TYPES, _BATCHES = colormaps["tab20"], colormaps["Set1"]


def claim_plots(read: Observations) -> Iterator[Plot]:
    """Every plot that there are numbers for, in the order of the page."""
    if not read.trainings.empty:
        yield _method_plot(read.trainings)
    if not read.courses.empty:
        yield _course_plot(read.courses)
    for cells, rows in read.scatters.groupby("cells", sort=False):
        yield _scatter_plot(str(cells), rows)
    recommended = read.associations[read.associations["recommended"].astype(bool)]
    if not recommended.empty:
        yield _association_plot(recommended)


def _method_plot(trainings: pd.DataFrame) -> Plot:
    """A row of panels per data set, a panel per measure, a line of the panel per method."""
    by_cells: dict[str, list[Method]] = {}
    for method in methods(trainings):
        by_cells.setdefault(method.cells, []).append(method)
    n_lines = [1.5 + len(found) for found in by_cells.values()]
    figure = Figure(figsize=(9, 0.9 + 0.2 * sum(n_lines)), layout="constrained")
    panels = figure.subplots(
        len(by_cells), len(_MEASURES), squeeze=False, sharey="row", height_ratios=n_lines
    )
    rows: list[dict[str, object]] = []
    for row, (cells, found) in zip(panels, by_cells.items(), strict=True):
        names = sorted(
            (m.method for m in found), key=lambda name: (not _is_batch_mixing(name), name)
        )
        row[0].set_title(cells, loc="left", fontsize=8)
        row[0].set_yticks(range(len(names)), names)
        row[0].set_ylim(len(names) - 0.5, -0.5)
        for axes, (name, title) in zip(row, _MEASURES.items(), strict=True):
            rows += _dots(axes, found, name, names)
            axes.set_xlabel(title, fontsize=7)
            axes.tick_params(labelsize=6)
            axes.locator_params(axis="x", nbins=3)
    return Plot(
        "methods",
        "Methods",
        "Per data set, what each method reaches: mean and 95 % interval over seeds. More is "
        "better, but for the variance moved. Cells shuffled within their types are as mixed as "
        "they can be. Cells shuffled wholly, or moved by more than all their variance, lie "
        "beyond some panels.",
        figure,
        pd.DataFrame(rows),
    )


def _dots(
    axes: Axes, found: list[Method], name: str, names: list[str]
) -> Iterator[dict[str, object]]:
    """Draw a measure of each method that has it, and yield the numbers."""
    shown = [method for method in found if name in method.measurements]
    if not shown:
        axes.set_axis_off()
    for method in shown:
        mean, low, high, _ = method.measurements[name]
        at, colour = names.index(method.method), _SWEEPS[_is_batch_mixing(method.method)]
        axes.plot([low, high], [at, at], color=colour, linewidth=1)
        axes.plot(mean, at, "o", color=colour, markersize=4)
        yield {"cells": method.cells, "method": method.method, "measure": name, "mean": mean,
               "low": low, "high": high}  # fmt: skip
    means = [m.measurements[name].mean for m in shown if not m.method.startswith("shuffled wholly")]
    if means and name in _NARROW:
        kept = [mean for mean in means if mean <= _MOST_SHOWN]
        margin = 0.1 * (max(kept) - min(kept)) or 0.01
        axes.set_xlim(min(kept) - margin, max(kept) + margin)


def _is_batch_mixing(name: str) -> bool:
    return name.startswith("batch mixing")


def _course_plot(courses: pd.DataFrame) -> Plot:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    methods_found = list(dict.fromkeys(courses["method"]))
    rows = []
    for row in courses.itertuples():
        colour = _TYPES(2 * methods_found.index(row.method) % 20)
        label = row.method if row.seed == courses["seed"].min() else None
        left.plot(row.steps, row.losses, color=colour, linewidth=1, label=label)
        right.plot(row.steps, row.ilisi, color=colour, linewidth=1, label=label)
        rows += [
            {"method": row.method, "seed": row.seed, "step": step, "loss": loss, "ilisi": ilisi}
            for step, loss, ilisi in zip(row.steps, row.losses, row.ilisi, strict=True)
        ]
    for axes, title in ((left, "objective"), (right, "iLISI")):
        axes.set_xlabel("step")
        axes.set_ylabel(title)
    left.legend(fontsize=7)
    return Plot(
        "convergence",
        "Convergence",
        f"Objective and iLISI of {courses['cells'].iloc[0]} over the steps of the training, a "
        "line per seed.",
        figure,
        pd.DataFrame(rows),
    )


def _scatter_plot(cells: str, scatters: pd.DataFrame) -> Plot:
    """Cells by method: above coloured by batch, below by type."""
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    panels = figure.subplots(2, len(scatters), squeeze=False)
    rows = []
    for (above, below), row in zip(panels.T, scatters.itertuples(), strict=True):
        above.set_title(row.method)
        _cells(above, row.x, row.y, row.batches, _BATCHES)
        _cells(below, row.x, row.y, row.types, _TYPES)
        rows.append(
            pd.DataFrame(
                {
                    "method": row.method,
                    "x": row.x,
                    "y": row.y,
                    "batch": row.batches,
                    "type": row.types,
                }
            )
        )
    panels[0, 0].set_ylabel("coloured by batch")
    panels[1, 0].set_ylabel("coloured by type")
    name = "cells-" + "".join(c if c.isalnum() else "-" for c in cells.lower())
    return Plot(
        name,
        f"Cells of {cells}",
        "Cells in two dimensions by method, above coloured by batch, below by published type.",
        figure,
        pd.concat(rows),
    )


def _cells(axes: Axes, x: list[float], y: list[float], labels: list[int], colours: object) -> None:
    order = np.random.default_rng(0).permutation(len(x))  # so that no label lies on top
    kept = np.asarray(labels)[order]
    rgb = [colours(label % colours.N) if label >= 0 else GREY for label in kept]  # type: ignore[attr-defined,operator]
    axes.scatter(np.asarray(x)[order], np.asarray(y)[order], s=2, c=rgb, rasterized=True)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)


def _association_plot(associations: pd.DataFrame) -> Plot:
    """A row per loss and measure, a panel per cells: the measure over the loss."""
    rows = [of_measure for _, of_measure in associations.groupby(["loss", "measure"], sort=False)]
    figure = Figure(figsize=(9, 2.6 * len(rows)), layout="constrained")
    n_columns = max(of_measure["cells"].nunique() for of_measure in rows)
    grid = figure.subplots(len(rows), n_columns, squeeze=False)
    for panels, of_measure in zip(grid, rows, strict=True):
        for axes in panels[of_measure["cells"].nunique() :]:
            axes.set_axis_off()
        for axes, (cells, points) in zip(
            panels, of_measure.groupby("cells", sort=False), strict=False
        ):
            axes.set_title(cells, fontsize=8)
            axes.set_xlabel(points["loss"].iloc[0], fontsize=7)
            axes.set_ylabel(points["measure"].iloc[0], fontsize=7)
            _points_per_sweep(axes, points)
    return Plot(
        "validity",
        "Losses beside the field's measures",
        "Each point is one set of cells of a sweep: the measure of the field over our loss at the "
        "recommended setting, for all seeds. Colours tell what is swept, with the mean of "
        "Spearman's rho over the seeds.",
        figure,
        associations,
    )


def _points_per_sweep(axes: Axes, points: pd.DataFrame) -> None:
    """What is swept, in a colour each; the later sweeps are drawn smaller, as they may coincide."""
    sweeps = points.groupby("varied", sort=False)
    for at, (correlation, (varied, sweep)) in enumerate(
        zip(correlations(points), sweeps, strict=True)
    ):
        axes.plot(
            sweep["loss_value"], sweep["measure_value"], "o", color=_SWEEPS[at % len(_SWEEPS)],
            markersize=max(5 - 1.3 * at, 1.5), markeredgewidth=0, alpha=0.7,
            label=f"{varied}: {correlation.rho.mean:.3f}",
        )  # fmt: skip
    axes.legend(fontsize=5.5, loc="upper right", borderpad=0.2, handletextpad=0.1)
