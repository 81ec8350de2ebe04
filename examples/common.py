"""What the examples share: their arguments, labelled cells, and plots."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from diffbio.datasets import CellData, starmap


def arguments(description: str, n_steps: int = 400) -> argparse.Namespace:
    """The number of steps, and the folder that the plot goes into."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--n-steps", type=int, default=n_steps)
    parser.add_argument("--output", type=Path, default=Path("results"))
    return parser.parse_args()


def labelled_cells() -> tuple[CellData, np.ndarray]:
    """The labelled cells of STARmap, and their components with a total variance of 1."""
    cells = starmap()
    cells = cells.subset(cells.cluster_labels >= 0)
    return cells, cells.embeddings / np.sqrt(cells.embeddings.var(axis=0).sum())


def purity(clusters: np.ndarray, types: np.ndarray) -> float:
    """Share of cells in a cluster whose most frequent type is theirs."""
    table = np.zeros((clusters.max() + 1, types.max() + 1))
    np.add.at(table, (clusters, types), 1)
    return table.max(axis=1).sum() / len(clusters)


def principal_axes(points: np.ndarray) -> np.ndarray:
    """The two directions of largest variance, as columns."""
    return np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][:2].T


def panels(n_rows: int, n_columns: int) -> tuple[plt.Figure, np.ndarray]:
    size = (4.2 * n_columns, 4 * n_rows)
    return plt.subplots(n_rows, n_columns, figsize=size, squeeze=False, layout="constrained")


def scatter(
    axes: plt.Axes, places: np.ndarray, labels: np.ndarray, title: str, size: float = 5
) -> None:
    """Cells in the plane, in random order, coloured by label."""
    order = np.random.default_rng(0).permutation(len(places))
    colors = np.array(plt.get_cmap("tab20").colors)[2 * labels % 20 + (2 * labels // 20) % 2]
    axes.scatter(*places[order].T, c=colors[order], s=size, linewidths=0)
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([])


def write(figure: plt.Figure, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / name, dpi=150)
    plt.close(figure)
    print(f"wrote {folder / name}")
