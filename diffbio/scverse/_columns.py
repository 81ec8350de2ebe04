"""Columns of ``obs`` and ``var``: categories as numbers, and flags as booleans."""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData

from diffbio.scverse import _entries

__all__ = ["Categories", "categories", "flags"]

Array = np.ndarray
_Numbered = tuple[Array, Sequence[Hashable]]


class Categories(NamedTuple):
    """Columns of ``obs``, whose combinations are numbered.

    Attributes:
        source: the argument and the keys, for messages.
        codes: ``(n_cells,)`` int32 in ``[0, n_categories)``, in the order of the categories;
            -1 where a value is missing.
        names: of those that occur; tuples if there are several columns.
    """

    source: str
    codes: Array
    names: Sequence[Hashable]

    @property
    def n_categories(self) -> int:
        """How many occur."""
        return len(self.names)

    @property
    def known(self) -> Array:
        """``(n_cells,)`` bool, False where a value is missing."""
        return self.codes >= 0

    def check_several(self) -> None:
        """Require at least two categories."""
        if self.n_categories < 2:
            raise ValueError(
                f"{self.source} must hold at least two categories, got {list(self.names)}"
            )


def categories(adata: AnnData, argument: str, key: str | Sequence[str]) -> Categories:
    """The categories of a column of ``obs``, or the combinations of several, that occur."""
    names = _entries.keys(argument, key)
    numbered = [_numbered(argument, name, adata.obs) for name in names]
    codes, found = numbered[0] if len(numbered) == 1 else _combined(numbered)
    given = key if isinstance(key, str) else names
    result = Categories(f"{argument}={given!r}", codes.astype(np.int32), found)
    n_known = int(result.known.sum())
    if not n_known:
        raise ValueError(f"{result.source} must hold at least two categories, got no value at all")
    if result.n_categories == n_known > 1:
        _entries.warn(
            f"{result.source} holds another value in each of {n_known} cells: "
            "it may name the cells instead of groups of them"
        )
    return result


def _numbered(argument: str, key: str, obs: pd.DataFrame) -> _Numbered:
    """The number of each cell's category, -1 if it is missing, and the categories."""
    column = _entries.column(argument, key, "obs", obs)
    values: Any = column
    if isinstance(column.dtype, np.dtype):
        # pandas looks up numbers of the machine's own byte order only.
        values = column.to_numpy().astype(column.dtype.newbyteorder("="), copy=False)
    if column.dtype.kind == "c":
        raise TypeError(f"{argument}={key!r} must hold categories, got {column.dtype}")
    if column.dtype.kind == "f":
        # Nullable columns may hold NaN beside what they call missing.
        values = column.to_numpy(np.float64, na_value=np.nan)
        if (values[~np.isnan(values)] % 1 != 0).any():
            raise TypeError(
                f"{argument}={key!r} must hold categories, got fractions ({column.dtype})"
            )
    try:
        codes, found = pd.factorize(values, sort=True)
    except TypeError as error:
        raise TypeError(
            f"{argument}={key!r} must hold categories of one kind, got {column.dtype}: {error}"
        ) from None
    return codes, found.tolist()


def _combined(numbered: Sequence[_Numbered]) -> _Numbered:
    """The same of several columns: a value that is missing in one is missing."""
    table = np.stack([codes for codes, _ in numbered], axis=1)
    known = (table >= 0).all(axis=1)
    occurring, inverse = np.unique(table[known], axis=0, return_inverse=True)
    codes = np.full(len(table), -1)
    codes[known] = inverse.reshape(-1)
    columns = [found for _, found in numbered]
    names = [
        tuple(found[code] for found, code in zip(columns, row, strict=True)) for row in occurring
    ]
    return codes, names


def flags(key: str, where: str, frame: pd.DataFrame) -> Array:
    """A column of booleans, or of integers 0 and 1, without a missing value.

    Everything else has a truth, too, by which ``"False"`` and NaN are true.
    """
    column = _entries.column("the column", key, where, frame)
    missing = int(column.isna().sum())
    boolean = column.dtype.kind == "b" or (
        column.dtype.kind in "iu" and np.isin(column, (0, 1)).all()
    )
    if missing or not boolean:
        raise TypeError(
            f"adata.{where}[{key!r}] must hold booleans or integers 0 and 1, got {column.dtype}"
            + (f" with {missing} missing values" if missing else "")
        )
    return column.to_numpy(bool)
