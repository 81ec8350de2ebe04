"""A plot with a panel per loss, on logarithmic axes; a panel says which curves are missing.

Colours are those that colour-blind eyes tell apart.
"""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.schema.files import put_text
from benchmarks.schema.suite import LOSSES

__all__ = [
    "BLUE",
    "GREY",
    "ORANGE",
    "STYLES",
    "Plot",
    "curves",
    "dashed",
    "panels",
    "say",
    "say_missing",
    "write_plots",
]

BLUE, GREY = "#0072B2", "#666666"
ORANGE = "#D55E00"
STYLES = {"value": (BLUE, "o", "value"), "value_and_grad": (ORANGE, "s", "value and gradient")}


@dataclass(frozen=True)
class Plot:
    """A figure with its file name, its title, the sentence that describes it, and its data."""

    name: str
    title: str
    description: str
    figure: Figure
    data: pd.DataFrame

    @cached_property
    def svg(self) -> str:
        """The figure as an ``<svg>`` element."""
        buffer = io.StringIO()
        self.figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
        text = buffer.getvalue()
        return text[text.index("<svg") :]

    @cached_property
    def csv(self) -> str:
        """The numbers that are drawn."""
        return self.data.to_csv(index=False)

    def write_png(self, path: Path) -> None:
        """Write the figure as a picture of points, the same whether its page is written or not."""
        _ = self.svg  # the layout goes on from what was drawn before
        self.figure.savefig(path, dpi=110)


def write_plots(folder: Path, drawn: Sequence[Plot]) -> None:
    """Write each plot as SVG and PNG, and its numbers as CSV."""
    for plot in drawn:
        put_text(folder / f"{plot.name}.svg", plot.svg)
        plot.write_png(folder / f"{plot.name}.png")
        put_text(folder / f"{plot.name}.csv", plot.csv)


def panels(
    draw: Callable[[Axes, str], None],
    x_label: str,
    y_label: str,
    *,
    ticks: Iterable[int] = (),
    log_x: bool = True,
) -> Figure:
    """One panel per loss on common axes."""
    n_columns = 3
    n_rows = -(-len(LOSSES) // n_columns)
    figure = Figure(figsize=(9, 2.4 * n_rows), layout="constrained")
    drawn = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).flat
    ticks = sorted(set(ticks))
    for axes, loss in zip(drawn, LOSSES, strict=False):
        axes.set_xscale("log" if log_x else "linear")
        axes.set_yscale("log")
        axes.minorticks_off()  # a labelled tick costs more time than the curves
        if ticks:
            axes.set_xticks(ticks, [str(n) for n in ticks], fontsize=7)
        draw(axes, loss)
        axes.set_title(loss.replace("_", " "), fontsize=9)
    legend = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        legend.values(), legend.keys(), loc="outside upper center", ncols=4, frameon=False
    )
    figure.supxlabel(x_label)
    figure.supylabel(y_label)
    return figure


def curves(
    axes: Axes, rows: pd.DataFrame, loss: str, factor: float, *, unit: str, band: bool = False
) -> None:
    """A curve over the cells per transform and device, dotted on a GPU.

    The panel says in words if values are 0, which a logarithmic axis cannot show, or if they
    were not measured.

    Args:
        rows: with ``loss``, ``transform``, ``device``, ``n_cells`` and ``value``; for a band
            also ``ratio_low`` and ``ratio_high``.
        factor: by which values are multiplied.
        unit: unit of the values, for the words that say they are 0.
    """
    missing = {}
    for transform, (colour, marker, label) in STYLES.items():
        own = rows[(rows["loss"] == loss) & (rows["transform"] == transform)]
        positive = own[own["value"] > 0].sort_values("n_cells")
        if positive.empty:
            missing[label] = "not measured" if own.empty else f"0 {unit}"
        for device, points in positive.groupby("device"):
            gpu = device != "cpu"
            axes.plot(
                points["n_cells"], factor * points["value"], color=colour, marker=marker,
                linestyle=":" if gpu else "-", label=f"{label}, {device}" if gpu else label,
            )  # fmt: skip
            if band:
                quartiles = (points["ratio_low"], points["ratio_high"])
                axes.fill_between(
                    points["n_cells"], *quartiles, color=colour, alpha=0.2, linewidth=0
                )
    say_missing(axes, missing)


def dashed(
    axes: Axes, rows: pd.DataFrame, loss: str, factor: float, *, colour: str, label: str
) -> None:
    """A dashed line over the cells, with which a loss is compared on the CPU."""
    own = rows[(rows["loss"] == loss) & (rows["device"] == "cpu")].sort_values("n_cells")
    axes.plot(own["n_cells"], factor * own["value"], color=colour, linestyle="--", label=label)


def say_missing(axes: Axes, missing: Mapping[str, str]) -> None:
    """Say why curves are missing, by label, or once if all are missing for one reason."""
    reasons = set(missing.values())
    if len(missing) == len(STYLES) and len(reasons) == 1:
        say(axes, *reasons)
    elif missing:
        say(axes, *(f"{label}: {reason}" for label, reason in missing.items()))


def say(axes: Axes, *lines: str) -> None:
    """Write words into the upper left corner of a panel."""
    text = "\n".join(lines)
    axes.text(0.03, 0.95, text, transform=axes.transAxes, va="top", color=GREY, fontsize=8)
